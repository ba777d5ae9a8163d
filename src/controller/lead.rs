//! The replica that leads: it takes over what there is, looks at jobs, and gives the Lease back in the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use super::api::Calls;
use super::context::{Clock, Context, Held, Paces, Site};
use super::disk::Disk;
use super::lease::{Leadership, Tenure};
use super::run::RunError;
use super::runtimes::RuntimesFile;
use super::view::View;
use super::worker::triggers;
use super::{adopt, events, features, reconcile, worker};
use crate::cluster::client::Connection;
use crate::names::LEASE;
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// How long looks that are under way may take to end: a Pod has 30 s between its two signals.
const TO_END: Duration = Duration::from_secs(20);
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
        let mut leadership = Leadership::new(client, namespace, LEASE, &self.pod_name);
        if !leadership.acquire(&stop).await {
            return Ok(());
        }
        tracing::info!("Leading");
        let metrics = self.metrics.clone();
        metrics.leader.set(1);
        let tenure = leadership.tenure();
        tokio::select! {
            lost = leadership.keep() => return Err(lost.into()),
            () = self.work(tenure, stop) => {}
        }
        metrics.leader.set(0);
        if let Err(error) = leadership.release().await {
            tracing::warn!("Lease not given back, it runs out by itself: {error}");
        }
        Ok(())
    }

    async fn work(self, tenure: Tenure, stop: CancellationToken) {
        let Connection {
            client, namespace, ..
        } = &self.connection;
        let calls = Calls::new(client, namespace);
        let Some(delivery) = features::delivery(&calls, &self.settings.kubernetes, &stop).await else {
            return;
        };
        let (sender, waiting) = events::events();
        let publisher = tokio::spawn(events::publish(client.clone(), self.pod_name.clone(), waiting));
        let context = Arc::new(Context {
            calls,
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
            paces: Paces::default(),
        });
        if adopt::adopt(&context, &stop).await {
            look_at_jobs(context, self.metrics, &stop).await;
        }
        publisher.abort();
    }
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
