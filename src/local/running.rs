//! A process that was started, followed by the reports of its helper.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags};
use rustix::time::Timespec;

use super::launcher::{Ended, LaunchError};
use super::pam::Session;
use crate::pam::Word;
use crate::sandbox::{EndCause, Met, Report};

/// The kernel ends a whole sandbox faster than this, unless one of its processes is stuck in a dead file system.
const END: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// A process that was started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    reports: BufReader<File>,
    /// The helper, where its end is waited for together with its reports.
    helper: Option<OwnedFd>,
    /// The first process of the sandbox: all others have ended when it has.
    first: Option<OwnedFd>,
    /// How it ended, where that was read already.
    last: Option<Report>,
    /// The limits that it has met.
    met: Met,
    /// Name of its control groups.
    cgroup: Option<String>,
    /// The PAM session around it.
    session: Option<Arc<Session>>,
    /// The signal that has ended the helper, when it has ended by one.
    signal: Option<i32>,
    /// Closed when this is dropped, or when this program dies: the helper then ends the process.
    _lifeline: OwnedFd,
}

impl Running {
    /// Of the helper that was started, which writes its reports into this pipe and ends when `lifeline` is closed.
    pub(super) fn new(
        child: Child,
        reports: OwnedFd,
        lifeline: OwnedFd,
        cgroup: Option<String>,
        session: Option<Arc<Session>>,
    ) -> Self {
        let helper = Pid::from_raw(i32::try_from(child.id()).unwrap_or(0));
        let helper = helper.filter(|_| session.is_some());
        let helper = helper.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
        Self {
            helper,
            child,
            reports: BufReader::new(reports.into()),
            first: None,
            last: None,
            met: Met::default(),
            cgroup,
            session,
            signal: None,
            _lifeline: lifeline,
        }
    }

    /// Process id of the helper. SIGTERM to it ends the process, after a time of grace by force.
    #[must_use]
    pub fn helper_pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(0)
    }

    /// The process's standard output, where a pipe was asked for.
    pub fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// The process's standard error, where a pipe was asked for.
    pub fn take_stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits until the sandbox stands and the process has been executed: the layers in force.
    ///
    /// # Errors
    /// [`LaunchError::Sandbox`] where it could not be made, [`LaunchError::Silent`] where the helper died.
    pub fn wait_started(&mut self) -> Result<Vec<String>, LaunchError> {
        match self.next_report()? {
            Some(Report::Started { pid, layers }) => {
                let pid = Pid::from_raw(pid);
                self.first = pid.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
                Ok(layers)
            }
            Some(Report::Failed { step, message, hint }) => {
                self.reap();
                self.tidy();
                Err(LaunchError::Sandbox { step, message, hint })
            }
            _ => Err(self.killed()),
        }
    }

    /// Waits until the process has said that it can answer; false where it has ended instead.
    ///
    /// # Errors
    /// [`LaunchError::Silent`] where the helper died.
    pub fn wait_ready(&mut self) -> Result<bool, LaunchError> {
        match self.next_report()? {
            Some(Report::Ready) => Ok(true),
            Some(ended @ Report::Ended { .. }) => {
                self.last = Some(ended);
                Ok(false)
            }
            _ => Err(self.killed()),
        }
    }

    /// Waits for the end of the process and of everything in its sandbox.
    ///
    /// # Errors
    /// As [`Running::wait_started`].
    pub fn wait(mut self, layers: Vec<String>) -> Result<Ended, LaunchError> {
        let mut ended = self.last.take();
        while matches!(ended, None | Some(Report::Ready)) {
            let next = self.next_report()?;
            if next.is_none() {
                break;
            }
            ended = next;
        }
        // The helper ends after the whole PID namespace has: only then is nothing left (SB7).
        self.reap();
        self.tidy();
        if self.session.is_some() {
            // What was said while the session was closed.
            while self.next_report()?.is_some() {}
        }
        match ended {
            // Not what asked for the end: what had the session was killed, and took its process with it.
            Some(Report::Ended {
                cause: Some(EndCause::Stopped),
                ..
            }) if self.signal.is_some_and(|signal| signal != libc::SIGALRM) => Err(self.killed()),
            Some(Report::Ended { code, signal, cause }) => Ok(Ended {
                code,
                signal,
                cause,
                layers,
                met: self.met,
            }),
            _ => Err(self.killed()),
        }
    }

    /// The helper was killed. The kernel then kills the sandbox, which takes a moment, and nobody but us is left to
    /// see its end and to tidy up: until then its processes may still write.
    fn killed(&mut self) -> LaunchError {
        self.reap();
        if let Some(first) = &self.first {
            let mut poll = [PollFd::new(first, PollFlags::IN)];
            let _ = rustix::event::poll(&mut poll, Some(&END));
        }
        self.tidy();
        match (&self.session, self.signal) {
            (Some(session), Some(signal)) => LaunchError::NoSession(session.lost(signal)),
            _ => LaunchError::Silent,
        }
    }

    /// Removes the control groups that the helper had to leave.
    fn tidy(&self) {
        if let Some(name) = &self.cgroup {
            crate::exec::remove_control_groups(name);
        }
    }

    fn reap(&mut self) {
        self.signal = self.child.wait().ok().and_then(|status| status.signal());
    }

    /// Waits for the next report; false where the helper has ended without another. What a PAM module leaves running may
    /// have the pipe open, so that its end is no sign.
    fn has_more(&self) -> bool {
        let Some(helper) = self.session.as_ref().and(self.helper.as_ref()) else {
            return true;
        };
        let mut polled = [
            PollFd::new(self.reports.get_ref(), PollFlags::IN),
            PollFd::new(helper, PollFlags::IN),
        ];
        if !self.reports.buffer().is_empty() {
            return true;
        }
        while rustix::event::poll(&mut polled, None) == Err(rustix::io::Errno::INTR) {}
        !polled[0].revents().is_empty()
    }

    fn next_report(&mut self) -> Result<Option<Report>, LaunchError> {
        loop {
            let mut line = String::new();
            if self.has_more() {
                self.reports.read_line(&mut line).map_err(LaunchError::Pass)?;
            }
            let word = self
                .session
                .as_ref()
                .and_then(|_| serde_json::from_str(&line).ok());
            match word {
                None => match serde_json::from_str(&line).ok() {
                    // Comes before the end, whatever is waited for.
                    Some(Report::Met(met)) => self.met = met,
                    report => return Ok(report),
                },
                Some(Word::Note { text }) => tracing::info!("{text}"),
                Some(Word::Warning { text }) => tracing::warn!("{text}"),
                Some(Word::Refused { message }) => {
                    self.reap();
                    return Err(LaunchError::NoSession(message));
                }
            }
        }
    }
}
