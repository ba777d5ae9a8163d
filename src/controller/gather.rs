//! First step: everything about a job that can be found out. Decides nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::context::Context;
use super::given;
use super::index::Awaited;
use super::install;
use super::look_error::LookError;
use super::planning::Rules;
use super::schedule::Key;
use super::seen::SeenJob;
use super::volume::{Asked, Bundle, Volume};
use crate::api::resource::ContentJob;
use crate::api::status::ContentJobStatus;
use crate::data::{ContentId, layout};
use crate::plan::{EnvironmentKey, Plan, ProcessPlan, Purpose};
use crate::reason::Reason;
use crate::status::{
    BundleSeen, EnvironmentSeen, EnvironmentState, Planned, PodSeen, Problem, Ready, World, is_finished,
    open_attempt,
};

/// Stands for the key of an attempt before there is one.
const NO_KEY: &str = "JOB";

/// What was found.
#[derive(Debug)]
pub struct Gathered {
    /// For the decision.
    pub world: World,
    /// For an attempt, where one can be begun.
    pub work: Option<Work>,
}

/// What an attempt is made of, before it has a key.
#[derive(Clone, Debug)]
pub struct Work {
    /// The deployment.
    pub bundle: Bundle,
    /// What the plan was made with.
    pub rules: Rules,
    /// The plan, for no attempt.
    pub plan: Plan,
}

impl Work {
    /// The process of the job's own Pod in a plan: the task, or in a job that installs an environment for others the
    /// installation.
    #[must_use]
    pub fn process<'p>(job: &ContentJob, plan: &'p Plan) -> Option<&'p ProcessPlan> {
        plan.processes.iter().find(|process| match &process.purpose {
            Purpose::Install(key) => install::makes(job, key),
            Purpose::Task(_) | Purpose::Serve => !install::is_install(job),
            // No job builds packages of Git repositories.
            Purpose::Build => false,
        })
    }
}

/// What reading the volume and planning gave.
struct Read {
    bundle: Option<Bundle>,
    planned: Result<(Work, Vec<EnvironmentKey>), Box<Planned>>,
}

/// Gathers what there is to know about a job. Takes note of what it waits for.
///
/// # Errors
/// [`LookError`].
pub async fn gather(context: &Context, seen: &Arc<SeenJob>, pod: PodSeen) -> Result<Gathered, LookError> {
    let ttl = context.settings.kubernetes.ttl_seconds_after_finished;
    let world = |bundle, planned, pod| World {
        bundle,
        planned,
        pod,
        ttl_seconds_after_finished: ttl.map(i64::from),
    };
    let name = Key::from(seen.name_any());
    if is_decided(seen.job.status.as_ref(), &pod) {
        context.view.index.waits(&name, BTreeSet::new());
        let planned = Planned::Refused(Problem {
            reason: Reason::Interrupted,
            message: "this was not planned again".to_owned(),
        });
        return Ok(Gathered {
            world: world(None, planned, pod),
            work: None,
        });
    }
    let reading = context.metrics.step("gather", read_volume(context, seen, &name));
    let Read { bundle, planned } = reading.await?;
    let bundle = bundle.map(|bundle| BundleSeen {
        content: bundle.content.to_string(),
        bundle: bundle.bundle.to_string(),
    });
    let (work, keys) = match planned {
        Ok(found) => found,
        Err(planned) => {
            let waits = waits_for_runtime(&planned);
            context.view.index.waits(&name, waits.into_iter().collect());
            return Ok(Gathered {
                world: world(bundle, *planned, pod),
                work: None,
            });
        }
    };
    let (planned, waits) = ready(context, &seen.job, &work, &keys);
    context.view.index.waits(&name, waits);
    Ok(Gathered {
        world: world(bundle, planned, pod),
        work: Some(work),
    })
}

/// Whether nothing that a plan says matters: the job has ended, or its Pod is there.
fn is_decided(status: Option<&ContentJobStatus>, pod: &PodSeen) -> bool {
    let Some(status) = status else { return false };
    let was_seen = open_attempt(status).is_some_and(|open| open.pod_uid.is_some());
    is_finished(status) || was_seen || matches!(pod, PodSeen::Present(_))
}

async fn read_volume(context: &Context, seen: &Arc<SeenJob>, name: &Key) -> Result<Read, LookError> {
    if let Some(fault) = &seen.fault {
        let message =
            format!("this version of offhost can not read the job: {fault}; write it for this version");
        return Ok(Read {
            bundle: None,
            planned: Err(Box::new(Planned::Refused(Problem {
                reason: Reason::InvalidInput,
                message,
            }))),
        });
    }
    let uid = seen.job.metadata.uid.clone().unwrap_or_default();
    if let Some(other) = context.held.put(name, &uid) {
        context.disk.with(move |volume| volume.release(&other)).await?;
    }
    let rules = Rules {
        settings: context.settings.clone(),
        in_force: context.runtimes.in_force(),
    };
    let (job, namespace, now) = (seen.clone(), context.site.namespace.clone(), context.now());
    let read = context
        .disk
        .with(move |volume| read(volume, &job.job, &namespace, rules, now));
    Ok(read.await?)
}

