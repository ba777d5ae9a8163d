//! The first thing a new leader does: it takes over what the one before it left running (OH2).

use std::time::Duration;

use kube::ResourceExt;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::apps::open_processes;
use super::context::Context;
use super::disk::DiskError;
use super::gather::pinned;
use super::index::awaited_archive;
use super::look_error::LookError;
use super::volume::{Attempt, OpenJob};
use super::watch::OUR_PODS;
use crate::api::resource::ContentJob;
use crate::data::Swept;
use crate::status::{is_finished, open_attempt};

/// Pause before another try, while the volume or the API server does not answer, or the leader before is not gone yet.
const PAUSE: Duration = Duration::from_secs(2);

/// Brings the view up to the moment this replica began to lead, and has the volume kept for every job that has not
/// ended; what no job holds is removed. False where `stop` came first.
pub async fn adopt(context: &Context, stop: &CancellationToken) -> bool {
    let mut said = String::new();
    loop {
        let error = match try_adopt(context).await {
            Ok(()) => return true,
            Err(error) => error.to_string(),
        };
        if said != error {
            tracing::warn!("Jobs not taken over yet, trying again: {error}");
            said = error;
        }
        tokio::select! {
            () = stop.cancelled() => return false,
            () = sleep(PAUSE) => {}
        }
    }
}

async fn try_adopt(context: &Context) -> Result<(), LookError> {
    // The watches may not have told yet what the leader before wrote last.
    let (jobs, apps, pods) = tokio::join!(
        context.calls.list_jobs(),
        context.calls.list_apps(),
        context.calls.list_pods(OUR_PODS)
    );
    for app in apps? {
        context.view.app_seen(app);
    }
    for pod in pods? {
        context.view.pod_seen(pod);
    }
    let mut open = Vec::new();
    for seen in jobs? {
        open.extend(open_job(&seen.job));
        context.view.job_seen(seen);
    }
    let count = open.len();
    open.extend(open_processes(context));
    let now = context.now();
    let adopted = context.disk.with(move |volume| volume.adopt(&open, now));
    let swept = adopted.await?.map_err(DiskError::Volume)?;
    tell(&swept);
    tracing::info!(open = count, "Jobs taken over");
    Ok(())
}

/// Logs what a sweep of the volume removed.
pub fn tell(swept: &Swept) {
    for removed in &swept.removed {
        tracing::info!(path = %removed.path.display(), "Removed {} that nobody holds", removed.what);
    }
    for failure in &swept.failed {
        tracing::warn!("Not removed: {failure}");
    }
}

/// What a job that has not ended holds on the volume.
fn open_job(job: &ContentJob) -> Option<OpenJob> {
    let status = job.status.as_ref();
    if status.is_some_and(is_finished) {
        return None;
    }
    let uid = job.uid()?;
    let attempt = status.and_then(|status| {
        let open = open_attempt(status)?;
        Attempt::new(&uid, status.content.as_deref()?, &open.key).ok()
    });
    Some(OpenJob {
        attempt,
        pinned: status.and_then(pinned),
        awaits: awaited_archive(job).map(|(digest, _)| digest),
        uid,
    })
}
