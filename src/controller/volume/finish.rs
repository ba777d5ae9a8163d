//! An attempt has succeeded: what it made becomes the result that is served, or an environment (RD3, ST2, PK1, PK2).
//!
//! Everything comes from the attempt's own record, so that it does not matter which controller finishes it, and with
//! which settings. Each step finds out whether it was done already; the answer is written last and given again.

use jiff::Timestamp;

use super::attempt::{Answer, Attempt, Record};
use super::held::Held;
use super::state::lock_slot;
use super::{Volume, VolumeError};
use crate::data::{IoFailure, JobRecord, JobState, StoreError, layout};
use crate::plan::Output;
use crate::reason::Reason;
use crate::status::Finished;

impl Volume {
    /// Finishes an attempt whose process has succeeded. The same answer is given again until the job is released. Where
    /// what was made is not usable, it is removed already.
    ///
    /// # Errors
    /// The volume does not do it now; nothing is lost, and it can be tried again.
    pub fn finish(&self, attempt: &Attempt, now: Timestamp) -> Result<Finished, VolumeError> {
        let slot = self.state.slot(attempt);
        let mut place = lock_slot(&slot);
        if !self.hold(attempt, &mut place, false)? {
            self.state.forget_attempt(attempt.key());
            return Ok(gone(attempt).into());
        }
        let Some(held) = place.as_mut() else {
            return Ok(gone(attempt).into());
        };
        let Some(record) = held.record.clone() else {
            return Ok(gone(attempt).into());
        };
        if let Some(answer) = record.answer {
            return Ok(answer.into());
        }
        let answer = self.make_whole(attempt, &record, held, now)?;
        record_end(&answer, &record, held, now)?;
        self.retain(attempt.content(), &record, now);
        Ok(answer.into())
    }

    fn make_whole(
        &self,
        attempt: &Attempt,
        record: &Record,
        held: &mut Held,
        now: Timestamp,
    ) -> Result<Answer, VolumeError> {
        // A process can miss that a write of its own was cut off; what is kept must be whole (RD3).
        if let Some(failure) = self.cut_off(attempt, record, held)? {
            return Ok(self.refuse(attempt, held, Answer::unusable(Reason::DataUnavailable, failure)));
        }
        let answer = match &record.output {
            Output::None | Output::Scratch { .. } => Answer::Done { result: None },
            Output::Environment { target, packages, .. } => self.publish(target, packages, held)?,
            Output::Result { .. } => self.finish_result(attempt, record, held, now)?,
        };
        if matches!(answer, Answer::Unusable { .. }) {
            return Ok(self.refuse(attempt, held, answer));
        }
        self.warn_left(attempt, self.clear(held));
        Ok(answer)
    }

    /// Whether so little space is left that what the process has written may be cut off. Not asked of what was put in
    /// place before this controller came.
    fn cut_off(
        &self,
        attempt: &Attempt,
        record: &Record,
        held: &Held,
    ) -> Result<Option<IoFailure>, VolumeError> {
        let in_place = match &record.output {
            Output::None | Output::Scratch { .. } => true,
            Output::Environment { target, .. } => self.environment_ready(target),
            Output::Result { .. } => self.finished_result(attempt, held)?.is_some(),
        };
        Ok(if in_place {
            None
        } else {
            IoFailure::if_full(self.data.root())
        })
    }

    /// Removes what is not usable.
    fn refuse(&self, attempt: &Attempt, held: &mut Held, answer: Answer) -> Answer {
        let mut failures = self.clear(held);
        failures.extend(self.clear_result(attempt, held));
        self.warn_left(attempt, failures);
        answer
    }

    /// Says what could not be removed: nobody else is told, because it changes nothing for the job.
    pub(super) fn warn_left(&self, attempt: &Attempt, failures: impl IntoIterator<Item = IoFailure>) {
        for failure in failures {
            tracing::warn!(
                content = %attempt.content(),
                attempt = attempt.key(),
                "{failure}; it is tried again with the next clean-up"
            );
        }
    }
}

/// Writes what the attempt came to: for the list of jobs, and to be told again.
fn record_end(answer: &Answer, record: &Record, held: &mut Held, now: Timestamp) -> Result<(), VolumeError> {
    if let Some(known) = listed(held)? {
        let ended = JobRecord {
            finished: Some(now),
            exit_code: Some(0),
            ..known
        };
        held.job.write_record(&match answer {
            Answer::Done { .. } => JobRecord {
                state: JobState::Succeeded,
                ..ended
            },
            Answer::Unusable { reason, message } => JobRecord {
                state: JobState::Failed,
                reason: Some(reason.name().to_owned()),
                message: Some(message.clone()),
                ..ended
            },
        })?;
    }
    let record = Record {
        answer: Some(answer.clone()),
        ..record.clone()
    };
    held.job.write(layout::ATTEMPT_RECORD, &record)?;
    held.record = Some(record);
    Ok(())
}

/// The attempt as the list of jobs shows it. A damaged record is no reason to lose a result.
pub(super) fn listed(held: &Held) -> Result<Option<JobRecord>, VolumeError> {
    match held.job.read(layout::JOB_RECORD) {
        Err(StoreError::Record { .. }) => Ok(None),
        read => Ok(read?),
    }
}

/// Somebody has removed the directories of the attempt.
fn gone(attempt: &Attempt) -> Answer {
    let message = format!(
        "the record of attempt {} is no longer on the data volume, so its result can not be used; run the job again",
        attempt.key()
    );
    Answer::unusable(Reason::DataUnavailable, message)
}
