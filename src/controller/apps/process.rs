//! The life of one process: its Pod is posted, watched and listened to, ended when the hub says so, and cleared up after.
//! One task each. A leader that ends drops the task; the next one takes the Pod over where it is.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::sync::watch;
use tokio::time::sleep;

use super::ending::{Over, close, of_ending, told, vanished};
use super::pod::{Recipe, Said};
use super::stages::Stages;
use super::{helper, pods};
use crate::apps::{Address, AppId, EndCause, ProcessId};
use crate::controller::call_error::CallError;
use crate::controller::context::Context;
use crate::controller::refusal;
use crate::controller::volume::{Attempt, Beginning};
use crate::hub::FleetEvent;
use crate::names::{APP_PORT, STATUS_PORT};
use crate::reason::Reason;
use crate::status::{Ending, Problem, Stage};

/// Pause before a call that failed is made again.
const PAUSE: Duration = Duration::from_secs(1);
/// How soon a Pod is looked at again of which nothing is told.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// One process of an application.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) app: AppId,
    pub(super) name: String,
    pub(super) id: ProcessId,
    pub(super) pod: String,
    pub(super) attempt: Attempt,
}

/// Where it is in its life.
#[derive(Default)]
struct Life {
    /// Whether its Pod was seen.
    seen: bool,
    /// Whether the hub was told that it answers.
    ready: bool,
    /// Whether it is to end by our word.
    deleted: bool,
    /// Whether its Pod was told so.
    removed: bool,
    /// Whether the hub was told that it waits for its place.
    waits: bool,
    /// Why it does not start, as last seen.
    starting: Option<Problem>,
    /// Where the time of its start goes, where this leader has started it.
    stages: Option<Stages>,
}

impl Process {
    /// A process that is to be started from a recipe.
    pub(super) fn new(app: &AppId, id: &ProcessId, recipe: &Recipe) -> Option<Self> {
        Some(Self {
            app: app.clone(),
            name: recipe.app.name_any(),
            id: id.clone(),
            pod: recipe.pod_name(id.as_str()),
            attempt: Attempt::new(id.as_str(), recipe.work.bundle.content.as_str(), id.as_str()).ok()?,
        })
    }

    /// A process whose Pod is there.
    pub(super) fn adopted(pod: &Pod, said: &Said) -> Option<Self> {
        Some(Self {
            app: AppId::from(said.uid.as_str()),
            name: said.app.clone(),
            id: said.process.clone(),
            pod: pod.name_any(),
            attempt: Attempt::new(said.process.as_str(), &said.bundle.0, said.process.as_str()).ok()?,
        })
    }
}

/// Starts a process and lives its life.
pub(super) async fn start(
    context: Arc<Context>,
    process: Process,
    recipe: Arc<Recipe>,
    end: watch::Receiver<Option<EndCause>>,
) {
    let mut stages = Stages::begin(&process);
    if let Err(problem) = begin(&context, &process, &recipe).await {
        tracing::warn!(app = process.name, process = %process.id, "Process not started: {}", problem.message);
        let failure = told(&context, &process, &problem, None);
        close(&context, &process, Some((&problem, None))).await;
        context.apps.hub().tell(FleetEvent::Failed {
            app: process.app,
            process: process.id,
            failure,
        });
        return;
    }
    stages.done(&context.metrics, "pod");
    see_through(context, process, end, Some(stages)).await;
}

/// Lives the life of a process whose Pod is there, or should be.
pub(super) async fn live(context: Arc<Context>, process: Process, end: watch::Receiver<Option<EndCause>>) {
    see_through(context, process, end, None).await;
}

async fn see_through(
    context: Arc<Context>,
    process: Process,
    end: watch::Receiver<Option<EndCause>>,
    stages: Option<Stages>,
) {
    let life = Life {
        stages,
        ..Life::default()
    };
    let over = watch_pod(&context, &process, end, life).await;
    let failure = over
        .failure
        .as_ref()
        .map(|(problem, code)| told(&context, &process, problem, *code));
    let problem = over.failure.as_ref().map(|(problem, code)| (problem, *code));
    close(&context, &process, problem).await;
    if let Some((problem, _)) = &over.failure {
        tracing::warn!(app = process.name, process = %process.id, "Process ended: {}", problem.message);
    } else {
        tracing::info!(app = process.name, process = %process.id, "Process ended");
    }
    context.apps.hub().tell(FleetEvent::Ended {
        app: process.app,
        process: process.id,
        failure,
    });
}

