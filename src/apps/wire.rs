//! What gateways and the hub say to each other. The order of the messages of one link matters; a link that lost one is
//! given up, and the next begins with everything that the gateway holds.

use core::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::types::{Address, AppId, Failure, GatewayId, ProcessId};
use crate::asked::{Question, Reply};

/// Version of these words; a hub gives no seats to a gateway that speaks another.
pub const VERSION: u32 = 3;
/// How often each side says that it lives.
pub const BEAT: Duration = Duration::from_secs(1);
/// How long a gateway spends seats on new sessions after the last of its beats that the hub answered, counted from when
/// it was sent: less than [`LOST`], so that no seat is spent after the hub gave it to somebody else.
pub const LEASE: Duration = Duration::from_secs(8);
/// How long the hub keeps the seats of a gateway that it does not hear.
pub const LOST: Duration = Duration::from_secs(10);
/// How long changes that nobody waits for are collected before the hub is told.
pub const COALESCE: Duration = Duration::from_millis(50);

/// A gateway, as others reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerGateway {
    /// Its name.
    pub gateway: GatewayId,
    /// Where it listens for others.
    pub address: SocketAddr,
}

/// What a gateway tells of its seats at one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeatUse {
    /// The process.
    pub process: ProcessId,
    /// Seats that the gateway may spend.
    pub granted: u32,
    /// Seats that are taken; more than granted where sessions came back.
    pub used: u32,
    /// Sessions that hold a seat.
    pub sessions: u32,
}

/// From a gateway to the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ToHub {
    /// The first message of a link; what is held follows.
    Hello {
        /// Who speaks.
        gateway: GatewayId,
        /// [`VERSION`] of the gateway.
        version: u32,
        /// Where other gateways reach it, if they do.
        address: Option<SocketAddr>,
    },
    /// Part of the greeting: what is held and waited for of one application.
    Held(Report),
    /// The greeting is complete.
    Told,
    /// What has changed.
    Report(Report),
    /// Seats that the gateway does not spend any more.
    Return {
        /// The application.
        app: AppId,
        /// The process.
        process: ProcessId,
        /// How many are given back.
        seats: u32,
        /// How many the hub had asked for with the message that this answers; 0 if it did not ask.
        answered: u32,
    },
    /// The gateway lives; the hub sends the number back.
    Beat(u64),
    /// About the results of a visitor. Asked again, of this hub or the next, until it is answered.
    Ask {
        /// Tells the answer whose it is.
        number: u64,
        /// The application.
        app: AppId,
        /// What is asked.
        question: Question,
    },
}

/// Demand for an application at one gateway, and the use of its processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The application.
    pub app: AppId,
    /// Requests that are held until there is a seat.
    pub waiting: u32,
    /// Processes whose seats were taken or left since the last report.
    pub uses: Vec<SeatUse>,
}

/// From the hub to a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ToGateway {
    /// Answers the greeting.
    Welcome {
        /// Number of the leadership: a gateway does not go back to an earlier one.
        term: u64,
    },
    /// How an application is; the first for an application makes it known.
    State {
        /// The application.
        app: AppId,
        /// How it is.
        stage: Stage,
    },
    /// The application is served no more.
    Removed {
        /// The application.
        app: AppId,
    },
    /// A process answers.
    Open {
        /// The application.
        app: AppId,
        /// The process.
        process: ProcessId,
        /// Where it answers.
        address: Address,
        /// Whether it takes new sessions; otherwise it drains.
        accepting: bool,
    },
    /// A process is ended or ends.
    Gone {
        /// The application.
        app: AppId,
        /// The process.
        process: ProcessId,
    },
    /// Seats to spend.
    Grant {
        /// The application.
        app: AppId,
        /// The process.
        process: ProcessId,
        /// How many more.
        seats: u32,
        /// Seats of the process that other gateways were using then.
        others: u32,
    },
    /// Seats that another gateway needs, or that nobody is to take any more.
    Recall {
        /// The application.
        app: AppId,
        /// The process.
        process: ProcessId,
        /// How many, if they are free.
        seats: u32,
    },
    /// All gateways that others reach, this one included; it replaces what was told before.
    Peers(Vec<PeerGateway>),
    /// Everything was told: what was not named is not there.
    Synced,
    /// Sends a beat's number back.
    Beat(u64),
    /// Answers a question.
    Answered {
        /// The question's number.
        number: u64,
        /// The answer.
        reply: Reply,
    },
}

/// How an application is, as gateways have to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// No process, and none starts.
    Idle,
    /// A process starts.
    Starting {
        /// For so long already.
        elapsed: Duration,
    },
    /// A process takes visitors, or another will be started for them.
    Ready,
    /// All processes are full and no more are allowed.
    Busy,
    /// No process, and none can be started until one of another application ends.
    Queued,
    /// The last process failed, and the next is not tried yet.
    Failed(Failure),
    /// Nothing may run.
    Held(Failure),
}
