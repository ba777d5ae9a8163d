//! When a process is told to end, and when it is killed: the same in a sandbox and in a Pod.

use std::time::{Duration, Instant};

use crate::sandbox::{EndCause, Report};

/// Signals that ask for the end.
const ASKING: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT];

/// Whether a signal asks for the end.
#[must_use]
pub(crate) fn asks_for_the_end(signal: i32) -> bool {
    ASKING.contains(&signal)
}

/// What is to be done with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It gets this signal.
    Pass(i32),
    /// It is killed, with all it has started.
    Kill,
}

/// How far the end of a process has come.
#[derive(Debug)]
pub(crate) struct Ending {
    grace: Duration,
    /// Time after SIGINT, where that comes before SIGTERM,
    interrupt: Option<Duration>,
    /// and whether it runs.
    interrupted: bool,
    deadline: Option<Instant>,
    cause: Option<EndCause>,
}

impl Ending {
    /// Of a process that starts now.
    #[must_use]
    pub(crate) fn new(timeout: Option<Duration>, grace: Duration, now: Instant) -> Self {
        Self {
            grace,
            interrupt: None,
            interrupted: false,
            deadline: timeout.and_then(|timeout| now.checked_add(timeout)),
            cause: None,
        }
    }

    /// The same, of a process that is told with SIGINT first and gets this time until SIGTERM.
    #[must_use]
    pub(crate) fn interrupting(self, interrupt: Option<Duration>) -> Self {
        Self { interrupt, ..self }
    }

    /// When [`Self::time_is_over`] is to be called.
    #[must_use]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Why it was told to end, if it was.
    #[must_use]
    pub(crate) fn cause(&self) -> Option<EndCause> {
        self.cause
    }

    /// The deadline has passed: first the process's time, then its times to end.
    pub(crate) fn time_is_over(&mut self, now: Instant) -> Act {
        if std::mem::take(&mut self.interrupted) {
            self.deadline = now.checked_add(self.grace);
            return Act::Pass(libc::SIGTERM);
        }
        if self.cause.is_some() {
            self.deadline = None;
            return Act::Kill;
        }
        self.told(EndCause::Timeout, libc::SIGTERM, now)
    }

    /// A signal came.
    pub(crate) fn signal(&mut self, signal: i32, now: Instant) -> Act {
        // Whoever asked for the end does not want to wait any more.
        if signal == libc::SIGQUIT && self.cause.is_some() {
            return Act::Kill;
        }
        if asks_for_the_end(signal) {
            return self.told(EndCause::Stopped, signal, now);
        }
        Act::Pass(signal)
    }

    /// Nobody is there any more who wants it.
    pub(crate) fn orphaned(&mut self) -> Act {
        self.cause = self.cause.or(Some(EndCause::Stopped));
        Act::Kill
    }

    /// The time of grace runs from the first request on: asking again does not lengthen it.
    fn told(&mut self, cause: EndCause, signal: i32, now: Instant) -> Act {
        if self.cause.is_none() {
            self.cause = Some(cause);
            self.interrupted = self.interrupt.is_some();
            self.deadline = now.checked_add(self.interrupt.unwrap_or(self.grace));
        }
        // Asked twice, it still has the time to end as it should.
        Act::Pass(if self.interrupted { libc::SIGINT } else { signal })
    }
}

/// What a raw wait status says.
#[must_use]
pub(crate) fn ended(status: i32, cause: Option<EndCause>) -> Report {
    Report::Ended {
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        cause,
    }
}

/// The exit code that stands for a report: the process's own, 128 and the signal's number, or 125 where none ran.
#[must_use]
pub(crate) fn exit_code(report: &Report) -> u8 {
    let Report::Ended { code, signal, .. } = report else {
        return 125;
    };
    let value = code.or(signal.map(|number| 128 + number)).unwrap_or(125);
    u8::try_from(value).unwrap_or(125)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    /// Proves: PK10 (L)
    #[test]
    fn time_that_is_over_is_said_once_and_then_enforced() {
        let start = Instant::now();
        let mut ending = Ending::new(Some(Duration::from_secs(60)), GRACE, start);
        let over = start + Duration::from_secs(60);
        assert_eq!(ending.deadline(), Some(over));
        assert_eq!(ending.time_is_over(over), Act::Pass(libc::SIGTERM));
        // Asking meanwhile changes neither the cause nor the time that is left.
        assert_eq!(
            ending.signal(libc::SIGTERM, over + Duration::from_secs(1)),
            Act::Pass(libc::SIGTERM)
        );
        assert_eq!(ending.deadline(), Some(over + GRACE));
        assert_eq!(ending.cause(), Some(EndCause::Timeout));
        assert_eq!(ending.time_is_over(over + GRACE), Act::Kill);
        assert_eq!(ending.deadline(), None);
    }

    /// Proves: PK5 (L, P)
    #[test]
    fn a_process_that_is_interrupted_first_gets_both_times() {
        let now = Instant::now();
        let first = Duration::from_secs(2);
        let mut ending = Ending::new(None, GRACE, now).interrupting(Some(first));
        assert_eq!(ending.signal(libc::SIGTERM, now), Act::Pass(libc::SIGINT));
        assert_eq!(ending.signal(libc::SIGTERM, now), Act::Pass(libc::SIGINT));
        assert_eq!(ending.deadline(), Some(now + first));
        assert_eq!(ending.time_is_over(now + first), Act::Pass(libc::SIGTERM));
        assert_eq!(ending.deadline(), Some(now + first + GRACE));
        assert_eq!(ending.signal(libc::SIGTERM, now), Act::Pass(libc::SIGTERM));
        assert_eq!(ending.time_is_over(now + first + GRACE), Act::Kill);
        assert_eq!(ending.deadline(), None);
        assert_eq!(ending.cause(), Some(EndCause::Stopped));
    }

    /// Proves: SB7 (L)
    #[test]
    fn only_requests_to_end_start_the_time_of_grace() {
        let now = Instant::now();
        let mut ending = Ending::new(None, GRACE, now);
        assert_eq!(ending.signal(libc::SIGUSR1, now), Act::Pass(libc::SIGUSR1));
        assert_eq!((ending.cause(), ending.deadline()), (None, None));
        assert_eq!(ending.signal(libc::SIGQUIT, now), Act::Pass(libc::SIGQUIT));
        assert_eq!(ending.cause(), Some(EndCause::Stopped));
        assert_eq!(ending.signal(libc::SIGQUIT, now), Act::Kill);
    }

    /// Proves: SB8 (L)
    #[test]
    fn exit_codes_and_signals_are_reported_as_they_were() {
        assert_eq!(exit_code(&ended(7 << 8, None)), 7);
        assert_eq!(exit_code(&ended(libc::SIGKILL, None)), 137);
        let failed = Report::Failed {
            step: String::new(),
            message: String::new(),
            hint: String::new(),
        };
        assert_eq!(exit_code(&failed), 125);
    }
}
