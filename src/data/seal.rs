//! What a job has made becomes the server's own: nothing in it can be written by the job's account any more,
//! and nothing in it leads anywhere else. Runs only after every process of the job has ended.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Gid, Mode, Uid};
use rustix::io::Errno;

use super::failure::{Context, IoFailure};
use super::fdio::{self, Entry};
use super::layout;
use super::result_error::ResultError;

/// Notes beyond this many are counted instead of listed.
const MAX_NOTES: usize = 20;

/// What a sealed tree holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// What was left out of it, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// Takes the root directory of a result back from the job's account and closes it (mode 0700).
pub(crate) fn take_back(root: &Path) -> Result<OwnedFd, IoFailure> {
    let dir = fdio::open_dir_nofollow(root).during("open", root)?;
    own(dir.as_fd(), c"").during("take back", root)?;
    fs::fchmod(&dir, Mode::RWXU).during("set mode of", root)?;
    Ok(dir)
}

/// Makes everything below `root` the server's. Links that could lead out, sockets, FIFOs and devices are left out.
pub(crate) fn seal(root: &Path) -> Result<Sealed, ResultError> {
    let dir = take_back(root)?;
    let mut sealer = Sealer {
        root,
        sealed: Sealed::default(),
        waiting: vec![PathBuf::new()],
    };
    let mut left_out = Vec::new();
    while let Some(relative) = sealer.waiting.pop() {
        sealer.directory(dir.as_fd(), &relative, &mut left_out)?;
    }
    fs::fchmod(&dir, Mode::from_raw_mode(0o755)).during("set mode of", root)?;
    let mut sealed = sealer.sealed;
    let more = left_out.len().saturating_sub(MAX_NOTES);
    left_out.sort_unstable();
    left_out.truncate(MAX_NOTES);
    if more > 0 {
        left_out.push(format!("{more} more entries were left out of the result"));
    }
    sealed.notes = left_out;
    Ok(sealed)
}

struct Sealer<'a> {
    root: &'a Path,
    sealed: Sealed,
    waiting: Vec<PathBuf>,
}

impl Sealer<'_> {
    fn directory(
        &mut self,
        root: BorrowedFd<'_>,
        relative: &Path,
        left_out: &mut Vec<String>,
    ) -> Result<(), ResultError> {
        let path = self.root.join(relative);
        let depth = relative.components().count();
        if depth > fdio::MAX_DEPTH {
            return Err(ResultError::TooDeep { path });
        }
        let dir = fdio::open_below(root, relative).during("open", &path)?;
        for entry in fdio::entries(dir.as_fd()).during("read directory", &path)? {
            let at = path.join(entry.os_name());
            let name = relative.join(entry.os_name());
            let note = self.entry(dir.as_fd(), &entry, name, depth).during("seal", &at)?;
            left_out.extend(note);
        }
        Ok(())
    }

    fn entry(
        &mut self,
        dir: BorrowedFd<'_>,
        entry: &Entry,
        relative: PathBuf,
        depth: usize,
    ) -> Result<Option<String>, Errno> {
        let shown = relative.display().to_string();
        let reason = match entry.kind {
            FileType::Directory => {
                let child = fdio::open_dir_forced(dir, &entry.name)?;
                own(child.as_fd(), c"")?;
                fs::fchmod(&child, Mode::from_raw_mode(0o755))?;
                self.waiting.push(relative);
                return Ok(None);
            }
            FileType::RegularFile => {
                self.sealed.files += 1;
                self.sealed.bytes += seal_file(dir, &entry.name)?;
                return Ok(None);
            }
            FileType::Symlink => {
                let target = fdio::read_link(dir, &entry.name)?;
                if layout::link_stays_inside(depth, &target) {
                    own(dir, &entry.name)?;
                    return Ok(None);
                }
                format!("it is a link out of the result, to '{}'", target.display())
            }
            FileType::Fifo => "it is a FIFO".to_owned(),
            FileType::Socket => "it is a socket".to_owned(),
            _ => "it is a device".to_owned(),
        };
        fs::unlinkat(dir, &entry.name, AtFlags::empty())?;
        Ok(Some(format!("'{shown}' was left out of the result: {reason}")))
    }
}

/// Gives one file its final owner and mode; its size in bytes.
fn seal_file(dir: BorrowedFd<'_>, name: &CStr) -> Result<u64, Errno> {
    let pinned = fdio::pin(dir, name)?;
    let stat = fs::fstat(&pinned)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::LOOP);
    }
    own(pinned.as_fd(), c"")?;
    let mode = if stat.st_mode & 0o111 == 0 { 0o644 } else { 0o755 };
    // Always: chown clears set-uid only where the file can be executed.
    fdio::chmod_pinned(pinned.as_fd(), Mode::from_raw_mode(mode))?;
    Ok(u64::try_from(stat.st_size).unwrap_or(0))
}

/// Makes an entry (or, with an empty name, what `at` is) the server's own.
fn own(at: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::SYMLINK_NOFOLLOW;
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let stat = fs::statat(at, name, flags)?;
    if (stat.st_uid, stat.st_gid) == (uid.as_raw(), gid.as_raw()) {
        return Ok(());
    }
    fs::chownat(
        at,
        name,
        Some(Uid::from_raw(uid.as_raw())),
        Some(Gid::from_raw(gid.as_raw())),
        flags,
    )
}
