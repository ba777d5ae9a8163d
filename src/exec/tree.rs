//! Mount points for what is exposed. Where one does not exist it is made in a small file system of the sandbox's
//! own, which shows everything that the covered directory holds: nothing is ever created on the machine.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Access, AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::error::{Step, StepError};
use super::{mounts, resolve, sys};

/// Steps carry this name in messages.
const STEP: &str = "make a mount point";

/// The mount points of one sandbox.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The sandbox's own file systems, and their device numbers.
    own: Vec<(u64, OwnedFd)>,
}

impl Tree {
    /// The directory at `path`, made where it is missing.
    ///
    /// # Errors
    /// A link in the path, something else than a directory, or what the kernel refuses.
    pub(crate) fn directory(&mut self, path: &Path) -> Result<OwnedFd, StepError> {
        let mut current = resolve::open_path(Path::new("/")).step(STEP, "/")?;
        let mut walked = PathBuf::from("/");
        for component in path.components() {
            let Component::Normal(name) = component else {
                continue;
            };
            let name = Path::new(name);
            current = match resolve::child(&current, name) {
                Err(Errno::NOENT) => self.make(current, &walked, name)?,
                answer => answer.step(STEP, walked.join(name).display())?,
            };
            walked.push(name);
        }
        match resolve::file_type(&current).step(STEP, path.display())? {
            FileType::Directory => Ok(current),
            _ => Err(StepError::new(
                STEP,
                format!("{}: not a directory", path.display()),
                "remove the file there",
            )),
        }
    }

    /// Makes `name` in `parent`, which is covered first unless it is one of the sandbox's own.
    fn make(&mut self, parent: OwnedFd, at: &Path, name: &Path) -> Result<OwnedFd, StepError> {
        let device = resolve::identity(&parent).step(STEP, at.display())?.0;
        let parent = if self.own.iter().any(|(own, _)| *own == device) {
            parent
        } else {
            self.cover(&parent, at)?
        };
        rustix::fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)).step(STEP, at.join(name).display())?;
        resolve::child(&parent, name).step(STEP, at.join(name).display())
    }

    /// Covers a directory with a file system of the sandbox's own that shows the same entries.
    fn cover(&mut self, directory: &OwnedFd, at: &Path) -> Result<OwnedFd, StepError> {
        if at == Path::new("/") {
            let hint = "create the top-level directory on the machine, for example with mkdir /opt";
            return Err(StepError::new(
                STEP,
                "a directory is missing in /, which can not be covered",
                hint,
            ));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listing = rustix::fs::openat(directory, ".", flags, Mode::empty()).step(STEP, at.display())?;
        let cover = mounts::tmpfs(&[("mode", "0755"), ("size", "1m")], false).step(STEP, at.display())?;
        // Attached before it is filled: mounts can not be moved into a detached tree before Linux 6.15.
        mounts::attach(&cover, directory).step(STEP, at.display())?;
        for entry in Dir::read_from(&listing).step(STEP, at.display())? {
            let entry = entry.step(STEP, at.display())?;
            let name = Path::new(OsStr::from_bytes(entry.file_name().to_bytes()));
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                match show(directory, &cover, name) {
                    // Gone since it was listed.
                    Err(Errno::NOENT) => {}
                    answer => answer.step(STEP, at.join(name).display())?,
                }
            }
        }
        keep_closed(directory, &cover).step(STEP, at.display())?;
        let device = resolve::identity(&cover).step(STEP, at.display())?.0;
        let again = rustix::io::fcntl_dupfd_cloexec(&cover, 3).step(STEP, at.display())?;
        self.own.push((device, cover));
        Ok(again)
    }

    /// Makes the sandbox's own file systems read-only; what is mounted on them is not touched.
    ///
    /// # Errors
    /// Those of `mount_setattr(2)`.
    pub(crate) fn seal(&self) -> Result<(), StepError> {
        for (_, mount) in &self.own {
            sys::mount_setattr(mount, sys::MOUNT_ATTR_RDONLY, false).step(STEP, "read-only")?;
        }
        Ok(())
    }
}

/// Gives a cover the owner and mode of what it covers, so that it opens nothing to anybody (RA6).
fn keep_closed(directory: &OwnedFd, cover: &OwnedFd) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(directory)?;
    let mut mode = stat.st_mode & 0o7777;
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    if rustix::fs::chownat(cover, ".", Some(uid), Some(gid), AtFlags::empty()).is_err() {
        // An owner that has no id here: what is left to be kept is what this account, or everybody, may do.
        let everybody = mode & 0o7;
        let own = if rustix::process::getuid().is_root() {
            everybody
        } else {
            let may = |what, bit| {
                let answer = rustix::fs::accessat(directory, ".", what, AtFlags::empty());
                if answer.is_ok() { bit } else { 0 }
            };
            may(Access::READ_OK, 4) | may(Access::EXEC_OK, 1)
        };
        mode = own << 6 | own << 3 | own;
    }
    rustix::fs::chmodat(cover, ".", Mode::from_raw_mode(mode), AtFlags::empty())
}

/// Shows one entry of a covered directory at the same name in the cover.
fn show(from: &OwnedFd, cover: &OwnedFd, name: &Path) -> Result<(), Errno> {
    let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(from, name, Vec::new())?;
            return rustix::fs::symlinkat(target.as_c_str(), cover, name);
        }
        FileType::Directory => rustix::fs::mkdirat(cover, name, Mode::from_raw_mode(0o755))?,
        _ => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            drop(rustix::fs::openat(
                cover,
                name,
                flags,
                Mode::from_raw_mode(0o600),
            )?);
        }
    }
    let mount = mounts::copy(from.as_fd(), name)?;
    mounts::attach(mount, resolve::child(cover, name)?)
}
