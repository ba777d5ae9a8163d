//! What a `ContentApp` says of itself. No phase: conditions tell everything.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::EnvironmentStatus;

/// Condition: it can be served. False where something that it names is wrong or missing, or where it is suspended.
pub const READY: &str = "Ready";
/// Condition: at least one process takes visitors.
pub const ACTIVE: &str = "Active";

/// What was seen of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentAppStatus {
    /// The generation that this was written for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` and `Active`, each with a reason and a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// The content item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub content: Option<String>,
    /// The kind of content (`appmode`), as it was found in the bundle or asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub app_mode: Option<String>,
    /// Number of the bundle that new sessions get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub bundle: Option<String>,
    /// The chosen entry of `runtimes.yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub runtime: Option<String>,
    /// The image of that entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub image: Option<String>,
    /// Where it is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub url: Option<String>,
    /// Processes that exist, those that start or drain included.
    #[serde(default)]
    pub processes: i32,
    /// Processes that take new sessions.
    #[serde(default)]
    pub ready_processes: i32,
    /// Sessions and connections at this moment.
    #[serde(default)]
    pub sessions: i32,
    /// Selects its Pods, for `kubectl scale` and autoscalers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub selector: Option<String>,
    /// When a visitor was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_use_time: Option<Time>,
    /// The environments that it needs, and the job that installs each that is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub environments: Vec<EnvironmentStatus>,
    /// The last process that failed, until one of the same deployment is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<ProcessFailure>,
}

/// A process that did not get ready, or ended by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProcessFailure {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Time>,
    /// The reason, a word of the closed list.
    #[serde(default)]
    #[schemars(length(max = 63))]
    pub reason: String,
    /// What happened and what to do, in one sentence.
    #[serde(default)]
    #[schemars(length(max = 32768))]
    pub message: String,
    /// The Pod, or the key of the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub process: Option<String>,
    /// Exit code, if it exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}
