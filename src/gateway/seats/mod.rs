//! The seats of a gateway: the backend that takes them from the hub, and holds requests until there is one.
//!
//! A request to an application with free seats asks nobody: seats were granted before, and only the application's own
//! lock is taken. `desk` is one application, `link` what is said to the hub.

mod desk;
mod link;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::desk::{Answer, Desk};
use super::backend::{AppState, Backend, Claim, NoSeat, Seat};
use super::questions::Questions;
use crate::apps::wire::PeerGateway;
use crate::apps::{AppId, GatewayId, Moment};
use crate::hub::Dial;

/// How a gateway holds requests.
#[derive(Clone, Debug)]
pub struct SeatsOptions {
    /// The name of this gateway.
    pub gateway: GatewayId,
    /// `Gateway.QueueLength`: requests held for one application.
    pub queue_length: u32,
    /// Where other gateways reach this one, if there may be others.
    pub address: Option<SocketAddr>,
}

/// Seats at the processes of all applications.
#[derive(Debug)]
pub struct Seats {
    shared: Arc<Shared>,
    task: AbortHandle,
}

const SHARDS: usize = 32;

/// What requests and the link have in common.
#[derive(Debug)]
struct Shared {
    options: SeatsOptions,
    began: Instant,
    /// In parts, so that requests to different applications do not meet at one lock.
    apps: [RwLock<HashMap<AppId, Arc<Desk>>>; SHARDS],
    /// Applications of which the hub is to be told.
    dirty: Mutex<Vec<Arc<Desk>>>,
    /// Applications to which somebody came back whose process is not known: the hub is asked whether it has told all.
    news: Mutex<Vec<Arc<Desk>>>,
    /// Something is dirty.
    wake: Notify,
    /// Somebody waits for the hub to be told.
    is_urgent: AtomicBool,
    /// Until when seats may be spent on new sessions, in milliseconds since the beginning.
    lease_until: AtomicU64,
    /// Whether the hub has told everything on the present link.
    is_synced: watch::Sender<bool>,
    /// Whether it ever did.
    was_synced: watch::Sender<bool>,
    /// What is asked besides.
    questions: Arc<Questions>,
    is_closing: AtomicBool,
    /// All gateways, as the hub tells.
    peers: watch::Sender<Vec<PeerGateway>>,
}

impl Seats {
    /// Begins, with a task that keeps the link to the hub.
    #[must_use]
    pub fn start(options: SeatsOptions, dial: Arc<dyn Dial>) -> Self {
        Self::asking(options, dial, Arc::default())
    }

    /// Begins, with a link that carries these questions too.
    #[must_use]
    pub fn asking(options: SeatsOptions, dial: Arc<dyn Dial>, questions: Arc<Questions>) -> Self {
        let shared = Arc::new(Shared {
            options,
            began: Instant::now(),
            apps: std::array::from_fn(|_| RwLock::default()),
            dirty: Mutex::default(),
            news: Mutex::default(),
            wake: Notify::new(),
            is_urgent: AtomicBool::new(false),
            lease_until: AtomicU64::new(0),
            is_synced: watch::Sender::new(false),
            was_synced: watch::Sender::new(false),
            questions,
            is_closing: AtomicBool::new(false),
            peers: watch::Sender::default(),
        });
        let task = tokio::spawn(link::keep(shared.clone(), dial)).abort_handle();
        Self { shared, task }
    }

    /// Waits until the hub has told of all applications for the first time.
    pub async fn known(&self) {
        let mut known = self.shared.was_synced.subscribe();
        let _never_fails = known.wait_for(|known| *known).await;
    }

    /// All gateways of the installation, as the hub told last.
    #[must_use]
    pub fn peers(&self) -> watch::Receiver<Vec<PeerGateway>> {
        self.shared.peers.subscribe()
    }

    /// Whether the hub has told of all applications, and answers.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        *self.shared.is_synced.borrow()
    }

    /// Nobody is held any more: the gateway ends. Seats that are taken stay, and sessions that come back are seated.
    pub fn close(&self) {
        self.shared.is_closing.store(true, Ordering::Relaxed);
        for desk in self.shared.all() {
            desk.dismiss(&self.shared, &NoSeat::Closing);
        }
    }
}

impl Drop for Seats {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Backend for Seats {
    fn take(&self, claim: Claim) -> BoxFuture<'_, Result<Seat, NoSeat>> {
        Box::pin(self.shared.take(claim))
    }

