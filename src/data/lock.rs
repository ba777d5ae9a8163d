//! Advisory locks that the kernel lets go of when their holder dies, however it dies.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::failure::{Context, IoFailure};
use super::layout;

/// Between two tries of a lock that is not waited for in the kernel.
const PAUSE: Duration = Duration::from_millis(2);
/// Tries of a lock that a passing look may hold for a moment.
const TRIES: u32 = 20;

/// A held lock. Pass its descriptor on to a helper to hold it for as long as the helper lives.
#[derive(Debug)]
pub struct FileLock {
    fd: OwnedFd,
    path: PathBuf,
}

/// What a look at another's lock shows.
#[derive(Debug)]
pub enum Probe {
    /// There is no such lock file.
    Missing,
    /// Its holder lives.
    Held,
    /// Nobody holds it; it is held by the asker now.
    Free(FileLock),
}

impl FileLock {
    /// Waits for the lock.
    ///
    /// # Errors
    /// The file can not be made, or the file system has no locks.
    pub fn exclusive(path: &Path) -> Result<Self, IoFailure> {
        Self::take(path, FlockOperation::LockExclusive, true)?
            .ok_or_else(|| IoFailure::new("lock", path, Errno::AGAIN))
    }

    /// Waits for the lock, for as long as it is `wanted`; `None` once it is not.
    ///
    /// # Errors
    /// As for [`Self::exclusive`].
    pub fn exclusive_while(path: &Path, wanted: impl Fn() -> bool) -> Result<Option<Self>, IoFailure> {
        // Not in the kernel: what ends the wait comes from another thread, which can not interrupt a flock(2).
        while wanted() {
            if let Some(lock) = Self::try_exclusive(path)? {
                return Ok(Some(lock));
            }
            std::thread::sleep(PAUSE * 10);
        }
        Ok(None)
    }

    /// Takes the lock together with other sharers, waiting for an exclusive holder.
    ///
    /// # Errors
    /// As for [`Self::exclusive`].
    pub fn shared(path: &Path) -> Result<Self, IoFailure> {
        Self::take(path, FlockOperation::LockShared, true)?
            .ok_or_else(|| IoFailure::new("lock", path, Errno::AGAIN))
    }

    /// Takes the lock if nobody holds it.
    ///
    /// # Errors
    /// As for [`Self::exclusive`].
    pub fn try_exclusive(path: &Path) -> Result<Option<Self>, IoFailure> {
        Self::take(path, FlockOperation::NonBlockingLockExclusive, true)
    }

    /// Looks whether a holder lives, without making a lock file.
    ///
    /// # Errors
    /// The file can not be opened.
    pub fn probe(path: &Path) -> Result<Probe, IoFailure> {
        match Self::take(path, FlockOperation::NonBlockingLockExclusive, false) {
            Ok(Some(lock)) => Ok(Probe::Free(lock)),
            Ok(None) => Ok(Probe::Held),
            Err(failure) if failure.source.kind() == std::io::ErrorKind::NotFound => Ok(Probe::Missing),
            Err(failure) => Err(failure),
        }
    }

    fn take(path: &Path, operation: FlockOperation, create: bool) -> Result<Option<Self>, IoFailure> {
        let mut flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        flags.set(OFlags::CREATE, create);
        loop {
            let fd = fs::open(path, flags, Mode::RUSR | Mode::WUSR).during("open lock", path)?;
            match retry_interrupted(|| fs::flock(&fd, operation)) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(IoFailure::new("lock", path, error)),
            }
            // The holder before may have removed the file: then this lock guards nothing.
            let mine = fs::fstat(&fd).during("read", path)?;
            match fs::lstat(path) {
                Ok(now) if (now.st_dev, now.st_ino) == (mine.st_dev, mine.st_ino) => {
                    return Ok(Some(Self {
                        fd,
                        path: path.to_owned(),
                    }));
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(IoFailure::new("read", path, error)),
            }
        }
    }

    /// Removes the lock file while it is held, so that none is left behind.
    pub fn remove(self) {
        // A lock file that stays is harmless: the next sweep finds it free.
        drop(std::fs::remove_file(&self.path));
    }
}

impl AsFd for FileLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn retry_interrupted<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

/// A new directory that is somebody's for as long as they live. Dropping it without [`Claim::release`] leaves
/// what a kill would leave: an unlocked lock file, by which a sweep knows that the directory is nobody's.
#[derive(Debug)]
#[must_use]
pub struct Claim {
    path: PathBuf,
    lock: FileLock,
}

