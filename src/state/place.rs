//! Where SQLite can be: on a disk of this machine, for one server.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::error::StateError;
use crate::data::layout::STAGING_PREFIX;
use crate::data::{DataDir, FileLock, IoFailure, new_key};

/// Name of the lock of the one server.
const LOCK: &str = ".serve.lock";
/// What a data directory is known by lies there.
const ID: &str = ".state-id";

/// Makes the directory where it is missing, and looks whether SQLite may be there.
///
/// # Errors
/// [`StateError`]: it is on a network file system, or can not be made.
pub(super) fn check(directory: &Path) -> Result<(), StateError> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    let made = builder.recursive(true).mode(0o700).create(directory);
    made.map_err(|source| IoFailure::new("make directory", directory, source))?;
    let stat = rustix::fs::statfs(directory);
    let stat = stat.map_err(|error| IoFailure::new("look at the file system of", directory, error))?;
    // The kernel's word is a 32-bit number; how wide the field is depends on the machine.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "32 bits have a meaning"
    )]
    match network(stat.f_type as u32) {
        None => Ok(()),
        Some(kind) => Err(StateError::Network {
            directory: directory.to_owned(),
            kind,
        }),
    }
}

/// Makes the database's file, which nobody else may read, where it is missing; SQLite's other files are made like it.
pub(super) fn make_private(file: &Path) -> Result<(), IoFailure> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let made = options.append(true).create(true).mode(0o600).open(file);
    made.map(drop)
        .map_err(|source| IoFailure::new("open", file, source))
}

/// The name of a file system of another machine, or one that may be.
fn network(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "NFS",
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x6573_5546 => "FUSE",
        0x00C3_6400 => "Ceph",
        0x0BD0_0BD0 => "Lustre",
        0x0102_1997 => "9p",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x4750_4653 => "GPFS",
        0x7461_636F => "OCFS2",
        0x0116_1970 => "GFS2",
        0x1980_0202 => "BeeGFS",
        _ => return None,
    })
}

/// What a data directory is known by, if it is.
pub(super) fn known_id(data: &DataDir) -> Result<Option<String>, IoFailure> {
    let path = data.path(ID);
    match std::fs::read_to_string(&path) {
        Ok(id) => Ok(Some(id.trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(IoFailure::new("read", path, error)),
    }
}

/// What a data directory is known by, wherever it is mounted.
pub(super) fn id_of(data: &DataDir) -> Result<String, IoFailure> {
    let path = data.path(ID);
    let fault = |source| IoFailure::new("make", &path, source);
    loop {
        if let Some(id) = known_id(data)? {
            return Ok(id);
        }
        // Whole or not there, and of two servers that begin at once one makes it.
        let key = new_key();
        let staged = data.path(format!("{STAGING_PREFIX}{key}"));
        // On the disk before the database speaks of it: without it the database would be that of another directory.
        let written = File::create(&staged).and_then(|mut file| {
            writeln!(file, "{key}")?;
            file.sync_all()
        });
        written.map_err(fault)?;
        let made = std::fs::hard_link(&staged, &path);
        std::fs::remove_file(&staged).map_err(fault)?;
        match made {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(fault(error)),
            _ => File::open(data.root())
                .and_then(|root| root.sync_all())
                .map_err(fault)?,
        }
    }
}

/// Keeps other servers away from a database of SQLite.
#[derive(Debug)]
pub struct SqliteLock {
    _lock: FileLock,
}

impl SqliteLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`StateError`]: another server has it.
    pub fn take(directory: &Path) -> Result<Self, StateError> {
        check(directory)?;
        let lock = FileLock::try_exclusive(&PathBuf::from(directory).join(LOCK))?;
        lock.map(|lock| Self { _lock: lock })
            .ok_or_else(|| StateError::Taken(directory.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: CN3 (L)
    #[test]
    fn a_network_file_system_is_known_by_its_number() {
        for (magic, name) in [
            (0x6969, "NFS"),
            (0xFE53_4D42, "SMB"),
            (0x6573_5546, "FUSE"),
            (0x00C3_6400, "Ceph"),
        ] {
            assert_eq!(network(magic), Some(name));
        }
        for local in [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630] {
            assert_eq!(network(local), None);
        }
        let refused = StateError::Network {
            directory: PathBuf::from("/mnt/x"),
            kind: "NFS",
        };
        let refused = refused.to_string();
        assert!(
            refused.contains("'/mnt/x'") && refused.contains("Database.Provider to postgres"),
            "{refused}"
        );
    }

    /// Proves: CN3 (L)
    #[test]
    fn a_second_server_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = SqliteLock::take(dir.path()).unwrap();
        let error = SqliteLock::take(dir.path()).unwrap_err().to_string();
        assert!(
            error.contains("another offhost serve") && error.contains("postgres for both"),
            "{error}"
        );
        drop(first);
        SqliteLock::take(dir.path()).unwrap();
    }
}