    fn state(&self, app: &AppId) -> Option<watch::Receiver<AppState>> {
        Some(self.shared.desk(app)?.watch())
    }
}

impl Shared {
    async fn take(self: &Arc<Self>, claim: Claim) -> Result<Seat, NoSeat> {
        let desk = match self.desk(&claim.app) {
            Some(desk) => desk,
            None => self.desk_after_sync(&claim).await?,
        };
        let Some(account) = claim.account.clone() else {
            return self.take_at(&desk, claim).await;
        };
        let pool = claim.app.pool(&account);
        let begun = Instant::now();
        let patience = claim.patience;
        let first = self.take_at(&self.desk_or_new(&pool), claim.clone()).await;
        let is_served = || self.desk(&claim.app).is_some();
        match first {
            // The hub had forgotten the pool, as nobody needed it: for whoever comes it is made again.
            Err(NoSeat::Unknown) if is_served() => {
                let patience = patience.saturating_sub(begun.elapsed());
                let again = Claim {
                    patience,
                    ..claim.clone()
                };
                match self.take_at(&self.desk_or_new(&pool), again).await {
                    Err(NoSeat::Unknown) if is_served() => Err(NoSeat::Closing),
                    answer => answer,
                }
            }
            answer => answer,
        }
    }

    async fn take_at(self: &Arc<Self>, desk: &Arc<Desk>, claim: Claim) -> Result<Seat, NoSeat> {
        let patience = claim.patience;
        match desk.ask(self, claim) {
            Answer::Seat(seat) => Ok(seat),
            Answer::None(reason) => Err(reason),
            Answer::Wait(mut ticket) => match tokio::time::timeout(patience, ticket.called()).await {
                Ok(answer) => answer,
                Err(_) => Err(desk.impatient(self)),
            },
        }
    }

    /// At the beginning the hub is asked first, what there is.
    async fn desk_after_sync(&self, claim: &Claim) -> Result<Arc<Desk>, NoSeat> {
        let mut known = self.was_synced.subscribe();
        let waited = tokio::time::timeout(claim.patience, known.wait_for(|known| *known)).await;
        if waited.is_err() {
            return Err(NoSeat::Closing);
        }
        self.desk(&claim.app).ok_or(NoSeat::Unknown)
    }

    fn now(&self) -> Moment {
        self.began.elapsed()
    }

    /// Whether seats may be spent on new sessions.
    fn is_leased(&self, now: Moment) -> bool {
        now < Duration::from_millis(self.lease_until.load(Ordering::Acquire))
    }

    fn shard(&self, app: &AppId) -> &RwLock<HashMap<AppId, Arc<Desk>>> {
        let mut hasher = DefaultHasher::new();
        app.hash(&mut hasher);
        let index = usize::try_from(hasher.finish() % SHARDS as u64).unwrap_or_default();
        &self.apps[index]
    }

    fn desk(&self, app: &AppId) -> Option<Arc<Desk>> {
        let shard = self.shard(app).read().unwrap_or_else(PoisonError::into_inner);
        shard.get(app).cloned()
    }

    fn desk_or_new(&self, app: &AppId) -> Arc<Desk> {
        let mut shard = self.shard(app).write().unwrap_or_else(PoisonError::into_inner);
        shard
            .entry(app.clone())
            .or_insert_with(|| Arc::new(Desk::new(app.clone())))
            .clone()
    }

    fn remove(&self, app: &AppId) -> Option<Arc<Desk>> {
        let mut shard = self.shard(app).write().unwrap_or_else(PoisonError::into_inner);
        shard.remove(app)
    }

    fn all(&self) -> Vec<Arc<Desk>> {
        let read = |shard: &RwLock<HashMap<AppId, Arc<Desk>>>| {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            shard.values().cloned().collect::<Vec<_>>()
        };
        self.apps.iter().flat_map(read).collect()
    }

    /// Asks the hub whether it has told everything of an application.
    fn ask_news(&self, desk: Arc<Desk>) {
        self.news
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(desk);
        self.is_urgent.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Notes that the hub is to be told of an application.
    fn note(&self, desk: Option<Arc<Desk>>, is_urgent: bool) {
        let is_new = desk.is_some();
        if let Some(desk) = desk {
            self.dirty
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(desk);
        }
        if is_urgent {
            self.is_urgent.store(true, Ordering::Release);
        }
        if is_new || is_urgent {
            self.wake.notify_one();
        }
    }
}
