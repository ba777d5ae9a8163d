//! Whether the paths that the settings name are there and are what they should be (FS6). Does IO.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::load::Loaded;
use super::origin::Origin;

/// A configured path that can not be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting} names {} ({origin}), which {problem}", .path.display())]
pub struct PathProblem {
    /// `Section.Key`.
    pub setting: String,
    /// The path.
    pub path: PathBuf,
    /// Where the setting comes from.
    pub origin: Origin,
    /// What is wrong with it.
    #[source]
    pub problem: PathFault,
}

/// What is wrong with a path, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum PathFault {
    /// It is not there.
    #[error("does not exist; {0}")]
    Missing(&'static str),
    /// It is not a directory.
    #[error("is not a directory; name a directory")]
    NotDirectory,
    /// It is not a file.
    #[error("is not a file; name a file")]
    NotFile,
    /// It may not be executed.
    #[error("is not executable; change its mode to 0755 or name a program")]
    NotExecutable,
    /// It can not be read.
    #[error("can not be read ({0}); change its permissions or name another")]
    Unreadable(#[source] io::Error),
}

const CREATE: &str = "create the directory or correct the setting";
const CORRECT: &str = "correct the setting or put it there";

#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Directory,
    File,
    Program,
}

struct Checks<'a> {
    loaded: &'a Loaded,
    problems: Vec<PathProblem>,
}

/// Every configured path that is missing, unreadable or of the wrong type, in the order of the table (FS6).
#[must_use]
pub fn check_paths(loaded: &Loaded) -> Vec<PathProblem> {
    let mut checks = Checks {
        loaded,
        problems: Vec::new(),
    };
    let settings = &loaded.settings;
    let applications = &settings.applications;
    if !loaded.data_dir_is_personal || settings.server.data_dir.exists() {
        checks.one("Server", "DataDir", &settings.server.data_dir, Wanted::Directory);
    }
    if !loaded.temp_dir_is_personal || settings.server.temp_dir.exists() {
        checks.one("Server", "TempDir", &settings.server.temp_dir, Wanted::Directory);
    }
    if let Some(directory) = &settings.server.manifest_dir {
        checks.one("Server", "ManifestDir", directory, Wanted::Directory);
    }
    checks.many(
        "Server",
        "RVersion",
        &settings.server.r_version,
        Wanted::Directory,
    );
    // The default lies below the data directory, and is made there when it is first needed.
    if checks.origin("SQLite", "Dir", 0) != Origin::Default {
        checks.one("SQLite", "Dir", &settings.sqlite_dir, Wanted::Directory);
    }
    if let Some(program) = applications.supervisor.first() {
        checks.one("Applications", "Supervisor", Path::new(program), Wanted::Program);
    }
    let pandocs = [
        ("Pandoc1Dir", &applications.pandoc1_dir),
        ("Pandoc2Dir", &applications.pandoc2_dir),
        ("Pandoc211Dir", &applications.pandoc211_dir),
    ];
    for (key, dir) in pandocs {
        if let Some(dir) = dir {
            checks.one("Applications", key, dir, Wanted::Directory);
        }
    }
    let languages = [
        ("R", &settings.r),
        ("Python", &settings.python),
        ("Quarto", &settings.quarto),
    ];
    for (section, language) in languages {
        checks.many(section, "Executable", &language.executable, Wanted::Program);
    }
    checks.repositories();
    if let Some(file) = &settings.runtimes_file {
        checks.one("ExecutionEnvironments", "ConfigFilePath", file, Wanted::File);
    }
    checks.problems
}

impl Checks<'_> {
    fn one(&mut self, section: &str, key: &str, path: &Path, wanted: Wanted) {
        self.nth(section, key, 0, path, wanted);
    }

    fn many(&mut self, section: &str, key: &str, paths: &[PathBuf], wanted: Wanted) {
        for (n, path) in paths.iter().enumerate() {
            self.nth(section, key, n, path, wanted);
        }
    }

    fn nth(&mut self, section: &str, key: &str, n: usize, path: &Path, wanted: Wanted) {
        if let Err(problem) = check(path, wanted) {
            self.problems.push(PathProblem {
                setting: format!("{section}.{key}"),
                path: path.to_owned(),
                origin: self.origin(section, key, n),
                problem,
            });
        }
    }

    /// Repositories may be directories of this machine, named as `file:` addresses.
    fn repositories(&mut self) {
        for repository in &self.loaded.settings.r_repositories {
            let Some(address) = repository.url.strip_prefix("file:") else {
                continue;
            };
            let path = Path::new(address.strip_prefix("//").unwrap_or(address));
            if let Err(problem) = check(path, Wanted::Directory) {
                let rows = self.loaded.provenance.iter();
                let name = Some(repository.name.clone());
                let row = rows
                    .filter(|row| row.section == "RPackageRepository")
                    .find(|row| row.subsection == name);
                self.problems.push(PathProblem {
                    setting: format!("RPackageRepository \"{}\".URL", repository.name),
                    path: path.to_owned(),
                    origin: row.map_or(Origin::Default, |row| row.origin.clone()),
                    problem,
                });
            }
        }
    }

    fn origin(&self, section: &str, key: &str, n: usize) -> Origin {
        let mut rows = self
            .loaded
            .provenance
            .iter()
            .filter(|row| row.section == section && row.key == key);
        rows.nth(n).map_or(Origin::Default, |row| row.origin.clone())
    }
}

fn check(path: &Path, wanted: Wanted) -> Result<(), PathFault> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if wanted == Wanted::Directory => PathFault::Missing(CREATE),
        io::ErrorKind::NotFound => PathFault::Missing(CORRECT),
        // A part of the path that should be a directory is a file.
        io::ErrorKind::NotADirectory => PathFault::Missing(CORRECT),
        _ => PathFault::Unreadable(error),
    })?;
    match wanted {
        Wanted::Directory if !metadata.is_dir() => Err(PathFault::NotDirectory),
        Wanted::Directory => fs::read_dir(path).map(drop).map_err(PathFault::Unreadable),
        Wanted::File | Wanted::Program if !metadata.is_file() => Err(PathFault::NotFile),
        Wanted::File => fs::File::open(path).map(drop).map_err(PathFault::Unreadable),
        Wanted::Program if metadata.permissions().mode() & 0o111 == 0 => Err(PathFault::NotExecutable),
        Wanted::Program => Ok(()),
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
