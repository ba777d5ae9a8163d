//! The life of the process: its output is passed on, signals reach it, orphans are reaped, and it is ended when it
//! must be.

use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::relay::Relay;
use super::remains;
use super::serving::Serving;
use crate::exec::ending::{Act, Ending};
use crate::exec::error::{Step, StepError};
use crate::exec::sys;

/// How the process ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watched {
    /// Its raw wait status.
    pub(super) status: i32,
    /// Whether it was killed here.
    pub(super) killed: bool,
}

/// Waits for the end of the process.
pub(super) fn watch(
    payload: i32,
    signals: &OwnedFd,
    relay: &mut Relay<'_>,
    ending: &mut Ending,
    mut serving: Option<&mut Serving>,
) -> Result<Watched, StepError> {
    let mut killed = false;
    loop {
        while let Some((pid, status)) = sys::reap() {
            if pid == payload {
                return Ok(Watched { status, killed });
            }
        }
        if wait(signals, relay, ending, serving.as_deref())? {
            killed |= carry_out(ending.time_is_over(Instant::now()), payload);
        }
        while let Some((signal, sender)) = sys::next_signal_from(signals) {
            // The end of children is seen above; a log or an output that can not be written is our own affair.
            if [libc::SIGCHLD, libc::SIGPIPE, libc::SIGXFSZ].contains(&signal) {
                continue;
            }
            let act = if is_from_inside(sender) {
                Act::Pass(signal)
            } else {
                ending.signal(signal, Instant::now())
            };
            killed |= carry_out(act, payload);
        }
        relay.pump();
        if let Some(serving) = &mut serving {
            serving.pump();
        }
    }
}

/// Waits until something can be done. Whether the deadline has passed.
fn wait(
    signals: &OwnedFd,
    relay: &Relay<'_>,
    ending: &Ending,
    serving: Option<&Serving>,
) -> Result<bool, StepError> {
    let left = ending
        .deadline()
        .map(|at| at.saturating_duration_since(Instant::now()));
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    let pause = serving.and_then(Serving::pause);
    let left = left.into_iter().chain(pause).min();
    let mut polled = vec![PollFd::new(signals, PollFlags::IN)];
    polled.extend(relay.polled());
    polled.extend(serving.into_iter().flat_map(Serving::polled));
    match rustix::event::poll(&mut polled, left.as_ref()) {
        Err(Errno::INTR) => {}
        answer => drop(answer.step("wait for the process", "poll")?),
    }
    Ok(ending.deadline().is_some_and(|at| Instant::now() >= at))
}

/// A process of the container may signal the first one, but that is the content's own doing and no request to stop the
/// job. The kernel gives a sender outside of the container the number 0.
fn is_from_inside(sender: u32) -> bool {
    remains::is_first() && sender != 0
}

/// Does what is to be done. Whether it was to kill.
fn carry_out(act: Act, payload: i32) -> bool {
    match act {
        // The process leads a session, and so a group: what it started is told as well.
        Act::Pass(signal) => drop(sys::kill(-payload, signal)),
        Act::Kill => remains::kill(),
    }
    act == Act::Kill
}
