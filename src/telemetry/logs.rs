//! Log lines on standard error: JSON for collectors, text for people.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// The level of the program's own lines, and silence where a library logs what it returns as well: an error is told
/// once, by whoever handles it.
const LEVELS: &str =
    "info,kube_client=warn,kube_client::client=off,kube_runtime=off,hyper_util=warn,tower=warn";
/// Variable with other levels, in the form of `tracing`: `debug`, `info,offhost::controller=debug`.
pub const LEVEL_VARIABLE: &str = "OFFHOST_LOG";

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line
    Json,
    /// Text for people
    Text,
}

impl LogFormat {
    /// Text on a terminal, else JSON.
    #[must_use]
    pub fn usual() -> Self {
        if std::io::stderr().is_terminal() {
            Self::Text
        } else {
            Self::Json
        }
    }
}

/// Starts logging, once a process; a second time changes nothing.
pub fn init(format: LogFormat) {
    let levels = std::env::var(LEVEL_VARIABLE).ok();
    let filter = levels
        .and_then(|levels| EnvFilter::try_new(levels).ok())
        .unwrap_or_else(|| EnvFilter::new(LEVELS));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .finish()
            .try_init(),
        LogFormat::Text => lines.finish().try_init(),
    };
    // Only a second start fails, and the first one's lines go on.
    drop(started);
}
