//! Where the time of a start goes on a cluster: measured, and told in its trace.

use tokio::time::Instant;

use super::process::Process;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::starts::Start;

/// A start that this leader has begun.
#[derive(Debug)]
pub(super) struct Stages {
    trace: Start,
    /// The end of the stage before.
    last: Instant,
}

impl Stages {
    /// It begins.
    pub(super) fn begin(process: &Process) -> Self {
        Self {
            trace: Start::of(&process.app, &process.id),
            last: Instant::now(),
        }
    }

    /// A stage is over.
    pub(super) fn done(&mut self, metrics: &Metrics, stage: &'static str) {
        let now = Instant::now();
        let spent = now - std::mem::replace(&mut self.last, now);
        metrics.start_stage(stage, spent);
        self.trace.stage(stage, spent);
    }
}
