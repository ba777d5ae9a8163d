//! The data directory itself: opened and checked once, its parts made as they are needed.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{self, Gid, Mode, Uid};
use rustix::io::Errno;

use super::failure::{Context, IoFailure};
use super::fdio;
use super::layout::{self, ContentId};
use super::lock::FileLock;
use super::{remove, sync};

/// Mode of the directories that lead to content: another account can pass through, but not list.
const PASSAGE: u32 = 0o711;

/// The account that a directory is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl Owner {
    /// The account that a process's directories are given to; `None` where this server is not root: then they are its
    /// own, as the process is.
    #[must_use]
    pub fn of_process(uid: u32, gid: u32) -> Option<Self> {
        rustix::process::geteuid().is_root().then_some(Self { uid, gid })
    }
}

/// Why a data directory can not be used (FS6).
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It is not there.
    #[error("Server.DataDir '{}' does not exist; make it, or point Server.DataDir to the right place", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// It is a file.
    #[error("Server.DataDir '{}' is not a directory; point Server.DataDir to a directory", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// It is not absolute.
    #[error("Server.DataDir '{}' is a relative path; write it from the root", path.display())]
    Relative {
        /// The path.
        path: PathBuf,
    },
    /// Anybody could plant files in it.
    #[error("Server.DataDir '{}' can be written by every account (mode {mode:04o}); run 'chmod o-w' on it", path.display())]
    Exposed {
        /// The path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It can not be used.
    #[error("Server.DataDir: {0}")]
    Io(#[from] IoFailure),
}

/// An opened data directory.
#[derive(Clone, Debug)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// Checks that `root` is a directory the server can write and others can not.
    ///
    /// # Errors
    /// It is missing, relative, not a directory, read-only, or writable by others.
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        let data = Self::open_any(root)?;
        let mode = std::fs::metadata(root).during("read", root)?.mode() & 0o7777;
        if mode & 0o002 != 0 {
            let path = root.to_owned();
            return Err(DataDirError::Exposed { path, mode });
        }
        Ok(data)
    }

    fn open_any(root: &Path) -> Result<Self, DataDirError> {
        let path = root.to_owned();
        if !root.is_absolute() {
            return Err(DataDirError::Relative { path });
        }
        let meta = match std::fs::metadata(root) {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(DataDirError::Missing { path });
            }
            Err(error) => return Err(IoFailure::new("read", path, error).into()),
        };
        if !meta.is_dir() {
            return Err(DataDirError::NotADirectory { path });
        }
        fs::access(root, fs::Access::WRITE_OK | fs::Access::EXEC_OK).during("write in", root)?;
        Ok(Self { root: path })
    }

    /// Opens `root`, making it (mode 0711) where only its last component is missing.
    ///
    /// # Errors
    /// As for [`Self::open`], or it can not be made.
    pub fn open_or_make(root: &Path) -> Result<Self, DataDirError> {
        make(root)?;
        Self::open(root)
    }

    /// As [`Self::open_or_make`], for a volume of a cluster, and marks it as a controller's. It may be writable by every
    /// account, as those are that provisioners make: no process of content ever sees its root.
    ///
    /// # Errors
    /// As for [`Self::open_or_make`], or it can not be marked.
    pub fn open_volume(root: &Path) -> Result<Self, DataDirError> {
        make(root)?;
        let data = Self::open_any(root)?;
        let mark = data.path(layout::CONTROLLER);
        if !mark.exists() {
            fdio::write_whole(&mark, b"")?;
        }
        Ok(data)
    }

    /// Whether a controller works in it, whose Pods go on while it is not there itself.
    #[must_use]
    pub fn is_controllers(&self) -> bool {
        self.path(layout::CONTROLLER).exists()
    }

    /// Its path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The absolute path of something in it.
    #[must_use]
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Makes the server's own directory `relative` and its parents (mode 0711) and gives its path.
    ///
    /// # Errors
    /// A directory can not be made.
    pub fn ensure(&self, relative: impl AsRef<Path>) -> Result<PathBuf, IoFailure> {
        let mut path = self.root.clone();
        for part in relative.as_ref().components() {
            path.push(part);
            match fs::mkdir(&path, Mode::from_raw_mode(PASSAGE)) {
                // The umask may have taken the bits that the processes' accounts need to pass through.
                Ok(()) => std::fs::set_permissions(&path, std::fs::Permissions::from_mode(PASSAGE))
                    .during("set mode of", &path)?,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(IoFailure::new("make directory", path, error)),
            }
        }
        Ok(path)
    }

    /// The lock under which a content item's records and bundles change.
    pub(crate) fn lock_content(&self, content: &ContentId) -> Result<FileLock, IoFailure> {
        self.ensure(layout::contents())?;
        FileLock::exclusive(&self.content_lock(content))
    }

    pub(crate) fn content_lock(&self, content: &ContentId) -> PathBuf {
        layout::lock_beside(&self.path(layout::content(content)))
    }
}

