//! Fresh copies of a source tree (RD1): several threads, shared blocks where the file system has them.
//!
//! Links are copied as links. For the fresh copy of a bundle that is safe whatever they lead to, because the
//! sandbox decides what they reach; a deployment asks for [`Links::Inside`] and refuses those that lead out.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::copy_types::{CopyError, CopyOptions, CopyStats, Links, Modes};
use super::failure::{Context, IoFailure};
use super::fdio::{self, Entry};
use super::queue::Queue;
use super::{content_copy, layout, remove};

/// Files handed to a thread at once, so that one large directory keeps all threads busy.
const CHUNK: usize = 128;

/// Copies the directory `source` to `destination`, which must not exist or be empty. Until it is whole the copy
/// belongs to the server alone (mode 0700).
///
/// # Errors
/// See [`CopyError`]; a partial copy is removed.
pub fn copy_tree(source: &Path, destination: &Path, options: CopyOptions) -> Result<CopyStats, CopyError> {
    let from = fdio::open_dir_nofollow(source).during("open", source)?;
    copy_opened(from, source, destination, options)
}

/// As [`copy_tree`], with the source opened before; `source` is what a failure names.
pub(crate) fn copy_opened(
    from: OwnedFd,
    source: &Path,
    destination: &Path,
    options: CopyOptions,
) -> Result<CopyStats, CopyError> {
    let made = match fs::mkdir(destination, Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(IoFailure::new("make directory", destination, error).into()),
    };
    let to = fdio::open_dir_nofollow(destination).during("open", destination)?;
    if !made
        && !fdio::entries(to.as_fd())
            .during("read directory", destination)?
            .is_empty()
    {
        return Err(CopyError::NotEmpty {
            path: destination.to_owned(),
        });
    }
    let copier = Copier {
        source,
        destination,
        options,
        no_sharing: AtomicBool::new(false),
        counts: Counts::default(),
    };
    let copied = copier.run(from, to);
    if copied.is_err() {
        let leftover = if made {
            remove::remove_tree(destination)
        } else {
            remove::remove_contents(destination)
        };
        // The first error is the cause; what could not be removed is found by the next sweep.
        drop(leftover);
    }
    copied
}

#[derive(Default)]
struct Counts {
    files: AtomicU64,
    directories: AtomicU64,
    links: AtomicU64,
    bytes: AtomicU64,
    shared: AtomicU64,
}

/// One directory of the tree, open on both sides.
struct Pair {
    from: OwnedFd,
    to: OwnedFd,
    relative: PathBuf,
    stat: Stat,
}

enum Work {
    Directory(PathBuf),
    Files(Arc<Pair>, Vec<Entry>),
}

struct Copier<'a> {
    source: &'a Path,
    destination: &'a Path,
    options: CopyOptions,
    /// Set once the file system has said that it can not share blocks.
    no_sharing: AtomicBool,
    counts: Counts,
}

