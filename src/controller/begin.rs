//! The start of an attempt: its directories, its Pod. Both may be there already: whoever comes after a crash does the
//! same again (OH2).

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::apply;
use super::call_error::CallError;
use super::context::{Context, Site};
use super::gather::Work;
use super::given;
use super::install;
use super::look_error::LookError;
use super::pods;
use super::refusal;
use super::seen::SeenJob;
use super::volume::{Attempt, Beginning, Volume, VolumeError};
use crate::api::resource::ContentJob;
use crate::api::status::AttemptStatus;
use crate::asked::Given;
use crate::names::JOB_FINALIZER;
use crate::plan::{Plan, ProcessPlan};
use crate::pod::{self, Job, PodPlace};
use crate::reason::Reason;
use crate::status::{Planned, Problem};

/// What beginning an attempt came to.
#[derive(Debug)]
pub enum Begun {
    /// Its Pod is there.
    Posted(Arc<SeenJob>),
    /// Its Pod could not be made; it is tried again.
    Refused(Arc<SeenJob>, Problem),
    /// It was begun otherwise before, and what it has can not be used: it is over without having run.
    Changed(Arc<SeenJob>, Problem),
}

/// What the volume made of it.
enum Made {
    Pod(Box<Pod>),
    Refused(Problem),
    Changed(Problem),
}

/// Makes the directories and the Pod of an attempt that the status of the job already names.
///
/// The finalizer, which keeps the job until its directories are gone, and the directories are made at the same time, and
/// the Pod after both.
///
/// # Errors
/// [`LookError`].
pub async fn begin(
    context: &Context,
    seen: Arc<SeenJob>,
    attempt: &AttemptStatus,
    work: Work,
) -> Result<Begun, LookError> {
    let (held, made) = tokio::join!(
        context.metrics.step("finalizer", hold(context, seen.clone())),
        context
            .metrics
            .step("directories", make(context, seen.clone(), attempt, work))
    );
    // Directories without the finalizer are found by the next look, or by a sweep where the job is gone.
    let (seen, made) = (held?, made?);
    let pod = match made {
        Made::Pod(pod) => pod,
        Made::Refused(problem) => return Ok(Begun::Refused(seen, problem)),
        Made::Changed(problem) => return Ok(Begun::Changed(seen, problem)),
    };
    post(context, seen, &pod).await
}

/// Puts the finalizer on the job.
async fn hold(context: &Context, seen: Arc<SeenJob>) -> Result<Arc<SeenJob>, LookError> {
    if seen.job.finalizers().iter().any(|name| name == JOB_FINALIZER) {
        return Ok(seen);
    }
    let written = context.calls.set_job_finalizer(&seen.job, true).await?;
    Ok(apply::learn(context, written))
}

async fn make(
    context: &Context,
    seen: Arc<SeenJob>,
    attempt: &AttemptStatus,
    work: Work,
) -> Result<Made, LookError> {
    let (attempt, site, now) = (attempt.clone(), context.site.clone(), context.now());
    let sealing = context.sealing.get().cloned();
    let made = context.disk.with(move |volume| {
        let _turn = given::turn(volume, &seen.job, sealing.as_deref());
        let given = given::open(volume, &seen.job, &work.bundle, sealing.as_deref());
        given.map_or_else(Made::Refused, |given| {
            make_on(volume, &seen.job, &attempt, &work, &site, given.as_ref(), now)
        })
    });
    Ok(made.await?)
}

fn make_on(
    volume: &Volume,
    job: &ContentJob,
    attempt: &AttemptStatus,
    work: &Work,
    site: &Site,
    given: Option<&Given>,
    now: Timestamp,
) -> Made {
    match try_make(volume, job, attempt, work, site, given, now) {
        Ok(pod) => Made::Pod(Box::new(pod)),
        Err(NotMade::Volume(error @ VolumeError::Changed { .. })) => Made::Changed(error.problem()),
        Err(NotMade::Volume(error)) => Made::Refused(error.problem()),
        Err(NotMade::Problem(problem)) => Made::Refused(problem),
    }
}

/// Why the volume made nothing.
enum NotMade {
    Volume(VolumeError),
    Problem(Problem),
}

impl From<VolumeError> for NotMade {
    fn from(error: VolumeError) -> Self {
        Self::Volume(error)
    }
}

