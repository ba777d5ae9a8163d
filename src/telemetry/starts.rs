//! Traces of starts: every stage from a visitor's request to the first byte of the answer, in whichever program and task
//! it happens. The name of a process is used once, and so is the name of its trace. Visible from the level `debug` on; the
//! same stages are measured.

use std::time::Duration;

use tracing::{Span, debug, debug_span, field};

use crate::apps::{AppId, ProcessId};

/// What tells these lines from others of the log, and has them alone with `OFFHOST_LOG=info,offhost::start=debug`.
pub const TARGET: &str = "offhost::start";

/// The span of a start, as one program sees it.
#[derive(Clone, Debug)]
pub struct Start(Span);

impl Start {
    /// Of this process.
    #[must_use]
    pub fn of(app: &AppId, process: &ProcessId) -> Self {
        let start = Self::awaited(app, "");
        start.is_of(process);
        start
    }

    /// Of a process that a visitor waits for, whose request has this name.
    #[must_use]
    pub fn awaited(app: &AppId, request: &str) -> Self {
        let request = Some(request).filter(|request| !request.is_empty());
        Self(debug_span!(
            target: TARGET,
            parent: None,
            "start",
            trace = field::Empty,
            %app,
            request,
        ))
    }

    /// The process has a name.
    pub fn is_of(&self, process: &ProcessId) {
        self.0.record("trace", process.as_str());
    }

    /// A stage is over that took so long.
    pub fn stage(&self, stage: &'static str, spent: Duration) {
        let milliseconds = spent.as_secs_f64() * 1000.0;
        self.0
            .in_scope(|| debug!(target: TARGET, stage, milliseconds, "Stage of a start"));
    }

    /// It was decided upon.
    pub fn decided(&self) {
        self.0
            .in_scope(|| debug!(target: TARGET, stage = "decided", "Stage of a start"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tracing_subscriber::EnvFilter;

    use super::*;
    use crate::telemetry::logs::{self, Lines};

    fn lines(levels: &str) -> Vec<Value> {
        let lines = Lines::default();
        let log = logs::json(EnvFilter::new(levels), lines.clone());
        tracing::subscriber::with_default(log, || {
            let (app, process) = (AppId::from("sales"), ProcessId::from("k1"));
            Start::of(&app, &process).decided();
            let awaited = Start::awaited(&app, "4711");
            awaited.is_of(&process);
            awaited.stage("seat", Duration::from_millis(20));
        });
        let text = lines.text();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Proves: SC1 (L, P)
    #[test]
    fn all_stages_of_a_start_are_in_one_trace() {
        let written = lines("info,offhost::start=debug");
        let stages: Vec<&str> = written.iter().filter_map(|line| line["stage"].as_str()).collect();
        assert_eq!(stages, ["decided", "seat"]);
        for line in &written {
            assert_eq!(
                (&line["span"]["trace"], &line["span"]["app"]),
                (&"k1".into(), &"sales".into())
            );
        }
        assert_eq!(written[1]["span"]["request"], "4711");
        assert_eq!(written[1]["milliseconds"], 20.0);
        assert_eq!(lines("info"), Vec::<Value>::new());
    }
}