impl Copier<'_> {
    fn run(&self, from: OwnedFd, to: OwnedFd) -> Result<CopyStats, CopyError> {
        let threads = match self.options.threads {
            0 => std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8)),
            given => given,
        };
        let (from, to) = (from.as_fd(), to.as_fd());
        let queue = Queue::new(Work::Directory(PathBuf::new()));
        queue.run(threads, |work, queue| match work {
            Work::Directory(relative) => self.directory(from, to, relative, queue),
            Work::Files(pair, entries) => {
                entries.iter().try_for_each(|entry| self.file(&pair, entry))?;
                self.finish(pair)
            }
        })?;
        // The root last: until now nobody else could look into the copy.
        let stat = fs::fstat(from).during("read", self.source)?;
        self.attributes(to, &stat, self.destination)?;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Ok(CopyStats {
            files: count(&self.counts.files),
            directories: count(&self.counts.directories),
            links: count(&self.counts.links),
            bytes: count(&self.counts.bytes),
            shared: count(&self.counts.shared),
        })
    }

    fn directory(
        &self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        relative: PathBuf,
        queue: &Queue<Work, CopyError>,
    ) -> Result<(), CopyError> {
        let (origin, copy) = (self.source.join(&relative), self.destination.join(&relative));
        if relative.components().count() > fdio::MAX_DEPTH {
            return Err(CopyError::TooDeep { path: origin });
        }
        let from = fdio::open_below(from, &relative).during("open", &origin)?;
        let to = fdio::open_below(to, &relative).during("open", &copy)?;
        let entries = fdio::entries(from.as_fd()).during("read directory", &origin)?;
        let stat = fs::fstat(&from).during("read", &origin)?;
        let pair = Arc::new(Pair {
            from,
            to,
            relative,
            stat,
        });
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.kind {
                FileType::Directory => {
                    fs::mkdirat(&pair.to, &entry.name, Mode::RWXU)
                        .during("make directory", &copy.join(entry.os_name()))?;
                    directories.push(Work::Directory(pair.relative.join(entry.os_name())));
                }
                FileType::Symlink => self.link(&pair, &entry)?,
                FileType::RegularFile => files.push(entry),
                other => return Err(special(&origin.join(entry.os_name()), other)),
            }
        }
        self.counts
            .directories
            .fetch_add(directories.len() as u64, Ordering::Relaxed);
        queue.extend(directories);
        while files.len() > CHUNK {
            let chunk = files.split_off(files.len() - CHUNK);
            queue.extend([Work::Files(Arc::clone(&pair), chunk)]);
        }
        files.iter().try_for_each(|entry| self.file(&pair, entry))?;
        self.finish(pair)
    }

    /// Sets a directory's attributes once the last thread that makes entries in it is done.
    fn finish(&self, pair: Arc<Pair>) -> Result<(), CopyError> {
        match Arc::into_inner(pair) {
            Some(pair) if !pair.relative.as_os_str().is_empty() => {
                let path = self.destination.join(&pair.relative);
                Ok(self.attributes(pair.to.as_fd(), &pair.stat, &path)?)
            }
            _ => Ok(()),
        }
    }

    fn link(&self, pair: &Pair, entry: &Entry) -> Result<(), CopyError> {
        let path = || self.source.join(&pair.relative).join(entry.os_name());
        let target = fdio::read_link(pair.from.as_fd(), &entry.name).during("read link", &path())?;
        let depth = pair.relative.components().count();
        if self.options.links == Links::Inside && !layout::link_stays_inside(depth, &target) {
            return Err(CopyError::LinkOut { path: path(), target });
        }
        let copy = self.destination.join(&pair.relative).join(entry.os_name());
        fs::symlinkat(&target, &pair.to, &entry.name).during("make link", &copy)?;
        if let Some(owner) = self.options.owner {
            let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            fs::chownat(&pair.to, &entry.name, Some(uid), Some(gid), flags).during("give away", &copy)?;
        }
        self.counts.links.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn file(&self, pair: &Pair, entry: &Entry) -> Result<(), CopyError> {
        let origin = || self.source.join(&pair.relative).join(entry.os_name());
        let copy = || self.destination.join(&pair.relative).join(entry.os_name());
        // Not blocking: a FIFO may have taken the file's place since the directory was read.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let from = fs::openat(&pair.from, &entry.name, flags, Mode::empty())
            .map_err(|error| IoFailure::new("open", origin(), error))?;
        let stat = fs::fstat(&from).map_err(|error| IoFailure::new("read", origin(), error))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != FileType::RegularFile {
            return Err(special(&origin(), kind));
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let to = fs::openat(&pair.to, &entry.name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| IoFailure::new("make", copy(), error))?;
        let copied = content_copy::copy_content(from.as_fd(), to.as_fd(), &stat, &self.no_sharing)
            .map_err(|error| IoFailure::new("write", copy(), error))?;
        self.attributes_of(to.as_fd(), &stat)
            .map_err(|error| IoFailure::new("set owner, mode and time of", copy(), error))?;
        self.counts.files.fetch_add(1, Ordering::Relaxed);
        self.counts.bytes.fetch_add(copied.bytes, Ordering::Relaxed);
        self.counts
            .shared
            .fetch_add(u64::from(copied.shared), Ordering::Relaxed);
        Ok(())
    }

    fn attributes(&self, fd: BorrowedFd<'_>, stat: &Stat, path: &Path) -> Result<(), IoFailure> {
        self.attributes_of(fd, stat)
            .during("set owner, mode and time of", path)
    }

    fn attributes_of(&self, fd: BorrowedFd<'_>, stat: &Stat) -> Result<(), Errno> {
        if let Some(owner) = self.options.owner {
            fs::fchown(fd, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
        }
        fs::fchmod(fd, self.mode(stat))?;
        let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
        let modified = time(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0));
        let times = Timestamps {
            last_access: time(0, fs::UTIME_OMIT),
            last_modification: modified,
        };
        fs::futimens(fd, &times)
    }

    fn mode(&self, stat: &Stat) -> Mode {
        let raw = stat.st_mode & 0o777;
        let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        Mode::from_raw_mode(match self.options.modes {
            Modes::Normal if directory || raw & 0o111 != 0 => 0o755,
            Modes::Normal => 0o644,
            // The account that works in the copy must be able to (AP1).
            Modes::Keep if directory => raw | 0o700,
            Modes::Keep => raw | 0o600,
        })
    }
}

fn special(path: &Path, kind: FileType) -> CopyError {
    let kind = match kind {
        FileType::Fifo => "FIFO",
        FileType::Socket => "socket",
        FileType::CharacterDevice | FileType::BlockDevice => "device",
        FileType::Directory => "directory that was a file a moment ago",
        _ => "special file",
    };
    CopyError::Special {
        path: path.to_owned(),
        kind,
    }
}
