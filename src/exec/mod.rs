//! `offhost-exec`: turns a [`SandboxSpec`](crate::sandbox::SandboxSpec) into a process.
//!
//! Two processes besides the content's own: the launcher (`monitor.rs`) stays outside and watches; the first process of
//! the PID namespace (`init.rs`) makes the sandbox step by step, one file a step, and reaps. Both are single-threaded
//! and call no library that reads accounts, locales or configuration.

mod cgroup;
mod error;
mod idmap;
mod init;
mod limits;
mod masks;
mod monitor;
mod mountinfo;
mod mounts;
mod privileges;
mod resolve;
mod seccomp;
mod seccomp_table;
mod sys;
mod tree;

use std::io::{Read, Seek, SeekFrom};
use std::os::fd::RawFd;

pub use error::StepError;

use crate::sandbox::SandboxSpec;

/// Descriptor the specification is read from.
pub const SPEC_FD: RawFd = 3;
/// Descriptor the reports are written to.
pub const REPORT_FD: RawFd = 4;
/// Descriptor that is closed at the other end when the server is gone.
pub const LIFELINE_FD: RawFd = 5;

/// Runs the helper with what it inherited. Gives the exit code.
#[must_use]
pub fn run() -> u8 {
    let report = match sys::inherited(REPORT_FD) {
        Ok(fd) => fd,
        Err(_) => return 125,
    };
    let lifeline = sys::inherited(LIFELINE_FD).ok();
    let mut outside = monitor::Outside {
        report: report.into(),
        lifeline,
    };
    match read_spec() {
        Ok(spec) => monitor::run(&spec, outside),
        Err(error) => {
            let line = serde_json::to_string(&error.report()).unwrap_or_default() + "\n";
            let _ = std::io::Write::write_all(&mut outside.report, line.as_bytes());
            125
        }
    }
}

/// Reads and checks the specification, and closes every other descriptor that was inherited (CVE-2024-21626).
fn read_spec() -> Result<SandboxSpec, StepError> {
    const STEP: &str = "read the specification";
    let fault = |message: String| StepError::new(STEP, message, "start this helper through offhost");
    let mut file = std::fs::File::from(
        sys::inherited(SPEC_FD).map_err(|error| fault(format!("descriptor 3: {error}")))?,
    );
    let _ = sys::close_from(6);
    let _ = sys::cloexec_from(3);
    // A memory file arrives positioned at its end, a pipe can not seek.
    let _ = file.seek(SeekFrom::Start(0));
    let mut text = Vec::new();
    file.read_to_end(&mut text)
        .map_err(|error| fault(error.to_string()))?;
    let spec: SandboxSpec = serde_json::from_slice(&text).map_err(|error| fault(error.to_string()))?;
    if spec.uid == 0 || spec.gid == 0 || spec.uid == u32::MAX || spec.gid == u32::MAX {
        return Err(fault("root never runs content (RA1)".to_owned()));
    }
    let threads = std::fs::read_dir("/proc/self/task")
        .map(Iterator::count)
        .unwrap_or(1);
    if threads != 1 {
        return Err(fault(format!("{threads} threads run, where one is allowed")));
    }
    Ok(spec)
}
