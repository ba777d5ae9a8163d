//! Everything that runs in the container besides this process, and its end (SB7).

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};

use crate::exec::error::{Step, StepError};
use crate::exec::sys;

/// A killed process that is stuck in the kernel, in a dead file system for example, is not waited for any longer.
const LONGEST: Duration = Duration::from_secs(5);

/// Whether this process is the first one of its PID namespace.
pub(super) fn is_first() -> bool {
    std::process::id() == 1
}

/// Has every orphan become a child of this process, as the first one's are anyway: a Pod whose containers share their
/// processes has another first one.
pub(super) fn adopt() -> Result<(), StepError> {
    if is_first() {
        return Ok(());
    }
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).step("adopt orphans", "prctl")
}

/// Kills everything once.
pub(super) fn kill() {
    if is_first() {
        // All but this process; a fork can not escape it.
        let _ = sys::kill(-1, libc::SIGKILL);
        return;
    }
    for child in children() {
        let _ = sys::kill(child, libc::SIGKILL);
    }
}

/// The children of this process. Those of a killed one are among them once it is gone.
fn children() -> Vec<i32> {
    let path = format!("/proc/self/task/{}/children", std::process::id());
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// Kills everything until nothing is left.
pub(super) fn end(signals: &OwnedFd) {
    let start = Instant::now();
    while start.elapsed() < LONGEST {
        kill();
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => break,
                Err(_) => return,
            }
        }
        wait_for_a_signal(signals);
    }
}

/// Until a child ends, or a moment has passed: an orphan may have become a child without a sign.
fn wait_for_a_signal(signals: &OwnedFd) {
    const MOMENT: rustix::time::Timespec = rustix::time::Timespec {
        tv_sec: 0,
        tv_nsec: 10_000_000,
    };
    let _ = rustix::event::poll(&mut [PollFd::new(signals, PollFlags::IN)], Some(&MOMENT));
    while sys::next_signal(signals).is_some() {}
}

/// Kills one child and waits for its end.
pub(super) fn kill_child(pid: i32) {
    let _ = sys::kill(pid, libc::SIGKILL);
    let _ = rustix::process::waitpid(Pid::from_raw(pid), WaitOptions::empty());
}
