//! The processes of all applications on this machine: the hub has them started and ended here.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::process;
use super::sockets::Sockets;
use super::source::Source;
use super::stop::Stop;
use super::tally::Tally;
use crate::apps::{AccountName, AppId, Deployment, EndCause, ProcessId};
use crate::gather::Listings;
use crate::hub::{Fleet, FleetEvent, HubHandle};
use crate::local::server::Server;

/// Starts processes in sandboxes of this machine.
pub struct LocalFleet {
    /// What each process is run with.
    pub(super) tools: Arc<Tools>,
    state: Mutex<State>,
    /// Told of each process that is gone.
    gone: Notify,
}

/// What each process is run with.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) server: Arc<Server>,
    pub(super) sockets: Sockets,
    pub(super) hub: HubHandle,
    /// What is installed, read again only where it changed.
    pub(super) listings: Listings,
    pub(super) tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct State {
    sources: HashMap<(AppId, Deployment), Arc<Source>>,
    current: HashMap<AppId, Deployment>,
    running: HashMap<ProcessId, Running>,
    /// Nothing is started any more.
    is_closed: bool,
}

#[derive(Debug)]
struct Running {
    pool: AppId,
    deployment: Deployment,
    init_timeout: Duration,
    stop: Arc<Stop>,
}

impl fmt::Debug for LocalFleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalFleet")
            .field("running", &self.count())
            .finish_non_exhaustive()
    }
}

impl LocalFleet {
    /// A fleet without processes.
    #[must_use]
    pub fn new(server: Arc<Server>, sockets: Sockets, hub: HubHandle, tally: Arc<Tally>) -> Arc<Self> {
        Arc::new(Self {
            tools: Arc::new(Tools {
                server,
                sockets,
                hub,
                listings: Listings::default(),
                tally,
            }),
            state: Mutex::default(),
            gone: Notify::new(),
        })
    }

    /// New processes of the application are started from this; the hub is to be told next.
    pub fn add(&self, source: Arc<Source>) {
        let mut state = self.state();
        state
            .current
            .insert(source.app.clone(), source.deployment.clone());
        state
            .sources
            .insert((source.app.clone(), source.deployment.clone()), source);
    }

    /// Gives up what no process runs from and none will be started from, once the hub was told of what is current.
    pub fn prune(&self) {
        self.state().prune();
    }

    /// No more processes of the application are started.
    pub fn forget(&self, app: &AppId) {
        let mut state = self.state();
        state.current.remove(app);
        state.prune();
    }

    /// How many processes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.state().running.len()
    }

    /// The processes of an application, with the visitor's account that each belongs to.
    #[must_use]
    pub fn processes(&self, app: &AppId) -> Vec<(ProcessId, Deployment, Option<AccountName>)> {
        let state = self.state();
        let own = state
            .running
            .iter()
            .filter(|(_, running)| running.pool.application() == *app);
        let mut processes: Vec<_> = own
            .map(|(process, running)| {
                let account = running.pool.account();
                (process.clone(), running.deployment.clone(), account)
            })
            .collect();
        processes.sort();
        processes
    }

    /// Ends all processes and waits until they are gone.
    pub async fn close(&self) {
        {
            let mut state = self.state();
            state.is_closed = true;
            for running in state.running.values() {
                running.stop.ask(EndCause::Removed);
            }
        }
        loop {
            let gone = self.gone.notified();
            if self.count() == 0 {
                return;
            }
            gone.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a process; `None` where it may not be started.
    fn enter(
        &self,
        pool: &AppId,
        process: &ProcessId,
        deployment: &Deployment,
    ) -> Option<(Arc<Source>, Arc<Stop>)> {
        let mut state = self.state();
        if state.is_closed {
            return None;
        }
        let source = state
            .sources
            .get(&(pool.application(), deployment.clone()))?
            .clone();
        let stop = Arc::new(Stop::default());
        let running = Running {
            pool: pool.clone(),
            deployment: deployment.clone(),
            init_timeout: source.init_timeout,
            stop: stop.clone(),
        };
        state.running.insert(process.clone(), running);
        self.tools.tally.processes.inc();
        Some((source, stop))
    }

    fn leave(&self, process: &ProcessId) {
        let mut state = self.state();
        state.running.remove(process);
        self.tools.tally.processes.dec();
        state.prune();
        drop(state);
        self.gone.notify_waiters();
    }

    fn ended(&self, app: &AppId, process: &ProcessId, failure: Option<crate::apps::Failure>) {
        self.tools.hub.tell(FleetEvent::Ended {
            app: app.clone(),
            process: process.clone(),
            failure,
        });
    }
}

impl State {
    fn prune(&mut self) {
        let Self {
            sources,
            current,
            running,
            ..
        } = self;
        sources.retain(|(app, deployment), _| {
            current.get(app) == Some(deployment)
                || running
                    .values()
                    .any(|running| running.pool.application() == *app && running.deployment == *deployment)
        });
    }
}

/// A [`LocalFleet`] as the hub sees it.
#[derive(Clone, Debug)]
pub struct Handle(pub Arc<LocalFleet>);

impl Fleet for Handle {
    fn start(&self, app: &AppId, process: &ProcessId, deployment: &Deployment) {
        let fleet = self.0.clone();
        let Some((source, stop)) = fleet.enter(app, process, deployment) else {
            // It was replaced in this moment; the hub hears of that as well.
            return fleet.ended(app, process, None);
        };
        let (own_app, own_process) = (app.clone(), process.clone());
        let begun = {
            let fleet = fleet.clone();
            let run = move || {
                let failure = process::run(&fleet.tools, &source, (&own_app, &own_process), &stop);
                // What it was started from is let go first: then nothing of a process that is gone is held.
                drop(source);
                fleet.leave(&own_process);
                fleet.ended(&own_app, &own_process, failure);
            };
            std::thread::Builder::new()
                .name(format!("app {process}"))
                .spawn(run)
        };
        if let Err(error) = begun {
            tracing::error!(%app, %process, %error, "no thread can be started for a process");
            fleet.leave(process);
            let failure = process::no_thread(process);
            fleet.ended(app, process, Some(failure));
        }
    }

    fn end(&self, app: &AppId, process: &ProcessId, cause: EndCause) {
        let known = {
            let state = self.0.state();
            let running = state.running.get(process);
            running.map(|running| (running.stop.clone(), running.init_timeout))
        };
        match known {
            Some((stop, waited)) => process::end(&stop, cause, waited),
            None => self.0.ended(app, process, None),
        }
    }
}