/// Finds the job's deployment, which may have to be made first, and plans the job.
fn read(volume: &Volume, job: &ContentJob, namespace: &str, rules: Rules, now: Timestamp) -> Read {
    let name = job.name_any();
    let asked = Asked {
        job_uid: job.metadata.uid.as_deref().unwrap_or_default(),
        namespace,
        name: &name,
        spec: &job.spec,
        pinned: job.status.as_ref().and_then(pinned),
        now,
    };
    let found = volume.bundle(&asked, &|task| rules.plan(task).map(drop));
    let bundle = match found {
        Ok(bundle) => bundle,
        Err(error) => {
            return Read {
                bundle: None,
                planned: Err(Box::new(error.planned())),
            };
        }
    };
    let planned = given::check(volume, job, now).map_err(Box::new);
    Read {
        planned: planned.and_then(|()| plan(volume, job, &bundle, rules)),
        bundle: Some(bundle),
    }
}

fn plan(
    volume: &Volume,
    job: &ContentJob,
    bundle: &Bundle,
    rules: Rules,
) -> Result<(Work, Vec<EnvironmentKey>), Box<Planned>> {
    let mut task = volume.task(bundle, NO_KEY, 1);
    if job
        .status
        .as_ref()
        .is_some_and(|status| open_attempt(status).is_some())
    {
        install::go_on(job, &mut task);
    }
    let plan = rules.plan(&task)?;
    let keys = rules.environments(&task)?;
    volume
        .serves(&plan)
        .map_err(|error| Planned::Refused(error.problem()))?;
    let work = Work {
        bundle: bundle.clone(),
        rules,
        plan,
    };
    Ok((work, keys))
}

/// The deployment that the status names.
pub fn pinned(status: &ContentJobStatus) -> Option<(ContentId, u64)> {
    let content = ContentId::parse(status.content.as_deref()?).ok()?;
    Some((content, layout::parse_number(status.bundle.as_deref()?)?))
}

pub(super) fn waits_for_runtime(planned: &Planned) -> Option<Awaited> {
    match planned {
        Planned::Waiting(problem) if problem.reason == Reason::RuntimeNotFound => Some(Awaited::Runtime),
        _ => None,
    }
}

/// A job that can be done, and what it waits for.
fn ready(
    context: &Context,
    job: &ContentJob,
    work: &Work,
    keys: &[EnvironmentKey],
) -> (Planned, BTreeSet<Awaited>) {
    let plan = &work.plan;
    if install::is_install(job) {
        if let Some(other) = keys.iter().find(|key| !install::makes(job, key)) {
            return (Planned::Refused(install::changed(&other.path)), BTreeSet::new());
        }
        let own = ready_of(plan, Work::process(job, plan).is_some(), Vec::new());
        return (Planned::Ready(own), BTreeSet::new());
    }
    let made = job.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let (seen, waits) = environments_seen(context, plan, keys, made);
    let has_pod = Work::process(job, plan).is_some();
    (Planned::Ready(ready_of(plan, has_pod, seen)), waits)
}

/// How far the environments of a plan are, and the jobs that are waited for. What failed before `since` says nothing.
pub(super) fn environments_seen(
    context: &Context,
    plan: &Plan,
    keys: &[EnvironmentKey],
    since: Option<Timestamp>,
) -> (Vec<EnvironmentSeen>, BTreeSet<Awaited>) {
    let missing = |key: &EnvironmentKey| {
        plan.processes
            .iter()
            .any(|process| process.purpose == Purpose::Install(key.clone()))
    };
    let seen: Vec<EnvironmentSeen> = keys
        .iter()
        .map(|key| EnvironmentSeen {
            language: key.language.label().to_owned(),
            path: key.path.clone(),
            job_name: install::name(&key.path),
            state: if missing(key) {
                install::state(&context.view, since, key)
            } else {
                EnvironmentState::Ready
            },
        })
        .collect();
    let waits = seen
        .iter()
        .filter(|seen| seen.state != EnvironmentState::Ready)
        .map(|seen| Awaited::Job(seen.job_name.clone()))
        .collect();
    (seen, waits)
}

fn ready_of(plan: &Plan, has_pod: bool, environments: Vec<EnvironmentSeen>) -> Ready {
    let image = (has_pod || !environments.is_empty()).then(|| plan.runtime.runtime.clone());
    Ready {
        runtime: image.clone(),
        image,
        has_pod,
        environments,
    }
}
