//! Third step: what was decided is written, told and logged. What follows is done after this, never before.

use std::sync::Arc;

use kube::ResourceExt;

use super::call_error::CallError;
use super::context::Context;
use super::look_error::LookError;
use super::seen::SeenJob;
use crate::api::resource::ContentJob;
use crate::api::status::{ContentJobStatus, SUCCEEDED};
use crate::status::Next;

/// Writes a status where it has changed, and publishes the events of the change. Gives the job as it is then.
///
/// # Errors
/// [`LookError`]: stale where somebody else has changed the job since it was seen.
pub async fn write(context: &Context, seen: Arc<SeenJob>, next: &Next) -> Result<Arc<SeenJob>, LookError> {
    if seen.job.status.as_ref() == Some(&next.status) {
        return Ok(seen);
    }
    if !context.tenure.holds() {
        return Err(LookError::NotLeading);
    }
    let call = context.calls.write_status(&seen.job, &next.status);
    let written = context.metrics.step("status", call).await;
    let written = written.inspect_err(|error| {
        // Where the watch has missed its end, it would be looked at for ever.
        if let (CallError::Gone { .. }, Some(name)) = (error, &seen.job.metadata.name) {
            let uid = seen.job.metadata.uid.as_deref();
            context.view.job_gone(name, uid);
        }
    })?;
    tell(&seen.job, &next.status);
    for event in &next.events {
        context.events.publish(&seen.job, event.clone());
    }
    Ok(learn(context, written))
}

/// Takes over what a write of our own gave.
pub fn learn(context: &Context, written: SeenJob) -> Arc<SeenJob> {
    let written = Arc::new(written);
    context.view.job_written(SeenJob::clone(&written));
    written
}

/// One log line for each transition. Parameters and variables are in no status.
fn tell(job: &ContentJob, status: &ContentJobStatus) {
    let said = |status: Option<&ContentJobStatus>| {
        let mut conditions = status?.conditions.iter();
        let condition = conditions.find(|condition| condition.type_ == SUCCEEDED)?;
        Some((
            condition.status.clone(),
            condition.reason.clone(),
            condition.message.clone(),
        ))
    };
    let (before, after) = (said(job.status.as_ref()), said(Some(status)));
    let Some((succeeded, reason, message)) = after else {
        return;
    };
    if before.is_some_and(|before| before.0 == succeeded && before.1 == reason) {
        return;
    }
    let attempt = status.attempts.last().map(|attempt| attempt.number);
    tracing::info!(job = %job.name_any(), attempt, succeeded, reason, note = message, "Job changed");
}
