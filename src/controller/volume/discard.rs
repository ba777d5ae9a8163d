//! An attempt has failed, or nobody wants it any more: everything of it goes but its log (RD3, OH3).

use jiff::Timestamp;

use super::attempt::Attempt;
use super::finish::listed;
use super::held::Held;
use super::state::lock_slot;
use super::{Volume, VolumeError};
use crate::data::{JobRecord, JobState};
use crate::status::Problem;

/// Why an attempt did not succeed.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The reason and the sentence.
    pub problem: &'a Problem,
    /// Exit code of its process, if it exited.
    pub exit_code: Option<i32>,
    /// Signal that ended its process, if one did.
    pub signal: Option<i32>,
}

impl Failure<'_> {
    /// As shells say it: the exit code, or 128 and the number of the signal.
    fn code(&self) -> Option<u8> {
        let code = self.exit_code.or_else(|| Some(128 + self.signal?))?;
        u8::try_from(code).ok()
    }
}

impl Volume {
    /// Removes what an attempt has made, and records why. Its log stays; so does what was finished already. Content may
    /// still be writing, on a node that was lost: what can not be removed now, a later clean-up removes.
    ///
    /// # Errors
    /// It can not be recorded; it can be tried again.
    pub fn discard(
        &self,
        attempt: &Attempt,
        failure: &Failure<'_>,
        now: Timestamp,
    ) -> Result<(), VolumeError> {
        let slot = self.state.slot(attempt);
        let mut place = lock_slot(&slot);
        if !self.hold(attempt, &mut place, false)? {
            self.state.forget_attempt(attempt.key());
            return Ok(());
        }
        let Some(held) = place.as_mut() else { return Ok(()) };
        // First, so that a full disk has space for the record.
        let mut failures = self.clear(held);
        if !held.is_over() && self.finished_result(attempt, held)?.is_none() {
            failures.extend(self.clear_result(attempt, held));
        }
        self.warn_left(attempt, failures);
        if !held.is_over() {
            record_failure(held, failure, now)?;
        }
        if let Some(held) = place.take() {
            held.job.close();
        }
        self.state.forget_attempt(attempt.key());
        Ok(())
    }
}

fn record_failure(held: &Held, failure: &Failure<'_>, now: Timestamp) -> Result<(), VolumeError> {
    let Some(known) = listed(held)? else {
        return Ok(());
    };
    Ok(held.job.write_record(&JobRecord {
        state: JobState::Failed,
        finished: Some(now),
        exit_code: failure.code(),
        reason: Some(failure.problem.reason.name().to_owned()),
        message: Some(failure.problem.message.clone()),
        ..known
    })?)
}