fn try_make(
    volume: &Volume,
    job: &ContentJob,
    attempt: &AttemptStatus,
    work: &Work,
    site: &Site,
    given: Option<&Given>,
    now: Timestamp,
) -> Result<Pod, NotMade> {
    let place = name_of(job, work, attempt).map_err(NotMade::Problem)?;
    let first = process_of(job, &work.plan).map_err(NotMade::Problem)?;
    let rendering = volume.rendering(&place, first)?;
    let mut task = volume.task(&work.bundle, &attempt.key, rendering);
    install::go_on(job, &mut task);
    task.spec
        .parameters
        .extend(given.into_iter().flat_map(|given| given.parameters.clone()));
    let plan = work.rules.plan(&task).map_err(|planned| {
        // Of what was given for nobody to see no sentence tells.
        NotMade::Problem(given.map_or_else(|| why(*planned), |_| given::unfit()))
    })?;
    let process = process_of(job, &plan).map_err(NotMade::Problem)?;
    let name = job.name_any();
    let beginning = Beginning {
        name: &name,
        bundle: &work.bundle,
        plan: &plan,
        process,
        files: given.map_or(&[], |given| &given.files),
        now,
    };
    volume.begin(&place, &beginning)?;
    let place = pod_place(job, attempt, work, site);
    Ok(pod::build(&plan, process, &place))
}

fn name_of(job: &ContentJob, work: &Work, attempt: &AttemptStatus) -> Result<Attempt, Problem> {
    let uid = job.metadata.uid.as_deref().unwrap_or_default();
    Attempt::new(uid, work.bundle.content.as_str(), &attempt.key).map_err(|error| Problem {
        reason: Reason::InvalidInput,
        message: error.to_string(),
    })
}

/// The process of the job's own Pod. That there is one was found a moment ago; what it needed may have come by now.
fn process_of<'p>(job: &ContentJob, plan: &'p Plan) -> Result<&'p ProcessPlan, Problem> {
    Work::process(job, plan).ok_or_else(|| Problem {
        reason: Reason::Interrupted,
        message: "what this attempt was to make is there by now".to_owned(),
    })
}

fn why(planned: Planned) -> Problem {
    match planned {
        Planned::Refused(problem) | Planned::Waiting(problem) => problem,
        Planned::Ready(_) => Problem {
            reason: Reason::Interrupted,
            message: "the job was planned otherwise a moment ago".to_owned(),
        },
    }
}

fn pod_place(job: &ContentJob, attempt: &AttemptStatus, work: &Work, site: &Site) -> PodPlace {
    PodPlace {
        pod_name: attempt.pod_name.clone(),
        namespace: site.namespace.clone(),
        job: Job {
            name: job.name_any(),
            uid: job.metadata.uid.clone().unwrap_or_default(),
            labels: job.labels().clone(),
        },
        attempt: attempt.number,
        key: attempt.key.clone(),
        claim: site.claim.clone(),
        exec_image: site.exec_image.clone(),
        delivery: site.delivery,
        priority_class_name: job.spec.priority_class_name.clone(),
        service_account_name: job.spec.service_account_name.clone(),
        scheduling_gates: job.spec.scheduling_gates.clone(),
        kubernetes: work.rules.settings.kubernetes.clone(),
    }
}

async fn post(context: &Context, seen: Arc<SeenJob>, pod: &Pod) -> Result<Begun, LookError> {
    if !context.tenure.holds() {
        return Err(LookError::NotLeading);
    }
    let name = pod.name_any();
    let posted = context.metrics.step("pod", context.calls.create_pod(pod));
    let error = match posted.await {
        Ok(made) => {
            context.view.pod_written(made);
            let uid = seen.job.metadata.uid.as_deref().unwrap_or_default();
            context.paces.posted(uid, &context.metrics);
            return Ok(Begun::Posted(seen));
        }
        Err(error) => error,
    };
    if matches!(error, CallError::Exists { .. }) {
        // Made by a controller that ended before it could say so, or by somebody else.
        return Ok(match pods::find(context, &seen.job, &name).await? {
            Some(_) => Begun::Posted(seen),
            None => Begun::Refused(seen, refusal::foreign(&name)),
        });
    }
    match refusal::problem(&name, &error) {
        Some(problem) => {
            if let CallError::Forbidden { .. } = error {
                tracing::error!(pod = %name, "Pod not made: {error}");
            }
            Ok(Begun::Refused(seen, problem))
        }
        None => Err(error.into()),
    }
}
