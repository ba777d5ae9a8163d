//! What a `ContentJob` says of itself. No phase: conditions tell everything.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Condition: the job can be done. False where something that it names is wrong or missing.
pub const ACCEPTED: &str = "Accepted";
/// Condition: every package that the content needs is installed.
pub const ENVIRONMENT_READY: &str = "EnvironmentReady";
/// Condition: a node was found for the Pod of the current attempt.
pub const POD_SCHEDULED: &str = "PodScheduled";
/// Condition: True when the job has succeeded, False when it has failed for good, Unknown before.
pub const SUCCEEDED: &str = "Succeeded";

/// What was seen of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContentJobStatus {
    /// The generation of the job that this was written for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Accepted`, `EnvironmentReady`, `PodScheduled` and `Succeeded`, each with a reason and a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// Number of the bundle that the job works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub bundle: Option<String>,
    /// The content item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub content: Option<String>,
    /// The chosen entry of `runtimes.yaml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub runtime: Option<String>,
    /// The image of that entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub image: Option<String>,
    /// The Pod of the current or last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub pod_name: Option<String>,
    /// The node of that Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub node_name: Option<String>,
    /// When the first attempt was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When the job was finished for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// Exit code of the last process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The environments that the job needs, and the job that installs each that is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub environments: Vec<EnvironmentStatus>,
    /// The attempts, the last one at the end. Where they are too many, the oldest of those that the cluster ended are
    /// dropped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub attempts: Vec<AttemptStatus>,
    /// When the next attempt is begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_time: Option<Time>,
    /// The result of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultStatus>,
    /// Of a job with a schedule: the times of its runs. Its only condition is `Accepted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleStatus>,
}

/// How many names of runs a status holds at most.
pub const MOST_ACTIVE: usize = 64;

/// The runs of a job with a schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleStatus {
    /// The latest time that a run was made for. Neither that one nor an earlier one is made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_schedule_time: Option<Time>,
    /// When a run has last succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_successful_time: Option<Time>,
    /// The next time; empty while the schedule is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_schedule_time: Option<Time>,
    /// The runs that are not over, by the names of their jobs; the oldest 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub active: Vec<String>,
}

/// One attempt: one Pod.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptStatus {
    /// Counted from 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub number: i32,
    /// Key of the attempt: names its directories, and its log `jobs/CONTENT/KEY/log`.
    #[schemars(length(max = 63))]
    pub key: String,
    /// Name of its Pod.
    #[schemars(length(max = 253))]
    pub pod_name: String,
    /// Uid of its Pod, once that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub pod_uid: Option<String>,
    /// Node of its Pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub node_name: Option<String>,
    /// When it was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begin_time: Option<Time>,
    /// Since when its Pod may start: empty while a scheduling gate holds it. `startDeadlineSeconds` counts from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startable_time: Option<Time>,
    /// When its process was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<Time>,
    /// When it was over; empty while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion_time: Option<Time>,
    /// Exit code of its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Signal that ended its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Why it did not succeed; `Succeeded` if it did. Of an attempt that is not over: why its Pod is being ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub reason: Option<String>,
    /// The same in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
    /// Whether the cluster ended it and not the content: such an attempt is not counted against `retries`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disrupted: Option<bool>,
}

/// One environment that a job needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentStatus {
    /// `R` or `Python`.
    #[schemars(length(max = 16))]
    pub language: String,
    /// Its directory below the data directory.
    #[schemars(length(max = 512))]
    pub path: String,
    /// The `ContentJob` that installs it; empty where it was there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub job_name: Option<String>,
    /// Whether it is there.
    pub ready: bool,
}

/// The result of a render.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultStatus {
    /// Variant of the report.
    #[schemars(length(max = 63))]
    pub variant: String,
    /// Number of the result in that variant.
    #[schemars(range(min = 1))]
    pub number: i64,
    /// Whether this job has made it the one that is served.
    pub activated: bool,
    /// Its main file, relative to the data directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub path: Option<String>,
}
