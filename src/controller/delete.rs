//! A job that is being deleted: its processes end, what they made goes, and then the job may go (OH3).

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;

use super::call_error::CallError;
use super::context::Context;
use super::disk::DiskError;
use super::look_error::LookError;
use super::pods;
use super::schedule::{Key, Outcome};
use super::seen::SeenJob;
use super::volume::{Attempt, Failure};
use crate::api::resource::ContentJob;
use crate::names::JOB_FINALIZER;
use crate::reason::Reason;
use crate::status::{Problem, open_attempt};

/// Goes on with the deletion of a job as far as it can.
///
/// # Errors
/// [`LookError`].
pub async fn delete(context: &Context, seen: Arc<SeenJob>) -> Result<Outcome, LookError> {
    let job = &seen.job;
    if let Some(wait) = end_pods(context, job).await? {
        return Ok(Outcome::Again(wait));
    }
    discard(context, job).await?;
    let uid = job.metadata.uid.clone().unwrap_or_default();
    context.paces.forget(&uid);
    context.held.take(&Key::from(job.name_any()));
    context.disk.with(move |volume| volume.release(&uid)).await?;
    for pod in context.view.pods_of(&job.name_any()) {
        if pods::is_of(job, &pod) {
            pods::release(context, &pod).await?;
        }
    }
    if job.finalizers().iter().any(|name| name == JOB_FINALIZER) {
        match context.calls.set_job_finalizer(job, false).await {
            Ok(written) => context.view.job_written(written),
            Err(CallError::Gone { .. }) => context
                .view
                .job_gone(&job.name_any(), job.metadata.uid.as_deref()),
            Err(error) => return Err(error.into()),
        }
        tracing::info!(job = %job.name_any(), "Job deleted");
    }
    Ok(Outcome::Settled)
}

/// Ends every Pod of the job. Gives how long to wait for the last one.
async fn end_pods(context: &Context, job: &ContentJob) -> Result<Option<Duration>, LookError> {
    if let Some(open) = job.status.as_ref().and_then(open_attempt)
        && pods::of_job(context, job, &open.pod_name).is_none()
    {
        // A controller before this one may have made it a moment before it ended.
        pods::find(context, job, &open.pod_name).await?;
    }
    let mut longest = None;
    for pod in context.view.pods_of(&job.name_any()) {
        if pods::is_of(job, &pod) {
            longest = longest.max(pods::end(context, &pod).await?);
        }
    }
    Ok(longest)
}

/// Removes what the open attempt made.
async fn discard(context: &Context, job: &ContentJob) -> Result<(), LookError> {
    let Some(status) = &job.status else { return Ok(()) };
    let (Some(open), Some(content)) = (open_attempt(status), &status.content) else {
        return Ok(());
    };
    let uid = job.metadata.uid.as_deref().unwrap_or_default();
    let attempt = Attempt::new(uid, content, &open.key)?;
    let now = context.now();
    let discarded = context.disk.with(move |volume| {
        let problem = Problem {
            reason: Reason::Interrupted,
            message: "the job was deleted while it ran".to_owned(),
        };
        let failure = Failure {
            problem: &problem,
            exit_code: None,
            signal: None,
        };
        volume.discard(&attempt, &failure, now)
    });
    Ok(discarded.await?.map_err(DiskError::Volume)?)
}
