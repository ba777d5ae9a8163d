//! The replica that leads: it takes over what there is, looks at jobs, and gives the Lease back in the end.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::process::getegid;
use tokio::net::TcpListener;
use tokio::time::{Instant, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::api::Calls;
use super::apps::{Apps, PodFleet};
use super::context::{Clock, Context, Held, Paces, Site};
use super::disk::Disk;
use super::forms::{Forms, FormsClerk};
use super::lease::{Leadership, Tenure};
use super::run::RunError;
use super::runtimes::RuntimesFile;
use super::view::View;
use super::worker::triggers;
use super::{adopt, apps, events, features, reconcile, worker};
use crate::asked::{PURPOSE, Sealing};
use crate::cluster::client::Connection;
use crate::gateway::cluster::make_keys;
use crate::gather;
use crate::hub::net::HubKey;
use crate::hub::{self, HubHandle, HubInbox, HubOptions};
use crate::names::LEASE;
use crate::plan::Mode;
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// How long looks that are under way may take to end: a Pod has 30 s between its two signals.
const TO_END: Duration = Duration::from_secs(20);
/// Pause before keys are tried to be made again.
const PAUSE: Duration = Duration::from_secs(2);
/// Time between two sweeps of the volume.
const SWEEP: Duration = Duration::from_secs(3600);

/// What a replica needs to lead.
#[derive(Debug)]
pub struct Leader {
    /// The cluster.
    pub connection: Connection,
    /// Name of the Pod that this runs in.
    pub pod_name: String,
    /// What the watches tell.
    pub view: Arc<View>,
    /// The volume.
    pub disk: Disk,
    /// The settings.
    pub settings: Arc<Settings>,
    /// `runtimes.yaml`.
    pub runtimes: Arc<RuntimesFile>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Claim of the data directory.
    pub claim: String,
    /// Image of the helper.
    pub exec_image: String,
    /// Where gateways find this replica, as it takes their links.
    pub hub: SocketAddr,
    /// The port for those links.
    pub hub_port: TcpListener,
    /// The hub of the applications; this replica's once it leads.
    pub hub_ends: (HubHandle, HubInbox),
}

impl Leader {
    /// Waits for the Lease, works until `stop`, and gives the Lease back.
    ///
    /// # Errors
    /// The Lease is lost: another replica may be at work.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        // Who can not see would lead, and hold up who can.
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = self.view.health.ready() => {}
        }
        let Connection {
            client, namespace, ..
        } = &self.connection;
        let mut leadership = Leadership::new(client, namespace, LEASE, &self.pod_name).with_hub(self.hub);
        if !leadership.acquire(&stop).await {
            return Ok(());
        }
        tracing::info!("Leading");
        let metrics = self.metrics.clone();
        metrics.leader.set(1);
        let (tenure, term) = (leadership.tenure(), leadership.term());
        tokio::select! {
            lost = leadership.keep() => return Err(lost.into()),
            () = self.work(tenure, term, stop) => {}
        }
        metrics.leader.set(0);
        if let Err(error) = leadership.release().await {
            tracing::warn!("Lease not given back, it runs out by itself: {error}");
        }
        Ok(())
    }

    async fn work(self, tenure: Tenure, term: u64, stop: CancellationToken) {
        let Connection {
            client, namespace, ..
        } = &self.connection;
        let calls = Calls::new(client, namespace);
        let Some(delivery) = features::delivery(&calls, &self.settings.kubernetes, &stop).await else {
            return;
        };
        let (sender, waiting) = events::events();
        let publisher = tokio::spawn(events::publish(client.clone(), self.pod_name.clone(), waiting));
        let (handle, inbox) = self.hub_ends;
        let apps = Arc::new(Apps::new(handle));
        let context = Arc::new(Context {
            calls,
            apps: apps.clone(),
            view: self.view.clone(),
            disk: self.disk,
            settings: self.settings,
            runtimes: self.runtimes,
            site: Site {
                namespace: namespace.clone(),
                claim: self.claim,
                exec_image: self.exec_image,
                delivery,
            },
            metrics: self.metrics.clone(),
            events: sender,
            tenure,
            clock: Clock::default(),
            held: Held::default(),
            sealing: OnceLock::new(),
            paces: Paces::default(),
        });
        if adopt::adopt(&context, &stop).await {
            let Some(key) = hub_key(&context, &stop).await else {
                return;
            };
            let sealing = Arc::new(Sealing::new(key.seed(PURPOSE)));
            context.sealing.get_or_init(|| sealing);
            let fleet = Arc::new(PodFleet::new(context.clone()));
            apps::adopt(&context, &fleet);
            let forms = Forms::open(&context).await;
            let options = HubOptions {
                term,
                clerk: Some(Arc::new(FormsClerk(forms.clone()))),
                max_processes_total: context.settings.scheduler.apps.max_processes_total,
                ..HubOptions::default()
            };
            let links = hub::net::serve(self.hub_port, apps.hub().clone(), key);
            let beside = [
                AbortOnDropHandle::new(tokio::spawn(links)),
                AbortOnDropHandle::new(tokio::spawn(hub::run(inbox, fleet, options))),
                AbortOnDropHandle::new(tokio::spawn(apps::tell_of_changes(apps, context.view.clone()))),
                AbortOnDropHandle::new(tokio::spawn(forms.follow())),
            ];
            look_at_jobs(context, self.metrics, &stop).await;
            drop(beside);
        }
        publisher.abort();
    }
}

