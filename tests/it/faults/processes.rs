//! Processes of one place, found in /proc: by their program, or by the mark in their environment.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal};

use super::place::MARK;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    /// File name of its program, cut off as the kernel does.
    pub(crate) name: String,
}

/// The processes of the place in `dir`. Those that wait to be reaped are over and do not count.
pub(crate) fn of(dir: &Path) -> Vec<Process> {
    let mark = format!("{MARK}={}\0", dir.display()).into_bytes();
    let entries = fs::read_dir("/proc").expect("/proc is mounted").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let own_program = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.starts_with(dir));
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        own_program || environment.windows(mark.len()).any(|part| part == mark)
    })
    .filter_map(about)
    .collect()
}

fn about(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (before, after) = stat.rsplit_once(") ")?;
    let mut fields = after.split(' ');
    let state = fields.next()?;
    (state != "Z" && state != "X").then_some(())?;
    Some(Process {
        pid,
        parent: fields.next()?.parse().ok()?,
        name: before.split_once('(')?.1.to_owned(),
    })
}

/// The helper that this `offhost` has started, and the first process of its sandbox.
pub(crate) fn helper_and_first(dir: &Path, offhost: u32) -> Option<(i32, i32)> {
    let all = of(dir);
    let child = |parent: i32| {
        all.iter()
            .find(|process| process.parent == parent && process.name.starts_with("offhost-exec"))
            .map(|process| process.pid)
    };
    let helper = child(i32::try_from(offhost).ok()?)?;
    Some((helper, child(helper)?))
}

/// Sends a signal; one that has ended meanwhile is no error.
pub(crate) fn send(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a process id is positive");
    let _ = rustix::process::kill_process(pid, signal);
}
