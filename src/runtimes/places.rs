//! Where interpreters are looked for on this machine, and whether other accounts can reach them (EX1, EX2).

use std::{
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Directories to look in; a value, so that tests bring their own.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Directories of PATH, and after them those that hold a system's own programs.
    pub(super) path: Vec<PathBuf>,
    /// Directories that are an R home.
    pub(super) r_homes: Vec<PathBuf>,
    /// Directories with one R home a version.
    pub(super) r_parents: Vec<PathBuf>,
    /// Directories with one Python a version.
    pub(super) python_parents: Vec<PathBuf>,
    /// Directories with one Quarto a version.
    pub(super) quarto_parents: Vec<PathBuf>,
    /// Directories with one Node.js a version.
    pub(super) node_parents: Vec<PathBuf>,
    /// Whether content runs as another account than this process, which is so only where it is root.
    pub(super) for_others: bool,
}

impl Places {
    /// Those of this machine, as the products scan them.
    pub(super) fn of_this_machine() -> Self {
        let all = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let path = env::var_os("PATH").unwrap_or_default();
        let mut path: Vec<PathBuf> = env::split_paths(&path).filter(|dir| dir.is_absolute()).collect();
        path.extend(all(&["/usr/local/bin", "/usr/bin", "/bin"]));
        Self {
            path,
            r_homes: all(&[
                "/usr/lib/R",
                "/usr/lib64/R",
                "/usr/local/lib/R",
                "/usr/local/lib64/R",
                "/opt/local/lib/R",
                "/opt/local/lib64/R",
            ]),
            r_parents: all(&["/opt/R", "/opt/local/R"]),
            python_parents: all(&["/opt/python"]),
            quarto_parents: all(&["/opt/quarto"]),
            node_parents: all(&["/opt/nodejs", "/opt/node"]),
            for_others: rustix::process::geteuid().is_root(),
        }
    }
}

/// Every R in the usual places of this machine: one a version first, newest names first, then the system's own.
#[must_use]
pub fn usual_r() -> Vec<PathBuf> {
    let places = Places::of_this_machine();
    let mut found = scan(&places.r_parents, "R");
    found.reverse();
    let own = places.path.iter().map(|dir| dir.join("R"));
    let homes = places.r_homes.iter().map(|home| home.join("bin/R"));
    found.extend(own.chain(homes).filter(|path| is_executable(path)));
    found
}

/// The `bin/PROGRAM` below each directory of `parents`, by name. Links come after directories, so that
/// `/opt/R/4.4.1` is found under its own name and `/opt/R/default` is seen to be the same.
pub(super) fn scan(parents: &[PathBuf], program: &str) -> Vec<PathBuf> {
    let mut found: Vec<(bool, PathBuf)> = parents
        .iter()
        .filter_map(|parent| fs::read_dir(parent).ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        .map(|entry| (entry.path().is_symlink(), entry.path().join("bin").join(program)))
        .filter(|(_, path)| is_executable(path))
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// Whether it is a file that may be executed by anybody at all.
pub(super) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The first part of a path, or of what it links to, that accounts other than its owner and group can not pass.
pub(super) fn closed_to_others(path: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(path).ok();
    [Some(path), real.as_deref()]
        .into_iter()
        .flatten()
        .find_map(|path| {
            path.ancestors()
                .find(|part| fs::metadata(part).is_ok_and(|meta| meta.mode() & 0o001 == 0))
                .map(Path::to_path_buf)
        })
}
