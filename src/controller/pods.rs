//! Pods of jobs: looking at one, ending one, letting one go.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::ResourceExt;

use super::call_error::CallError;
use super::context::Context;
use super::look_error::LookError;
use super::seen::SeenJob;
use super::view::owner;
use crate::api::resource::ContentJob;
use crate::names::{LABEL_ATTEMPT, POD_FINALIZER};
use crate::status::{self, PodContext, PodSeen, open_attempt};

/// What is seen of the Pod of the job's open attempt.
///
/// # Errors
/// [`LookError`].
pub async fn look(context: &Context, seen: &SeenJob) -> Result<PodSeen, LookError> {
    let job = &seen.job;
    let Some(attempt) = job.status.as_ref().and_then(open_attempt) else {
        return Ok(PodSeen::Absent);
    };
    let known = of_job(context, job, &attempt.pod_name);
    let pod = match known {
        // That a Pod is gone which was there ends an attempt: the API server itself is asked.
        None if attempt.pod_uid.is_some() => find(context, job, &attempt.pod_name).await?,
        known => known,
    };
    let Some(pod) = pod else {
        return Ok(PodSeen::Absent);
    };
    let events = context
        .view
        .events
        .of(pod.metadata.uid.as_deref().unwrap_or_default());
    let about = PodContext {
        job: job.name_any(),
        runtime: job.status.as_ref().and_then(|status| status.runtime.clone()),
        timeout_seconds: job.spec.timeout_seconds,
        node_lost_seconds: i64::from(context.settings.kubernetes.node_lost_seconds),
        now: context.now(),
    };
    Ok(PodSeen::Present(status::observe(&pod, &events, &about)))
}

/// The Pod of that name, if it is known and belongs to this very job.
pub fn of_job(context: &Context, job: &ContentJob, name: &str) -> Option<Arc<Pod>> {
    context.view.pods.get(name).filter(|pod| is_of(job, pod))
}

/// The Pod of that name as the API server has it, if it belongs to this very job.
///
/// # Errors
/// [`LookError`].
pub async fn find(context: &Context, job: &ContentJob, name: &str) -> Result<Option<Arc<Pod>>, LookError> {
    let Some(pod) = context.calls.get_pod(name).await? else {
        return Ok(None);
    };
    if !is_of(job, &pod) {
        return Ok(None);
    }
    context.view.pod_written(pod.clone());
    Ok(Some(Arc::new(pod)))
}

/// Whether a Pod belongs to this very job, not to one of the same name before it.
#[must_use]
pub fn is_of(job: &ContentJob, pod: &Pod) -> bool {
    owner(pod).is_some_and(|(_, uid)| Some(uid) == job.metadata.uid)
}

/// The number of a Pod's attempt.
#[must_use]
pub fn attempt_of(pod: &Pod) -> Option<i32> {
    pod.labels().get(LABEL_ATTEMPT)?.parse().ok()
}

/// Lets the Pods go whose attempts are over, and ends them where they still run: their outcome is recorded.
///
/// # Errors
/// [`LookError`].
pub async fn let_closed_go(context: &Context, job: &ContentJob) -> Result<(), LookError> {
    let open = job.status.as_ref().and_then(open_attempt).map(|open| open.number);
    for pod in context.view.pods_of(&job.name_any()) {
        let closed = attempt_of(&pod).is_some_and(|number| Some(number) != open);
        if is_of(job, &pod) && closed && is_held(&pod) {
            if !is_over(&pod) && pod.metadata.deletion_timestamp.is_none() {
                delete(context, &pod, None).await?;
            }
            release(context, &pod).await?;
        }
    }
    Ok(())
}

/// Takes our finalizer off a Pod.
///
/// # Errors
/// [`LookError`].
pub async fn release(context: &Context, pod: &Pod) -> Result<(), LookError> {
    if is_held(pod) {
        match context.calls.release_pod(&pod.metadata).await? {
            Some(released) => context.view.pod_written(released),
            None => context.view.pod_gone(pod),
        }
    }
    Ok(())
}

/// Ends a Pod. `None` when nothing of it runs any more; else how long to wait before the next look, unless the watch
/// tells before. Where its node does not answer it is given up after `Kubernetes.NodeLostSeconds` beyond its grace.
///
/// # Errors
/// [`LookError`].
pub async fn end(context: &Context, pod: &Pod) -> Result<Option<Duration>, LookError> {
    if is_over(pod) {
        return Ok(None);
    }
    let Some(deleted) = &pod.metadata.deletion_timestamp else {
        delete(context, pod, None).await?;
        return Ok(Some(Duration::from_secs(1)));
    };
    if pod.spec.as_ref().is_none_or(|spec| spec.node_name.is_none()) {
        // A Pod that is being deleted gets no node any more.
        return Ok(None);
    }
    let patience = i64::from(context.settings.kubernetes.node_lost_seconds);
    let left = left_of(deleted.0, patience, context.now());
    if !left.is_zero() {
        return Ok(Some(left));
    }
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    tracing::warn!(pod = %pod.name_any(), node, "Pod given up: its node does not say that it has ended");
    delete(context, pod, Some(0)).await?;
    Ok(None)
}

/// What is left until a deleted Pod is given up. Its time of deletion already has its grace period in it.
fn left_of(deleted: Timestamp, patience: i64, now: Timestamp) -> Duration {
    let until = deleted.checked_add(SignedDuration::from_secs(patience));
    let left = until.unwrap_or(Timestamp::MAX).duration_since(now);
    Duration::try_from(left).unwrap_or_default()
}

/// Deletes a Pod; one that is gone, or was made anew, is none of ours.
///
/// # Errors
/// [`LookError`].
pub async fn delete(context: &Context, pod: &Pod, grace: Option<u32>) -> Result<(), LookError> {
    if !context.tenure.holds() {
        return Err(LookError::NotLeading);
    }
    match context.calls.delete_pod(&pod.metadata, grace).await {
        Ok(()) => Ok(()),
        Err(CallError::Gone { .. } | CallError::Stale { .. }) => {
            context.view.pod_gone(pod);
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn is_held(pod: &Pod) -> bool {
    pod.finalizers().iter().any(|name| name == POD_FINALIZER)
}

/// Whether all its processes have ended: its phase says so last, its containers before.
fn is_over(pod: &Pod) -> bool {
    let Some(status) = &pod.status else { return false };
    if matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
        return true;
    }
    let has_ended = |container: &ContainerStatus| {
        let state = container.state.as_ref();
        state.is_some_and(|state| state.terminated.is_some())
    };
    let containers = status.container_statuses.as_deref().unwrap_or_default();
    !containers.is_empty() && containers.iter().all(has_ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: OH3 (P)
    #[test]
    fn a_deleted_pod_has_its_grace_and_then_some() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(left_of(at(100), 30, at(100)), Duration::from_secs(30));
        assert_eq!(left_of(at(100), 30, at(130)), Duration::ZERO);
        assert_eq!(left_of(at(100), 30, at(200)), Duration::ZERO);
    }
}
