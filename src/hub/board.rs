//! What everybody may read of the applications: for status, pages and metrics.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::Notify;

use crate::apps::wire::Stage;
use crate::apps::{AppId, Failure};

/// An application in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSnapshot {
    /// Processes that exist, those that start, drain and end included.
    pub processes: u32,
    /// Processes that take new sessions.
    pub ready: u32,
    /// Sessions and connections at this moment.
    pub sessions: u32,
    /// Requests that are held until there is a seat.
    pub waiting: u32,
    /// When a visitor was last seen.
    pub last_use: Option<Timestamp>,
    /// The last failure, and when it was, until a process is ready.
    pub last_failure: Option<(Failure, Timestamp)>,
    /// Whether it is idle, starts, takes visitors, or why not.
    pub stage: Stage,
}

impl AppSnapshot {
    /// Together with another pool of the same application.
    fn with(self, pool: &Self) -> Self {
        let is_better = matches!(pool.stage, Stage::Ready) && !matches!(self.stage, Stage::Held(_))
            || matches!(self.stage, Stage::Idle);
        Self {
            processes: self.processes.saturating_add(pool.processes),
            ready: self.ready.saturating_add(pool.ready),
            sessions: self.sessions.saturating_add(pool.sessions),
            waiting: self.waiting.saturating_add(pool.waiting),
            last_use: self.last_use.max(pool.last_use),
            last_failure: [self.last_failure, pool.last_failure.clone()]
                .into_iter()
                .flatten()
                .max_by_key(|(_, at)| *at),
            stage: if is_better { pool.stage.clone() } else { self.stage },
        }
    }
}

#[derive(Debug, Default)]
struct Notes {
    /// By application, and then by pool.
    apps: HashMap<AppId, BTreeMap<AppId, Arc<AppSnapshot>>>,
    changed: BTreeSet<AppId>,
}

/// The snapshots of all applications.
#[derive(Debug, Default)]
pub(super) struct Board {
    notes: Mutex<Notes>,
    news: Notify,
}

impl Board {
    pub(super) fn get(&self, app: &AppId) -> Option<Arc<AppSnapshot>> {
        let notes = self.notes();
        let pools = notes.apps.get(app)?;
        if let [only] = pools.values().collect::<Vec<_>>()[..] {
            return Some(only.clone());
        }
        let own = pools.get(app)?.as_ref().clone();
        let others = pools.iter().filter(|(id, _)| *id != app);
        let whole = others.fold(own, |whole, (_, pool)| whole.with(pool));
        Some(Arc::new(whole))
    }

    pub(super) fn set(&self, app: &AppId, snapshot: AppSnapshot) {
        let mut notes = self.notes();
        let of = app.application();
        let pools = notes.apps.entry(of.clone()).or_default();
        if pools.get(app).is_some_and(|old| **old == snapshot) {
            return;
        }
        pools.insert(app.clone(), Arc::new(snapshot));
        notes.changed.insert(of);
        drop(notes);
        self.news.notify_one();
    }

    pub(super) fn remove(&self, app: &AppId) {
        let mut notes = self.notes();
        let of = app.application();
        let Some(pools) = notes.apps.get_mut(&of) else {
            return;
        };
        if pools.remove(app).is_some() {
            if pools.is_empty() {
                notes.apps.remove(&of);
            }
            notes.changed.insert(of);
            drop(notes);
            self.news.notify_one();
        }
    }

    pub(super) async fn changed(&self) -> BTreeSet<AppId> {
        loop {
            let changed = std::mem::take(&mut self.notes().changed);
            if !changed.is_empty() {
                return changed;
            }
            self.news.notified().await;
        }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
