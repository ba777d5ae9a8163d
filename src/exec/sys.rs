//! The system calls that no safe wrapper offers. With `sys_*.rs`, the only unsafe code of the library.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::Pid;

/// Attributes for [`mount_setattr`], of `linux/mount.h`.
pub(crate) const MOUNT_ATTR_RDONLY: u64 = 0x1;
/// See [`MOUNT_ATTR_RDONLY`].
pub(crate) const MOUNT_ATTR_NOSUID: u64 = 0x2;
/// See [`MOUNT_ATTR_RDONLY`].
pub(crate) const MOUNT_ATTR_NODEV: u64 = 0x4;

/// Which side of a [`clone`] this is.
#[derive(Debug)]
pub(crate) enum Forked {
    /// The parent, with the child's process id and its pidfd.
    Parent(Pid, OwnedFd),
    /// The child.
    Child,
}

/// The answer of a system call that gives -1 on failure.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// `clone3(2)` with new namespaces, or `clone(2)`: like fork, with a pidfd. The caller must be single-threaded.
///
/// # Errors
/// Those of `clone3(2)`: `ENOSPC` where the limit of namespaces is reached, `EPERM` without `CAP_SYS_ADMIN`.
pub(crate) fn clone(namespaces: u64) -> io::Result<Forked> {
    let mut pidfd: RawFd = -1;
    // SAFETY: all-zero is a valid clone_args: no stack, no TLS, no tid pointers.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = namespaces | u64::from(libc::CLONE_PIDFD.cast_unsigned());
    args.pidfd = std::ptr::from_mut(&mut pidfd) as u64;
    args.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
    let size = size_of::<libc::clone_args>();
    // SAFETY: `args` outlives the call and has the size given. Without CLONE_VM the child has its own copy of
    // memory, as after fork; the program is single-threaded (checked at start), so no lock is held by
    // a thread that the child lacks.
    let pid = match check(unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size) }) {
        // The seccomp profile of most container runtimes has no clone3, whose flags a filter can not read.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            let flags = args.flags | args.exit_signal;
            // SAFETY: as above; with CLONE_PIDFD the third argument is where the descriptor goes.
            check(unsafe { libc::syscall(libc::SYS_clone, flags, 0_u64, &raw mut pidfd, 0_u64, 0_u64) })?
        }
        answer => answer?,
    };
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        None => Ok(Forked::Child),
        // SAFETY: the kernel has just made this descriptor for us, and nothing else owns it.
        Some(pid) => Ok(Forked::Parent(pid, unsafe { OwnedFd::from_raw_fd(pidfd) })),
    }
}

/// Starts a child that runs `body` in this process's own memory, as after `vfork(2)`: this process goes on when the child has
/// executed a program or ended. A copy of the memory, as `fork(2)` makes, costs more than all mounts of a sandbox.
///
/// `body` returns only if it could not execute a program. The caller must be single-threaded and have all signals blocked.
///
/// # Errors
/// Those of `clone(2)`.
pub(crate) fn spawn<F: FnMut()>(mut body: F) -> io::Result<i32> {
    extern "C" fn enter<F: FnMut()>(body: *mut libc::c_void) -> libc::c_int {
        // SAFETY: `body` is the closure that `spawn` passed, which is suspended in the call below for as long as this runs.
        unsafe { (*body.cast::<F>())() };
        // Not a return: exit handlers belong to the parent.
        exit_now(127)
    }
    // Deep enough for the last steps and an error message; only the pages that are used come into being.
    const STACK: usize = 256 << 10;
    let mut stack = vec![std::mem::MaybeUninit::<u128>::uninit(); STACK / size_of::<u128>()];
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is aligned to 16 bytes, grows down from its end, and lives until the child has left it: CLONE_VFORK
    // suspends this thread, the only one, until then. So nobody else uses the memory that both share. The child has
    // signal actions of its own and no handler runs in it, as all signals are blocked until they have their default action.
    let pid = unsafe {
        libc::clone(
            enter::<F>,
            stack.as_mut_ptr_range().end.cast(),
            flags,
            (&raw mut body).cast(),
        )
    };
    check(pid.into()).map(|_| pid)
}

/// Adds attributes to the mount (and, when `recursive`, to all mounts below it) that `mount` stands for.
///
/// # Errors
/// Those of `mount_setattr(2)`; `ENOSYS` before Linux 5.12.
pub(crate) fn mount_setattr(mount: impl AsFd, attributes: u64, recursive: bool) -> io::Result<()> {
    let attr: [u64; 4] = [attributes, 0, 0, 0];
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: `attr` has the layout of struct mount_attr (four 64-bit words) and its size is given;
    // the path is an empty string that outlives the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            attr.as_ptr(),
            size_of_val(&attr),
        )
    })
    .map(drop)
}

