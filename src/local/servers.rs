//! The servers for Python applications that bring none: wheels that `scripts/fetch-servers` put beside this program, laid
//! out where processes see them.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::data::{CopyError, CopyOptions, IoFailure, Links, Modes, Staged, copy_tree, layout, new_key};

/// What the installed servers are compared with.
const LOCK: &str = include_str!("../../runtime/servers.lock");
/// Holds the digest of the lock that the servers were fetched by.
const MARK: &str = ".lock";
/// Where they are, seen from the program's directory: installed, and in development.
const PLACES: [&str; 2] = ["../share/offhost/servers", "../servers"];

/// Lays the servers out below the directory of the starters, unless they are there.
///
/// Without them, or with those of another version, applications that need one say so when they start.
///
/// # Errors
/// The data directory can not be written, or the servers can not be read.
pub fn lay_out(starters: &Path) -> Result<(), CopyError> {
    let installed = std::env::current_exe().ok().and_then(|program| {
        let directory = program.parent()?;
        PLACES
            .iter()
            .map(|place| directory.join(place))
            .find(|place| is_current(place))
    });
    installed.map_or(Ok(()), |source| lay_out_from(&source, starters))
}

/// Whether these are the servers of the lock.
fn is_current(servers: &Path) -> bool {
    std::fs::read_to_string(servers.join(MARK)).is_ok_and(|mark| mark.trim_end() == digest())
}

/// As the script names them: the first half of the lock's SHA-256.
fn digest() -> String {
    let digest = Sha256::digest(LOCK);
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn lay_out_from(source: &Path, starters: &Path) -> Result<(), CopyError> {
    let target = starters.join("servers");
    if target.is_dir() {
        return Ok(());
    }
    let staging = Staged::make(staging_of(starters))?;
    let copy = staging.path().join("servers");
    let options = CopyOptions {
        links: Links::Inside,
        modes: Modes::Normal,
        ..CopyOptions::default()
    };
    copy_tree(source, &copy, options)?;
    match std::fs::rename(&copy, &target) {
        Ok(()) => Ok(()),
        // Another process was faster, with the same ones.
        Err(_) if target.is_dir() => Ok(()),
        Err(error) => Err(IoFailure::new("lay out the servers in", &target, error).into()),
    }
}

/// Beside the starters, so that it is on their file system and is swept with theirs.
fn staging_of(starters: &Path) -> PathBuf {
    layout::staging_beside(&starters.with_file_name("servers"), &new_key())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetched(root: &Path, mark: &str) -> PathBuf {
        let servers = root.join("servers");
        std::fs::create_dir_all(servers.join("waitress-3.0.2/waitress")).unwrap();
        std::fs::write(servers.join("waitress-3.0.2/waitress/__init__.py"), "").unwrap();
        std::fs::write(servers.join(MARK), format!("{mark}\n")).unwrap();
        servers
    }

    #[test]
    fn servers_are_laid_out_once_and_readable_by_all() {
        let dir = tempfile::tempdir().unwrap();
        let source = fetched(dir.path(), &digest());
        let starters = dir.path().join("runtime/0123");
        std::fs::create_dir_all(&starters).unwrap();
        lay_out_from(&source, &starters).unwrap();
        lay_out_from(&source, &starters).unwrap();
        let module = starters.join("servers/waitress-3.0.2/waitress");
        assert!(module.join("__init__.py").is_file());
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(module).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(
            std::fs::read_dir(dir.path().join("runtime")).unwrap().count(),
            1,
            "no staging is left"
        );
    }

    #[test]
    fn servers_of_another_lock_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_current(&fetched(dir.path(), "0123456789abcdef")));
        assert!(is_current(&fetched(dir.path(), &digest())));
        assert!(!is_current(&dir.path().join("gone")));
    }
}
