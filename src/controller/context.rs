//! What every look at a job has at hand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;

use super::api::Calls;
use super::apps::Apps;
use super::disk::Disk;
use super::events::Events;
use super::lease::Tenure;
use super::runtimes::RuntimesFile;
use super::schedule::Key;
use super::view::View;
use crate::asked::Sealing;
use crate::pod::Delivery;
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// What Pods of this installation have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Namespace of jobs, Pods and the claim.
    pub namespace: String,
    /// Claim of the data directory.
    pub claim: String,
    /// Image with the helper and the starters.
    pub exec_image: String,
    /// How that comes into Pods.
    pub delivery: Delivery,
}

/// What every look at a job has at hand.
#[derive(Debug)]
pub struct Context {
    /// The API server.
    pub calls: Calls,
    /// What the watches have told.
    pub view: Arc<View>,
    /// The applications.
    pub apps: Arc<Apps>,
    /// The data volume.
    pub disk: Disk,
    /// The settings.
    pub settings: Arc<Settings>,
    /// `runtimes.yaml`.
    pub runtimes: Arc<RuntimesFile>,
    /// What Pods have in common.
    pub site: Site,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Where events go.
    pub events: Events,
    /// Whether this replica leads.
    pub tenure: Tenure,
    /// The time.
    pub clock: Clock,
    /// Uids of the jobs that hold something on the volume.
    pub held: Held,
    /// Opens what visitors have given, once the secret of the gateways' links is known.
    pub sealing: OnceLock<Arc<Sealing>>,
    /// When each job was first seen, and its Pod accepted: for the metrics alone.
    pub paces: Paces,
}

impl Context {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock.0)()
    }
}

/// Tells the time.
#[derive(Clone)]
pub struct Clock(pub Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Default for Clock {
    /// The time of this machine.
    fn default() -> Self {
        Self(Arc::new(Timestamp::now))
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", (self.0)())
    }
}

/// Uids of the jobs that hold something on the volume, by name.
#[derive(Debug, Default)]
pub struct Held(Mutex<HashMap<Key, String>>);

impl Held {
    /// A job holds something. Gives the uid of one of the same name that did before it.
    pub fn put(&self, name: &Key, uid: &str) -> Option<String> {
        let before = self.lock().insert(name.clone(), uid.to_owned());
        before.filter(|before| before != uid)
    }

    /// A job holds nothing any more.
    pub fn take(&self, name: &Key) -> Option<String> {
        self.lock().remove(name)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the steps of young jobs were made.
#[derive(Debug, Default)]
pub struct Paces(Mutex<HashMap<String, Pace>>);

/// The moments of one job.
#[derive(Clone, Copy, Debug)]
struct Pace {
    seen: tokio::time::Instant,
    posted: Option<tokio::time::Instant>,
}

impl Paces {
    /// A job was looked at for the first time.
    pub fn seen(&self, uid: &str) {
        let now = tokio::time::Instant::now();
        let first = Pace {
            seen: now,
            posted: None,
        };
        self.lock().entry(uid.to_owned()).or_insert(first);
    }

    /// Its Pod was accepted.
    pub fn posted(&self, uid: &str, metrics: &Metrics) {
        if let Some(pace) = self.lock().get_mut(uid)
            && pace.posted.is_none()
        {
            pace.posted = Some(tokio::time::Instant::now());
            Metrics::took(&metrics.pod_posted_seconds, pace.seen.elapsed());
        }
    }

    /// Its process runs, or has ended already.
    pub fn running(&self, uid: &str, metrics: &Metrics) {
        if let Some(posted) = self.lock().remove(uid).and_then(|pace| pace.posted) {
            Metrics::took(&metrics.pod_running_seconds, posted.elapsed());
        }
    }

    /// It is of no interest any more.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Pace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
