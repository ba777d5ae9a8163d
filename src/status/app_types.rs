//! What the controller sees of an application, and what is decided about it. Plain data.

use jiff::Timestamp;

use super::types::{BundleSeen, EnvironmentSeen, EventRecord, Problem};
use crate::api::app_status::{ContentAppStatus, ProcessFailure};

/// Everything that was found out about an application besides itself.
#[derive(Clone, Debug, PartialEq)]
pub struct AppWorld {
    /// The deployment that new processes are made from, as soon as that is known.
    pub bundle: Option<BundleSeen>,
    /// Kind of the content, as the publishing clients write it.
    pub app_mode: Option<String>,
    /// What reading and planning it gave.
    pub planned: AppPlanned,
    /// Its processes.
    pub numbers: AppNumbers,
    /// Why a process that starts does not get on: its image, its node, a volume.
    pub starting: Option<Problem>,
    /// Where it is found.
    pub url: Option<String>,
    /// Selects its Pods.
    pub selector: Option<String>,
}

/// What reading and planning an application gave.
#[derive(Clone, Debug, PartialEq)]
pub enum AppPlanned {
    /// It can not be served as it is written; trying again does not help.
    Refused(Problem),
    /// Something is missing that may still come.
    Waiting(Problem),
    /// It is files, which need no process.
    Files,
    /// It has processes.
    Ready(AppReady),
}

/// An application that can be served by processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppReady {
    /// The chosen entry of `runtimes.yaml`.
    pub runtime: String,
    /// Its image.
    pub image: String,
    /// The environments it needs.
    pub environments: Vec<EnvironmentSeen>,
}

/// The processes of an application.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppNumbers {
    /// Processes that exist.
    pub processes: i32,
    /// Processes that take new sessions.
    pub ready: i32,
    /// Sessions and connections.
    pub sessions: i32,
    /// Whether a process is wanted that has to wait for one of another application to end.
    pub queued: bool,
    /// When a visitor was last seen.
    pub last_use: Option<Timestamp>,
    /// The last failure, until a process is ready.
    pub failure: Option<ProcessFailure>,
}

/// What is decided.
#[derive(Clone, Debug, PartialEq)]
pub struct AppNext {
    /// The status to write; equal to the present one if nothing changed.
    pub status: ContentAppStatus,
    /// Why no new process may be started; none where they may.
    pub held: Option<Problem>,
    /// Environments to be installed first.
    pub install: Vec<EnvironmentSeen>,
    /// Events to publish.
    pub events: Vec<EventRecord>,
}
