//! Processes that fail: when the next is tried, and what is shown.

use std::time::Duration;

use super::Moment;
use crate::apps::Failure;

/// A process that was ready for so long is no part of a crash loop.
pub const STABLE: Duration = Duration::from_secs(60);
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(300);

/// The failures of a deployment.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble {
    /// Failures one after another, without a process that lasted.
    count: u32,
    /// The last of them, and when it was.
    last: Option<(Failure, Moment)>,
    /// Nothing is started before.
    retry_at: Moment,
    /// Whether a process has become ready since: then the failure is history.
    is_over: bool,
}

impl Trouble {
    /// A process failed that was started at `begun`, after it had been ready for `lasted`.
    pub(super) fn note(&mut self, failure: Failure, begun: Moment, lasted: Duration, now: Moment) {
        let last = self.last.replace((failure, now)).map(|(_, at)| at);
        self.is_over = false;
        if lasted >= STABLE {
            self.count = 0;
            self.retry_at = now;
        } else if last.is_none_or(|last| begun >= last) {
            // Those that were started together fail together: that is one failure, not many.
            self.count = self.count.saturating_add(1);
            let doublings = self.count.saturating_sub(1).min(16);
            self.retry_at = now + LONGEST_DELAY.min(FIRST_DELAY * 2_u32.pow(doublings));
        }
    }

    /// Of the process that failed last is known now what happened.
    pub(super) fn explain(&mut self, failure: Failure) {
        if let Some((last, _)) = &mut self.last
            && last.process == failure.process
        {
            *last = failure;
        }
    }

    /// When the last failure was.
    pub(super) fn last_at(&self) -> Option<Moment> {
        self.last.as_ref().map(|(_, at)| *at)
    }

    /// A process is ready.
    pub(super) fn ready(&mut self) {
        self.is_over = true;
    }

    /// When the next may be tried, if not now.
    pub(super) fn waits(&self, now: Moment) -> Option<Moment> {
        (self.count > 0 && self.retry_at > now).then_some(self.retry_at)
    }

    /// Whether the last attempts failed.
    pub(super) fn is_failing(&self) -> bool {
        self.count > 0
    }

    /// The failure to be shown, until a process is ready.
    pub(super) fn shown(&self) -> Option<&(Failure, Moment)> {
        self.last.as_ref().filter(|_| !self.is_over)
    }
}
