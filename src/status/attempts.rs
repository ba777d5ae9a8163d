//! Attempts: what each is called, which one is open, and how many are remembered.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::conditions;
use super::types::Ending;
use crate::api::status::{AttemptStatus, ContentJobStatus, SUCCEEDED};
use crate::reason::{Progress, Reason};

/// How much of a job's name is part of the name of its Pods, so that these stay names of hosts.
const MOST_OF_NAME: usize = 40;
/// How many attempts a status holds.
const MOST_KEPT: usize = 32;

/// What an attempt's directories and its Pod are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptIds {
    /// Key of its directories (TT).
    pub key: String,
    /// Name of its Pod.
    pub pod_name: String,
}

/// The names of an attempt: the same whoever asks, so that nothing is made twice (OH2).
#[must_use]
pub fn attempt_ids(job_name: &str, uid: &str, number: i32) -> AttemptIds {
    let digits: String = uid.chars().filter(char::is_ascii_alphanumeric).collect();
    let first = |count: usize| digits.get(..count).unwrap_or(&digits);
    let name: String = job_name.chars().take(MOST_OF_NAME).collect();
    let name = name.trim_end_matches(['-', '.']);
    AttemptIds {
        key: format!("{}-{number}", first(16)),
        pod_name: format!("{name}-{}-{number}", first(8)),
    }
}

/// The attempt that is not over.
#[must_use]
pub fn open_attempt(status: &ContentJobStatus) -> Option<&AttemptStatus> {
    let last = status.attempts.last()?;
    last.completion_time.is_none().then_some(last)
}

/// Whether a job has ended for good.
#[must_use]
pub fn is_finished(status: &ContentJobStatus) -> bool {
    conditions::find(status, SUCCEEDED).is_some_and(|condition| condition.status != conditions::UNKNOWN)
}

/// The attempt after those of a status.
pub(super) fn following(
    status: &ContentJobStatus,
    job_name: &str,
    uid: &str,
    now: Timestamp,
) -> AttemptStatus {
    let number = status
        .attempts
        .last()
        .map_or(1, |last| last.number.saturating_add(1));
    let AttemptIds { key, pod_name } = attempt_ids(job_name, uid, number);
    AttemptStatus {
        number,
        key,
        pod_name,
        begin_time: Some(Time(now)),
        startable_time: Some(Time(now)),
        ..AttemptStatus::default()
    }
}

/// Puts an attempt in its place: that of the same number, else at the end.
pub(super) fn put(status: &mut ContentJobStatus, attempt: AttemptStatus) {
    match status
        .attempts
        .iter_mut()
        .find(|known| known.number == attempt.number)
    {
        Some(known) => *known = attempt,
        None => status.attempts.push(attempt),
    }
    while status.attempts.len() > MOST_KEPT {
        status.attempts.remove(least_needed(&status.attempts));
    }
}

/// The attempts that count are kept: at most 20 failures that may be repeated, and the disruptions since the last one.
fn least_needed(attempts: &[AttemptStatus]) -> usize {
    let first = |wanted: fn(&AttemptStatus) -> bool| attempts.iter().position(wanted);
    first(was_suspended)
        .or_else(|| first(was_disrupted))
        .unwrap_or_default()
}

/// Whether its Pod was ended because its job was suspended.
pub(super) fn was_suspended(attempt: &AttemptStatus) -> bool {
    attempt.completion_time.is_some() && attempt.reason.as_deref() == Some(Reason::Suspended.name())
}

/// Whether the cluster ended it, or its job was suspended: it is not counted against `retries`.
pub(super) fn was_disrupted(attempt: &AttemptStatus) -> bool {
    attempt.completion_time.is_some() && attempt.disrupted == Some(true)
}

/// Whether it failed by itself.
pub(super) fn was_failure(attempt: &AttemptStatus) -> bool {
    let is_success = attempt.reason.as_deref() == Some(Progress::Succeeded.name());
    attempt.completion_time.is_some() && !was_disrupted(attempt) && !is_success
}

/// Takes over what is known of the process.
pub(super) fn record_process(attempt: &mut AttemptStatus, ending: &Ending) {
    if let Some(started) = ending.started {
        attempt.start_time = Some(Time(whole_seconds(started)));
    }
    attempt.exit_code = ending.exit_code;
    attempt.signal = ending.signal;
}

/// Kubernetes writes times in whole seconds: what is compared with what was read back has no more.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
