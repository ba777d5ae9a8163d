//! Where an archive is unpacked: every step goes through a descriptor and follows no link.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps, fchmod, futimens, linkat, mkdirat, openat,
    statat, symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::beneath;

/// What is wrong with one entry of an archive; reads on after its path.
#[derive(Debug, thiserror::Error)]
pub enum EntryFault {
    /// It begins with `/`.
    #[error("is an absolute path")]
    Absolute,
    /// It has a `..` in it.
    #[error("has '..' in it")]
    Parent,
    /// Another entry has the same path.
    #[error("is in it twice")]
    Duplicate,
    /// A directory of its path is a link or a file.
    #[error("goes through a link or a file")]
    ThroughLink,
    /// It is a link whose target is outside.
    #[error("is a link that leads out of the bundle")]
    LeadsOut,
    /// It is a hard link to something that is no file of the archive.
    #[error("is a hard link to a file that is not before it")]
    HardLink,
    /// It is a FIFO or a device.
    #[error("is a FIFO, socket or device")]
    Special,
    /// It could not be read or written.
    #[error("cannot be unpacked: {0}")]
    Io(#[from] io::Error),
}

impl From<Errno> for EntryFault {
    fn from(error: Errno) -> Self {
        match error {
            Errno::EXIST => Self::Duplicate,
            Errno::LOOP | Errno::NOTDIR => Self::ThroughLink,
            _ => Self::Io(error.into()),
        }
    }
}

/// The parts of an entry's path; none for the archive's own top.
pub(super) fn parts(path: &Path) -> Result<Vec<OsString>, EntryFault> {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| match part {
            Component::Normal(name) => Ok(name.to_owned()),
            Component::ParentDir => Err(EntryFault::Parent),
            _ => Err(EntryFault::Absolute),
        })
        .collect()
}

