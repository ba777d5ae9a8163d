//! The next status of a job and the next thing to do.

use jiff::{SignedDuration, Timestamp};

use super::attempts::{is_finished, open_attempt};
use super::draft::{Draft, later, until};
use super::types::{Action, Next, World};
use super::{gates, watch};
use crate::api::resource::ContentJob;

/// Decides about a job from what was seen. Applied to its own result it changes nothing more: the same status, no
/// events; the action may come again, as every action can be done twice.
#[must_use]
pub fn next(job: &ContentJob, world: &World, now: Timestamp) -> Next {
    let mut draft = Draft::new(job, now);
    if is_finished(&draft.status) {
        return expire(draft, world);
    }
    if let Some(seen) = &world.bundle {
        // What it works on does not change under a job.
        draft.status.content.get_or_insert_with(|| seen.content.clone());
        draft.status.bundle.get_or_insert_with(|| seen.bundle.clone());
    }
    match open_attempt(&draft.status).cloned() {
        Some(attempt) => watch::attempt(draft, attempt, world),
        None => gates::job(draft, world),
    }
}

/// A finished job waits for nothing but the end of its time.
fn expire(draft: Draft<'_>, world: &World) -> Next {
    let left = time_to_live(&draft, world);
    let action = if left.is_some_and(|left| left.is_zero()) {
        Action::Expire
    } else {
        Action::None
    };
    let again = left.filter(|left| !left.is_zero());
    draft.decide(action, again)
}

/// What is left of the life of a job that is finished; `None` if it stays.
pub(super) fn time_to_live(draft: &Draft<'_>, world: &World) -> Option<SignedDuration> {
    let seconds = draft
        .job
        .spec
        .ttl_seconds_after_finished
        .or(world.ttl_seconds_after_finished)?;
    let completed = draft.status.completion_time.as_ref()?;
    Some(until(later(completed.0, seconds), draft.now))
}
