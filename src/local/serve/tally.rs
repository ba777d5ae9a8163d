//! What `offhost serve` measures beside its gateway. No label names an application: there may be thousands.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::reason::Reason;
use crate::telemetry::metrics::{ByReason, BySetting, ByStep};

/// Label of what is counted by its state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByState {
    /// The state.
    pub state: &'static str,
}

const START: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0,
];

/// The counters.
#[derive(Debug)]
pub struct Tally {
    /// Processes that were started.
    pub starts: Counter,
    failures: Family<ByReason, Counter>,
    stages: Family<ByStep, Histogram, fn() -> Histogram>,
    /// Applications, and those that can not be served at present.
    pub apps: Family<ByState, Gauge>,
    /// Processes that exist.
    pub processes: Gauge,
    /// Manifests that can not be used.
    pub manifest_faults: Gauge,
    jobs: Family<ByReason, Counter>,
    weakened: Family<BySetting, Gauge>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            starts: Counter::default(),
            failures: Family::default(),
            stages: Family::new_with_constructor(|| Histogram::new(START)),
            apps: Family::default(),
            processes: Gauge::default(),
            manifest_faults: Gauge::default(),
            jobs: Family::default(),
            weakened: Family::default(),
        }
    }
}

impl Tally {
    /// Registers everything.
    #[rustfmt::skip]
    pub fn register(&self, r: &mut Registry) {
        r.register("process_starts", "Processes of applications that were started", self.starts.clone());
        r.register("process_failures", "Processes of applications that failed, by reason", self.failures.clone());
        r.register("process_start_seconds", "Where the time of a start goes, by step", self.stages.clone());
        r.register("apps", "Applications by state", self.apps.clone());
        r.register("processes", "Processes of applications that exist", self.processes.clone());
        r.register("manifest_faults", "Manifests that can not be used at present", self.manifest_faults.clone());
        r.register("manifest_jobs", "Jobs of manifests that are over, by reason", self.jobs.clone());
        r.register("isolation_weakened", "1 for each setting that weakens the isolation of content", self.weakened.clone());
    }

    /// Whether a setting weakens the isolation of content.
    pub fn weakened(&self, setting: &str, is_weakened: bool) {
        let setting = setting.to_owned();
        let gauge = self.weakened.get_or_create(&BySetting { setting });
        gauge.set(i64::from(is_weakened));
    }

    /// A process failed.
    pub fn failed(&self, reason: Reason) {
        let reason = reason.name().to_owned();
        self.failures.get_or_create(&ByReason { reason }).inc();
    }

    /// A stage of a start took so long.
    pub fn stage(&self, step: &'static str, spent: Duration) {
        self.stages
            .get_or_create(&ByStep { step })
            .observe(spent.as_secs_f64());
    }

    /// A job is over.
    pub fn job_over(&self, reason: &str) {
        let reason = reason.to_owned();
        self.jobs.get_or_create(&ByReason { reason }).inc();
    }
}
