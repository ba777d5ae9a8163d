//! Finding the file that is meant, in one state of what is served, and never outside it (PK7, RD3). Blocking.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{self as sys, AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::path::Wanted;
use super::validate::Version;
use crate::content::beneath;
use crate::content::manifest::MANIFEST;
use crate::data::{ResultRecord, layout};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
const LINK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// A FIFO that somebody has put there must not hold the server up.
const ANYTHING: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
/// Served for a directory.
const INDEX: [&str; 2] = ["index.html", "index.htm"];
/// As often a result may be replaced while a request looks for it.
const TRIES: usize = 16;
/// Entries of a result that are looked at where nothing says which is the main one.
const MOST_ENTRIES: usize = 1000;

/// What is served, and where it lies.
#[derive(Debug)]
pub struct FilesRoute {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Bundle {
        root: PathBuf,
        number: u64,
        index: Option<PathBuf>,
    },
    Active {
        variant: PathBuf,
        /// The main file of the result that was asked for last: a finished result never changes.
        index: Mutex<Option<(u64, Option<PathBuf>)>>,
    },
}

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    /// A file.
    File(OpenFile),
    /// A directory, asked for without the slash at its end.
    Slash,
    /// The main file lies in a directory of its own, so that its links only lead right from there.
    Elsewhere(PathBuf),
}

/// A file that can be read to its end, whatever happens to its name.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) file: File,
    /// Below the root; its end tells the type.
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) version: Version,
}

/// Why nothing was found.
#[derive(Debug)]
pub(super) enum Miss {
    /// There is no such file, or it is not for visitors.
    NotFound,
    /// Nothing has been rendered yet.
    NotRendered,
    /// The server may not read it.
    Forbidden(io::Error),
    /// The system refused.
    Failed(io::Error),
}

/// One state of what is served.
struct Root {
    directory: OwnedFd,
    number: u64,
    /// Seconds since 1970: no file of it counts as older.
    since: u64,
}

impl FilesRoute {
    /// A bundle of static content: its directory itself and no link to it, its number, and the main file that its
    /// manifest names.
    #[must_use]
    pub fn bundle(root: PathBuf, number: u64, index: Option<PathBuf>) -> Self {
        let kind = Kind::Bundle { root, number, index };
        Self { kind }
    }

    /// Whatever result is active in the directory of a variant.
    #[must_use]
    pub fn active(variant: PathBuf) -> Self {
        let index = Mutex::new(None);
        let kind = Kind::Active { variant, index };
        Self { kind }
    }

    /// Where it lies, for the log.
    pub(super) fn place(&self) -> &Path {
        match &self.kind {
            Kind::Bundle { root, .. } => root,
            Kind::Active { variant, .. } => variant,
        }
    }

    /// Whether there is anything to serve: a document may have no result yet.
    pub(super) fn is_there(&self) -> bool {
        match &self.kind {
            Kind::Bundle { .. } => true,
            Kind::Active { variant, .. } => std::fs::symlink_metadata(variant.join(layout::ACTIVE)).is_ok(),
        }
    }

    /// Looks for what is wanted.
    pub(super) fn find(&self, wanted: &Wanted) -> Result<Found, Miss> {
        let mut missed = None;
        for _ in 0..TRIES {
            let root = self.root()?;
            // A result that was replaced may be taken away: then the one in its place is meant.
            if missed == Some(root.number) {
                return Err(Miss::NotFound);
            }
            match self.find_in(&root, wanted) {
                Err(Miss::NotFound) if matches!(self.kind, Kind::Active { .. }) => missed = Some(root.number),
                other => return other,
            }
        }
        Err(Miss::NotFound)
    }

    fn root(&self) -> Result<Root, Miss> {
        match &self.kind {
            Kind::Bundle { root, number, .. } => {
                let directory = sys::open(root, DIRECTORY, Mode::empty()).map_err(miss)?;
                let since = seconds(sys::fstat(&directory).map_err(miss)?.st_ctime);
                let number = *number;
                Ok(Root {
                    directory,
                    number,
                    since,
                })
            }
            Kind::Active { variant, .. } => active(variant),
        }
    }

    fn find_in(&self, root: &Root, wanted: &Wanted) -> Result<Found, Miss> {
        let is_bundle = matches!(self.kind, Kind::Bundle { .. });
        if is_bundle && wanted.path == Path::new(MANIFEST) {
            return Err(Miss::NotFound);
        }
        let is_root = wanted.path.as_os_str().is_empty();
        let path = if is_root { Path::new(".") } else { &wanted.path };
        let (opened, stat) = open(root, path)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if wanted.is_directory => Err(Miss::NotFound),
            FileType::RegularFile => Ok(Found::File(root.file(opened, &stat, wanted.path.clone()))),
            FileType::Directory if !wanted.is_directory => Ok(Found::Slash),
            FileType::Directory => self.index(root, wanted, is_root),
            _ => Err(Miss::NotFound),
        }
    }

    /// What is shown for a directory: its main file, never a list of what lies in it.
    fn index(&self, root: &Root, wanted: &Wanted, is_root: bool) -> Result<Found, Miss> {
        if is_root && let Some(main) = self.main_file(root) {
            let is_below = main.parent().is_some_and(|parent| !parent.as_os_str().is_empty());
            match regular(root, &main) {
                Ok(_) if is_below => return Ok(Found::Elsewhere(main)),
                Ok(file) => return Ok(Found::File(file)),
                Err(Miss::NotFound) => {}
                Err(other) => return Err(other),
            }
        }
        for name in INDEX {
            match regular(root, &wanted.path.join(name)) {
                Err(Miss::NotFound) => {}
                other => return other.map(Found::File),
            }
        }
        let is_result = matches!(self.kind, Kind::Active { .. });
        match only_file(root).filter(|_| is_root && is_result) {
            Some(only) => regular(root, &only).map(Found::File),
            None => Err(Miss::NotFound),
        }
    }

    /// The main file, as the manifest or the record of the result has it.
    fn main_file(&self, root: &Root) -> Option<PathBuf> {
        let main = match &self.kind {
            Kind::Bundle { index, .. } => index.clone(),
            Kind::Active { variant, index } => {
                let mut known = index.lock().unwrap_or_else(PoisonError::into_inner);
                match &*known {
                    Some((number, index)) if *number == root.number => index.clone(),
                    _ => {
                        let read = recorded_index(variant, root.number)?;
                        *known = Some((root.number, read.clone()));
                        read
                    }
                }
            }
        }?;
        let main: PathBuf = main.components().filter(|part| part.as_os_str() != ".").collect();
        let is_plain = main
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        is_plain.then_some(main)
    }
}

