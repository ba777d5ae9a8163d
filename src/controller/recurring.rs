//! A look at a job with a schedule: its runs are jobs of their own, which belong to it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::ResourceExt;
use kube::core::ObjectMeta;

use super::apply;
use super::call_error::CallError;
use super::context::Context;
use super::look_error::LookError;
use super::schedule::Outcome;
use super::seen::SeenJob;
use super::view::template;
use crate::api::job::ContentJobSpec;
use crate::api::resource::ContentJob;
use crate::api::schedule::Schedule;
use crate::api::status::{ContentJobStatus, SUCCEEDED};
use crate::names::{API_VERSION, KIND_CONTENT_JOB, LABEL_SCHEDULE};
use crate::schedule::{run_name, run_time};
use crate::status::{EventRecord, Next, RunSeen, RunState, is_finished, is_told, recur};

/// How soon a run whose time to live is over is looked at again where its schedule does not speak of it yet.
const UNTIL_TOLD: Duration = Duration::from_secs(1);
/// How soon it is looked again whether the name of a run is free.
const UNTIL_GONE: Duration = Duration::from_secs(5);
/// At most so long is slept, so that a clock that was set is followed.
const LONGEST: Duration = Duration::from_secs(60);

/// Looks at a job with a schedule. What was begun before it is written down is found by its name, so it is not made twice.
///
/// # Errors
/// [`LookError`].
pub async fn look(context: &Context, seen: Arc<SeenJob>, schedule: &Schedule) -> Result<Outcome, LookError> {
    let runs = runs(context, &seen.job);
    let next = recur(&seen.job, schedule, &runs, context.now());
    if !context.tenure.holds() {
        return Err(LookError::NotLeading);
    }
    if next.was_ahead {
        tracing::warn!(
            job = %seen.job.name_any(),
            "Runs were begun for times that are still to come, by a clock that was ahead; the schedule goes on from now"
        );
    }
    for time in next.end {
        tracing::info!(job = %seen.job.name_any(), run = %time, "Run ended for the next one");
        delete(context, &seen.job, time).await?;
    }
    let mut events = Vec::new();
    if let Some(time) = next.begin {
        match begin(context, &seen.job, time).await? {
            Begun::Yes => {}
            Begun::NotYet => return Ok(Outcome::Again(UNTIL_GONE)),
            Begun::Never(event) => events.push(event),
        }
    }
    let next_status = Next {
        status: next.status,
        action: crate::status::Action::None,
        events,
        again: None,
    };
    let seen = apply::write(context, seen, &next_status).await?;
    for time in next.remove {
        delete(context, &seen.job, time).await?;
    }
    let again = next.again.map(|again| again.unsigned_abs().min(LONGEST));
    Ok(again.map_or(Outcome::Settled, Outcome::Again))
}

/// The runs of a job, as they were seen.
fn runs(context: &Context, job: &ContentJob) -> Vec<RunSeen> {
    let name = job.name_any();
    let all = context.view.jobs.all();
    let of_job = all.iter().filter(|seen| is_run_of(&seen.job, job));
    of_job
        .filter_map(|seen| {
            Some(RunSeen {
                time: run_time(&name, &seen.job.name_any())?,
                state: state(&seen.job),
            })
        })
        .collect()
}

fn is_run_of(run: &ContentJob, job: &ContentJob) -> bool {
    template(run).is_some_and(|(_, uid)| Some(uid) == job.metadata.uid)
}

fn state(run: &ContentJob) -> RunState {
    if run.metadata.deletion_timestamp.is_some() {
        return RunState::Leaving;
    }
    let Some(status) = run.status.as_ref().filter(|status| is_finished(status)) else {
        return RunState::Open;
    };
    if has_succeeded(status) {
        RunState::Succeeded(status.completion_time.as_ref().map(|time| time.0))
    } else {
        RunState::Failed
    }
}

fn has_succeeded(status: &ContentJobStatus) -> bool {
    let mut conditions = status.conditions.iter();
    conditions.any(|condition| condition.type_ == SUCCEEDED && condition.status == "True")
}

