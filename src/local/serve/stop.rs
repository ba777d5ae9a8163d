//! Ends a process, at whatever point of its start that is asked for.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, PidfdFlags, Signal};

use super::ended::Late;
use crate::apps::EndCause;

/// By which a process is told to end. The helper gets the signal, and ends the process as its kind wants (SC3).
#[derive(Debug, Default)]
pub struct Stop {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cause: Option<EndCause>,
    helper: Option<(i32, OwnedFd)>,
    late: Option<Late>,
}

impl Stop {
    /// Asks for the end. Who asked first gives the cause.
    pub fn ask(&self, cause: EndCause) {
        let mut state = self.state();
        if state.cause.is_none() {
            state.cause = Some(cause);
            signal(&state);
        }
    }

    /// Names the helper of the process, which has not been waited for.
    pub fn helper_is(&self, pid: i32) {
        let opened =
            Pid::from_raw(pid).and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
        let mut state = self.state();
        state.helper = opened.map(|fd| (pid, fd));
        if state.cause.is_some() {
            signal(&state);
        }
    }

    /// Why the end was asked for, if it was.
    #[must_use]
    pub fn cause(&self) -> Option<EndCause> {
        self.state().cause
    }

    /// Says that it was not ready in time, and where it listens.
    pub fn was_late(&self, late: Late) {
        self.state().late = Some(late);
    }

    /// What was said of a process that was not ready in time.
    #[must_use]
    pub fn late(&self) -> Option<Late> {
        self.state().late.clone()
    }

    /// The process id of the helper.
    #[must_use]
    pub fn helper(&self) -> Option<i32> {
        self.state().helper.as_ref().map(|(pid, _)| *pid)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signal(state: &State) {
    if let Some((_, helper)) = &state.helper {
        // It may have ended by itself.
        let _ = rustix::process::pidfd_send_signal(helper, Signal::TERM);
    }
}
