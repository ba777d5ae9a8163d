//! The hub: one for an installation. It knows every application, its processes and the seats of all gateways, and has
//! processes started and ended (SC1–SC6). Decisions are in `crate::apps`; this is what carries them out.

mod board;
mod clerk;
mod gateways;
mod link;
pub mod net;
mod state;
mod task;
mod timers;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::apps::wire::{ToGateway, ToHub};
use crate::apps::{Address, AppId, AppSpec, Deployment, EndCause, Failure, GatewayId, ProcessId};

pub use board::AppSnapshot;
pub use clerk::{Clerk, Teller};
pub use link::{Dial, Line, LocalDial};
pub use task::run;

/// Starts and ends processes. The calls return at once; what comes of them is told by [`FleetEvent`]s.
pub trait Fleet: Send + Sync + fmt::Debug + 'static {
    /// Starts a process under this name, which was never used before.
    fn start(&self, app: &AppId, process: &ProcessId, deployment: &Deployment);

    /// Ends a process, in the way that its kind wants. [`FleetEvent::Ended`] follows in any case, also for a process that
    /// is not known.
    fn end(&self, app: &AppId, process: &ProcessId, cause: EndCause);
}

/// What the hub is told of applications and processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetEvent {
    /// An application is there, or is to be otherwise.
    AppSet {
        /// Which.
        app: AppId,
        /// How it is to be.
        spec: AppSpec,
    },
    /// An application is served no more.
    AppGone {
        /// Which.
        app: AppId,
    },
    /// A process runs that was started before this hub.
    Adopted {
        /// Of which application.
        app: AppId,
        /// Which.
        process: ProcessId,
        /// What it was started from.
        deployment: Deployment,
        /// Where it answers, if it is ready.
        address: Option<Address>,
    },
    /// All applications and all processes from before were told. Until then nothing is started or ended.
    Complete,
    /// A process waits for a place to run in, as a Pod does for its node and images, or has got it.
    Placed {
        /// Of which application.
        app: AppId,
        /// Which.
        process: ProcessId,
        /// Whether it waits.
        waits: bool,
    },
    /// A process answers.
    Ready {
        /// Of which application.
        app: AppId,
        /// Which.
        process: ProcessId,
        /// Where.
        address: Address,
    },
    /// A process could not be started.
    Failed {
        /// Of which application.
        app: AppId,
        /// Which.
        process: ProcessId,
        /// Why.
        failure: Failure,
    },
    /// A process is gone.
    Ended {
        /// Of which application.
        app: AppId,
        /// Which.
        process: ProcessId,
        /// What went wrong, if it was not told to end.
        failure: Option<Failure>,
    },
}

/// How a hub begins.
#[derive(Clone, Debug, Default)]
pub struct HubOptions {
    /// Number of the leadership, higher than that of every hub before.
    pub term: u64,
    /// The gateways there are, if that is known; otherwise the hub waits as long as a gateway can hold seats.
    pub gateways: Option<BTreeSet<GatewayId>>,
    /// `Scheduler.MaxProcessesTotal`: processes of all applications; 0 is no bound.
    pub max_processes_total: u32,
    /// Who answers gateways about the results of visitors; without, such questions fail.
    pub clerk: Option<Arc<dyn Clerk>>,
}

/// Numbers a link of a gateway.
type LinkId = u64;

/// What the task is told.
#[derive(Debug)]
enum Input {
    Fleet(FleetEvent),
    Linked {
        link: LinkId,
        to: mpsc::Sender<ToGateway>,
    },
    Heard {
        link: LinkId,
        message: ToHub,
    },
    Unlinked {
        link: LinkId,
    },
}

/// Messages of gateways that wait for the hub; then their links wait.
const INBOX: usize = 4096;
/// Messages that wait for one gateway; one that falls behind by more is cut off.
const OUTBOX: usize = 1 << 17;

/// Speaks to a hub.
#[derive(Clone, Debug)]
pub struct HubHandle {
    control: mpsc::UnboundedSender<Input>,
    heard: mpsc::Sender<Input>,
    links: Arc<AtomicU64>,
    board: Arc<board::Board>,
}

/// What a hub reads; for [`run`].
#[derive(Debug)]
pub struct HubInbox {
    control: mpsc::UnboundedReceiver<Input>,
    heard: mpsc::Receiver<Input>,
    board: Arc<board::Board>,
}

/// Both ends of a hub that is yet to run.
#[must_use]
pub fn channel() -> (HubHandle, HubInbox) {
    let (control, control_in) = mpsc::unbounded_channel();
    let (heard, heard_in) = mpsc::channel(INBOX);
    let board = Arc::new(board::Board::default());
    let handle = HubHandle {
        control,
        heard,
        links: Arc::default(),
        board: board.clone(),
    };
    let inbox = HubInbox {
        control: control_in,
        heard: heard_in,
        board,
    };
    (handle, inbox)
}

impl HubHandle {
    /// Tells the hub what happened. After its end nobody listens, and nothing follows.
    pub fn tell(&self, event: FleetEvent) {
        let _ended = self.control.send(Input::Fleet(event));
    }

    /// How an application is.
    #[must_use]
    pub fn app(&self, app: &AppId) -> Option<Arc<AppSnapshot>> {
        self.board.get(app)
    }

    /// Waits until applications have changed since the last call, and names them. For one reader: what it was told,
    /// nobody else is.
    pub async fn changed(&self) -> BTreeSet<AppId> {
        self.board.changed().await
    }

    /// A link for a gateway on this machine.
    #[must_use]
    pub fn dial(&self) -> LocalDial {
        LocalDial(self.clone())
    }

    fn next_link(&self) -> LinkId {
        self.links.fetch_add(1, Ordering::Relaxed)
    }
}
