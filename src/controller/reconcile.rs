//! One look at a job (at an application: `apps::look`), in numbered steps: (1) gather what there is to know, (2) decide, which is pure and stands in
//! `status::next`, (3) write the decision down, (4) do what it asks for. A look can be cut off after any call and be made
//! again by another process: what is done twice comes to the same.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;

use super::context::Context;
use super::gather::{self, Gathered, Work};
use super::look_error::LookError;
use super::schedule::{Key, Outcome};
use super::seen::SeenJob;
use super::{absent, apply, apps, begin, call_error::CallError, delete, finish, install, pods, recurring};
use crate::api::status::{AttemptStatus, SUCCEEDED};
use crate::reason::{Progress, Reason};
use crate::status::{
    self, Action, Ending, Next, Planned, PodSeen, Problem, World, is_finished, open_attempt,
};
use crate::telemetry::metrics::Metrics;

/// After a Pod was accepted its job is looked at again, for Pods about which nothing more is told: gated ones. Those
/// that get a node are told by the watch before.
const AFTER_POST: Duration = Duration::from_millis(300);
/// How soon an archive is looked for again.
const LOOK_FOR_UPLOAD: Duration = Duration::from_secs(2);

/// Looks at a job; what goes wrong is told here and nowhere else.
pub async fn look(context: Arc<Context>, name: Key) -> Outcome {
    if let Some(app) = apps::view::name_of(&name) {
        return apps::look(&context, &name, app).await;
    }
    let begun = tokio::time::Instant::now();
    let looked = Box::pin(reconcile(&context, &name)).await;
    Metrics::took(&context.metrics.reconcile_seconds, begun.elapsed());
    let error = match looked {
        Ok(outcome) => return outcome,
        Err(error) => error,
    };
    if error.is_stale() {
        tracing::debug!(job = %name, "Job has changed meanwhile, looking again");
    } else {
        context.metrics.failed(error.label());
        tracing::warn!(job = %name, "Job not finished with, trying again: {error}");
    }
    Outcome::Failed
}

async fn reconcile(context: &Context, name: &Key) -> Result<Outcome, LookError> {
    if !context.tenure.holds() {
        return Err(LookError::NotLeading);
    }
    let Some(seen) = context.view.jobs.get(name) else {
        return absent::clean_up(context, name, None).await;
    };
    let uid = seen.job.metadata.uid.as_deref();
    let left = absent::clean_up(context, name, uid).await?;
    if seen.job.metadata.deletion_timestamp.is_some() {
        return delete::delete(context, seen).await;
    }
    if let Some(schedule) = seen.job.spec.schedule.clone().filter(|_| seen.fault.is_none()) {
        return recurring::look(context, seen, &schedule).await;
    }
    if !seen.job.status.as_ref().is_some_and(is_finished) {
        context.paces.seen(uid.unwrap_or_default());
    }
    pods::let_closed_go(context, &seen.job).await?;
    let pod = pods::look(context, &seen).await?;
    let gathered = gather::gather(context, &seen, pod).await?;
    let next = status::next(&seen.job, &gathered.world, context.now());
    let outcome = Box::pin(carry_out(context, seen, gathered, next)).await?;
    Ok(match (outcome, left) {
        (Outcome::Settled, left) => left,
        (outcome, _) => outcome,
    })
}

async fn carry_out(
    context: &Context,
    seen: Arc<SeenJob>,
    gathered: Gathered,
    next: Next,
) -> Result<Outcome, LookError> {
    if let Action::Finish(attempt, ending) = &next.action
        && is_known(&seen, attempt)
    {
        // What it came to is written in one go, when the volume is in order.
        return end_attempt(context, seen, attempt, ending.clone()).await;
    }
    let was_finished = seen.job.status.as_ref().is_some_and(is_finished);
    let seen = apply::write(context, seen, &next).await?;
    measure(context, &seen, &next);
    if !was_finished && is_finished(&next.status) {
        free(context, &seen).await?;
    }
    let pause = finish::pause(&next).map(|pause| shortened(pause, &gathered.world));
    let again = pause.map_or(Outcome::Settled, Outcome::Again);
    match next.action {
        Action::None => Ok(again),
        Action::Install(missing) => {
            if let Some(work) = &gathered.work {
                let made = seen.job.metadata.creation_timestamp.as_ref().map(|time| time.0);
                install::make(context, &seen.job.name_any(), made, work, &missing).await?;
            }
            Ok(again)
        }
        Action::Begin(attempt) => match gathered.work {
            Some(work) => Box::pin(begin_attempt(context, seen, &attempt, work, gathered.world)).await,
            None => Ok(again),
        },
        Action::Finish(attempt, ending) => end_attempt(context, seen, &attempt, ending).await,
        Action::Stop(attempt) => stop(context, &seen, &attempt).await,
        Action::Expire => expire(context, &seen).await,
    }
}

