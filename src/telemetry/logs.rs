//! Log lines on standard error: JSON for collectors, text for people.

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
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
    let started = match format {
        LogFormat::Json => json(filter, std::io::stderr).try_init(),
        LogFormat::Text => tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .finish()
            .try_init(),
    };
    // Only a second start fails, and the first one's lines go on.
    drop(started);
}

/// One JSON object a line, with the fields of an event beside its message, and those of its span below `span`.
pub(crate) fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .json()
        .flatten_event(true)
        .with_span_list(false)
        .finish()
}

/// A log in memory.
#[cfg(test)]
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Lines {
    /// What was written.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[cfg(test)]
impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
