//! Metrics of the controller, in OpenMetrics' text form. Labels have few values: never the name of a job.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// Label of what is counted by its reason, from the closed list of `reason.rs` and the conditions' own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByReason {
    /// The reason.
    pub reason: String,
}

/// Label of what is counted by kind of error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByError {
    /// The error.
    pub error: &'static str,
}

/// Label of what is counted by watched resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByResource {
    /// The resource.
    pub resource: &'static str,
}

/// Label of what is measured by step.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByStep {
    /// The step.
    pub step: &'static str,
}

/// Label of settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BySetting {
    /// The setting.
    pub setting: String,
}

/// A histogram whose buckets are those of what it measures.
type Buckets = [f64; 12];
const REQUEST: Buckets = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0,
];
const START: Buckets = [
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0,
];

/// Everything that is measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// How long one look at a job took.
    pub reconcile_seconds: Histogram,
    /// How long each step of a look took that asks the volume or the API server.
    pub step_seconds: Family<ByStep, Histogram, fn() -> Histogram>,
    /// Looks at a job that failed, by error.
    pub reconcile_errors: Family<ByError, Counter>,
    /// Jobs by the reason of their condition `Succeeded`.
    pub jobs: Family<ByReason, Gauge>,
    /// Attempts that are over, by reason.
    pub attempts: Family<ByReason, Counter>,
    /// From the moment a job was first seen to the moment its first Pod was accepted by the API server.
    pub pod_posted_seconds: Histogram,
    /// From there to the moment its process was seen running.
    pub pod_running_seconds: Histogram,
    process_start_seconds: Family<ByStep, Histogram, fn() -> Histogram>,
    /// When `runtimes.yaml` was last read without fault.
    pub runtimes_loaded: Gauge<f64, AtomicU64>,
    /// 1 while the version of `runtimes.yaml` that is on disk is in force, 0 where an older one is.
    pub runtimes_current: Gauge,
    /// 1 in the replica that leads.
    pub leader: Gauge,
    /// Bytes of archives taken.
    pub upload_bytes: Counter,
    /// Uploads by outcome.
    pub uploads: Family<ByReason, Counter>,
    /// Watches that were cut off or refused.
    pub watch_errors: Family<ByResource, Counter>,
    /// Jobs that wait for their turn.
    pub queued: Gauge,
    /// 1 for each setting that weakens the isolation of content.
    pub weakened: Family<BySetting, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics, at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("offhost"),
            reconcile_seconds: Histogram::new(REQUEST),
            step_seconds: Family::new_with_constructor(|| Histogram::new(REQUEST)),
            reconcile_errors: Family::default(),
            jobs: Family::default(),
            attempts: Family::default(),
            pod_posted_seconds: Histogram::new(START),
            pod_running_seconds: Histogram::new(START),
            process_start_seconds: Family::new_with_constructor(|| Histogram::new(START)),
            runtimes_loaded: Gauge::default(),
            runtimes_current: Gauge::default(),
            leader: Gauge::default(),
            upload_bytes: Counter::default(),
            uploads: Family::default(),
            watch_errors: Family::default(),
            queued: Gauge::default(),
            weakened: Family::default(),
        };
        metrics.register();
        metrics
    }

    #[rustfmt::skip]
    fn register(&mut self) {
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        let r = &mut self.registry;
        r.register("build", "Version of this program", version);
        r.register("reconcile_seconds", "How long one look at a job took", self.reconcile_seconds.clone());
        r.register("step_seconds", "How long one step of a look took", self.step_seconds.clone());
        r.register("reconcile_errors", "Looks at a job that failed, by error", self.reconcile_errors.clone());
        r.register("jobs", "Jobs by the reason of their condition Succeeded", self.jobs.clone());
        r.register("attempts", "Attempts that are over, by reason", self.attempts.clone());
        r.register("pod_posted_seconds", "From a job's being seen to its Pod's being accepted", self.pod_posted_seconds.clone());
        r.register("pod_running_seconds", "From a Pod's being accepted to its process's running", self.pod_running_seconds.clone());
        r.register("process_start_seconds", "Where the time of a start of an application's process goes, by step", self.process_start_seconds.clone());
        r.register("runtimes_loaded_timestamp_seconds", "When runtimes.yaml was last read without fault", self.runtimes_loaded.clone());
        r.register("runtimes_current", "1 while the newest runtimes.yaml is in force", self.runtimes_current.clone());
        r.register("leader", "1 in the replica that leads", self.leader.clone());
        r.register("upload_bytes", "Bytes of archives taken", self.upload_bytes.clone());
        r.register("uploads", "Uploads by outcome", self.uploads.clone());
        r.register("watch_errors", "Watches that were cut off or refused, by resource", self.watch_errors.clone());
        r.register("queued_jobs", "Jobs that wait for their turn to be looked at", self.queued.clone());
        r.register("isolation_weakened", "1 for each setting that weakens the isolation of content", self.weakened.clone());
    }

    /// The text that a scrape gets.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("a String takes whatever is written to it");
        out
    }

    /// Counts an error.
    pub fn failed(&self, error: &'static str) {
        self.reconcile_errors.get_or_create(&ByError { error }).inc();
    }

    /// Measures a step of a look.
    pub async fn step<T>(&self, step: &'static str, work: impl Future<Output = T>) -> T {
        let begun = tokio::time::Instant::now();
        let done = work.await;
        self.step_seconds
            .get_or_create(&ByStep { step })
            .observe(begun.elapsed().as_secs_f64());
        done
    }

    /// A stage of the start of an application's process took so long.
    pub fn start_stage(&self, step: &'static str, spent: Duration) {
        self.process_start_seconds
            .get_or_create(&ByStep { step })
            .observe(spent.as_secs_f64());
    }

    /// Counts an attempt that is over.
    pub fn attempt_over(&self, reason: &str) {
        let reason = reason.to_owned();
        self.attempts.get_or_create(&ByReason { reason }).inc();
    }

    /// Counts an upload.
    pub fn upload(&self, outcome: &str) {
        let reason = outcome.to_owned();
        self.uploads.get_or_create(&ByReason { reason }).inc();
    }

    /// Measures a duration.
    pub fn took(histogram: &Histogram, time: Duration) {
        histogram.observe(time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_has_each_metric_with_its_unit() {
        let metrics = Metrics::new();
        metrics.attempt_over("Succeeded");
        metrics.failed("api");
        metrics.upload_bytes.inc_by(7);
        metrics.leader.set(1);
        let text = metrics.text();
        for line in [
            "offhost_attempts_total{reason=\"Succeeded\"} 1",
            "offhost_reconcile_errors_total{error=\"api\"} 1",
            "offhost_upload_bytes_total 7",
            "offhost_leader 1",
            "offhost_reconcile_seconds_count 0",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} in:\n{text}");
        }
    }
}
