//! The end of an attempt: its result becomes whole, or what it made is removed; then the status says so; then its Pod may
//! go. Each step can be done twice, and only the last one lets the knowledge of the outcome out of the cluster (OH2).

use std::sync::Arc;
use std::time::Duration;

use super::apply;
use super::context::Context;
use super::disk::DiskError;
use super::look_error::LookError;
use super::pods;
use super::seen::SeenJob;
use super::volume::{Attempt, Failure};
use crate::api::status::AttemptStatus;
use crate::status::{self, Ending, Finished, Next};

/// Finishes an attempt. Gives what was decided about the job then.
///
/// # Errors
/// [`LookError`].
pub async fn finish(
    context: &Context,
    seen: Arc<SeenJob>,
    attempt: &AttemptStatus,
    ending: Ending,
) -> Result<(Arc<SeenJob>, Next), LookError> {
    let finishing = context
        .metrics
        .step("finish", on_volume(context, &seen, attempt, &ending));
    let finished = finishing.await?;
    let next = status::finished(&seen.job, attempt, &ending, &finished, context.now());
    let seen = apply::write(context, seen, &next).await?;
    let closed = next
        .status
        .attempts
        .iter()
        .find(|closed| closed.number == attempt.number);
    if let Some(reason) = closed.and_then(|closed| closed.reason.as_deref()) {
        context.metrics.attempt_over(reason);
    }
    pods::let_closed_go(context, &seen.job).await?;
    Ok((seen, next))
}

async fn on_volume(
    context: &Context,
    seen: &SeenJob,
    attempt: &AttemptStatus,
    ending: &Ending,
) -> Result<Finished, LookError> {
    let uid = seen.job.metadata.uid.clone().unwrap_or_default();
    let content = seen.job.status.as_ref().and_then(|status| status.content.clone());
    let Some(content) = content else {
        // Nothing was made before the content was known.
        return Ok(Finished::Done(None));
    };
    let place = Attempt::new(&uid, &content, &attempt.key)?;
    let (ending, now) = (ending.clone(), context.now());
    let finished = context.disk.with(move |volume| match &ending.problem {
        None => volume.finish(&place, now),
        Some(problem) => {
            let failure = Failure {
                problem,
                exit_code: ending.exit_code,
                signal: ending.signal,
            };
            let discarded = volume.discard(&place, &failure, now);
            discarded.map(|()| Finished::Done(None))
        }
    });
    Ok(finished.await?.map_err(DiskError::Volume)?)
}

/// A decision's pause as the schedule takes it.
#[must_use]
pub fn pause(next: &Next) -> Option<Duration> {
    next.again
        .map(|again| Duration::try_from(again).unwrap_or_default())
}
