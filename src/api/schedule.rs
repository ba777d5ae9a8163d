//! When a job is repeated, in the words of Kubernetes' own `CronJob`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a job is run again and again. A job with a schedule is a template: nothing is run of itself, and at each time of
/// the schedule a job of its own is made from everything else that it says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// Minute, hour, day of the month, month and day of the week, as in a crontab: `30 6 * * MON-FRI`. `@hourly`,
    /// `@daily`, `@weekly`, `@monthly` and `@yearly` are known as well.
    #[schemars(length(min = 1, max = 256))]
    pub cron: String,
    /// The time zone that these are meant in, by its IANA name, such as `Europe/Berlin`; UTC when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    /// What happens when a time comes and an earlier run is not over.
    #[serde(default, skip_serializing_if = "ConcurrencyPolicy::is_default")]
    pub concurrency_policy: ConcurrencyPolicy,
    /// What becomes of times that passed while nothing could be begun: the server was down, or an earlier run was not over.
    #[serde(default, skip_serializing_if = "Missed::is_default")]
    pub missed: Missed,
    /// With `missed: RunOnce`: a run that is late by more than this is not begun any more. Without it, however late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 31_536_000))]
    pub starting_deadline_seconds: Option<i64>,
    /// No run is begun while this is true. Those that have begun go on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspended: bool,
    /// How many runs that have succeeded are kept in the list of jobs; 3 when empty. Their results stay, as
    /// `Applications.RenderingSweepLimit` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub successful_jobs_history_limit: Option<i32>,
    /// How many runs that have failed are kept in the list of jobs; 1 when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub failed_jobs_history_limit: Option<i32>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What happens when a time comes and an earlier run is not over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConcurrencyPolicy {
    /// The new run begins beside the earlier one.
    Allow,
    /// The new run has to wait for the end of the earlier one; what is waited for so long is missed.
    #[default]
    Forbid,
    /// The earlier run is ended, and the new one begins.
    Replace,
}

impl ConcurrencyPolicy {
    /// Whether this is the default.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of times that passed while nothing could be begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Missed {
    /// Nothing: a run that is late by more than a minute is left out.
    Skip,
    /// The last of them is made up for as soon as possible, once, however many there were.
    #[default]
    RunOnce,
}

impl Missed {
    /// Whether this is the default.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
