//! `offhost-exec` as the first process of a content Pod's container: copies the source, starts the content's process,
//! shows and keeps its output, and ends with it (SB6, SB7, SB8). The container is the sandbox, so no step here makes
//! a namespace or a mount.
//!
//! One thread, but for the copy, which a child makes. What it has to say is one JSON line in the container's
//! termination log, which becomes the termination message of the Pod's status.

mod args;
mod checks;
mod copying;
mod install;
mod listen;
mod memory;
mod message;
mod output;
mod process;
mod relay;
mod remains;
mod serving;
mod status;
mod watch;

use std::ffi::OsString;
use std::os::fd::OwnedFd;

use rustix::fs::Mode;

use self::args::Order;
use self::message::Message;
use super::ending::exit_code;
use super::error::{Step, StepError};
use super::{privileges, sys};
use crate::sandbox::{EndCause, Report};

/// Exit code of a process whose time was over, as of `timeout(1)`.
const TIMED_OUT: u8 = 124;
/// Exit code where nothing of the content ran.
const NOT_STARTED: u8 = 125;

/// Carries out a command line. Gives the exit code.
#[must_use]
pub(crate) fn run(words: Vec<OsString>) -> u8 {
    let prepared = prepare();
    let (place, order) = args::parse(words);
    let mut message = Message::open(&place);
    let done = prepared.and_then(|signals| carry_out(&order?, &signals, &mut message));
    match done {
        Ok(code) => code,
        Err(error) => {
            message.fail(&error);
            NOT_STARTED
        }
    }
}

/// What comes before anything else: no descriptor is inherited, nobody of the same account looks in, and no signal is
/// lost, of which the first process of a container gets only those that it waits for.
fn prepare() -> Result<OwnedFd, StepError> {
    sys::close_range(3, u32::MAX).step("close inherited descriptors", "close_range")?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    privileges::hide()?;
    sys::expect_children().step("block signals", "SIGCHLD")?;
    sys::block_signals().step("block signals", "all")?;
    sys::signal_fd().step("block signals", "signalfd")
}

fn carry_out(order: &Order, signals: &OwnedFd, message: &mut Message) -> Result<u8, StepError> {
    let ended = match order {
        Order::Pod(pod) => return process::run(pod, signals, message),
        Order::Copy { from, to } => {
            checks::account()?;
            copying::copy(from, to, signals)?
        }
        Order::Install { to, runtime } => {
            install::install(to, runtime)?;
            None
        }
    };
    let report = ended.unwrap_or(Report::Ended {
        code: Some(0),
        signal: None,
        cause: None,
    });
    message.write(&report);
    Ok(code_of(&report))
}

/// The helper's own exit code.
fn code_of(report: &Report) -> u8 {
    match report {
        Report::Ended {
            cause: Some(EndCause::Timeout),
            ..
        } => TIMED_OUT,
        report => exit_code(report),
    }
}
