//! What is checked of `Server.TempDir` before anything runs (TD3).

use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::StatVfsMountFlags;

use super::scratch::Scratch;
use crate::data::IoFailure;
use crate::names::WORKSPACES;

/// `Server.TempDir` can not be used.
#[derive(Debug, thiserror::Error)]
pub enum TempDirError {
    /// It can not be looked at.
    #[error("Server.TempDir {path}: {source}; create it or correct the setting")]
    Read {
        /// The directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It can not be written.
    #[error("Server.TempDir: {0}")]
    Write(#[from] IoFailure),
    /// Other accounts can not use it.
    #[error(
        "Server.TempDir {path} has mode {mode:04o}, but every account must be able to use it; run chmod 1777 on it or set another"
    )]
    Mode {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A directory above it is closed to other accounts.
    #[error(
        "Server.TempDir {path} can not be reached by other accounts, because {parent} is closed to them; run chmod o+x on it or set another"
    )]
    Unreachable {
        /// The directory.
        path: PathBuf,
        /// The closed directory.
        parent: PathBuf,
    },
    /// The directory of workspaces is somebody else's, or a trap.
    #[error(
        "Server.TempDir {path} has a {workspaces} that another account owns or can write in; remove that or set another directory"
    )]
    Taken {
        /// The directory.
        path: PathBuf,
        /// The directory of workspaces in it.
        workspaces: &'static str,
    },
    /// Programs in it can not be executed.
    #[error(
        "Server.TempDir {path} does not let programs be executed (mounted noexec), which packages need; remount it with exec or set another"
    )]
    NoExec {
        /// The directory.
        path: PathBuf,
    },
}

/// Checks that any account can reach, read and write the directory, and that programs in it can be executed.
/// An ordinary user runs everything as themselves: then their own access is enough (SB9).
///
/// # Errors
/// The first thing that is wrong.
pub fn check(path: &Path, ordinary_user: bool) -> Result<(), TempDirError> {
    check_for(path, ordinary_user, WORKSPACES)
}

/// The same where workspaces have another directory.
///
/// # Errors
/// As for [`check`].
pub fn check_for(path: &Path, ordinary_user: bool, workspaces: &'static str) -> Result<(), TempDirError> {
    let read = |source| TempDirError::Read {
        path: path.to_owned(),
        source,
    };
    let real = path.canonicalize().map_err(read)?;
    let mode = std::fs::metadata(&real).map_err(read)?.permissions().mode() & 0o7777;
    if !ordinary_user {
        if mode != 0o1777 {
            return Err(TempDirError::Mode {
                path: path.to_owned(),
                mode,
            });
        }
        for parent in real.ancestors().skip(1) {
            if std::fs::metadata(parent).map_err(read)?.permissions().mode() & 0o001 == 0 {
                return Err(TempDirError::Unreachable {
                    path: path.to_owned(),
                    parent: parent.to_owned(),
                });
            }
        }
    }
    check_workspaces(path, &real, workspaces)?;
    check_exec(path, &real, workspaces)
}

/// In a directory for everybody anybody can have made it first.
fn check_workspaces(path: &Path, real: &Path, workspaces: &'static str) -> Result<(), TempDirError> {
    let Ok(metadata) = std::fs::symlink_metadata(real.join(workspaces)) else {
        return Ok(());
    };
    let own = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0;
    if metadata.is_dir() && own {
        return Ok(());
    }
    Err(TempDirError::Taken {
        path: path.to_owned(),
        workspaces,
    })
}

/// The mount's own word first; then a real program, because some security policies say nothing beforehand.
fn check_exec(path: &Path, real: &Path, workspaces: &str) -> Result<(), TempDirError> {
    let read = |source| TempDirError::Read {
        path: path.to_owned(),
        source,
    };
    let flags = rustix::fs::statvfs(real)
        .map_err(|error| read(error.into()))?
        .f_flag;
    if flags.contains(StatVfsMountFlags::NOEXEC) {
        return Err(TempDirError::NoExec {
            path: path.to_owned(),
        });
    }
    let write = |source| TempDirError::Write(IoFailure::new("write in", path, source));
    let place = Scratch::make_in(&real.join(workspaces), "exec", None)?;
    let program = place.path().join("try");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(&program)
        .map_err(write)?;
    file.write_all(b"#!/bin/sh\nexit 0\n").map_err(write)?;
    drop(file);
    let tried = Command::new(&program)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    match tried {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(TempDirError::NoExec {
            path: path.to_owned(),
        }),
        // Another thread that forks at this moment holds the file open for writing (ETXTBSY): that says nothing.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: TD3 (B)
    #[test]
    fn builds_have_workspaces_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let of_builds = crate::names::BUILD_WORKSPACES;
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::create_dir(dir.path().join(WORKSPACES)).unwrap();
        std::fs::set_permissions(dir.path().join(WORKSPACES), open.clone()).unwrap();
        assert!(
            check_for(dir.path(), true, of_builds).is_ok(),
            "those of content are nothing to it"
        );
        std::fs::set_permissions(dir.path().join(of_builds), open).unwrap();
        let said = check_for(dir.path(), true, of_builds).unwrap_err().to_string();
        assert!(
            said.contains("has a rspm-workspaces") && said.contains("remove that"),
            "{said}"
        );
        assert!(check_for(&dir.path().join("none"), true, of_builds).is_err());
    }

    /// Proves: TD3 (L)
    #[test]
    fn every_account_must_be_able_to_use_it() {
        let dir = tempfile::tempdir().unwrap();
        let mode =
            |mode| std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o755);
        let said = check(dir.path(), false).unwrap_err().to_string();
        assert!(
            said.contains("mode 0755") && said.contains("chmod 1777"),
            "{said}"
        );
        assert!(
            check(dir.path(), true).is_ok(),
            "an ordinary user needs only their own access (SB9)"
        );
        mode(0o1777);
        assert!(check(dir.path(), false).is_ok());
        let inner = dir.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o1777)).unwrap();
        mode(0o700);
        assert!(matches!(
            check(&inner, false),
            Err(TempDirError::Unreachable { .. })
        ));
        std::fs::create_dir_all(dir.path().join(WORKSPACES)).unwrap();
        mode(0o1777);
        assert!(check(dir.path(), false).is_ok());
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(dir.path().join(WORKSPACES), open).unwrap();
        let said = check(dir.path(), false).unwrap_err().to_string();
        assert!(
            said.contains("connect-workspaces") && said.contains("remove that"),
            "{said}"
        );
        assert!(matches!(
            check(&dir.path().join("none"), false),
            Err(TempDirError::Read { .. })
        ));
    }
}