impl Root {
    fn file(&self, opened: OwnedFd, stat: &Stat, path: PathBuf) -> OpenFile {
        // Archives bring times of their own. The time of the last change is the system's, and nobody can set it.
        let changed = i128::from(stat.st_ctime) * 1_000_000_000 + i128::from(stat.st_ctime_nsec);
        let (number, inode, size) = (self.number, stat.st_ino, seconds(stat.st_size));
        OpenFile {
            file: File::from(opened),
            path,
            size,
            version: Version {
                tag: format!("{number:x}-{inode:x}-{changed:x}-{size:x}"),
                modified: seconds(stat.st_mtime).max(self.since).min(now()),
            },
        }
    }
}

/// The active result of a variant. The link is read once, so that one request sees one result.
fn active(variant: &Path) -> Result<Root, Miss> {
    let link = variant.join(layout::ACTIVE);
    for _ in 0..TRIES {
        // Pinned, so that its target and its time are those of one and the same link.
        let pinned = match sys::open(&link, LINK, Mode::empty()) {
            Ok(pinned) => pinned,
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(Miss::NotRendered),
            Err(error) => return Err(miss(error)),
        };
        let target = sys::readlinkat(&pinned, c"", Vec::new()).map_err(|_| Miss::NotRendered)?;
        let number = target.to_str().ok().and_then(layout::parse_number);
        let number = number.ok_or(Miss::NotRendered)?;
        let since = seconds(sys::fstat(&pinned).map_err(miss)?.st_mtime);
        match sys::open(variant.join(number.to_string()), DIRECTORY, Mode::empty()) {
            Ok(directory) => {
                return Ok(Root {
                    directory,
                    number,
                    since,
                });
            }
            Err(Errno::NOENT) => {}
            Err(error) => return Err(miss(error)),
        }
    }
    Err(Miss::NotRendered)
}

/// The main file that the record of a result names; `None` where the record can not be read.
#[allow(
    clippy::option_option,
    reason = "a record without a main file is kept in mind, one that can not be read is not"
)]
fn recorded_index(variant: &Path, number: u64) -> Option<Option<PathBuf>> {
    let bytes = std::fs::read(variant.join(format!("{number}.json"))).ok()?;
    let record: ResultRecord = serde_json::from_slice(&bytes).ok()?;
    Some(record.index)
}

fn open(root: &Root, path: &Path) -> Result<(OwnedFd, Stat), Miss> {
    let opened = beneath::open_unmounted(root.directory.as_fd(), path, ANYTHING);
    let opened = opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(errno) => miss(errno),
        None => Miss::Failed(error),
    })?;
    let stat = sys::fstat(&opened).map_err(miss)?;
    Ok((opened, stat))
}

fn regular(root: &Root, path: &Path) -> Result<OpenFile, Miss> {
    let (opened, stat) = open(root, path)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(root.file(opened, &stat, path.to_owned())),
        _ => Err(Miss::NotFound),
    }
}

/// The page of a result whose document named it itself: its only page, or its only file.
fn only_file(root: &Root) -> Option<PathBuf> {
    let directory = Dir::read_from(&root.directory).ok()?;
    let mut pages = Vec::new();
    let mut others = Vec::new();
    for entry in directory.take(MOST_ENTRIES) {
        let name = entry.ok()?.file_name().to_owned();
        let is_hidden = name.to_bytes().starts_with(b".");
        let stat = sys::statat(&root.directory, &name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        if is_hidden || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            continue;
        }
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()));
        let is_page = path
            .extension()
            .is_some_and(|end| end.eq_ignore_ascii_case("html"));
        if is_page {
            pages.push(path)
        } else {
            others.push(path)
        }
    }
    match (pages.len(), others.len()) {
        (1, _) => pages.pop(),
        (0, 1) => others.pop(),
        _ => None,
    }
}

fn miss(errno: Errno) -> Miss {
    match errno {
        Errno::NOENT
        | Errno::NOTDIR
        | Errno::LOOP
        | Errno::XDEV
        | Errno::NAMETOOLONG
        | Errno::NXIO
        | Errno::NODEV
        | Errno::INVAL
        | Errno::ILSEQ
        | Errno::STALE => Miss::NotFound,
        Errno::ACCESS | Errno::PERM => Miss::Forbidden(errno.into()),
        other => Miss::Failed(other.into()),
    }
}

/// A number that the system never gives as a negative one, but for times before 1970.
fn seconds(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
