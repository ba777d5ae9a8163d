//! Which of several replicas works: the one that holds the Lease.
//!
//! As everywhere in Kubernetes no clock of another machine is believed: a Lease has run out when this process has
//! watched it unchanged for as long as it says it lasts. The holder stops before that, by its own clock.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::{Api, Client};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::call_error::CallError;
use crate::names::{ANNOTATION_HUB, FIELD_MANAGER};

/// How long a Lease lasts that is not renewed; a standby takes over after this.
const LASTS: Duration = Duration::from_secs(15);
/// The holder gives up this long after its last renewal.
const HOLDS: Duration = Duration::from_secs(10);
/// Time between two renewals, and between two looks of a standby.
const PAUSE: Duration = Duration::from_secs(2);

/// Why the Lease is not held any more.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// Another replica holds it.
    #[error("the Lease '{name}' is held by '{holder}' now")]
    Taken {
        /// The Lease.
        name: String,
        /// Who holds it.
        holder: String,
    },
    /// It could not be renewed in time.
    #[error("the Lease '{name}' could not be renewed for {seconds} s: {source}")]
    NotRenewed {
        /// The Lease.
        name: String,
        /// For how long.
        seconds: u64,
        /// The last error.
        #[source]
        source: CallError,
    },
}

/// Until when this replica may work.
#[derive(Clone, Debug, Default)]
pub struct Tenure(Arc<Mutex<Option<Instant>>>);

