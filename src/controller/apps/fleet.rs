//! Processes as Pods, for the hub.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::process::{self, Process};
use crate::apps::{AppId, Deployment, EndCause, Failure, ProcessId};
use crate::controller::context::Context;
use crate::hub::{Fleet, FleetEvent};
use crate::reason::Reason;

/// Processes as Pods. Dropped, it lets go of them all; they run on.
#[derive(Debug)]
pub struct PodFleet {
    context: Arc<Context>,
    running: Arc<Mutex<Running>>,
}

type Running = HashMap<ProcessId, Handle>;

#[derive(Debug)]
struct Handle {
    end: watch::Sender<Option<EndCause>>,
    /// Ends the task with the fleet.
    _task: AbortOnDropHandle<()>,
}

impl PodFleet {
    /// No process yet.
    #[must_use]
    pub fn new(context: Arc<Context>) -> Self {
        Self {
            context,
            running: Arc::default(),
        }
    }

    /// Takes over a process whose Pod is there.
    pub(super) fn take_over(&self, process: Process) {
        let context = self.context.clone();
        self.run(process.id.clone(), |end| process::live(context, process, end));
    }

    fn run<F>(&self, id: ProcessId, life: impl FnOnce(watch::Receiver<Option<EndCause>>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (end, told) = watch::channel(None);
        let life = life(told);
        let running = Arc::downgrade(&self.running);
        let own = id.clone();
        let mut handles = self.running();
        let task = tokio::spawn(async move {
            life.await;
            if let Some(running) = running.upgrade() {
                lock(&running).remove(&own);
            }
        });
        let task = AbortOnDropHandle::new(task);
        handles.insert(id, Handle { end, _task: task });
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        lock(&self.running)
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    // Each change is one insertion or removal.
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fleet for PodFleet {
    fn start(&self, app: &AppId, process: &ProcessId, deployment: &Deployment) {
        let recipe = self.context.apps.recipe(app, deployment);
        let begun = recipe.and_then(|recipe| Some((Process::new(app, process, &recipe)?, recipe)));
        let Some((begun, recipe)) = begun else {
            self.context.apps.hub().tell(FleetEvent::Failed {
                app: app.clone(),
                process: process.clone(),
                failure: unknown(process),
            });
            return;
        };
        tracing::info!(app = begun.name, %process, %deployment, "Process starts");
        let context = self.context.clone();
        self.run(process.clone(), |end| process::start(context, begun, recipe, end));
    }

    fn end(&self, app: &AppId, process: &ProcessId, cause: EndCause) {
        if let Some(handle) = self.running().get(process) {
            handle.end.send_replace(Some(cause));
            return;
        }
        self.context.apps.hub().tell(FleetEvent::Ended {
            app: app.clone(),
            process: process.clone(),
            failure: None,
        });
    }
}

/// What a process is to be made from is not known: the application could not be looked at since this leader began.
fn unknown(process: &ProcessId) -> Failure {
    Failure {
        reason: Reason::DataUnavailable.name().to_owned(),
        message: "the application can not be started at this moment; it is tried again".to_owned(),
        process: Some(process.clone()),
        exit_code: None,
    }
}
