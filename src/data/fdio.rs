//! Descriptor-relative file operations: a job may have written what they walk over, so no link is followed.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RawDir, RenameFlags};
use rustix::io::Errno;

use super::failure::{Context, IoFailure};

/// Trees nested deeper than this are refused: no content needs it, and it bounds every walk.
pub(crate) const MAX_DEPTH: usize = 256;

const DIR: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// One entry of a directory.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: CString,
    pub(crate) kind: FileType,
}

impl Entry {
    pub(crate) fn os_name(&self) -> &OsStr {
        OsStr::from_bytes(self.name.to_bytes())
    }
}

/// Opens a directory of the server's own, whose path no job can change.
pub(crate) fn open_dir(path: &Path) -> Result<OwnedFd, Errno> {
    fs::open(path, DIR, Mode::empty())
}

/// Opens a directory whose last component may not be a link.
pub(crate) fn open_dir_nofollow(path: &Path) -> Result<OwnedFd, Errno> {
    fs::open(path, DIR | OFlags::NOFOLLOW, Mode::empty())
}

/// Opens a subdirectory, not following a link.
pub(crate) fn open_dir_at(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    fs::openat(dir, name, DIR | OFlags::NOFOLLOW, Mode::empty())
}

/// Opens the directory `relative` below `root`, one component at a time, not following any link.
pub(crate) fn open_below(root: BorrowedFd<'_>, relative: &Path) -> Result<OwnedFd, Errno> {
    let mut dir = fs::openat(root, c".", DIR, Mode::empty())?;
    for part in relative.components() {
        let name = CString::new(part.as_os_str().as_bytes()).map_err(|_| Errno::INVAL)?;
        if name.as_c_str() == c".." || name.to_bytes().contains(&b'/') {
            return Err(Errno::INVAL);
        }
        dir = open_dir_at(dir.as_fd(), &name)?;
    }
    Ok(dir)
}

/// All entries of a directory but `.` and `..`, each with its kind.
pub(crate) fn entries(dir: BorrowedFd<'_>) -> Result<Vec<Entry>, Errno> {
    fs::seek(dir, fs::SeekFrom::Start(0))?;
    let mut buffer = [MaybeUninit::<u8>::uninit(); 16 * 1024];
    let mut raw = RawDir::new(dir, &mut buffer);
    let mut found = Vec::new();
    while let Some(entry) = raw.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            found.push(Entry {
                name: name.to_owned(),
                kind: entry.file_type(),
            });
        }
    }
    for entry in &mut found {
        if entry.kind == FileType::Unknown {
            let stat = fs::statat(dir, &entry.name, AtFlags::SYMLINK_NOFOLLOW)?;
            entry.kind = FileType::from_raw_mode(stat.st_mode);
        }
    }
    Ok(found)
}

/// The target of a link.
pub(crate) fn read_link(dir: BorrowedFd<'_>, name: &CStr) -> Result<PathBuf, Errno> {
    let target = fs::readlinkat(dir, name, Vec::new())?;
    Ok(PathBuf::from(OsStr::from_bytes(target.as_bytes())))
}

/// Names of a server-owned directory, sorted; empty where there is no such directory.
pub(crate) fn names(path: &Path) -> Result<Vec<String>, IoFailure> {
    let dir = match open_dir_nofollow(path) {
        Ok(dir) => dir,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Vec::new()),
        Err(error) => return Err(IoFailure::new("read directory", path, error)),
    };
    let mut names: Vec<String> = entries(dir.as_fd())
        .during("read directory", path)?
        .into_iter()
        .filter_map(|entry| entry.name.into_string().ok())
        .collect();
    names.sort_unstable();
    Ok(names)
}

/// The directory that holds `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Opens a subdirectory that its owner may have closed to everybody, not following a link.
pub(crate) fn open_dir_forced(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    let opened = match open_dir_at(dir, name) {
        Err(Errno::ACCESS) => {
            let pinned = pin(dir, name)?;
            chmod_pinned(pinned.as_fd(), Mode::RWXU)?;
            open_dir_at(dir, name)?
        }
        other => other?,
    };
    let mode = Mode::from_raw_mode(fs::fstat(&opened)?.st_mode);
    if !mode.contains(Mode::RWXU) && !rustix::process::geteuid().is_root() {
        fs::fchmod(&opened, Mode::RWXU)?;
    }
    Ok(opened)
}

/// Holds on to an entry of any kind without opening it.
pub(crate) fn pin(dir: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    fs::openat(
        dir,
        name,
        OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// Changes the mode of a pinned file or directory. By descriptor: chmod by name would follow a link put in its place.
pub(crate) fn chmod_pinned(pinned: BorrowedFd<'_>, mode: Mode) -> Result<(), Errno> {
    if FileType::from_raw_mode(fs::fstat(pinned)?.st_mode) == FileType::Symlink {
        return Err(Errno::LOOP);
    }
    fs::chmod(format!("/proc/self/fd/{}", pinned.as_raw_fd()), mode)
}

/// Writes a file of the server's own so that it is whole or not there.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), IoFailure> {
    note_whole(path, bytes)?;
    super::sync::sync_dir(parent(path))
}

/// As [`write_whole`], but where the machine itself fails the file may not be there; if it is, it is whole.
pub(crate) fn note_whole(path: &Path, bytes: &[u8]) -> Result<(), IoFailure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let staging = path.with_file_name(format!("{}{name}", super::layout::STAGING_PREFIX));
    let written = write_synced(&staging, bytes).and_then(|()| std::fs::rename(&staging, path));
    if written.is_err() {
        // Nothing to add where even this fails: the first error is the cause.
        drop(std::fs::remove_file(&staging));
    }
    written.during("write", path)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Renames a directory to a name that must not exist; `false` where it exists.
pub(crate) fn rename_new(from: &Path, to: &Path) -> Result<bool, Errno> {
    match fs::renameat_with(fs::CWD, from, fs::CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST | Errno::NOTEMPTY) => Ok(false),
        // NFS and some others know no flags. Callers hold a lock, so looking first is enough there.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            if std::fs::symlink_metadata(to).is_ok() {
                return Ok(false);
            }
            fs::rename(from, to).map(|()| true)
        }
        Err(error) => Err(error),
    }
}

/// Points the link `path` to `target`, in one step (RD3).
pub(crate) fn replace_link(path: &Path, target: &str) -> Result<(), IoFailure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let staging = path.with_file_name(format!("{}{name}", super::layout::STAGING_PREFIX));
    match std::fs::remove_file(&staging) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(IoFailure::new("replace", staging, error));
        }
        _ => {}
    }
    fs::symlink(target, &staging).during("make link", &staging)?;
    fs::rename(&staging, path).during("replace link", path)?;
    super::sync::sync_dir(parent(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_is_followed_on_the_way_down() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("real/sub")).unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("link")).unwrap();
        let root = open_dir(dir.path()).unwrap();
        assert!(open_below(root.as_fd(), Path::new("real/sub")).is_ok());
        assert!(open_below(root.as_fd(), Path::new("link/sub")).is_err());
        assert!(open_below(root.as_fd(), Path::new("real/../real")).is_err());
    }

    #[test]
    fn rename_new_never_replaces() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::create_dir(&a).unwrap();
        std::fs::create_dir(&b).unwrap();
        assert_eq!(rename_new(&a, &b), Ok(false));
        assert_eq!(rename_new(&a, &dir.path().join("c")), Ok(true));
    }
}
