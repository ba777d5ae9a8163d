//! What the leader remembers of applications between two looks.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::sleep;

use super::pod::Recipe;
use super::view::key_of;
use crate::apps::{AppId, AppSpec, Deployment, ProcessId};
use crate::controller::view::View;
use crate::hub::{FleetEvent, HubHandle};
use crate::status::Problem;

/// How often the numbers of an application may change its status.
const PAUSE: Duration = Duration::from_secs(1);

/// The applications, for the leader.
#[derive(Debug)]
pub struct Apps {
    hub: HubHandle,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By name: the uid, and what the hub was told last.
    known: HashMap<String, Known>,
    /// What processes of an application are made from, by its uid.
    recipes: HashMap<AppId, Arc<Recipe>>,
    /// Applications that have to be told to the hub before it may begin; none once it has begun.
    awaited: Option<BTreeSet<String>>,
    /// Why processes failed.
    problems: HashMap<ProcessId, Problem>,
    /// When the numbers of an application were last written.
    written: HashMap<String, Timestamp>,
}

#[derive(Debug)]
struct Known {
    uid: AppId,
    spec: Option<AppSpec>,
}

impl Apps {
    /// Nothing is known yet, and the hub waits until everything of `awaited` was told.
    #[must_use]
    pub fn new(hub: HubHandle) -> Self {
        Self {
            hub,
            inner: Mutex::default(),
        }
    }

    /// The hub.
    #[must_use]
    pub fn hub(&self) -> &HubHandle {
        &self.hub
    }

    /// The hub begins when these were told.
    pub fn await_all(&self, names: BTreeSet<String>) {
        self.inner().awaited = Some(names);
        self.told("");
    }

    /// An application was looked at: everything that the hub has to know of it before it begins was told.
    pub fn told(&self, name: &str) {
        let mut inner = self.inner();
        let Some(awaited) = &mut inner.awaited else {
            return;
        };
        awaited.remove(name);
        if awaited.is_empty() {
            inner.awaited = None;
            self.hub.tell(FleetEvent::Complete);
        }
    }

    /// An application is as it is here; tells the hub where that is new. An older one of the same name is gone.
    pub fn set(&self, name: &str, uid: &str, spec: AppSpec) {
        let app = AppId::from(uid);
        let mut inner = self.inner();
        let before = inner.known.insert(
            name.to_owned(),
            Known {
                uid: app.clone(),
                spec: Some(spec.clone()),
            },
        );
        match before {
            Some(before) if before.uid != app => {
                inner.recipes.remove(&before.uid);
                self.hub.tell(FleetEvent::AppGone { app: before.uid });
            }
            Some(before) if before.spec.as_ref() == Some(&spec) => return,
            _ => {}
        }
        self.hub.tell(FleetEvent::AppSet { app, spec });
    }

    /// What the hub was told last of this very application.
    #[must_use]
    pub fn spec(&self, name: &str, uid: &str) -> Option<AppSpec> {
        let inner = self.inner();
        let known = inner.known.get(name)?;
        known.spec.clone().filter(|_| known.uid.as_str() == uid)
    }

    /// An application is served no more.
    pub fn gone(&self, name: &str) {
        let mut inner = self.inner();
        inner.written.remove(name);
        if let Some(known) = inner.known.remove(name) {
            inner.recipes.remove(&known.uid);
            self.hub.tell(FleetEvent::AppGone { app: known.uid });
        }
    }

    /// What new processes of an application are made from.
    pub(super) fn set_recipe(&self, uid: &str, recipe: Recipe) {
        self.inner().recipes.insert(AppId::from(uid), Arc::new(recipe));
    }

    /// What processes of this deployment are made from; `None` where it is not the current one any more.
    #[must_use]
    pub(super) fn recipe(&self, app: &AppId, deployment: &Deployment) -> Option<Arc<Recipe>> {
        let inner = self.inner();
        let recipe = inner.recipes.get(app)?;
        Some(recipe.clone()).filter(|recipe| recipe.deployment == *deployment)
    }

    /// Takes note why a process failed, in words for the publisher.
    pub fn note_problem(&self, process: &ProcessId, problem: Problem) {
        let mut inner = self.inner();
        // The last failure of an application is all that anybody asks for.
        if inner.problems.len() > 1024 {
            inner.problems.clear();
        }
        inner.problems.insert(process.clone(), problem);
    }

    /// Why a process failed, in words for the publisher.
    #[must_use]
    pub fn problem(&self, process: &ProcessId) -> Option<Problem> {
        self.inner().problems.get(process).cloned()
    }

    /// When the status of an application was last written.
    #[must_use]
    pub fn last_written(&self, name: &str) -> Option<Timestamp> {
        self.inner().written.get(name).copied()
    }

    /// The status of an application was written.
    pub fn written(&self, name: &str, now: Timestamp) {
        self.inner().written.insert(name.to_owned(), now);
    }

    /// The name of the application with this uid.
    fn name_of(&self, app: &AppId) -> Option<String> {
        let inner = self.inner();
        let mut known = inner.known.iter();
        known
            .find(|(_, known)| known.uid == *app)
            .map(|(name, _)| name.clone())
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has applications looked at whose processes or sessions have changed.
pub async fn tell_of_changes(apps: Arc<Apps>, view: Arc<View>) {
    loop {
        for app in apps.hub.changed().await {
            if let Some(name) = apps.name_of(&app) {
                view.ask(key_of(&name));
            }
        }
        sleep(PAUSE).await;
    }
}
