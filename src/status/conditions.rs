//! Conditions: a transition has a time, everything else may change without one.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::api::status::{ACCEPTED, ContentJobStatus, ENVIRONMENT_READY, POD_SCHEDULED, SUCCEEDED};
use crate::reason::Progress;

/// Status of a condition of which nothing is known yet.
pub(super) const UNKNOWN: &str = "Unknown";
/// In the order in which they come true.
const ALL: [&str; 4] = [ACCEPTED, ENVIRONMENT_READY, POD_SCHEDULED, SUCCEEDED];

/// What a condition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    /// It holds.
    True,
    /// It does not.
    False,
    /// That is not decided.
    Unknown,
}

impl Truth {
    fn word(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => UNKNOWN,
        }
    }
}

/// The condition of that type.
pub(super) fn find<'a>(status: &'a ContentJobStatus, kind: &str) -> Option<&'a Condition> {
    status.conditions.iter().find(|condition| condition.type_ == kind)
}

/// Makes sure that every condition of a job is there, in order, and says which generation it was looked at for.
pub(super) fn complete(status: &mut ContentJobStatus, generation: Option<i64>, now: Timestamp) {
    complete_with(&mut status.conditions, &ALL, generation, now);
}

/// Makes sure that conditions of these types are there, in order, and says which generation they were looked at for.
pub(super) fn complete_with(
    conditions: &mut Vec<Condition>,
    kinds: &[&str],
    generation: Option<i64>,
    now: Timestamp,
) {
    let mut given = std::mem::take(conditions);
    for kind in kinds {
        let known = given.iter().position(|condition| condition.type_ == *kind);
        let condition = known.map_or_else(|| unknown(kind, now), |at| given.remove(at));
        conditions.push(condition);
    }
    conditions.append(&mut given);
    for condition in conditions {
        condition.observed_generation = generation;
    }
}

fn unknown(kind: &str, now: Timestamp) -> Condition {
    Condition {
        type_: kind.to_owned(),
        status: UNKNOWN.to_owned(),
        reason: Progress::Pending.name().to_owned(),
        message: "this was not looked at yet".to_owned(),
        last_transition_time: Time(now),
        observed_generation: None,
    }
}

/// Says something new. The time of transition is that of the last change of the status, as everywhere in Kubernetes.
pub(super) fn set(
    conditions: &mut [Condition],
    kind: &str,
    truth: Truth,
    reason: &str,
    message: &str,
    now: Timestamp,
) {
    let found = conditions.iter_mut().find(|condition| condition.type_ == kind);
    let Some(condition) = found else { return };
    if condition.status != truth.word() {
        truth.word().clone_into(&mut condition.status);
        condition.last_transition_time = Time(now);
    }
    reason.clone_into(&mut condition.reason);
    message.clone_into(&mut condition.message);
}