/// An archive may have come by another replica, which tells nobody.
fn shortened(pause: Duration, world: &World) -> Duration {
    match &world.planned {
        Planned::Waiting(problem) if problem.reason == Reason::AwaitingUpload => pause.min(LOOK_FOR_UPLOAD),
        _ => pause,
    }
}

/// Whether the status has all that must be known of an attempt before its Pod may go.
fn is_known(seen: &SeenJob, attempt: &AttemptStatus) -> bool {
    let open = seen.job.status.as_ref().and_then(open_attempt);
    open.is_some_and(|open| open.number == attempt.number && open.pod_uid == attempt.pod_uid)
}

async fn begin_attempt(
    context: &Context,
    seen: Arc<SeenJob>,
    attempt: &AttemptStatus,
    work: Work,
    world: World,
) -> Result<Outcome, LookError> {
    match begin::begin(context, seen, attempt, work).await? {
        begin::Begun::Posted(_) => Ok(Outcome::Again(AFTER_POST)),
        begin::Begun::Refused(seen, problem) => refused(context, seen, world, problem).await,
        begin::Begun::Changed(seen, problem) => {
            let ending = Ending {
                problem: Some(problem),
                exit_code: None,
                signal: None,
                started: None,
                finished: None,
                disrupted: true,
            };
            end_attempt(context, seen, attempt, ending).await
        }
    }
}

/// The Pod was refused: the status says why, and it is tried again.
async fn refused(
    context: &Context,
    seen: Arc<SeenJob>,
    world: World,
    problem: Problem,
) -> Result<Outcome, LookError> {
    let world = World {
        pod: PodSeen::Refused(problem),
        ..world
    };
    let next = status::next(&seen.job, &world, context.now());
    let seen = apply::write(context, seen, &next).await?;
    match &next.action {
        Action::Finish(attempt, ending) => end_attempt(context, seen, attempt, ending.clone()).await,
        Action::Stop(attempt) => stop(context, &seen, attempt).await,
        _ => Ok(finish::pause(&next).map_or(Outcome::Settled, Outcome::Again)),
    }
}

async fn end_attempt(
    context: &Context,
    seen: Arc<SeenJob>,
    attempt: &AttemptStatus,
    ending: Ending,
) -> Result<Outcome, LookError> {
    let (seen, next) = finish::finish(context, seen, attempt, ending).await?;
    if is_finished(&next.status) {
        free(context, &seen).await?;
    }
    Ok(finish::pause(&next).map_or(Outcome::Settled, Outcome::Again))
}

/// A job that has ended holds nothing on the volume any more.
async fn free(context: &Context, seen: &SeenJob) -> Result<(), LookError> {
    let job = &seen.job;
    let uid = job.metadata.uid.clone().unwrap_or_default();
    context.paces.forget(&uid);
    if let Some(name) = &job.metadata.name {
        context.held.take(&Key::from(name.as_str()));
    }
    Ok(context.disk.with(move |volume| volume.release(&uid)).await?)
}

/// Ends the Pod of an attempt. That this was decided is in the status, so what the Pod comes to is read by it.
async fn stop(context: &Context, seen: &SeenJob, attempt: &AttemptStatus) -> Result<Outcome, LookError> {
    let known = pods::of_job(context, &seen.job, &attempt.pod_name);
    let pod = match known {
        Some(pod) => Some(pod),
        None => pods::find(context, &seen.job, &attempt.pod_name).await?,
    };
    match pod {
        Some(pod) if pod.metadata.deletion_timestamp.is_none() => {
            pods::delete(context, &pod, None).await?;
            Ok(Outcome::Settled)
        }
        Some(_) => Ok(Outcome::Settled),
        // There never was one: the next look closes the attempt.
        None => Ok(Outcome::Again(Duration::ZERO)),
    }
}

/// Deletes a job whose time is over, as it was seen and no other.
async fn expire(context: &Context, seen: &SeenJob) -> Result<Outcome, LookError> {
    if let Some(stays) = recurring::stays(context, &seen.job) {
        return Ok(Outcome::Again(stays));
    }
    match context.calls.delete_job(&seen.job, true).await {
        Ok(()) => {
            let name = seen.job.metadata.name.as_deref();
            tracing::info!(job = name, "Job deleted, its time to live is over");
            Ok(Outcome::Settled)
        }
        Err(CallError::Gone { .. }) => Ok(Outcome::Settled),
        Err(error) => Err(error.into()),
    }
}

/// Takes the time of the first process that is seen to run, or to have run.
fn measure(context: &Context, seen: &SeenJob, next: &Next) {
    let mut conditions = next.status.conditions.iter();
    let running = conditions.any(|condition| {
        condition.type_ == SUCCEEDED
            && (condition.reason == Progress::Running.name() || condition.status == "True")
    });
    if let (true, Some(uid)) = (running, &seen.job.metadata.uid) {
        context.paces.running(uid, &context.metrics);
    }
}
