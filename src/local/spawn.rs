//! A program that inherits descriptors of this one, which has many threads.

use std::io;
use std::os::fd::BorrowedFd;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};

use rustix::io::FdFlags;

/// Descriptors become inheritable only for the moment of a spawn, and only one spawn has such a moment at a time.
static SPAWNING: Mutex<()> = Mutex::new(());

/// Starts a program that inherits these descriptors, under the numbers they have here.
///
/// # Errors
/// Those of starting it.
pub(super) fn inheriting(command: &mut Command, passed: &[BorrowedFd<'_>]) -> io::Result<Child> {
    let _alone = SPAWNING.lock().unwrap_or_else(PoisonError::into_inner);
    let all = |flags: FdFlags| {
        passed
            .iter()
            .try_for_each(|fd| rustix::io::fcntl_setfd(fd, flags))
    };
    all(FdFlags::empty())?;
    let child = command.spawn();
    all(FdFlags::CLOEXEC)?;
    child
}
