//! `offhost-exec`: turns a [`SandboxSpec`](crate::sandbox::SandboxSpec) into a process, or is the first process of a
//! content Pod's container (`pod/`).
//!
//! In local mode two processes besides the content's own: the launcher (`monitor.rs`) stays outside and watches; the first process of
//! the PID namespace (`init.rs`) makes the sandbox step by step, one file a step, and reaps. Both are single-threaded
//! and call no library that reads accounts, locales or configuration.

mod cgroup;
mod ending;
mod error;
mod idmap;
mod init;
mod limits;
mod masks;
mod monitor;
mod mountinfo;
mod mounts;
mod payload;
mod pod;
mod privileges;
mod probe;
mod ready;
mod resolve;
mod seccomp;
mod seccomp_table;
mod sys;
mod sys_memory;
mod sys_signals;
mod sys_tries;
mod tree;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(crate) use cgroup::{controllers_out_of_reach, leave_own_group, remove_control_groups};
use error::Step;
pub use error::StepError;
pub(crate) use privileges::hide as hide_process;
pub use seccomp::syscall_filter;
pub(crate) use sys::{
    block, exit_now, expect_children, inherited, kill, landlock_abi, reset_signals, wait_for,
};
pub(crate) use sys_memory::{LockedMemory, lock_all};
pub(crate) use sys_signals::{SignalPipe, alarm_in, note_signals};

use crate::names::PROBE;
use crate::sandbox::{self, SandboxSpec};

/// The descriptors that the helper was started with, by number on its command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inherited {
    /// The specification is read from here.
    spec: RawFd,
    /// The reports are written here.
    report: RawFd,
    /// Closed at the other end when the server is gone.
    lifeline: RawFd,
    /// Kept open until the helper ends, that is until nothing is left of the process: the lock of the server.
    hold: Option<RawFd>,
    /// The listening socket that the process inherits, if it does.
    listener: Option<RawFd>,
}

impl Inherited {
    /// The numbers on the command line, `-` where there is none.
    fn parse(words: &[OsString]) -> Option<Self> {
        let number = |at: usize| words.get(at)?.to_str()?.parse::<RawFd>().ok();
        let optional = |at: usize| match words.get(at)?.to_str()? {
            "-" => Some(None),
            number => Some(Some(number.parse().ok()?)),
        };
        (words.len() == 5).then_some(())?;
        Some(Self {
            spec: number(0)?,
            report: number(1)?,
            lifeline: number(2)?,
            hold: optional(3)?,
            listener: optional(4)?,
        })
    }
}

/// The namespaces of this process: name → what `/proc/self/ns` says.
#[must_use]
pub(crate) fn own_namespaces() -> BTreeMap<String, String> {
    let entries = std::fs::read_dir("/proc/self/ns").into_iter().flatten().flatten();
    let fact = |entry: std::fs::DirEntry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        let name = entry.file_name().to_str()?.to_owned();
        Some((name, target.display().to_string()))
    };
    entries.filter_map(fact).collect()
}

/// Every other place of this machine at which what lies at `path` is mounted, without links in it.
#[must_use]
pub(crate) fn other_places(path: &Path) -> Vec<PathBuf> {
    masks::other_places(path)
}

/// Runs the helper: with the numbers of the descriptors that it inherited (specification, report, lifeline, what it holds,
/// a listening socket for the process); in a container with a command (`pod`, `copy` or `install`); or as what `offhost audit` runs in a sandbox (`probe`). Gives the exit code.
#[must_use]
pub fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = arguments.collect();
    let Some(fds) = Inherited::parse(&words) else {
        return match words.first() {
            Some(word) if word == PROBE => probe::run(words.get(1)),
            _ => pod::run(words),
        };
    };
    let Ok(report) = sys::inherited(fds.report) else {
        return 125;
    };
    let mut report = report.into();
    match others(fds).and_then(|others| Ok((others, read_spec(fds)?))) {
        Ok(((lifeline, listener), spec)) => {
            let outside = monitor::Outside {
                report,
                lifeline,
                listener,
            };
            monitor::run(&spec, outside)
        }
        Err(error) => {
            error::say(&mut report, &error.report());
            125
        }
    }
}

/// The lifeline and the listening socket. A process without its lifeline would outlive its server.
fn others(fds: Inherited) -> Result<(OwnedFd, Option<OwnedFd>), StepError> {
    const STEP: &str = "take over descriptors";
    let lifeline = sys::inherited(fds.lifeline).step(STEP, "lifeline")?;
    let listener = fds.listener.map(sys::inherited).transpose();
    Ok((lifeline, listener.step(STEP, "listening socket")?))
}

/// Reads and checks the specification.
fn read_spec(fds: Inherited) -> Result<SandboxSpec, StepError> {
    const STEP: &str = "read the specification";
    let fault = |message: String| StepError::new(STEP, message, "start this helper through offhost");
    let mut file = std::fs::File::from(sys::inherited(fds.spec).map_err(|error| fault(error.to_string()))?);
    close_others(fds).map_err(|error| fault(error.to_string()))?;
    // A memory file arrives positioned at its end, a pipe can not seek.
    let _ = file.seek(SeekFrom::Start(0));
    let mut text = Vec::new();
    file.read_to_end(&mut text)
        .map_err(|error| fault(error.to_string()))?;
    let spec = sandbox::read(&text).map_err(|error| fault(error.to_string()))?;
    // The directory has a link for each thread, besides its own two.
    let threads = std::fs::metadata("/proc/self/task").map_or(1, |task| task.nlink().saturating_sub(2));
    if threads != 1 {
        return Err(fault(format!("{threads} threads run, where one is allowed")));
    }
    Ok(spec)
}

/// Closes every inherited descriptor but the standard ones and our own, which are not inherited any further
/// (CVE-2024-21626).
fn close_others(fds: Inherited) -> std::io::Result<()> {
    let own = [
        Some(fds.spec),
        Some(fds.report),
        Some(fds.lifeline),
        fds.hold,
        fds.listener,
    ];
    close_all_but(own.into_iter().flatten())
}

/// Closes every descriptor but the standard ones and these, which are not inherited any further. Called at the start of a
/// program only, before anything owns a descriptor.
///
/// # Errors
/// Those of `close_range(2)`; `ENOSYS` before Linux 5.9.
pub(crate) fn close_all_but(own: impl Iterator<Item = RawFd>) -> std::io::Result<()> {
    let mut keep: Vec<u32> = own.map(|fd| u32::try_from(fd).unwrap_or(0)).collect();
    keep.sort_unstable();
    let mut first = 3;
    for fd in keep {
        if fd > first {
            sys::close_range(first, fd - 1)?;
        }
        first = first.max(fd + 1);
    }
    sys::close_range(first, u32::MAX)?;
    sys::cloexec_from(3)
}