/// The Landlock version of this kernel, or `None` where there is no Landlock.
#[must_use]
pub(crate) fn landlock_abi() -> Option<u32> {
    const VERSION: u32 = 1;
    // SAFETY: with the VERSION flag the call takes no structure and only answers a number.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0usize,
            VERSION,
        )
    };
    u32::try_from(answer).ok().filter(|abi| *abi > 0)
}

/// Enters a Landlock domain without any rule. `scoped` is left out where it is 0, for kernels that lack it.
///
/// # Errors
/// Those of `landlock_create_ruleset(2)` and `landlock_restrict_self(2)`.
pub(crate) fn landlock_restrict(handled_access_fs: u64, scoped: u64) -> io::Result<()> {
    let attr: [u64; 3] = [handled_access_fs, 0, scoped];
    let size = if scoped == 0 {
        size_of::<u64>()
    } else {
        size_of_val(&attr)
    };
    // SAFETY: `attr` has the layout of struct landlock_ruleset_attr; the size given never exceeds it.
    let fd = check(unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, attr.as_ptr(), size, 0u32) })?;
    let raw = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us, and nothing else owns it.
    let ruleset = unsafe { OwnedFd::from_raw_fd(raw) };
    // SAFETY: the call takes a descriptor and flags only.
    check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0u32) }).map(drop)
}

/// Loads a seccomp filter for this process and its children. `no_new_privs` must be set.
///
/// # Errors
/// Those of `seccomp(2)`.
pub(crate) fn load_seccomp(program: &[libc::sock_filter]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let program = libc::sock_fprog {
        len,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `program` points at `len` instructions that outlive the call; the kernel only reads them.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0u64,
            std::ptr::from_ref(&program),
        )
    })
    .map(drop)
}

/// The seccomp mode of this process: 0 none, 2 filtered (`prctl(PR_GET_SECCOMP)`).
///
/// # Errors
/// Those of `prctl(2)`.
pub(crate) fn seccomp_mode() -> io::Result<i64> {
    // SAFETY: the call takes no pointers.
    check(unsafe { libc::prctl(libc::PR_GET_SECCOMP) }.into())
}

/// Closes every descriptor from `first` to `last`.
///
/// # Errors
/// Those of `close_range(2)`; `ENOSYS` before Linux 5.9.
pub(crate) fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: called at start only, before any descriptor in the range is owned by a value of this program.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0u32) }).map(drop)
}

/// Marks every descriptor from `first` on as closed by exec.
///
/// # Errors
/// Those of `close_range(2)`; `EINVAL` before Linux 5.11.
pub(crate) fn cloexec_from(first: u32) -> io::Result<()> {
    // SAFETY: only sets a flag on descriptors; none is closed.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) })
        .map(drop)
}

/// Takes over a descriptor that this program was started with.
///
/// # Errors
/// `EBADF` if no such descriptor is open.
pub(crate) fn inherited(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD only reads a flag.
    check(unsafe { libc::fcntl(fd, libc::F_GETFD) }.into())?;
    // SAFETY: it is open, and the command line says that it is ours; nothing else in the program uses it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Replaces the process. Returns only on failure.
#[must_use]
pub(crate) fn exec(path: &CStr, argv: &[CString], env: &[CString]) -> io::Error {
    let pointers = |words: &[CString]| {
        words
            .iter()
            .map(|word| word.as_ptr())
            .chain([std::ptr::null()])
            .collect::<Vec<_>>()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: both arrays end with a null pointer, and their strings outlive the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// All signals.
fn all_signals() -> libc::sigset_t {
    // SAFETY: all-zero is a valid sigset_t, and sigfillset only writes it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        set
    }
}

/// Blocks every signal of this thread, so that they are taken with [`signal_fd`].
///
/// # Errors
/// Those of `sigprocmask(2)`.
pub(crate) fn block_signals() -> io::Result<()> {
    // SAFETY: the set is valid, and no old set is asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_SETMASK, &all_signals(), std::ptr::null_mut()) }.into())
        .map(drop)
}

/// Gives a signal its default action.
fn default_action(signal: i32) -> io::Result<()> {
    // No flags and no mask either: all zero in the kernel's own struct sigaction, on every 64-bit machine.
    const DEFAULT: [u64; 4] = [0; 4];
    const SET_SIZE: usize = 8;
    let (new, old) = (DEFAULT.as_ptr(), std::ptr::null::<u64>());
    // Not signal(3), which refuses the two that the C library keeps for itself: its posix_spawn has them ignored.
    // SAFETY: `DEFAULT` has the size of struct sigaction and is only read; the old one is not asked for.
    check(unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, SET_SIZE) }).map(drop)
}

