//! One application as the hub sees it: what happened to it, and what follows.
//!
//! What happens is told by the methods of `events`; then [`App::decide`] says what to do, once: asked again without an
//! event between, at the same time, it has nothing to say. Time is an argument everywhere.
//!
//! `max_processes` bounds the processes of the current deployment, from the order to start until they are known to be
//! gone. Those of older deployments that still have sessions come on top, until they are empty or their time is over.
//! Where visitors' accounts have processes of their own, each account's is such an application, and the bound is that of
//! all of them together.

mod decide;
mod drains;
mod events;
mod grants;
mod process;
mod trouble;
mod view;

use std::collections::BTreeMap;
use std::time::Duration;

use super::pools::Others;
use super::types::{Address, AppSpec, Deployment, Failure, GatewayId, ProcessId};
use process::{Phase, Process};
use trouble::Trouble;

pub use trouble::STABLE;
pub use view::AppReport;

/// A point in time: what has passed since a beginning that the caller chose.
pub type Moment = Duration;

/// An application.
#[derive(Clone, Debug)]
pub struct App {
    spec: AppSpec,
    processes: BTreeMap<ProcessId, Process>,
    /// Requests held at each gateway.
    waiting: BTreeMap<GatewayId, u32>,
    trouble: Trouble,
    /// When a visitor was last seen.
    last_use: Option<Moment>,
    /// Whether the installation had no room for a process that is wanted.
    is_short: bool,
    /// When somebody last waited for a seat.
    asked_at: Option<Moment>,
    /// Whether it keeps its turn although nobody waits at this moment.
    keeps_turn: bool,
    /// Whether the application's other pools have the processes that are wanted here.
    is_crowded: bool,
    /// Whether visitors wait who have no seat without one of those.
    is_pressing: bool,
    /// What the other pools had at the last decision.
    others: Others,
    /// How many processes it gives up for them.
    yields: u32,
}

/// What is around an application when it is decided about.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// Gateways that can be told something.
    pub gateways: &'a [GatewayId],
    /// Whether all gateways have told what they hold. Before that, nothing is granted that may be granted already, and
    /// no process counts as empty, but those that this hub started itself.
    pub is_settled: bool,
    /// How many more processes the installation may have.
    pub slots: u32,
    /// What other accounts' pools have of the same application.
    pub others: Others,
    /// How many processes that nobody uses it is to give up for them.
    pub yields: u32,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Start a process.
    Start {
        /// Its name.
        process: ProcessId,
        /// What from.
        deployment: Deployment,
    },
    /// End a process.
    End {
        /// Which.
        process: ProcessId,
        /// Why.
        cause: EndCause,
    },
    /// Tell all gateways of a process that answers.
    Open {
        /// Which.
        process: ProcessId,
        /// Where.
        address: Address,
        /// Whether it takes new sessions.
        accepting: bool,
    },
    /// Tell all gateways that a process is not to be used any more.
    Gone {
        /// Which.
        process: ProcessId,
    },
    /// Give a gateway seats.
    Grant {
        /// Which gateway.
        gateway: GatewayId,
        /// At which process.
        process: ProcessId,
        /// How many.
        seats: u32,
        /// How many seats other gateways use there.
        others: u32,
    },
    /// Ask a gateway for seats.
    Recall {
        /// Which gateway.
        gateway: GatewayId,
        /// At which process.
        process: ProcessId,
        /// How many.
        seats: u32,
    },
}

/// Why a process is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCause {
    /// It was not ready in time.
    NotReady,
    /// Nobody used it for long.
    Idle,
    /// It was drained: another deployment took its place, or there are too many.
    Drained,
    /// It was to drain and its time is over.
    DrainTimeout,
    /// The application may not run.
    Held,
    /// The application is served no more.
    Removed,
}

impl App {
    /// An application without processes.
    #[must_use]
    pub fn new(spec: AppSpec) -> Self {
        Self {
            spec,
            processes: BTreeMap::new(),
            waiting: BTreeMap::new(),
            trouble: Trouble::default(),
            last_use: None,
            is_short: false,
            asked_at: None,
            keeps_turn: false,
            is_crowded: false,
            is_pressing: false,
            others: Others::default(),
            yields: 0,
        }
    }

