//! What a job names as its source, opened: a directory or archive below `incoming`, or an archive that was sent.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, fstat, open, statvfs};
use rustix::io::Errno;

use super::BundleError;
use crate::content::archive::{self, ArchiveError, Limits};
use crate::content::beneath;
use crate::content::dir::DirFiles;
use crate::data::{DataDir, IoFailure, Staged, layout, new_key};
use crate::names::INCOMING;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A bundle before it is deployed. It is the directory that was opened, whatever its name means by now.
#[derive(Debug)]
pub(super) struct Opened {
    /// What a failure names.
    pub(super) path: PathBuf,
    tree: OwnedFd,
    /// Removes what was unpacked.
    _unpacked: Option<Staged>,
}

impl Opened {
    /// Its files.
    pub(super) fn files(&self) -> Result<DirFiles, BundleError> {
        Ok(DirFiles::opened(self.tree()?, &self.path))
    }

    /// Its directory.
    pub(super) fn tree(&self) -> Result<OwnedFd, BundleError> {
        let again = self.tree.try_clone();
        Ok(again.map_err(|error| IoFailure::new("open", &self.path, error))?)
    }
}

/// The path of a job, which must be one below `incoming`.
pub(super) fn check_path(path: &str) -> Result<&Path, BundleError> {
    let refused = |problem| BundleError::Path {
        path: path.to_owned(),
        problem,
    };
    let below = Path::new(path);
    let mut parts = below
        .components()
        .filter(|part| *part != Component::CurDir)
        .peekable();
    match parts.peek() {
        None => return Err(refused("names no bundle")),
        // What was sent for one job is no other's.
        Some(Component::Normal(first)) if *first == super::uploads::DIRECTORY => {
            return Err(refused("is where archives arrive"));
        }
        _ => {}
    }
    for part in parts {
        match part {
            Component::Normal(_) => {}
            Component::ParentDir => return Err(refused("has '..' in it")),
            _ => return Err(refused("is an absolute path")),
        }
    }
    Ok(below)
}

/// Opens a directory or archive below `incoming`. No link on the way may lead out.
pub(super) fn open_path(data: &DataDir, path: &str) -> Result<Opened, BundleError> {
    let below = check_path(path)?;
    let root = data.path(INCOMING);
    let shown = root.join(below);
    let directory = open(&root, DIRECTORY, Mode::empty())
        .map_err(|error| IoFailure::new("open directory", &root, error))?;
    let refused = |problem| BundleError::Path {
        path: path.to_owned(),
        problem,
    };
    let fault = |error: std::io::Error| match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::NOTDIR) => BundleError::Missing {
            path: path.to_owned(),
        },
        Some(Errno::XDEV) => refused("leads out of it by a link"),
        Some(Errno::LOOP) => refused("goes round in links"),
        Some(Errno::INVAL) => refused("can not be a path"),
        _ => IoFailure::new("open", &shown, error).into(),
    };
    let found = beneath::open(directory.as_fd(), below, OFlags::PATH).map_err(fault)?;
    let stat = fstat(&found).map_err(|error| IoFailure::new("read", &shown, error))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let tree = beneath::open(found.as_fd(), Path::new("."), DIRECTORY).map_err(fault)?;
            Ok(Opened {
                path: shown,
                tree,
                _unpacked: None,
            })
        }
        FileType::RegularFile => {
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
            let file = beneath::open(directory.as_fd(), below, flags).map_err(fault)?;
            let now = fstat(&file).map_err(|error| IoFailure::new("read", &shown, error))?;
            if (now.st_dev, now.st_ino) != (stat.st_dev, stat.st_ino) {
                return Err(refused("changed while it was opened"));
            }
            unpack(data, file.into(), &shown)
        }
        _ => Err(refused("is a FIFO, socket or device")),
    }
}

/// Unpacks an archive aside. It may take most of what is free, and not all: what others write meanwhile needs some.
pub(super) fn unpack(data: &DataDir, archive: File, shown: &Path) -> Result<Opened, BundleError> {
    let name = format!("{}{}", layout::UNPACK_PREFIX, new_key());
    let place = Staged::make(data.ensure(layout::apps())?.join(name))?;
    let free = free_space(place.path())?;
    let room = free.saturating_sub(free / 10);
    let most = Limits::default();
    let limits = Limits {
        bytes: most.bytes.min(room),
        ..most
    };
    archive::unpack_opened(archive, shown, place.path(), limits).map_err(|error| match error {
        ArchiveError::TooLarge { .. } if room < most.bytes => BundleError::Full {
            archive: shown.to_owned(),
            room,
        },
        error => error.into(),
    })?;
    let tree = open(place.path(), DIRECTORY | OFlags::NOFOLLOW, Mode::empty())
        .map_err(|error| IoFailure::new("open directory", place.path(), error))?;
    Ok(Opened {
        path: shown.to_owned(),
        tree,
        _unpacked: Some(place),
    })
}

/// Bytes that are free in the file system of a directory.
pub(super) fn free_space(directory: &Path) -> Result<u64, IoFailure> {
    let found = statvfs(directory).map_err(|error| IoFailure::new("read", directory, error))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: FS4 (P)
    #[test]
    fn a_path_stays_below_incoming() {
        for good in ["a", "a/b.tar.gz", "./a", "a/./b", ".a"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for (bad, part) in [
            ("", "names no bundle"),
            (".", "names no bundle"),
            ("/etc", "is an absolute path"),
            ("a/../../x", "has '..' in it"),
            ("..", "has '..' in it"),
            (".uploads/0123", "is where archives arrive"),
            ("./.uploads/0123", "is where archives arrive"),
        ] {
            let said = check_path(bad).unwrap_err().to_string();
            assert!(
                said.contains(part) && said.contains("'incoming'"),
                "{bad}: {said}"
            );
        }
    }
}
