//! What the gateway asks for: a seat at a process. Given by the hub's link, on one machine and on a cluster alike.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::apps::{AccountName, Address, AppId, Failure, ProcessId};
use crate::visitors::Visitor;

/// What a request wants of an application.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The application.
    pub app: AppId,
    /// The session of the visitor, if the application has sessions.
    pub session: Option<SessionClaim>,
    /// Who asks; nobody who is known when empty.
    pub visitor: Option<Arc<Visitor>>,
    /// The account whose processes alone it may come to; the application's own ones when empty.
    pub account: Option<AccountName>,
    /// What the seat is for.
    pub purpose: Purpose,
    /// How long the request may be held until a process can take it.
    pub patience: Duration,
}

/// A session: seats of one session at one process count as one, but for its WebSockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClaim {
    /// Its random number.
    pub id: u128,
    /// The process that it began with, where it did begin.
    pub process: Option<ProcessId>,
}

/// What a seat is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A page that a person opens: its session keeps the seat a few seconds longer, for the WebSocket that follows.
    Page,
    /// Any other request.
    Request,
    /// A WebSocket.
    Socket,
}

/// A seat at a process, given back when it is dropped.
pub struct Seat {
    /// The process.
    pub process: ProcessId,
    /// Where it answers.
    pub address: Address,
    /// Whether the session begins here: its cookie has to be set.
    pub new_session: bool,
    /// Gives it back.
    pub guard: Box<dyn Send + Sync>,
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("process", &self.process)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Why there is no seat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoSeat {
    /// The application is not known (any more).
    Unknown,
    /// Nothing may run at present.
    Held(Failure),
    /// The process did not get ready, and none is started for this visitor again so soon.
    Failed(Failure),
    /// All processes are full and no more are allowed.
    Busy,
    /// It has no process, and the server has no room for another one.
    Queued,
    /// Too many requests are held already.
    QueueFull,
    /// None was ready within the patience of the claim; one still starts.
    Starting {
        /// Since when.
        since: Instant,
    },
    /// The gateway ends, or has lost the hub.
    Closing,
}

/// What a page that waits is told of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppState {
    /// No process, and none starts.
    Idle,
    /// A process starts.
    Starting {
        /// Since when.
        since: Instant,
    },
    /// A process can take visitors.
    Ready,
    /// All are full.
    Busy,
    /// There is none, and no room for one.
    Queued,
    /// The last process failed, or none may run.
    Failed(Failure),
}

/// Gives seats.
pub trait Backend: Send + Sync + fmt::Debug + 'static {
    /// A seat, as soon as there is one within the claim's patience.
    fn take(&self, claim: Claim) -> BoxFuture<'_, Result<Seat, NoSeat>>;

    /// How an application is, now and from now on; `None` where it is not known.
    fn state(&self, app: &AppId) -> Option<watch::Receiver<AppState>>;
}
