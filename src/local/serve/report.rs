//! What a running server says of itself, to `offhost apps`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerReport {
    /// Its process id.
    pub pid: u32,
    /// Since when it works.
    pub started: Timestamp,
    /// The directory of manifests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifests: Option<String>,
    /// Applications, by name.
    pub apps: Vec<AppLine>,
    /// Jobs of manifests, by name.
    pub jobs: Vec<JobLine>,
    /// What is wrong with manifests, one sentence each.
    pub faults: Vec<String>,
}

/// One application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppLine {
    /// Its name.
    pub name: String,
    /// `Ready`, `Starting`, `Idle`, `Busy`, `Queued`, `Preparing`, `Failed`, `Held` or `Served`, which is that of files.
    pub state: String,
    /// What it is: the name of the kind of content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Where it is found.
    pub url: String,
    /// The content item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The bundle that new sessions get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<u64>,
    /// Processes that exist.
    pub processes: Vec<ProcessLine>,
    /// Processes that take new sessions.
    pub ready: u32,
    /// Sessions and connections at this moment.
    pub sessions: u32,
    /// Requests that are held until there is a seat.
    pub waiting: u32,
    /// When a visitor was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_use: Option<Timestamp>,
    /// What went wrong last, until a process is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<FailureLine>,
    /// Why what its manifest asks for is not in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The manifest.
    pub manifest: String,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessLine {
    /// Its key: `offhost logs CONTENT/KEY` shows its output.
    pub key: String,
    /// The visitor's account that it runs as, where that is not the application's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whether it belongs to an older deployment and drains.
    pub drains: bool,
}

/// A failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureLine {
    /// When.
    pub time: Timestamp,
    /// A word of the closed list.
    pub reason: String,
    /// What happened and what to do.
    pub message: String,
    /// The process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}

/// One job of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobLine {
    /// Its name.
    pub name: String,
    /// `Waiting`, `Running`, `Succeeded` or `Failed`; of a schedule `Scheduled` or `Suspended`.
    pub state: String,
    /// What became of it in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The manifest.
    pub manifest: String,
}
