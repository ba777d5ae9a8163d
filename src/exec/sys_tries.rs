//! System calls that are asked for only to see them refused.
#![allow(unsafe_code)]

use libc::c_long;

/// Asks for a system call: the error number, or `None` where it was done.
///
/// For calls that give nothing back but a number, with arguments of which none is the address of memory of this process: `-1` is
/// none, and no descriptor, process or flag either.
#[must_use]
pub(crate) fn ask(number: c_long, arguments: [c_long; 4]) -> Option<i32> {
    let [first, second, third, fourth] = arguments;
    // SAFETY: no argument is an address of this process, so that the kernel reads and writes nothing of it; the callers ask for no
    // call that changes the process itself without one.
    let answer = unsafe { libc::syscall(number, first, second, third, fourth, -1 as c_long, -1 as c_long) };
    (answer < 0).then(|| std::io::Error::last_os_error().raw_os_error().unwrap_or_default())
}