/// Has the kernel tell when a child ends. A parent that ignores SIGCHLD hands that on: its children's children are then
/// reaped unseen.
///
/// # Errors
/// Those of `sigaction(2)`.
pub(crate) fn expect_children() -> io::Result<()> {
    default_action(libc::SIGCHLD)
}

/// A descriptor from which blocked signals are read.
///
/// # Errors
/// Those of `signalfd(2)`.
pub(crate) fn signal_fd() -> io::Result<OwnedFd> {
    // SAFETY: the set is valid; -1 asks for a new descriptor.
    let fd =
        check(unsafe { libc::signalfd(-1, &all_signals(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) }.into())?;
    let raw = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor for us, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// The next signal waiting in a [`signal_fd`], if there is one.
#[must_use]
pub(crate) fn next_signal(fd: &OwnedFd) -> Option<i32> {
    next_signal_from(fd).map(|(signal, _)| signal)
}

/// The same, with the process that sent it: 0 for one that has no number here, and for the kernel.
#[must_use]
pub(crate) fn next_signal_from(fd: &OwnedFd) -> Option<(i32, u32)> {
    // SAFETY: all-zero is a valid signalfd_siginfo.
    let mut info: libc::signalfd_siginfo = unsafe { std::mem::zeroed() };
    let size = size_of_val(&info);
    // SAFETY: the buffer is writable and has the size given.
    let read = unsafe { libc::read(fd.as_raw_fd(), (&raw mut info).cast(), size) };
    (usize::try_from(read) == Ok(size)).then(|| (i32::try_from(info.ssi_signo).unwrap_or(0), info.ssi_pid))
}

/// Blocks these signals in this thread and all it starts, so that they are taken with [`wait_for`].
///
/// # Errors
/// Those of `pthread_sigmask(3)`.
pub(crate) fn block(signals: &[i32]) -> io::Result<()> {
    // SAFETY: the set is valid, and no old set is asked for.
    check(unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set_of(signals), std::ptr::null_mut()) }.into())
        .map(drop)
}

/// Waits for one of these blocked signals and gives its number.
///
/// # Errors
/// Those of `sigwaitinfo(2)`, `EINTR` left out.
pub(crate) fn wait_for(signals: &[i32]) -> io::Result<i32> {
    loop {
        // SAFETY: the set is valid; no details are asked for.
        match check(unsafe { libc::sigwaitinfo(&set_of(signals), std::ptr::null_mut()) }.into()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer.map(|signal| i32::try_from(signal).unwrap_or(0)),
        }
    }
}

/// A set of these signals.
fn set_of(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: all-zero is a valid sigset_t; sigemptyset and sigaddset only write it.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        set
    }
}

/// Gives every signal its default action and unblocks all: what a new process expects to find.
///
/// # Errors
/// Those of `sigaction(2)` and `sigprocmask(2)`.
pub(crate) fn reset_signals() -> io::Result<()> {
    // Those two have no other action, and the kernel refuses to be told.
    let mut all = (1..=libc::SIGRTMAX()).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal));
    all.try_for_each(default_action)?;
    // SAFETY: an empty set is a valid set, and no old one is asked for.
    check(unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()).into()
    })
    .map(drop)
}

/// Sends a signal by number; `target` is what `kill(2)` takes, a negative one names a process group.
///
/// # Errors
/// Those of `kill(2)`.
pub(crate) fn kill(target: i32, signal: i32) -> io::Result<()> {
    // SAFETY: the call takes two numbers.
    check(unsafe { libc::kill(target, signal) }.into()).map(drop)
}

/// Reaps one ended child if there is one: its process id and raw wait status.
#[must_use]
pub(crate) fn reap() -> Option<(i32, i32)> {
    let mut status = 0;
    // SAFETY: `status` is writable; -1 and WNOHANG ask for any child without waiting.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
    (pid > 0).then_some((pid, status))
}

/// Ends this process at once, without running exit handlers.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: never returns, and touches no memory.
    unsafe { libc::_exit(code) }
}