/// Makes the directories and the Pod.
async fn begin(context: &Context, process: &Process, recipe: &Arc<Recipe>) -> Result<(), Problem> {
    let pod = make(context, process, recipe).await?;
    loop {
        if !context.tenure.holds() {
            // The next leader finds no Pod, and knows of no process.
            std::future::pending::<()>().await;
        }
        let error = match context.metrics.step("pod", context.calls.create_pod(&pod)).await {
            Ok(made) => {
                context.view.pod_written(made);
                return Ok(());
            }
            Err(CallError::Exists { .. }) => return exists(context, process).await,
            Err(error) => error,
        };
        if let Some(problem) = refusal::problem(&process.pod, &error) {
            return Err(problem);
        }
        tracing::warn!(app = process.name, "Pod not made, trying again: {error}");
        sleep(PAUSE).await;
    }
}

/// The Pod was there: an answer of the API server was lost, or somebody else has the name.
async fn exists(context: &Context, process: &Process) -> Result<(), Problem> {
    match find(context, process).await {
        Some(_) => Ok(()),
        None => Err(refusal::foreign(&process.pod)),
    }
}

async fn make(context: &Context, process: &Process, recipe: &Arc<Recipe>) -> Result<Pod, Problem> {
    let (process, recipe, site, now) = (
        process.clone(),
        recipe.clone(),
        context.site.clone(),
        context.now(),
    );
    let made = context.disk.with(move |volume| {
        let work = &recipe.work;
        let task = super::spec::task(volume, &recipe.app, &work.bundle, process.id.as_str());
        let plan = work.rules.plan(&task).map_err(|planned| why(*planned))?;
        let serving = Recipe::process(&plan).ok_or_else(changed)?;
        let beginning = Beginning {
            files: &[],
            name: &process.name,
            bundle: &work.bundle,
            plan: &plan,
            process: serving,
            now,
        };
        volume
            .begin_process(&process.attempt, &beginning)
            .map_err(|error| error.problem())?;
        Ok(recipe.pod(&plan, serving, process.id.as_str(), &site))
    });
    made.await.map_err(|error| Problem {
        reason: Reason::DataUnavailable,
        message: error.to_string(),
    })?
}

fn why(planned: crate::status::Planned) -> Problem {
    match planned {
        crate::status::Planned::Refused(problem) | crate::status::Planned::Waiting(problem) => problem,
        crate::status::Planned::Ready(_) => changed(),
    }
}

fn changed() -> Problem {
    Problem {
        reason: Reason::Interrupted,
        message: "the application has changed since this process was asked for".to_owned(),
    }
}

