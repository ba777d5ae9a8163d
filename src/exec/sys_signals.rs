//! Signals noted by a handler, for a program that must not block them: what its libraries start would inherit that.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use rustix::pipe::PipeFlags;

/// The pipe that the handler writes to; -1 before there is one.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// Left alone: what can not be caught, what the program's own fault raises, the end of children, and the time limit.
const LEFT_ALONE: [i32; 11] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGCHLD,
    libc::SIGALRM,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
];

/// Where noted signals are read.
#[derive(Debug)]
pub(crate) struct SignalPipe {
    reader: OwnedFd,
    _writer: OwnedFd,
}

impl SignalPipe {
    /// The signals noted since the last time.
    pub(crate) fn noted(&self) -> Vec<i32> {
        let mut bytes = [0; 64];
        let read = rustix::io::read(&self.reader, &mut bytes).unwrap_or(0);
        bytes[..read].iter().map(|byte| i32::from(*byte)).collect()
    }
}

impl AsFd for SignalPipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}

/// Notes every signal that can be passed on. A program that is executed finds their default actions.
///
/// # Errors
/// There are no descriptors left.
pub(crate) fn note_signals() -> io::Result<SignalPipe> {
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    PIPE.store(writer.as_raw_fd(), Ordering::SeqCst);
    // The C library keeps two numbers between the named ones and SIGRTMIN for itself.
    let numbers = (1..=libc::SIGSYS).chain(libc::SIGRTMIN()..=libc::SIGRTMAX());
    for signal in numbers.filter(|signal| !LEFT_ALONE.contains(signal)) {
        // SAFETY: all-zero is a valid sigaction: no flags and an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = note as extern "C" fn(libc::c_int) as usize;
        // Calls of libraries go on: nobody expects them to be interrupted.
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: the action is valid, its handler calls nothing but write(2), and no old one is asked for.
        if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(SignalPipe {
        reader,
        _writer: writer,
    })
}

/// Writes the signal's number. A full pipe holds more than anybody waits for.
extern "C" fn note(signal: libc::c_int) {
    let byte = signal.to_le_bytes()[0];
    // SAFETY: errno belongs to this thread; it is put back so that what was interrupted does not see the handler's.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: write(2) may be called from a handler; the byte outlives the call, and a closed descriptor is an error only.
    unsafe { libc::write(PIPE.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Has SIGALRM end this program after so many seconds; 0 takes that back.
pub(crate) fn alarm_in(seconds: u32) {
    // SAFETY: the call takes a number and touches no memory.
    unsafe { libc::alarm(seconds) };
}