/// Whether a run was begun, now or before.
enum Begun {
    Yes,
    /// What has its name is not seen yet, or is about to go.
    NotYet,
    /// Its name is another job's.
    Never(EventRecord),
}

async fn begin(context: &Context, job: &ContentJob, time: Timestamp) -> Result<Begun, LookError> {
    let run = run(job, time);
    let name = run.name_any();
    match context.calls.create_job(&run).await {
        Ok(_) => tracing::info!(job = %job.name_any(), run = %name, "Run begun"),
        Err(CallError::Exists { .. }) => return Ok(taken(context, job, &name)),
        Err(error) => return Err(error.into()),
    }
    Ok(Begun::Yes)
}

/// What it means that there is a job of the name of a run.
fn taken(context: &Context, job: &ContentJob, name: &str) -> Begun {
    let Some(seen) = context.view.jobs.get(name) else {
        return Begun::NotYet;
    };
    if is_run_of(&seen.job, job) {
        tracing::debug!(run = %name, "Run was begun before");
        return Begun::Yes;
    }
    // What belonged to a schedule of the same name goes after that one.
    let is_left = template(&seen.job).is_some_and(|(owner, _)| owner == job.name_any());
    if is_left || seen.job.metadata.deletion_timestamp.is_some() {
        tracing::debug!(run = %name, "Run waits for a job of its name to go");
        return Begun::NotYet;
    }
    let note = format!(
        "the run '{name}' is left out: there is a job of that name, which is none of this schedule; give that job another name"
    );
    tracing::warn!(job = %job.name_any(), "{note}");
    Begun::Never(EventRecord {
        warning: true,
        reason: "RunLeftOut".to_owned(),
        action: "Creating".to_owned(),
        note,
    })
}

/// The job of one run: everything that its template says, and whose it is.
fn run(job: &ContentJob, time: Timestamp) -> ContentJob {
    let name = job.name_any();
    let mut labels = job.metadata.labels.clone().unwrap_or_default();
    labels.insert(LABEL_SCHEDULE.to_owned(), name.clone());
    ContentJob {
        api_version: API_VERSION.to_owned(),
        kind: KIND_CONTENT_JOB.to_owned(),
        metadata: ObjectMeta {
            name: Some(run_name(&name, time)),
            namespace: job.metadata.namespace.clone(),
            labels: Some(labels),
            annotations: job.metadata.annotations.clone(),
            owner_references: Some(vec![OwnerReference {
                api_version: API_VERSION.to_owned(),
                kind: KIND_CONTENT_JOB.to_owned(),
                name,
                uid: job.metadata.uid.clone().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: None,
            }]),
            ..ObjectMeta::default()
        },
        spec: ContentJobSpec {
            schedule: None,
            ..job.spec.clone()
        },
        status: None,
    }
}

async fn delete(context: &Context, job: &ContentJob, time: Timestamp) -> Result<(), LookError> {
    let name = run_name(&job.name_any(), time);
    let Some(run) = context.view.jobs.get(&name) else {
        return Ok(());
    };
    match context.calls.delete_job(&run.job, false).await {
        Ok(()) | Err(CallError::Gone { .. } | CallError::Stale { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// How long a run that is over has to stay: until its schedule speaks of it, which would make it a second time otherwise.
#[must_use]
pub fn stays(context: &Context, run: &ContentJob) -> Option<Duration> {
    let (name, uid) = template(run)?;
    let time = run_time(&name, &run.name_any())?;
    let seen = context.view.jobs.get(&name)?;
    if seen.job.metadata.uid.as_deref() != Some(uid.as_str()) {
        return None;
    }
    let status = seen
        .job
        .status
        .as_ref()
        .and_then(|status| status.schedule.as_ref());
    let last = status.and_then(|schedule| schedule.last_schedule_time.as_ref());
    let is_told = is_told(time, last.map(|last| last.0), context.now());
    (!is_told).then_some(UNTIL_TOLD)
}