/// Makes the data directory itself (mode 0711) where only its last component is missing.
fn make(root: &Path) -> Result<(), DataDirError> {
    match fs::mkdir(root, Mode::from_raw_mode(PASSAGE)) {
        Ok(()) | Err(Errno::EXIST | Errno::NOENT) => Ok(()),
        Err(error) => Err(IoFailure::new("make", root, error).into()),
    }
}

/// Gives a directory of the server's own to an account, not following a link.
pub(crate) fn give(path: &Path, owner: Option<Owner>) -> Result<(), IoFailure> {
    let Some(owner) = owner else { return Ok(()) };
    let dir = fdio::open_dir_nofollow(path).during("open", path)?;
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    fs::fchown(dir, Some(uid), Some(gid)).during("give away", path)
}

/// Takes a directory away in one step and then removes it; nothing is done where it does not exist.
pub(crate) fn take_away(path: &Path) -> Result<bool, IoFailure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let gone = path.with_file_name(format!("{}{name}", layout::GONE_PREFIX));
    // What an earlier, cut-off removal left under this name.
    remove::remove_tree(&gone)?;
    match fs::rename(path, &gone) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(IoFailure::new("take away", path, error)),
    }
    sync::sync_dir(fdio::parent(path))?;
    remove::remove_tree(&gone)?;
    Ok(true)
}

/// The numbers of a counter that never go back: `last` is kept in `file`, under its lock.
pub(crate) fn next_number(file: &Path, at_least: u64) -> Result<u64, IoFailure> {
    let last = match std::fs::read_to_string(file) {
        Ok(text) => layout::parse_number(text.trim()).unwrap_or(0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(IoFailure::new("read", file, error)),
    };
    let next = last.max(at_least) + 1;
    fdio::write_whole(file, next.to_string().as_bytes())?;
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: FS6 (L)
    #[test]
    fn what_is_wrong_with_the_data_directory_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let said = |path: &Path| DataDir::open(path).unwrap_err().to_string();
        let missing = dir.path().join("none");
        assert!(said(&missing).contains("Server.DataDir") && said(&missing).contains("does not exist"));
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(said(&file).contains("is not a directory"));
        assert!(said(Path::new("data")).contains("relative"));
        let open = dir.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(said(&open).contains("mode 0777"));
    }

    #[test]
    fn directories_let_others_pass_but_not_list() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open_or_make(&dir.path().join("data")).unwrap();
        let made = data.ensure("apps/xx").unwrap();
        assert_eq!(made.metadata().unwrap().mode() & 0o777, 0o711);
    }

    #[test]
    fn numbers_never_go_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(".last");
        assert_eq!(next_number(&file, 0).unwrap(), 1);
        assert_eq!(next_number(&file, 7).unwrap(), 8);
        assert_eq!(next_number(&file, 0).unwrap(), 9);
    }
}
