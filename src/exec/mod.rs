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
mod resolve;
mod seccomp;
mod seccomp_table;
mod sys;
mod tree;

use std::ffi::OsString;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

pub(crate) use cgroup::remove_control_groups;
pub use error::StepError;
pub(crate) use sys::{block, exit_now, kill, landlock_abi, wait_for};

use crate::sandbox::SandboxSpec;

/// The descriptors that the helper was started with, by number on its command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inherited {
    /// The specification is read from here.
    spec: RawFd,
    /// The reports are written here.
    report: RawFd,
    /// Closed at the other end when the server is gone.
    lifeline: RawFd,
}

/// Runs the helper: with the numbers of three descriptors that it inherited (specification, report, lifeline), or in a
/// container with a command (`pod`, `copy` or `install`). Gives the exit code.
#[must_use]
pub fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = arguments.collect();
    let numbers = words.iter().map(|word| word.to_str()?.parse().ok());
    let numbers: Option<Vec<RawFd>> = numbers.collect();
    let [spec, report, lifeline] = numbers.unwrap_or_default()[..] else {
        return pod::run(words);
    };
    let fds = Inherited {
        spec,
        report,
        lifeline,
    };
    let Ok(report) = sys::inherited(fds.report) else {
        return 125;
    };
    let mut outside = monitor::Outside {
        report: report.into(),
        lifeline: sys::inherited(fds.lifeline).ok(),
    };
    match read_spec(fds) {
        Ok(spec) => monitor::run(&spec, outside),
        Err(error) => {
            error::say(&mut outside.report, &error.report());
            125
        }
    }
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
    let spec: SandboxSpec = serde_json::from_slice(&text).map_err(|error| fault(error.to_string()))?;
    if spec.uid == 0 || spec.gid == 0 || spec.uid == u32::MAX || spec.gid == u32::MAX {
        return Err(fault("root never runs content (RA1)".to_owned()));
    }
    if let Some(path) = unclear_path(&spec) {
        let message = format!("{}: not an absolute path without \"..\"", path.display());
        return Err(fault(message));
    }
    // The directory has a link for each thread, besides its own two.
    let threads = std::fs::metadata("/proc/self/task").map_or(1, |task| task.nlink().saturating_sub(2));
    if threads != 1 {
        return Err(fault(format!("{threads} threads run, where one is allowed")));
    }
    Ok(spec)
}

/// A path whose meaning depends on where it is read from, or that leads out of what it names.
fn unclear_path(spec: &SandboxSpec) -> Option<&Path> {
    let masks = spec.masks.iter().map(|mask| mask.path.as_path());
    let sources = spec.binds.iter().filter_map(|bind| bind.source.as_deref());
    let targets = spec.binds.iter().map(|bind| bind.target.as_path());
    let climbs = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    masks
        .chain(sources)
        .chain(targets)
        .find(|path| !path.is_absolute() || climbs(path))
}

/// Closes every inherited descriptor but the standard ones and our own three, which are not inherited any further
/// (CVE-2024-21626).
fn close_others(fds: Inherited) -> std::io::Result<()> {
    let mut keep = [fds.spec, fds.report, fds.lifeline].map(|fd| u32::try_from(fd).unwrap_or(0));
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
