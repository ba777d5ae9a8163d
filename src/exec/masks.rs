//! Masks: one empty, read-only file system covers every path that content must not see (FS1), and every other
//! place where the same directory is mounted (SB5).

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, StatxFlags};
use rustix::io::Errno;

use super::error::{Step, StepError};
use super::mountinfo::{self, Alias, MountEntry};
use super::{mounts, resolve};
use crate::sandbox::MaskPath;

/// Steps carry this name in messages.
const STEP: &str = "mask";

/// What is to be masked, found before anything is covered.
#[derive(Debug)]
pub(crate) struct Masks {
    targets: Vec<Target>,
}

/// One place to cover.
#[derive(Debug)]
struct Target {
    path: PathBuf,
    fd: OwnedFd,
    is_directory: bool,
}

/// Finds the masked paths and their aliases; with `procs` every other procfs of the machine too, which shows the
/// processes outside.
///
/// # Errors
/// A required path that is missing, a link in a path, or what the kernel refuses.
pub(crate) fn find(paths: &[MaskPath], procs: bool) -> Result<Masks, StepError> {
    let mut targets = Vec::new();
    for mask in paths {
        match resolve::open_path(&mask.path) {
            Err(Errno::NOENT) if !mask.required => {}
            answer => targets.push(target(&mask.path, answer.step(STEP, mask.path.display())?)?),
        }
    }
    if procs || !targets.is_empty() {
        // The table of this very mount namespace: the ids differ from those of the machine's.
        let text = mount_table().step(STEP, "/proc/self/mountinfo")?;
        let table = mountinfo::parse(&text);
        let aliases = find_aliases(&table, &targets)?;
        targets.extend(aliases);
        if procs {
            targets.extend(find_procs(&table)?);
        }
    }
    Ok(Masks { targets })
}

/// Read in large pieces: each read has the kernel walk the table anew.
fn mount_table() -> std::io::Result<String> {
    let mut text = String::with_capacity(64 << 10);
    std::fs::File::open("/proc/self/mountinfo")?.read_to_string(&mut text)?;
    Ok(text)
}

fn target(path: &Path, fd: OwnedFd) -> Result<Target, StepError> {
    let is_directory = resolve::file_type(&fd).step(STEP, path.display())? == FileType::Directory;
    Ok(Target {
        path: path.to_owned(),
        fd,
        is_directory,
    })
}

fn find_aliases(table: &[MountEntry<'_>], targets: &[Target]) -> Result<Vec<Target>, StepError> {
    let mut found = Vec::new();
    for masked in targets {
        let identity = resolve::identity(&masked.fd).step(STEP, masked.path.display())?;
        for alias in mountinfo::aliases(table, &masked.path, mount_id(&masked.fd)?) {
            let (Alias::Same(path) | Alias::Inside(path)) = &alias;
            if targets.iter().any(|other| path.starts_with(&other.path)) {
                continue;
            }
            let fd = match resolve::open_path(path) {
                Err(Errno::NOENT | Errno::NOTDIR) => continue,
                answer => answer.step(STEP, path.display())?,
            };
            // Another mount may cover the place: then the path leads elsewhere and there is nothing to hide.
            let same = resolve::identity(&fd).step(STEP, path.display())? == identity;
            if same || matches!(alias, Alias::Inside(_)) {
                found.push(target(path, fd)?);
            }
        }
    }
    Ok(found)
}

/// Every other place of this mount namespace at which what lies at `path` is mounted; none where that can not be told.
pub(crate) fn other_places(path: &Path) -> Vec<PathBuf> {
    let id = resolve::open_path(path).ok().and_then(|fd| mount_id(fd).ok());
    let (Some(id), Ok(table)) = (id, mount_table()) else {
        return Vec::new();
    };
    let same = |alias| match alias {
        Alias::Same(path) => Some(path),
        Alias::Inside(_) => None,
    };
    let aliases = mountinfo::aliases(&mountinfo::parse(&table), path, id);
    aliases.into_iter().filter_map(same).collect()
}

fn find_procs(table: &[MountEntry<'_>]) -> Result<Vec<Target>, StepError> {
    let mut found = Vec::new();
    for path in mountinfo::other_procs(table) {
        match resolve::open_path(path) {
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            answer => found.push(target(path, answer.step(STEP, path.display())?)?),
        }
    }
    Ok(found)
}

fn mount_id(fd: impl AsFd) -> Result<u64, StepError> {
    let stat = rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).step(STEP, "statx")?;
    Ok(stat.stx_mnt_id)
}

impl Masks {
    /// Covers every target.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub(crate) fn apply(&self) -> Result<(), StepError> {
        // Directories first: the first of them attaches the empty file system, of which all others are copies.
        let mut order: Vec<&Target> = self.targets.iter().collect();
        order.sort_by_key(|target| !target.is_directory);
        let Some(first) = order.first() else { return Ok(()) };
        let options = [("mode", "0555"), ("size", "4096"), ("nr_inodes", "2")];
        let empty = mounts::tmpfs(&options, true).step(STEP, "tmpfs")?;
        if first.is_directory {
            mounts::attach(&empty, &first.fd).step(STEP, first.path.display())?;
            order.remove(0);
        }
        for target in order {
            let cover = if target.is_directory {
                mounts::copy(&empty, Path::new("")).step(STEP, target.path.display())?
            } else {
                empty_file().step(STEP, target.path.display())?
            };
            mounts::attach(cover, &target.fd).step(STEP, target.path.display())?;
        }
        Ok(())
    }

    /// Reads back that every path now leads somewhere else than before.
    ///
    /// # Errors
    /// A path that still shows what it showed.
    pub(crate) fn verify(&self) -> Result<(), StepError> {
        for target in &self.targets {
            let before = resolve::identity(&target.fd).step(STEP, target.path.display())?;
            match resolve::open_path(&target.path) {
                Err(Errno::NOENT) => {}
                Ok(now) if resolve::identity(&now).step(STEP, target.path.display())? != before => {}
                Ok(_) => {
                    let message = format!("{}: still visible after it was masked", target.path.display());
                    return Err(StepError::new(
                        STEP,
                        message,
                        "report this with the output of findmnt",
                    ));
                }
                Err(error) => return Err(error).step(STEP, target.path.display()),
            }
        }
        Ok(())
    }
}

/// A detached mount of one empty, unreadable file.
fn empty_file() -> Result<OwnedFd, Errno> {
    use rustix::fs::{Mode, OFlags};
    let holder = mounts::tmpfs(&[("mode", "0700"), ("size", "4096"), ("nr_inodes", "2")], false)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    drop(rustix::fs::openat(&holder, "empty", flags, Mode::empty())?);
    mounts::copy(&holder, Path::new("empty"))
}
