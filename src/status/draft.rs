//! A status that is being written.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::attempts::{self, whole_seconds};
use super::conditions::{self, Truth};
use super::records;
use super::types::{Action, Next, Problem};
use crate::api::resource::ContentJob;
use crate::api::status::{AttemptStatus, ContentJobStatus, SUCCEEDED};
use crate::reason::Progress;

/// Longest sentence that is kept. The schema takes 4096 characters.
const MOST_CHARS: usize = 2048;

/// The next status of a job, as far as it is decided.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// The job as it is.
    pub(super) job: &'a ContentJob,
    /// What its status will be.
    pub(super) status: ContentJobStatus,
    /// Now, in whole seconds.
    pub(super) now: Timestamp,
}

impl<'a> Draft<'a> {
    /// The present status, looked at now.
    pub(super) fn new(job: &'a ContentJob, now: Timestamp) -> Self {
        let now = whole_seconds(now);
        let generation = job.metadata.generation;
        let mut status = job.status.clone().unwrap_or_default();
        status.observed_generation = generation;
        conditions::complete(&mut status, generation, now);
        Self { job, status, now }
    }

    /// Name of the job.
    pub(super) fn name(&self) -> &'a str {
        self.job.metadata.name.as_deref().unwrap_or_default()
    }

    /// Sets a condition about which nothing is wrong.
    pub(super) fn say(&mut self, kind: &str, truth: Truth, progress: Progress, message: &str) {
        conditions::set(
            &mut self.status.conditions,
            kind,
            truth,
            progress.name(),
            &cut(message),
            self.now,
        );
    }

    /// Sets a condition about which something is wrong, or is waited for.
    pub(super) fn blame(&mut self, kind: &str, truth: Truth, problem: &Problem) {
        let message = cut(&problem.message);
        conditions::set(
            &mut self.status.conditions,
            kind,
            truth,
            problem.reason.name(),
            &message,
            self.now,
        );
    }

    /// Writes an attempt, and what is said of the current one.
    pub(super) fn put(&mut self, attempt: AttemptStatus) {
        self.status.pod_name = Some(attempt.pod_name.clone());
        self.status.node_name.clone_from(&attempt.node_name);
        attempts::put(&mut self.status, attempt);
    }

    /// The job has failed for good.
    pub(super) fn fail(&mut self, problem: &Problem) {
        self.blame(SUCCEEDED, Truth::False, problem);
        self.complete();
    }

    /// The job has succeeded.
    pub(super) fn succeed(&mut self, message: &str) {
        self.say(SUCCEEDED, Truth::True, Progress::Succeeded, message);
        self.complete();
    }

    fn complete(&mut self) {
        self.status.next_attempt_time = None;
        if self.status.completion_time.is_none() {
            self.status.completion_time = Some(Time(self.now));
        }
    }

    /// What is decided, with the events of what has changed.
    pub(super) fn decide(self, action: Action, again: Option<SignedDuration>) -> Next {
        let events = records::of(self.job.status.as_ref(), &self.status);
        Next {
            status: self.status,
            action,
            events,
            again,
        }
    }

    /// Nothing is to be done but to look again.
    pub(super) fn wait(self, again: Option<SignedDuration>) -> Next {
        self.decide(Action::None, again)
    }
}

/// A sentence that fits the schema.
pub(super) fn cut(message: &str) -> String {
    if message.chars().count() <= MOST_CHARS {
        return message.to_owned();
    }
    message.chars().take(MOST_CHARS - 1).chain(['…']).collect()
}

/// What is left until a moment; nothing if it has passed.
pub(super) fn until(moment: Timestamp, now: Timestamp) -> SignedDuration {
    moment.duration_since(now).max(SignedDuration::ZERO)
}

/// A moment and seconds.
pub(super) fn later(moment: Timestamp, seconds: i64) -> Timestamp {
    moment
        .checked_add(SignedDuration::from_secs(seconds))
        .unwrap_or(Timestamp::MAX)
}