impl Claim {
    /// Makes the directory `path` (mode 0700); `None` where the name is taken.
    ///
    /// # Errors
    /// The directory or its lock can not be made.
    pub fn make(path: &Path) -> Result<Option<Self>, IoFailure> {
        // The lock comes first: a sweep must never see the directory without it.
        let lock = loop {
            match FileLock::try_exclusive(&layout::lock_beside(path))? {
                Some(lock) => break lock,
                None if std::fs::symlink_metadata(path).is_ok() => return Ok(None),
                // A sweep looks at a new lock whose holder has not got it yet, or a claimant is about to make the
                // directory: in a moment it is known which.
                None => std::thread::sleep(PAUSE),
            }
        };
        match fs::mkdir(path, Mode::RWXU) {
            Ok(()) => Ok(Some(Self {
                path: path.to_owned(),
                lock,
            })),
            Err(Errno::EXIST) => {
                lock.remove();
                Ok(None)
            }
            Err(error) => {
                lock.remove();
                Err(IoFailure::new("make directory", path, error))
            }
        }
    }

    /// Takes over the name `path` and what an earlier claimant has left there, which stays as it is; `None` while that
    /// one lives.
    ///
    /// # Errors
    /// The lock can not be made.
    pub fn adopt(path: &Path) -> Result<Option<Self>, IoFailure> {
        let lock = layout::lock_beside(path);
        for _ in 0..TRIES {
            if let Some(lock) = FileLock::try_exclusive(&lock)? {
                let path = path.to_owned();
                return Ok(Some(Self { path, lock }));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(None)
    }

    /// Makes the directory `path`, removing first what a dead claimant of that name has left.
    ///
    /// # Errors
    /// A living claimant has it, or the directory can not be made.
    pub fn make_anew(path: &Path) -> Result<Self, IoFailure> {
        if let Probe::Free(lock) = FileLock::probe(&layout::lock_beside(path))? {
            super::remove::remove_tree(path)?;
            lock.remove();
        }
        Self::make(path)?.ok_or_else(|| IoFailure::new("make directory", path, Errno::EXIST))
    }

    /// Gives the directory to the account that is to write in it.
    ///
    /// # Errors
    /// The server may not give it away.
    pub fn give_to(&self, owner: Option<super::Owner>) -> Result<(), IoFailure> {
        super::dir::give(&self.path, owner)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the directory, then ends the claim.
    ///
    /// # Errors
    /// Something can not be removed; the claim is then what a kill leaves, and the next sweep tries again.
    pub fn remove(self) -> Result<(), IoFailure> {
        super::remove::remove_tree(&self.path)?;
        self.release();
        Ok(())
    }

    /// Ends the claim; the directory stays if it is still there.
    pub fn release(self) {
        self.lock.remove();
    }
}

impl AsFd for Claim {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_holder_is_told_from_a_living_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let lock = layout::lock_beside(&path);
        assert!(matches!(FileLock::probe(&lock), Ok(Probe::Missing)));
        let claim = Claim::make(&path).unwrap().unwrap();
        assert!(Claim::make(&path).unwrap().is_none());
        assert!(matches!(FileLock::probe(&lock), Ok(Probe::Held)));
        drop(claim);
        assert!(matches!(FileLock::probe(&lock), Ok(Probe::Free(_))));
    }

    #[test]
    fn what_a_dead_holder_has_left_can_be_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let claim = Claim::make(&path).unwrap().unwrap();
        std::fs::write(path.join("kept"), "").unwrap();
        assert!(Claim::adopt(&path).unwrap().is_none(), "it lives");
        drop(claim);
        let adopted = Claim::adopt(&path).unwrap().unwrap();
        assert!(path.join("kept").exists());
        assert!(Claim::adopt(&path).unwrap().is_none());
        adopted.remove().unwrap();
        assert!(!path.exists() && !layout::lock_beside(&path).exists());
    }

    #[test]
    fn sharers_keep_an_exclusive_asker_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        let first = FileLock::shared(&path).unwrap();
        let second = FileLock::shared(&path).unwrap();
        drop(first);
        assert!(FileLock::try_exclusive(&path).unwrap().is_none());
        drop(second);
        assert!(FileLock::try_exclusive(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_on_a_removed_file_is_taken_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        for _ in 0..50 {
            let held = FileLock::exclusive(&path).unwrap();
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| FileLock::exclusive(&path).unwrap());
                held.remove();
                let lock = waiter.join().unwrap();
                assert!(FileLock::try_exclusive(&path).unwrap().is_none());
                drop(lock);
            });
        }
    }
}
