//! Paths become descriptors once, without following any link, so that nothing can be swapped in between
//! (the class of CVE-2026-87766, CVE-2021-30465 and CVE-2019-19921).

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Opens an absolute path as a location only (`O_PATH`). A symbolic link anywhere in it is refused with `ELOOP`.
///
/// # Errors
/// Those of `openat2(2)`.
pub(crate) fn open_path(path: &Path) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    loop {
        match rustix::fs::openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) {
            // The kernel asks for another try when a rename elsewhere raced with the walk.
            Err(Errno::AGAIN | Errno::INTR) => {}
            // systemd's RestrictSUIDSGID and older container profiles answer ENOSYS or EPERM for openat2.
            Err(Errno::NOSYS | Errno::PERM) => return walk(path),
            answer => return answer,
        }
    }
}

/// The same, one component at a time.
fn walk(path: &Path) -> Result<OwnedFd, Errno> {
    let mut current = open_at(CWD, Path::new("/"))?;
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => current = child(&current, Path::new(name))?,
            Component::ParentDir | Component::Prefix(_) => return Err(Errno::INVAL),
        }
    }
    Ok(current)
}

/// Opens one entry of a directory as a location only; a symbolic link is refused with `ELOOP`.
///
/// # Errors
/// Those of `openat(2)`.
pub(crate) fn child(directory: impl AsFd, name: &Path) -> Result<OwnedFd, Errno> {
    let fd = open_at(directory, name)?;
    if file_type(&fd)? == FileType::Symlink {
        Err(Errno::LOOP)
    } else {
        Ok(fd)
    }
}

/// `openat` with `O_PATH | O_NOFOLLOW`.
fn open_at(directory: impl AsFd, name: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(
        directory,
        name,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// What kind of file a descriptor stands for.
///
/// # Errors
/// Those of `fstat(2)`.
pub(crate) fn file_type(fd: impl AsFd) -> Result<FileType, Errno> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode))
}

/// Device and inode: whether two descriptors stand for the same file.
///
/// # Errors
/// Those of `fstat(2)`.
pub(crate) fn identity(fd: impl AsFd) -> Result<(u64, u64), Errno> {
    let stat = rustix::fs::fstat(fd)?;
    Ok((stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: SB5 (L)
    #[test]
    fn links_are_refused_by_both_ways_of_walking() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("real/inner")).unwrap();
        std::os::unix::fs::symlink("real", root.join("link")).unwrap();
        for open in [open_path, walk] {
            assert!(open(&root.join("real/inner")).is_ok());
            assert_eq!(open(&root.join("link/inner")).unwrap_err(), Errno::LOOP);
            assert_eq!(open(&root.join("link")).unwrap_err(), Errno::LOOP);
            assert_eq!(open(&root.join("none")).unwrap_err(), Errno::NOENT);
        }
        assert_eq!(walk(&root.join("real/../real")).unwrap_err(), Errno::INVAL);
    }
}