/// Follows the Pod to its end.
async fn watch_pod(
    context: &Context,
    process: &Process,
    mut end: watch::Receiver<Option<EndCause>>,
    mut life: Life,
) -> Over {
    let mut news = context.view.apps.follow(&process.pod);
    let mut address: Option<IpAddr> = None;
    loop {
        news.borrow_and_update();
        let Some(pod) = known(context, process, &mut life).await else {
            return Over {
                failure: (!life.deleted && end.borrow().is_none()).then(|| (vanished(process), None)),
            };
        };
        let stage = pods::observe(context, &process.name, &pod).stage;
        if let Stage::Ended(ending) = &stage {
            remove_rest(context, &pod, ending).await;
            return of_ending(life.deleted, ending);
        }
        life.starting = match &stage {
            Stage::Unscheduled { problem, .. } | Stage::Starting { problem, .. } => problem.clone(),
            _ => None,
        };
        say_placed(context, process, &stage, &mut life);
        address = address.or_else(|| address_of(&pod));
        let told = *end.borrow_and_update();
        if let Some(cause) = told {
            give_up(context, process, &pod, cause, &mut life).await;
        }
        let listening = async {
            match address {
                Some(address) if !life.ready => helper::ready(SocketAddr::new(address, STATUS_PORT)).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            () = listening => {
                life.ready = true;
                if let Some(mut stages) = life.stages.take() {
                    stages.done(&context.metrics, "ready");
                }
                say_ready(context, process, address);
            }
            _ = news.changed() => {}
            _ = end.changed() => {}
            () = sleep(LOOK_AGAIN) => {}
        }
    }
}

/// The Pod as it is known; none where it is gone for sure.
async fn known(context: &Context, process: &Process, life: &mut Life) -> Option<Arc<Pod>> {
    if let Some(pod) = context.view.pods.get(&process.pod) {
        if !std::mem::replace(&mut life.seen, true) && pod.metadata.deletion_timestamp.is_some() {
            // The leader before has ended it.
            life.deleted = true;
        }
        return Some(pod);
    }
    find(context, process).await
}

/// The Pod of a process as the API server has it.
async fn find(context: &Context, process: &Process) -> Option<Arc<Pod>> {
    loop {
        match context.calls.get_pod(&process.pod).await {
            Ok(Some(pod)) => {
                let is_own = Said::of(&pod).is_some_and(|said| said.process == process.id);
                context.view.pod_written(pod.clone());
                return is_own.then(|| Arc::new(pod));
            }
            Ok(None) => return None,
            Err(error) => tracing::warn!(pod = process.pod, "Pod not read, trying again: {error}"),
        }
        sleep(PAUSE).await;
    }
}

/// Ends the Pod of a process that the hub has given up.
async fn give_up(context: &Context, process: &Process, pod: &Pod, cause: EndCause, life: &mut Life) {
    if let (EndCause::NotReady, Some(problem)) = (cause, life.starting.take()) {
        context.apps.note_problem(&process.id, problem);
    }
    if !std::mem::replace(&mut life.deleted, true) {
        tracing::info!(app = process.name, process = %process.id, ?cause, "Process ends");
    }
    if !life.removed {
        life.removed = remove(context, pod).await;
    }
}

/// Deletes a Pod; says whether that is done. If not, the next look at it tries again.
async fn remove(context: &Context, pod: &Pod) -> bool {
    if pod.metadata.deletion_timestamp.is_some() || !context.tenure.holds() {
        return true;
    }
    let deleted = context.calls.delete_pod(&pod.metadata, None).await;
    match &deleted {
        Ok(()) => {}
        // Gone or made anew, as far as the answer can be believed: it is read once more.
        Err(CallError::Gone { .. } | CallError::Stale { .. }) => context.view.pod_gone(pod),
        Err(error) => tracing::warn!(pod = %pod.name_any(), "Pod not deleted, trying again: {error}"),
    }
    deleted.is_ok()
}

/// Deletes what is left of a Pod that is over. One whose node does not answer goes without its node's word.
async fn remove_rest(context: &Context, pod: &Pod, ending: &Ending) {
    if pod.metadata.deletion_timestamp.is_none() {
        remove(context, pod).await;
        return;
    }
    if !ending.disrupted || !context.tenure.holds() {
        return;
    }
    match context.calls.delete_pod(&pod.metadata, Some(0)).await {
        Ok(()) | Err(CallError::Gone { .. } | CallError::Stale { .. }) => {}
        Err(error) => tracing::warn!(pod = %pod.name_any(), "Pod not deleted: {error}"),
    }
}

/// The time to get ready counts when the container runs, not while a node is found and images are pulled.
fn say_placed(context: &Context, process: &Process, stage: &Stage, life: &mut Life) {
    let waits = match stage {
        Stage::Unscheduled { .. } => true,
        // What is wrong may never end.
        Stage::Starting { problem, .. } => problem.is_none(),
        _ => false,
    };
    if std::mem::replace(&mut life.waits, waits) != waits {
        if let Some(stages) = life.stages.as_mut().filter(|_| !waits) {
            stages.done(&context.metrics, "placed");
        }
        context.apps.hub().tell(FleetEvent::Placed {
            app: process.app.clone(),
            process: process.id.clone(),
            waits,
        });
    }
}

fn say_ready(context: &Context, process: &Process, address: Option<IpAddr>) {
    let Some(address) = address else { return };
    tracing::info!(app = process.name, process = %process.id, %address, "Process ready");
    context.apps.hub().tell(FleetEvent::Ready {
        app: process.app.clone(),
        process: process.id.clone(),
        address: Address::Tcp(SocketAddr::new(address, APP_PORT)),
    });
}

fn address_of(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_deref()?.parse().ok()
}