/// The secret that is shared with gateways, made first where it is missing. `None` where `stop` came first.
async fn hub_key(context: &Context, stop: &CancellationToken) -> Option<HubKey> {
    let mut said = String::new();
    loop {
        let settings = context.settings.clone();
        let read = tokio::task::spawn_blocking(move || read_hub_key(&settings)).await;
        let error = match read {
            Ok(Ok(key)) => return Some(key),
            Ok(Err(error)) => error,
            Err(error) => error.to_string(),
        };
        if said != error {
            tracing::warn!("No keys for gateways yet, trying again: {error}");
            said = error;
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = sleep(PAUSE) => {}
        }
    }
}

fn read_hub_key(settings: &Settings) -> Result<HubKey, String> {
    let accounts = gather::accounts(Mode::Pod, settings, None).map_err(|error| error.to_string())?;
    let account = accounts.accounts.get(&settings.applications.run_as);
    let group = account.map_or_else(|| getegid().as_raw(), |account| account.gid);
    let path = make_keys(settings, group).map_err(|error| error.to_string())?;
    HubKey::read(&path).map_err(|error| error.to_string())
}

/// Looks at jobs until `stop`, and sweeps the volume now and then.
async fn look_at_jobs(context: Arc<Context>, metrics: Arc<Metrics>, stop: &CancellationToken) {
    let (triggers, asked) = triggers();
    context.view.look_from_now_on(triggers);
    let sweeps = tokio::spawn(sweep(context.clone()));
    let queued = move |count| {
        metrics.queued.set(i64::try_from(count).unwrap_or(i64::MAX));
    };
    let told = stop.clone();
    let looks = worker::work(asked, stop.clone(), queued, move |key| {
        reconcile::look(context.clone(), key)
    });
    let mut looks = std::pin::pin!(looks);
    tokio::select! {
        () = &mut looks => {}
        () = told.cancelled() => {
            if timeout(TO_END, looks).await.is_err() {
                tracing::warn!("Looks at jobs cut off; the next leader makes them again");
            }
        }
    }
    sweeps.abort();
}

/// Removes what nobody holds, from time to time.
async fn sweep(context: Arc<Context>) {
    let mut round = interval_at(Instant::now() + SWEEP, SWEEP);
    loop {
        round.tick().await;
        let now = context.now();
        match context.disk.with(move |volume| volume.sweep(now)).await {
            Ok(swept) => adopt::tell(&swept),
            Err(error) => tracing::warn!("Volume not swept: {error}"),
        }
    }
}
