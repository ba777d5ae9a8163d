//! What becomes of a job when an attempt is over and its traces on the volume are in order.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::attempts::{self, was_disrupted, was_failure, was_suspended, whole_seconds};
use super::conditions::Truth;
use super::draft::{Draft, cut, later};
use super::retry::{self, Verdict};
use super::types::{Action, Ending, Finished, Next, Problem};
use crate::api::job::TaskKind;
use crate::api::resource::ContentJob;
use crate::api::status::{AttemptStatus, ContentJobStatus, ResultStatus, SUCCEEDED};
use crate::reason::{Progress, Reason};

/// Decides about a job whose attempt is over, after the volume was finished or cleared. Done twice it changes nothing
/// more.
#[must_use]
pub fn finished(
    job: &ContentJob,
    attempt: &AttemptStatus,
    ending: &Ending,
    finished: &Finished,
    now: Timestamp,
) -> Next {
    let mut draft = Draft::new(job, now);
    let is_open = attempts::open_attempt(&draft.status).is_some_and(|open| open.number == attempt.number);
    if attempts::is_finished(&draft.status) || !is_open {
        return draft.wait(None);
    }
    let problem = match (&ending.problem, finished) {
        (Some(problem), _) | (None, Finished::Unusable(problem)) => Some(problem.clone()),
        (None, Finished::Done(_)) => None,
    };
    let closed = closed(attempt, ending, problem.as_ref(), draft.now);
    draft.status.exit_code = closed.exit_code;
    draft.put(closed);
    match (problem, finished) {
        (Some(problem), _) => failed(draft, &problem),
        (None, Finished::Done(result)) => succeeded(draft, attempt.number, result.clone()),
        (None, Finished::Unusable(_)) => draft.wait(None),
    }
}

fn closed(
    attempt: &AttemptStatus,
    ending: &Ending,
    problem: Option<&Problem>,
    now: Timestamp,
) -> AttemptStatus {
    let mut closed = attempt.clone();
    attempts::record_process(&mut closed, ending);
    closed.completion_time = Some(Time(ending.finished.map_or(now, whole_seconds)));
    let reason = problem.map_or_else(|| Progress::Succeeded.name(), |problem| problem.reason.name());
    closed.reason = Some(reason.to_owned());
    closed.message = problem.map(|problem| cut(&problem.message));
    closed.disrupted = ending.disrupted.then_some(true);
    closed
}

fn succeeded(mut draft: Draft<'_>, number: i32, result: Option<ResultStatus>) -> Next {
    let what = match (&result, draft.job.spec.task) {
        (Some(result), _) => {
            let served = if result.activated {
                "and is served"
            } else {
                "and is not served until it is activated"
            };
            format!(
                ": result {} of '{}' is kept {served}",
                result.number, result.variant
            )
        }
        (None, Some(TaskKind::Install)) => ": the packages are installed".to_owned(),
        (None, _) => String::new(),
    };
    draft.status.result = result;
    draft.succeed(&format!("attempt {number} has succeeded{what}"));
    draft.wait(Some(SignedDuration::ZERO))
}

fn failed(mut draft: Draft<'_>, problem: &Problem) -> Next {
    let retries = draft.job.spec.retries;
    match retry::verdict(&draft.status.attempts, problem.reason, retries) {
        Verdict::Again(after) => {
            let at = later(draft.now, after.as_secs());
            draft.status.next_attempt_time = (!after.is_zero()).then_some(Time(at));
            if let Some(said) = repetition(&draft.status, retries, at) {
                draft.blame(SUCCEEDED, Truth::Unknown, &said);
            }
            draft.decide(Action::None, Some(after))
        }
        Verdict::Never | Verdict::Exhausted => {
            draft.fail(&last_words(&draft.status, problem));
            draft.wait(Some(SignedDuration::ZERO))
        }
        Verdict::Disrupted(count) => {
            let message = format!(
                "the cluster has ended {count} attempts in a row, the last one so: {}",
                problem.message
            );
            draft.fail(&Problem {
                reason: problem.reason,
                message,
            });
            draft.wait(Some(SignedDuration::ZERO))
        }
    }
}

/// Says with a failure that it was not the first one.
fn last_words(status: &ContentJobStatus, problem: &Problem) -> Problem {
    let failures = status.attempts.iter().filter(|one| was_failure(one)).count();
    let message = if failures > 1 {
        format!(
            "{failures} attempts have failed, the last one so: {}",
            problem.message
        )
    } else {
        problem.message.clone()
    };
    Problem {
        reason: problem.reason,
        message,
    }
}

/// What is said while the next attempt waits for its time.
pub(super) fn repetition(status: &ContentJobStatus, retries: i32, at: Timestamp) -> Option<Problem> {
    let last = status.attempts.last()?;
    let reason = Reason::from_name(last.reason.as_deref()?)?;
    let (number, next) = (last.number, last.number.saturating_add(1));
    let why = last.message.as_deref().unwrap_or_default();
    let message = if was_suspended(last) {
        format!("attempt {number} was ended because the job was suspended")
    } else if was_disrupted(last) {
        format!("attempt {number} was cut off: {why}; attempt {next} begins at {at}")
    } else {
        let failures = status.attempts.iter().filter(|one| was_failure(one)).count();
        format!(
            "attempt {number} has failed: {why}; attempt {next} begins at {at} (repetition {failures} of at most {retries})"
        )
    };
    Some(Problem { reason, message })
}