/// An empty directory that is being filled.
pub(super) struct Destination {
    root: OwnedFd,
    directories: Vec<(Vec<OsString>, Mode, i64)>,
    links: Vec<PathBuf>,
}

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Destination {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let root = openat(
            CWD,
            path,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(Self {
            root,
            directories: Vec::new(),
            links: Vec::new(),
        })
    }

    /// Makes a directory; its mode and time follow at the end, when nothing is written into it any more.
    pub(super) fn directory(&mut self, parts: &[OsString], mode: u32, mtime: u64) -> Result<(), EntryFault> {
        self.enter(parts)?;
        // Only rwx, as for files: neither setuid nor the sticky bit comes from a publisher.
        let mode = Mode::from_raw_mode(mode & 0o777 | 0o700);
        self.directories.push((parts.to_vec(), mode, seconds(mtime)));
        Ok(())
    }

    /// Writes a file of `size` bytes.
    pub(super) fn file(
        &self,
        parts: &[OsString],
        mode: u32,
        mtime: u64,
        size: u64,
        mut content: impl Read,
    ) -> Result<(), EntryFault> {
        let (parent, name) = self.parent(parts)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&parent, name, flags, Mode::RUSR | Mode::WUSR)?);
        if io::copy(&mut content, &mut file)? != size {
            return Err(EntryFault::Io(io::ErrorKind::UnexpectedEof.into()));
        }
        fchmod(&file, Mode::from_raw_mode(mode & 0o777 | 0o600))?;
        futimens(&file, &times(seconds(mtime)))?;
        Ok(())
    }

    /// Makes a symbolic link. Where it leads is held at the end, when all it goes through is there.
    pub(super) fn symlink(&mut self, parts: &[OsString], target: &Path) -> Result<(), EntryFault> {
        if target.is_absolute() {
            return Err(EntryFault::LeadsOut);
        }
        let (parent, name) = self.parent(parts)?;
        symlinkat(target, &parent, name)?;
        self.links.push(parts.iter().collect());
        Ok(())
    }

    /// Makes a hard link to a file that is already there.
    pub(super) fn hard_link(&self, parts: &[OsString], target: &[OsString]) -> Result<(), EntryFault> {
        let (from, from_name) = self.parent(target).map_err(|_| EntryFault::HardLink)?;
        let found = statat(&from, from_name, AtFlags::SYMLINK_NOFOLLOW).map_err(|_| EntryFault::HardLink)?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(EntryFault::HardLink);
        }
        let (parent, name) = self.parent(parts)?;
        linkat(&from, from_name, &parent, name, AtFlags::empty())?;
        Ok(())
    }

    /// Sets the modes and times of directories, the deepest first.
    pub(super) fn finish_directories(&mut self) -> Result<(), (PathBuf, EntryFault)> {
        let mut directories = std::mem::take(&mut self.directories);
        directories.sort_by_key(|(parts, ..)| std::cmp::Reverse(parts.len()));
        for (parts, mode, mtime) in directories {
            let set = || -> Result<(), EntryFault> {
                let directory = self.enter(&parts)?;
                fchmod(&directory, mode)?;
                futimens(&directory, &times(mtime))?;
                Ok(())
            };
            set().map_err(|fault| (parts.iter().collect(), fault))?;
        }
        Ok(())
    }

    /// Holds that no link leads out. A link may lead nowhere, as in source trees; never outside. Judged by walking
    /// it, because `a/../..` is inside or outside depending on what `a` is.
    pub(super) fn check_links(&self, stripped: Option<&OsStr>) -> Result<(), (PathBuf, EntryFault)> {
        for link in &self.links {
            let path = stripped
                .and_then(|top| link.strip_prefix(top).ok())
                .unwrap_or(link);
            match beneath::open(self.root.as_fd(), path, OFlags::PATH) {
                Err(error) if Errno::from_io_error(&error) == Some(Errno::XDEV) => {
                    return Err((path.to_owned(), EntryFault::LeadsOut));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Moves what is in the directory `top` to where `top` is.
    pub(super) fn strip(&mut self, top: &OsStr) -> io::Result<()> {
        // `top` may itself hold something of its own name.
        let aside = ".offhost-unpacking";
        let root = self.root.as_fd();
        rustix::fs::renameat(root, top, root, aside)?;
        let directory = openat(root, aside, DIRECTORY, Mode::empty())?;
        for name in names(directory.as_fd())? {
            rustix::fs::renameat(&directory, &name, root, &name)?;
        }
        unlinkat(root, aside, AtFlags::REMOVEDIR)?;
        Ok(())
    }

    /// The only entry at the top, if that is a directory.
    pub(super) fn only_directory(&self) -> io::Result<Option<OsString>> {
        let mut names = names(self.root.as_fd())?;
        let Some(name) = names.pop().filter(|_| names.is_empty()) else {
            return Ok(None);
        };
        let found = statat(&self.root, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok((FileType::from_raw_mode(found.st_mode) == FileType::Directory).then_some(name))
    }

    fn parent<'p>(&self, parts: &'p [OsString]) -> Result<(OwnedFd, &'p OsStr), EntryFault> {
        let (name, above) = parts.split_last().ok_or(EntryFault::Duplicate)?;
        Ok((self.enter(above)?, name))
    }

    /// Opens a directory, made where it is missing, through no link.
    fn enter(&self, parts: &[OsString]) -> Result<OwnedFd, EntryFault> {
        let mut here = self.root.try_clone()?;
        for part in parts {
            here = match openat(&here, part, DIRECTORY, Mode::empty()) {
                Err(Errno::NOENT) => {
                    mkdirat(&here, part, Mode::from_raw_mode(0o755))?;
                    openat(&here, part, DIRECTORY, Mode::empty())?
                }
                opened => opened?,
            };
        }
        Ok(here)
    }
}

fn names(directory: BorrowedFd<'_>) -> io::Result<Vec<OsString>> {
    use std::os::unix::ffi::OsStringExt;

    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(directory)? {
        let name = entry?.file_name().to_owned().into_bytes();
        if !matches!(name.as_slice(), b"." | b"..") {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}

/// A time after the year 292 billion is no time; the newest one stands for it.
fn seconds(mtime: u64) -> i64 {
    i64::try_from(mtime).unwrap_or(i64::MAX)
}

fn times(mtime: i64) -> Timestamps {
    let time = Timespec {
        tv_sec: mtime,
        tv_nsec: 0,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
