//! Metrics of the gateway. No label names an application: there may be thousands.

use std::array;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// What answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The gateway itself.
    Gateway,
    /// A process.
    Process,
    /// A file.
    File,
    /// A process, over a WebSocket.
    Socket,
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::Gateway, "gateway"),
    (Kind::Process, "process"),
    (Kind::File, "file"),
    (Kind::Socket, "socket"),
];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Stages of a visit that no process was there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the request to the application's being asked for a seat.
    Route,
    /// From there to the seat at a process.
    Seat,
    /// From there to the connection.
    Connected,
    /// From there to the first byte of the answer.
    FirstByte,
    /// From the request to the first byte.
    Total,
}

const STAGES: [(Stage, &str); 5] = [
    (Stage::Route, "route"),
    (Stage::Seat, "seat"),
    (Stage::Connected, "connected"),
    (Stage::FirstByte, "first_byte"),
    (Stage::Total, "total"),
];

impl Stage {
    /// Its word, as metrics and log have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        STAGES[self as usize].1
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKindAndClass {
    kind: &'static str,
    class: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStage {
    stage: &'static str,
}

/// Label of what is counted by its cause.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByWhy {
    /// Why.
    pub why: &'static str,
}

const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0,
];

/// Everything that is measured.
#[derive(Debug)]
pub struct GatewayMetrics {
    registry: Registry,
    /// What the program measures beside its gateway.
    beside: Registry,
    requests: [[Counter; CLASSES.len()]; KINDS.len()],
    seconds: [Histogram; KINDS.len()],
    stages: [Histogram; STAGES.len()],
    /// Connections of visitors.
    pub connections: Gauge,
    /// Connections that were turned away, as there were too many.
    pub connections_refused: Counter,
    /// Open WebSockets.
    pub tunnels: Gauge,
    /// WebSockets that have ended, by who or what ended them.
    pub tunnel_ends: Family<ByWhy, Counter>,
    /// Requests that wait for a process.
    pub held: Gauge,
    /// Visits that got no seat, by why.
    pub no_seat: Family<ByWhy, Counter>,
    /// What became of attempts to log in, and log-outs.
    pub logins: Family<ByWhy, Counter>,
    /// Requests of those who may not see what they asked for.
    pub access_refused: Family<ByWhy, Counter>,
    /// Answers of processes that were cut off.
    pub cut: Counter,
    /// Requests that were sent again over another connection.
    pub retried: Counter,
    /// Lines of the access log that were not written, as the disk was too slow.
    pub log_lines_lost: Counter,
}

impl Default for GatewayMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl GatewayMetrics {
    /// All metrics, at zero, and those of a program that is more than a gateway.
    #[must_use]
    pub fn with(register: impl FnOnce(&mut Registry)) -> Self {
        let mut metrics = Self::new();
        register(&mut metrics.beside);
        metrics
    }

    /// All metrics, at zero.
    #[must_use]
    #[rustfmt::skip]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("offhost_gateway");
        let r = &mut registry;
        let requests = Family::<ByKindAndClass, Counter>::default();
        let seconds = Family::<ByKind, Histogram, fn() -> Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        let stages = Family::<ByStage, Histogram, fn() -> Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        let metrics = Self {
            requests: array::from_fn(|kind| array::from_fn(|class| {
                requests.get_or_create_owned(&ByKindAndClass { kind: KINDS[kind].1, class: CLASSES[class] })
            })),
            seconds: array::from_fn(|kind| seconds.get_or_create_owned(&ByKind { kind: KINDS[kind].1 })),
            stages: array::from_fn(|stage| stages.get_or_create_owned(&ByStage { stage: STAGES[stage].1 })),
            registry: Registry::default(),
            beside: Registry::with_prefix("offhost"),
            connections: Gauge::default(),
            connections_refused: Counter::default(),
            tunnels: Gauge::default(),
            tunnel_ends: Family::default(),
            held: Gauge::default(),
            no_seat: Family::default(),
            logins: Family::default(),
            access_refused: Family::default(),
            cut: Counter::default(),
            retried: Counter::default(),
            log_lines_lost: Counter::default(),
        };
        r.register("requests", "Requests answered, by what answered and class of status", requests);
        r.register("request_seconds", "From a request to the end of its answer, by what answered", seconds);
        r.register("start_seconds", "Visits that waited for a process, by stage", stages);
        r.register("connections", "Connections of visitors", metrics.connections.clone());
        r.register("connections_refused", "Connections turned away, as there were too many", metrics.connections_refused.clone());
        r.register("tunnels", "Open WebSockets", metrics.tunnels.clone());
        r.register("tunnel_ends", "WebSockets that have ended, by who or what ended them", metrics.tunnel_ends.clone());
        r.register("held_requests", "Requests that wait for a process", metrics.held.clone());
        r.register("no_seat", "Visits that got no seat at a process, by why", metrics.no_seat.clone());
        r.register("logins", "Log-ins, refused ones by why, and log-outs", metrics.logins.clone());
        r.register("access_refused", "Requests for what the visitor may not see", metrics.access_refused.clone());
        r.register("cut_answers", "Answers that ended before their end", metrics.cut.clone());
        r.register("retried_requests", "Requests sent again over another connection", metrics.retried.clone());
        r.register("access_log_lines_lost", "Lines of the access log that were not written", metrics.log_lines_lost.clone());
        Self { registry, ..metrics }
    }

    /// The text that a scrape gets.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let told = text::encode_registry(&mut out, &self.registry)
            .and_then(|()| text::encode_registry(&mut out, &self.beside))
            .and_then(|()| text::encode_eof(&mut out));
        told.expect("a String takes whatever is written to it");
        out
    }

    /// Counts an answered request.
    pub fn answered(&self, kind: Kind, status: u16, time: Duration) {
        let class = usize::from((status / 100).clamp(1, 5) - 1);
        self.requests[kind as usize][class].inc();
        self.seconds[kind as usize].observe(time.as_secs_f64());
    }

    /// Measures a stage of a visit that waited for a process.
    pub fn stage(&self, stage: Stage, time: Duration) {
        self.stages[stage as usize].observe(time.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_has_each_metric_and_no_name_of_an_application() {
        let metrics = GatewayMetrics::new();
        metrics.answered(Kind::Process, 204, Duration::from_millis(3));
        metrics.answered(Kind::Gateway, 999, Duration::ZERO);
        metrics.stage(Stage::FirstByte, Duration::from_millis(1));
        metrics.no_seat.get_or_create(&ByWhy { why: "busy" }).inc();
        let text = metrics.text();
        for line in [
            "offhost_gateway_requests_total{kind=\"process\",class=\"2xx\"} 1",
            "offhost_gateway_requests_total{kind=\"gateway\",class=\"5xx\"} 1",
            "offhost_gateway_request_seconds_count{kind=\"process\"} 1",
            "offhost_gateway_start_seconds_count{stage=\"first_byte\"} 1",
            "offhost_gateway_no_seat_total{why=\"busy\"} 1",
            "offhost_gateway_tunnels 0",
            "# EOF",
        ] {
            assert!(text.contains(line), "{line} in:\n{text}");
        }
    }
}
