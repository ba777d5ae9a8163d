//! Events: one for each transition that a person wants to hear of.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::{self, UNKNOWN};
use super::types::EventRecord;
use crate::api::status::{ContentJobStatus, ENVIRONMENT_READY, SUCCEEDED};
use crate::reason::{Progress, Reason};

/// The API server takes notes of 1 KiB.
const MOST_BYTES: usize = 1000;

/// The events between two statuses.
pub(super) fn of(before: Option<&ContentJobStatus>, after: &ContentJobStatus) -> Vec<EventRecord> {
    let changed = |kind: &str| {
        let old = before.and_then(|status| conditions::find(status, kind));
        conditions::find(after, kind).filter(|new| {
            old.map(|old| (&old.status, &old.reason)) != Some((&new.status, &new.reason))
                && new.reason != Progress::Pending.name()
        })
    };
    let was_missing = before
        .and_then(|status| conditions::find(status, ENVIRONMENT_READY))
        .is_some_and(|old| old.status == "False");
    let installed = changed(ENVIRONMENT_READY).filter(|new| was_missing && new.status == "True");
    installed
        .into_iter()
        .chain(changed(SUCCEEDED))
        .map(record)
        .collect()
}

fn record(condition: &Condition) -> EventRecord {
    let reason = Reason::from_name(&condition.reason);
    EventRecord {
        warning: reason.is_some_and(is_warning),
        reason: condition.reason.clone(),
        action: action(condition, reason).to_owned(),
        note: note(&condition.message),
    }
}

/// An event about an application.
pub(super) fn serving(reason: &str, message: &str) -> EventRecord {
    EventRecord {
        warning: Reason::from_name(reason).is_some_and(is_warning),
        reason: reason.to_owned(),
        action: "Serving".to_owned(),
        note: note(message),
    }
}

/// What is merely waited for is no warning.
fn is_warning(reason: Reason) -> bool {
    !matches!(
        reason,
        Reason::Installing | Reason::Suspended | Reason::Gated | Reason::AwaitingUpload
    )
}

/// What the controller does now.
fn action(condition: &Condition, reason: Option<Reason>) -> &'static str {
    let starting = Progress::Starting.name();
    match reason {
        None if condition.reason == starting => "Creating",
        None if condition.status == UNKNOWN => "Watching",
        None => "Finishing",
        Some(Reason::Installing) => "Installing",
        Some(Reason::Suspended) => "Suspending",
        Some(_) if condition.status == UNKNOWN => "Waiting",
        Some(_) => "Failing",
    }
}

fn note(message: &str) -> String {
    if message.len() <= MOST_BYTES {
        return message.to_owned();
    }
    let end = (0..=MOST_BYTES).rev().find(|at| message.is_char_boundary(*at));
    format!("{}…", &message[..end.unwrap_or_default()])
}
