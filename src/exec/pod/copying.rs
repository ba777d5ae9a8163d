//! The copy of the source, made by the job's account (RD1, ST1). A child makes it, with threads of its own: meanwhile
//! this process can be told to end.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags};
use rustix::pipe::PipeFlags;

use super::remains;
use crate::data::{CopyOptions, IoFailure, copy_tree, remove_contents};
use crate::exec::ending::asks_for_the_end;
use crate::exec::error::{Step, StepError};
use crate::exec::resolve::identity;
use crate::exec::sys::{self, Forked};
use crate::sandbox::{EndCause, Report};

/// Steps carry this name in messages.
const STEP: &str = "copy the source";

/// Copies a tree into a directory, which is emptied before: a container that is started again finds what was copied
/// the time before. Gives the end of the job where it was told to end meanwhile.
pub(super) fn copy(from: &Path, to: &Path, signals: &OwnedFd) -> Result<Option<Report>, StepError> {
    check_apart(from, to)?;
    let (said, say) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).step(STEP, "pipe")?;
    match sys::clone(0).step(STEP, "clone")? {
        Forked::Child => {
            let sentence = in_child(from, to).err().unwrap_or_default();
            let written = std::fs::File::from(say).write_all(sentence.as_bytes());
            sys::exit_now(i32::from(!sentence.is_empty() || written.is_err()))
        }
        Forked::Parent(pid, pidfd) => {
            drop(say);
            let told = wait(&pidfd, signals)?;
            let pid = pid.as_raw_nonzero().get();
            if let Some(signal) = told {
                remains::kill_child(pid);
                return Ok(Some(Report::Ended {
                    code: None,
                    signal: Some(signal),
                    cause: Some(EndCause::Stopped),
                }));
            }
            finish(pid, said)
        }
    }
}

/// Emptying the destination must not touch the source.
fn check_apart(from: &Path, to: &Path) -> Result<(), StepError> {
    let (source, destination) = (place(from)?, place(to)?);
    let same = source.1 == destination.1;
    if same || source.0.starts_with(&destination.0) || destination.0.starts_with(&source.0) {
        let message = format!(
            "'{}' and '{}' lie in each other; name two directories",
            from.display(),
            to.display()
        );
        return Err(StepError::new(STEP, message, ""));
    }
    Ok(())
}

/// Where a directory really is, and which it is: it may be mounted in two places.
fn place(path: &Path) -> Result<(PathBuf, (u64, u64)), StepError> {
    let fault = |error| {
        let message = IoFailure::new("open", path, error).to_string();
        StepError::new(STEP, message, "mount the content's directory there")
    };
    let real = path.canonicalize().map_err(fault)?;
    let directory = std::fs::File::open(&real).map_err(fault)?;
    let identity = identity(&directory).map_err(|error| fault(error.into()))?;
    Ok((real, identity))
}

/// What went wrong, as a sentence.
fn in_child(from: &Path, to: &Path) -> Result<(), String> {
    remove_contents(to).map_err(|error| error.to_string())?;
    let copied = copy_tree(from, to, CopyOptions::default());
    copied.map(drop).map_err(|error| error.to_string())
}

/// Waits for the end of the child, or for a signal that asks for the end.
fn wait(child: &OwnedFd, signals: &OwnedFd) -> Result<Option<i32>, StepError> {
    loop {
        let mut polled = [child, signals].map(|fd| PollFd::new(fd, PollFlags::IN));
        match rustix::event::poll(&mut polled, None) {
            Err(rustix::io::Errno::INTR) => continue,
            answer => drop(answer.step(STEP, "poll")?),
        }
        if !polled[0].revents().is_empty() {
            return Ok(None);
        }
        while let Some(signal) = sys::next_signal(signals) {
            if asks_for_the_end(signal) {
                return Ok(Some(signal));
            }
        }
    }
}

/// What the child that has ended says.
fn finish(pid: i32, said: OwnedFd) -> Result<Option<Report>, StepError> {
    let mut sentence = String::new();
    std::fs::File::from(said)
        .read_to_string(&mut sentence)
        .step(STEP, "pipe")?;
    let pid = rustix::process::Pid::from_raw(pid);
    let ended = rustix::process::waitpid(pid, rustix::process::WaitOptions::empty()).step(STEP, "wait")?;
    if !sentence.is_empty() {
        return Err(StepError::new(STEP, sentence, ""));
    }
    if ended.is_some_and(|(_, status)| status.exit_status() == Some(0)) {
        return Ok(None);
    }
    let hint = "raise the memory limit of the job";
    Err(StepError::new(
        STEP,
        "the copy was killed before it was whole",
        hint,
    ))
}