impl Tenure {
    /// Whether this replica surely holds the Lease. Asked before anything that another leader could do as well: a
    /// process that was stopped for a while must not go on where it left off.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    /// Holds until that moment.
    pub fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn until(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The Lease of a controller.
pub struct Leadership {
    api: Api<Lease>,
    name: String,
    identity: String,
    hub: Option<SocketAddr>,
    tenure: Tenure,
    held: Option<Lease>,
}

impl std::fmt::Debug for Leadership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leadership")
            .field("name", &self.name)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl Leadership {
    /// A candidate. `identity` is the name of its Pod: a container that is started again in the same Pod goes on at once,
    /// since the one before it has ended.
    #[must_use]
    pub fn new(client: &Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            hub: None,
            api: Api::namespaced(client.clone(), namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            tenure: Tenure::default(),
            held: None,
        }
    }

    /// Says in the Lease where this replica takes the links of gateways, while it leads.
    #[must_use]
    pub fn with_hub(mut self, address: SocketAddr) -> Self {
        self.hub = Some(address);
        self
    }

    /// How often the Lease has changed hands: higher for each leader than for all before it.
    #[must_use]
    pub fn term(&self) -> u64 {
        let spec = self.held.as_ref().and_then(|lease| lease.spec.as_ref());
        let transitions = spec.and_then(|spec| spec.lease_transitions).unwrap_or_default();
        u64::try_from(transitions).unwrap_or_default()
    }

    /// Tells whether the Lease is held.
    #[must_use]
    pub fn tenure(&self) -> Tenure {
        self.tenure.clone()
    }

    /// Waits until this replica leads; false where `stop` came first. What stands in the way is logged when it changes.
    pub async fn acquire(&mut self, stop: &CancellationToken) -> bool {
        let mut seen: Option<(LeaseSpec, Instant)> = None;
        let mut said = String::new();
        loop {
            let asked = Instant::now();
            match self.try_acquire(&mut seen, asked).await {
                Ok(None) => return true,
                Ok(Some(holder)) => say(&mut said, &format!("Standing by: '{holder}' leads")),
                Err(error) => say(&mut said, &format!("Standing by: {error}")),
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = sleep(PAUSE) => {}
            }
        }
    }

    /// Renews the Lease until it is lost: then another replica may be at work already.
    pub async fn keep(&mut self) -> LeaseError {
        loop {
            sleep(PAUSE).await;
            if let Err(lost) = self.renew().await {
                return lost;
            }
        }
    }

    /// Gives the Lease back, so that a standby need not wait for its end.
    ///
    /// # Errors
    /// [`CallError`]: it runs out by itself.
    pub async fn release(&mut self) -> Result<(), CallError> {
        self.tenure.set(None);
        let Some(mut lease) = self.held.take() else {
            return Ok(());
        };
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        match self.put(&lease).await {
            // A renewal that was cut off may have come through.
            Err(CallError::Stale { .. }) => {}
            answer => return answer.map(drop),
        }
        let Some(now) = self.get().await? else {
            return Ok(());
        };
        if now.spec.as_ref().is_some_and(|spec| self.other(spec).is_some()) {
            return Ok(());
        }
        lease.metadata = now.metadata;
        self.put(&lease).await.map(drop)
    }

    /// One try; the holder's name where another one has it.
    async fn try_acquire(
        &mut self,
        seen: &mut Option<(LeaseSpec, Instant)>,
        asked: Instant,
    ) -> Result<Option<String>, CallError> {
        let wanted = match self.get().await? {
            None => self.first(),
            Some(lease) => {
                let spec = lease.spec.clone().unwrap_or_default();
                if let Some(holder) = self.other(&spec)
                    && !has_run_out(&spec, seen, asked)
                {
                    return Ok(Some(holder));
                }
                self.taken_over(lease)
            }
        };
        // Whoever was quicker has changed the version: one of two wins.
        let lease = match self.put(&wanted).await {
            Ok(lease) => lease,
            Err(CallError::Stale { .. } | CallError::Exists { .. }) => {
                return Ok(Some("another replica".to_owned()));
            }
            Err(error) => return Err(error),
        };
        self.held = Some(lease);
        self.tenure.set(Some(asked + HOLDS));
        Ok(None)
    }

    async fn renew(&mut self) -> Result<(), LeaseError> {
        loop {
            let asked = Instant::now();
            let error = match self.try_renew().await {
                Ok(None) => {
                    self.tenure.set(Some(asked + HOLDS));
                    return Ok(());
                }
                Ok(Some(holder)) => {
                    self.tenure.set(None);
                    let name = self.name.clone();
                    return Err(LeaseError::Taken { name, holder });
                }
                Err(error) => error,
            };
            if !self.tenure.holds() {
                self.tenure.set(None);
                return Err(LeaseError::NotRenewed {
                    name: self.name.clone(),
                    seconds: HOLDS.as_secs(),
                    source: error,
                });
            }
            tracing::warn!(%error, "Lease not renewed, trying again");
            sleep(PAUSE / 2).await;
        }
    }

    /// One try to renew; the holder's name where another one has the Lease.
    async fn try_renew(&mut self) -> Result<Option<String>, CallError> {
        let mut wanted = self.held.clone().unwrap_or_else(|| self.first());
        if let Some(spec) = &mut wanted.spec {
            spec.renew_time = Some(MicroTime(Timestamp::now()));
        }
        match self.put(&wanted).await {
            Ok(lease) => {
                self.held = Some(lease);
                return Ok(None);
            }
            Err(CallError::Stale { .. } | CallError::Gone { .. } | CallError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
        // It was changed or removed by hand, or taken over.
        let lease = self.get().await?;
        let spec = lease.as_ref().and_then(|lease| lease.spec.clone());
        if let Some(holder) = spec.and_then(|spec| self.other(&spec)) {
            return Ok(Some(holder));
        }
        self.held = Some(lease.map_or_else(|| self.first(), |lease| self.taken_over(lease)));
        Err(CallError::Stale {
            call: format!("update leases {}", self.name),
        })
    }

    /// Who else holds it.
    fn other(&self, spec: &LeaseSpec) -> Option<String> {
        let holder = spec.holder_identity.clone()?;
        (!holder.is_empty() && holder != self.identity).then_some(holder)
    }

    fn first(&self) -> Lease {
        let now = MicroTime(Timestamp::now());
        Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                annotations: self.annotations(None),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
                acquire_time: Some(now.clone()),
                renew_time: Some(now),
                lease_transitions: Some(0),
                ..LeaseSpec::default()
            }),
        }
    }

    fn taken_over(&self, lease: Lease) -> Lease {
        let before = lease.spec.unwrap_or_default();
        let changed = before.holder_identity.as_deref() != Some(&self.identity);
        let transitions = before.lease_transitions.unwrap_or_default();
        let mut wanted = self.first();
        wanted.metadata = lease.metadata;
        wanted.metadata.annotations = self.annotations(wanted.metadata.annotations.take());
        if let Some(spec) = &mut wanted.spec {
            spec.lease_transitions = Some(transitions.saturating_add(i32::from(changed)));
        }
        wanted
    }

    /// Annotations with our address, or without that of another.
    fn annotations(&self, given: Option<BTreeMap<String, String>>) -> Option<BTreeMap<String, String>> {
        let mut annotations = given.unwrap_or_default();
        match self.hub {
            Some(hub) => annotations.insert(ANNOTATION_HUB.to_owned(), hub.to_string()),
            None => annotations.remove(ANNOTATION_HUB),
        };
        Some(annotations).filter(|annotations| !annotations.is_empty())
    }

    async fn get(&self) -> Result<Option<Lease>, CallError> {
        self.call("get", self.api.get_opt(&self.name)).await
    }

    /// Creates it, or replaces the very version it was read at.
    async fn put(&self, lease: &Lease) -> Result<Lease, CallError> {
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        if lease.metadata.resource_version.is_none() {
            return self.call("create", self.api.create(&params, lease)).await;
        }
        self.call("update", self.api.replace(&self.name, &params, lease))
            .await
    }

    /// A call with a limit well below the time the Lease is held.
    async fn call<T>(
        &self,
        verb: &'static str,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, CallError> {
        match timeout(PAUSE, call).await {
            Ok(answer) => answer.map_err(|error| CallError::of(verb, "leases", &self.name, error)),
            Err(_) => Err(CallError::Late {
                call: format!("{verb} leases {}", self.name),
                seconds: PAUSE.as_secs(),
            }),
        }
    }
}

/// Whether a Lease of somebody else has been seen unchanged for as long as it lasts.
fn has_run_out(spec: &LeaseSpec, seen: &mut Option<(LeaseSpec, Instant)>, now: Instant) -> bool {
    let lasts = spec
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(LASTS, Duration::from_secs);
    match seen {
        Some((known, since)) if known == spec => now.duration_since(*since) > lasts,
        _ => {
            *seen = Some((spec.clone(), now));
            false
        }
    }
}

/// Logs a sentence that was not the last one said.
fn say(said: &mut String, sentence: &str) {
    if said != sentence {
        tracing::info!("{sentence}");
        sentence.clone_into(said);
    }
}
