//! What is measured of builds, in OpenMetrics' text form. Labels have few values: never the name of a builder.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::telemetry::metrics::BySetting;

/// Label of what is counted by how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByOutcome {
    /// `succeeded`, or the name of a reason.
    pub(super) outcome: &'static str,
}

/// Everything that is measured.
#[derive(Debug)]
pub struct BuildMetrics {
    registry: Registry,
    builds: Family<ByOutcome, Counter>,
    polls: Family<ByOutcome, Counter>,
    seconds: Histogram,
    running: Gauge,
    enabled: Gauge,
    sandboxed: Gauge,
    weakened: Family<BySetting, Gauge>,
}

impl Default for BuildMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl BuildMetrics {
    /// All metrics, at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("offhost"),
            builds: Family::default(),
            polls: Family::default(),
            seconds: Histogram::new([0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0]),
            running: Gauge::default(),
            enabled: Gauge::default(),
            sandboxed: Gauge::default(),
            weakened: Family::default(),
        };
        metrics.register();
        metrics
    }

    #[rustfmt::skip]
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("git_builds", "Builds that are over, by outcome", self.builds.clone());
        r.register("git_polls", "Looks at repositories, by outcome", self.polls.clone());
        r.register("git_build_seconds", "How long builds took", self.seconds.clone());
        r.register("git_builds_running", "Builds that run now", self.running.clone());
        r.register("git_builds_enabled", "1 while packages can be built", self.enabled.clone());
        r.register("git_builds_sandboxed", "1 while builds run in a sandbox", self.sandboxed.clone());
        r.register("isolation_weakened", "1 for each setting that weakens the isolation of builds", self.weakened.clone());
    }

    /// Packages can be built, in a sandbox or without.
    pub fn opened(&self, is_sandboxed: bool) {
        self.enabled.set(1);
        self.sandboxed.set(i64::from(is_sandboxed));
    }

    /// Whether builds without a sandbox are allowed (GB2).
    pub fn allowed_unsandboxed(&self, is_allowed: bool) {
        let setting = "Git.AllowUnsandboxedGitBuilds".to_owned();
        self.weakened
            .get_or_create(&BySetting { setting })
            .set(i64::from(is_allowed));
    }

    /// Counts a look at a repository.
    pub fn polled(&self, outcome: &'static str) {
        self.polls.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// Counts a build that begins.
    pub fn began(&self) {
        self.running.inc();
    }

    /// Counts a build that is over.
    pub fn ended(&self, outcome: &'static str, spent: Duration) {
        self.running.dec();
        self.builds.get_or_create(&ByOutcome { outcome }).inc();
        self.seconds.observe(spent.as_secs_f64());
    }

    /// The text that a scrape gets.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("a String takes whatever is written to it");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: GB2 (B)
    #[test]
    fn what_is_allowed_without_a_sandbox_is_told() {
        let metrics = BuildMetrics::new();
        metrics.allowed_unsandboxed(true);
        metrics.opened(false);
        metrics.began();
        metrics.ended("succeeded", Duration::from_secs(1));
        let text = metrics.text();
        for line in [
            "offhost_isolation_weakened{setting=\"Git.AllowUnsandboxedGitBuilds\"} 1",
            "offhost_git_builds_sandboxed 0",
            "offhost_git_builds_enabled 1",
            "offhost_git_builds_total{outcome=\"succeeded\"} 1",
            "offhost_git_builds_running 0",
        ] {
            assert!(text.contains(line), "{line} in:\n{text}");
        }
    }
}