    /// What it is to be.
    #[must_use]
    pub fn spec(&self) -> &AppSpec {
        &self.spec
    }

    /// Whether it has no process, not even one that ends.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.processes.is_empty()
    }

    /// How many processes there are, those that end included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.processes.len()
    }

    /// Whether a process is known.
    #[must_use]
    pub fn has(&self, process: &ProcessId) -> bool {
        self.processes.contains_key(process)
    }

    /// Whether a process is wanted for which the installation had no room at the last decision.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.is_short
    }

    /// Whether a process is wanted that other pools of the application have.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.is_crowded
    }

    /// Whether somebody waits here, and others' processes that nobody uses are to make room.
    #[must_use]
    pub fn is_pressing(&self) -> bool {
        self.is_pressing
    }

    fn is_current(&self, process: &Process) -> bool {
        process.deployment == self.spec.deployment
    }

    fn waiting(&self) -> u64 {
        self.waiting.values().map(|count| u64::from(*count)).sum()
    }

    /// Processes of the current deployment that are there to meet demand.
    fn open(&self) -> u32 {
        self.count_of(|app, process| app.is_current(process) && process.is_open())
    }

    fn count_of(&self, which: impl Fn(&Self, &Process) -> bool) -> u32 {
        let count = self
            .processes
            .values()
            .filter(|process| which(self, process))
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// How many open processes of the current deployment there are to be.
    fn target(&self) -> u32 {
        let waiting = self.waiting().max(u64::from(self.keeps_turn));
        self.bounded(wanted(&self.spec.bounds, waiting + self.used_of(true)))
    }

    /// How many of them it can not do without: full ones, before others have any. Nobody gives way to a visitor who has left.
    fn needed(&self) -> u32 {
        let most = u64::from(self.spec.bounds.max_connections.max(1));
        // Sessions that come back to a full process are seated there all the same, and another one is no help to them.
        let seated: u64 = self.open_of(true).map(|process| process.used().min(most)).sum();
        let needed = (self.waiting() + seated).div_ceil(most);
        self.bounded(u32::try_from(needed).unwrap_or(u32::MAX))
            .min(self.target())
    }

    fn bounded(&self, wanted: u32) -> u32 {
        let bounds = &self.spec.bounds;
        if self.spec.held.is_some() {
            return 0;
        }
        // Whoever uses an older deployment is a reason to have one process of the new one, which then takes over.
        let takes_over = u32::from(self.used_of(false) > 0);
        wanted
            .max(takes_over)
            .max(bounds.min_processes)
            .min(bounds.max_processes)
    }

    /// Seats that are taken at open processes of the current deployment, or of older ones.
    fn used_of(&self, is_current: bool) -> u64 {
        self.open_of(is_current).map(Process::used).sum()
    }

    fn open_of(&self, is_current: bool) -> impl Iterator<Item = &Process> {
        self.processes
            .values()
            .filter(move |process| self.is_current(process) == is_current && process.is_open())
    }

    fn starting(&self) -> impl Iterator<Item = (&ProcessId, &Process)> {
        self.processes
            .iter()
            .filter(|(_, process)| process.phase == Phase::Starting)
    }
}

/// Processes for so many connections: one more as soon as there are more than the load factor's share of their seats,
/// and never more than connections.
fn wanted(bounds: &super::types::Bounds, connections: u64) -> u32 {
    let full = u64::from(bounds.max_connections) * u64::from(bounds.load_factor_thousandths);
    let by_load = if full == 0 {
        connections
    } else {
        connections.saturating_mul(1000).div_ceil(full)
    };
    u32::try_from(by_load.min(connections)).unwrap_or(u32::MAX)
}

/// The failure of a process that was not ready in time.
fn late(spec: &AppSpec, process: &ProcessId) -> Failure {
    Failure {
        reason: crate::reason::Reason::StartFailed.name().to_owned(),
        message: format!(
            "the application did not answer within {} s; see its log, or raise Scheduler.InitTimeout or initTimeoutSeconds",
            spec.bounds.init_timeout.as_secs()
        ),
        process: Some(process.clone()),
        exit_code: None,
    }
}
