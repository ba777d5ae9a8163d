//! Removal of trees that a job may have filled: no link is followed, no mount is crossed, no depth is too deep.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, FileType, StatxFlags};
use rustix::io::Errno;

use super::failure::{Context, IoFailure};
use super::fdio;

/// Below this many open directories a nested one is moved up to the root of the tree instead of descended into.
const MAX_OPEN: usize = 64;
/// Passes over one directory in which nothing was removed before giving up.
const MAX_PASSES: usize = 64;

/// Removes `path` and everything below it; nothing is done where it does not exist. A link is removed itself.
/// Returns how many entries were removed.
///
/// # Errors
/// Something is mounted below `path`, or an entry can not be removed.
pub fn remove_tree(path: &Path) -> Result<u64, IoFailure> {
    let (parent, name) = split(path)?;
    let parent = match fdio::open_dir(parent) {
        Ok(dir) => dir,
        Err(Errno::NOENT) => return Ok(0),
        Err(error) => return Err(IoFailure::new("open directory", parent, error)),
    };
    let root = match fdio::open_dir_forced(parent.as_fd(), &name) {
        Ok(root) => root,
        Err(Errno::NOENT) => return Ok(0),
        // Not a directory, or a link: the entry itself goes.
        Err(Errno::NOTDIR | Errno::LOOP) => {
            return unlink(parent.as_fd(), &name, AtFlags::empty()).during("remove", path);
        }
        Err(error) => return Err(IoFailure::new("remove", path, error)),
    };
    let above = mount_of(parent.as_fd()).during("read", path)?;
    let removed = Remover::start(root, above)
        .and_then(|mut remover| remover.empty_root())
        .during("remove", path)?;
    Ok(removed + unlink(parent.as_fd(), &name, AtFlags::REMOVEDIR).during("remove", path)?)
}

/// Removes everything below the directory `path`, which stays.
///
/// # Errors
/// As for [`remove_tree`].
pub fn remove_contents(path: &Path) -> Result<u64, IoFailure> {
    let root = fdio::open_dir_nofollow(path).during("open directory", path)?;
    let mount = mount_of(root.as_fd()).during("read", path)?;
    Remover::start(root, mount)
        .and_then(|mut remover| remover.empty_root())
        .during("empty", path)
}

fn split(path: &Path) -> Result<(&Path, CString), IoFailure> {
    let name = path
        .file_name()
        .and_then(|name| CString::new(name.as_bytes()).ok())
        .ok_or_else(|| IoFailure::new("remove", path, Errno::INVAL))?;
    Ok((fdio::parent(path), name))
}

/// Which mount a directory is on: bind mounts share the device, so the mount's own number counts too.
type MountId = (u32, u32, u64);

fn mount_of(dir: BorrowedFd<'_>) -> Result<MountId, Errno> {
    let found = fs::statx(dir, c"", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID)?;
    Ok((found.stx_dev_major, found.stx_dev_minor, found.stx_mnt_id))
}

/// Removes one entry; one that is gone already counts as nothing.
fn unlink(dir: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> Result<u64, Errno> {
    match fs::unlinkat(dir, name, flags) {
        Ok(()) => Ok(1),
        Err(Errno::NOENT) => Ok(0),
        Err(error) => Err(error),
    }
}

struct Remover {
    root: OwnedFd,
    mount: MountId,
    removed: u64,
    moved: u64,
}

impl Remover {
    fn start(root: OwnedFd, mount: MountId) -> Result<Self, Errno> {
        let remover = Self {
            root,
            mount,
            removed: 0,
            moved: 0,
        };
        remover.check_mount(remover.root.as_fd())?;
        Ok(remover)
    }

    fn check_mount(&self, dir: BorrowedFd<'_>) -> Result<(), Errno> {
        if mount_of(dir)? == self.mount {
            Ok(())
        } else {
            Err(Errno::XDEV)
        }
    }

    fn empty_root(&mut self) -> Result<u64, Errno> {
        let root = self.root.try_clone().map_err(|_| Errno::MFILE)?;
        self.empty(root.as_fd(), 0)?;
        Ok(self.removed)
    }

    fn empty(&mut self, dir: BorrowedFd<'_>, depth: usize) -> Result<(), Errno> {
        let mut idle = 0;
        while idle < MAX_PASSES {
            let entries = fdio::entries(dir)?;
            if entries.is_empty() {
                return Ok(());
            }
            let before = (self.removed, self.moved);
            for entry in entries {
                let done = if entry.kind == FileType::Directory {
                    self.remove_directory(dir, &entry.name, depth)
                } else {
                    self.unlink(dir, &entry.name, AtFlags::empty())
                };
                match done {
                    // It has become something else, or been filled again, meanwhile: the next pass sees what it is.
                    Err(Errno::NOTDIR | Errno::LOOP | Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
                    other => other?,
                }
            }
            idle = if before == (self.removed, self.moved) {
                idle + 1
            } else {
                0
            };
        }
        Err(Errno::NOTEMPTY)
    }

    fn remove_directory(&mut self, dir: BorrowedFd<'_>, name: &CStr, depth: usize) -> Result<(), Errno> {
        let child = match fdio::open_dir_forced(dir, name) {
            Err(Errno::NOENT) => return Ok(()),
            opened => opened?,
        };
        self.check_mount(child.as_fd())?;
        if depth >= MAX_OPEN {
            return self.move_up(dir, name);
        }
        self.empty(child.as_fd(), depth + 1)?;
        self.unlink(dir, name, AtFlags::REMOVEDIR)
    }

    fn unlink(&mut self, dir: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> Result<(), Errno> {
        self.removed += unlink(dir, name, flags)?;
        Ok(())
    }

    /// Bounds the open descriptors: the root's next pass finds the moved directory.
    fn move_up(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
        self.moved += 1;
        let flat = format!(".removed-{}-{}", std::process::id(), self.moved);
        match fs::renameat(dir, name, &self.root, flat) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
