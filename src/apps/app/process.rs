//! One process of an application, as the hub knows it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Moment;
use crate::apps::{Address, Deployment, GatewayId};

/// How long a process may wait for its place: a node may have to be added to the cluster, and large images be fetched.
const LONGEST_PLACING: Duration = Duration::from_secs(600);

/// How far a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It was started and does not answer yet.
    Starting,
    /// It answers.
    Ready,
    /// It was told to end and is not gone yet.
    Ending,
}

/// Why a process gets no new sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Another deployment took its place.
    Replaced,
    /// The bound was lowered below the number of processes.
    Excess,
    /// Nothing may run.
    Held,
}

/// Since when, and why, a process gets no new sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drain {
    pub(super) since: Moment,
    pub(super) cause: Cause,
}

/// Seats of a process at one gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// The most that the gateway may have.
    pub(super) granted: u32,
    /// How many of them were called back and not answered yet.
    pub(super) recalled: u32,
    /// Taken, as last reported.
    pub(super) used: u32,
    /// Sessions among them.
    pub(super) sessions: u32,
}

impl Share {
    /// Seats that the gateway can still spend.
    pub(super) fn free(&self) -> u32 {
        self.granted
            .saturating_sub(self.recalled)
            .saturating_sub(self.used)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) deployment: Deployment,
    pub(super) phase: Phase,
    pub(super) address: Option<Address>,
    /// When it was asked for, or taken over.
    pub(super) asked: Moment,
    /// From when on its time to get ready counts.
    pub(super) begun: Moment,
    /// Whether it waits for a place to run in, as for a node or an image.
    pub(super) waits: bool,
    /// When it became ready.
    pub(super) ready_at: Moment,
    /// Whether this hub started it, so that nobody can hold seats that this hub does not know of.
    pub(super) fresh: bool,
    pub(super) drain: Option<Drain>,
    /// It was idle for long: all seats are called back, and it ends when they are here. Nobody outside knows, so that it
    /// can go on as if nothing were when somebody came first.
    pub(super) closing: bool,
    pub(super) shares: BTreeMap<GatewayId, Share>,
    /// When a seat was last known to be taken.
    pub(super) last_seat: Moment,
}

impl Process {
    pub(super) fn starting(deployment: Deployment, now: Moment) -> Self {
        Self {
            deployment,
            phase: Phase::Starting,
            address: None,
            asked: now,
            begun: now,
            waits: false,
            ready_at: now,
            fresh: true,
            drain: None,
            closing: false,
            shares: BTreeMap::new(),
            last_seat: now,
        }
    }

    /// When it is late, as it has so long to get ready.
    pub(super) fn late_at(&self, init: Duration) -> Moment {
        let longest = self.asked + LONGEST_PLACING + init;
        if self.waits {
            longest
        } else {
            longest.min(self.begun + init)
        }
    }

    /// Takes new sessions, as far as anybody outside knows.
    pub(super) fn is_accepting(&self) -> bool {
        self.phase == Phase::Ready && self.drain.is_none()
    }

    /// Counts for what is there to meet demand.
    pub(super) fn is_open(&self) -> bool {
        self.phase != Phase::Ending && self.drain.is_none()
    }

    pub(super) fn used(&self) -> u64 {
        self.sum(|share| share.used)
    }

    pub(super) fn granted(&self) -> u64 {
        self.sum(|share| share.granted)
    }

    pub(super) fn sessions(&self) -> u64 {
        self.sum(|share| share.sessions)
    }

    /// Seats that no gateway has, and that nobody has beyond what gateways have.
    pub(super) fn room(&self, most: u32) -> u32 {
        let taken = self.sum(|share| share.granted.max(share.used));
        most.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    fn sum(&self, of: impl Fn(&Share) -> u32) -> u64 {
        self.shares.values().map(|share| u64::from(of(share))).sum()
    }
}
