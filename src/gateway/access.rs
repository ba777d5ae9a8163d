//! What is kept of a request until it is over: for the access log, and for the metrics.

use std::borrow::Cow;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use http::HeaderValue;
use serde::Serialize;

use super::options::AccessLog;
use crate::telemetry::gateway::{GatewayMetrics, Kind};

/// What tells these lines from others of the log.
const TARGET: &str = "offhost::access";
/// Lines that may wait for the disk.
const WAITING_LINES: usize = 8192;
/// How long a line waits in memory.
const FLUSH: Duration = Duration::from_millis(500);

/// Where each request is written down.
#[derive(Debug, Default)]
pub enum Sink {
    /// Nowhere.
    #[default]
    Off,
    /// Among the program's own log lines.
    Log,
    /// To a file.
    File(SyncSender<Line>),
}

/// What is sent to the file's writer.
#[derive(Debug)]
pub enum Line {
    /// A line.
    Text(String),
    /// The file was moved away: it is made again.
    Reopen,
}

impl Sink {
    /// Opens it.
    ///
    /// # Errors
    /// The file can not be written.
    pub fn open(log: &AccessLog) -> std::io::Result<Self> {
        Ok(match log {
            AccessLog::Off => Self::Off,
            AccessLog::Log => Self::Log,
            AccessLog::File(path) => {
                let file = append(path)?;
                let (sender, lines) = sync_channel(WAITING_LINES);
                let path = path.clone();
                let writer = std::thread::Builder::new().name("access-log".to_owned());
                writer.spawn(move || write(&path, file, &lines))?;
                Self::File(sender)
            }
        })
    }

    /// Makes the file again, after it was moved away.
    pub fn reopen(&self) {
        if let Self::File(lines) = self {
            // Where the disk is so slow that there is no room, the next signal does it.
            drop(lines.try_send(Line::Reopen));
        }
    }

    /// Whether requests are written down.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !matches!(self, Self::Off)
    }
}

fn append(path: &PathBuf) -> std::io::Result<std::fs::File> {
    std::fs::File::options().create(true).append(true).open(path)
}

fn write(path: &Path, file: std::fs::File, lines: &Receiver<Line>) {
    let mut out = std::io::BufWriter::new(file);
    loop {
        let done = match lines.recv_timeout(FLUSH) {
            Ok(Line::Text(line)) => out.write_all(line.as_bytes()),
            Ok(Line::Reopen) => {
                let flushed = out.flush();
                if let Ok(file) = append(&path.to_owned()) {
                    out = std::io::BufWriter::new(file);
                }
                flushed
            }
            Err(RecvTimeoutError::Timeout) => out.flush(),
            Err(RecvTimeoutError::Disconnected) => return drop(out.flush()),
        };
        if let Err(error) = done {
            tracing::warn!(file = %path.display(), %error, "the access log can not be written");
        }
    }
}

/// A request, as it is written down.
#[derive(Debug)]
pub struct Record {
    /// The visitor.
    pub visitor: IpAddr,
    /// Its method.
    pub method: http::Method,
    /// Its path, without the query, which may hold secrets.
    pub path: String,
    /// Its version.
    pub version: http::Version,
    /// Host as the visitor wrote it.
    pub host: HeaderValue,
    /// What the visitor's program calls itself.
    pub agent: Option<HeaderValue>,
    /// Its name.
    pub id: HeaderValue,
}

/// A request that is not over yet. When it is dropped, the request is.
#[derive(Debug)]
pub struct Finish {
    begun: Instant,
    kind: Kind,
    status: u16,
    bytes: u64,
    is_complete: bool,
    is_cut: bool,
    app: Option<String>,
    record: Option<Record>,
    sink: Arc<Sink>,
    metrics: Arc<GatewayMetrics>,
}

impl Finish {
    /// Of a request that was answered with this status by what is of this kind.
    #[must_use]
    pub fn new(
        begun: Instant,
        kind: Kind,
        status: u16,
        sink: Arc<Sink>,
        metrics: Arc<GatewayMetrics>,
    ) -> Self {
        Self {
            begun,
            kind,
            status,
            bytes: 0,
            is_complete: false,
            is_cut: false,
            app: None,
            record: None,
            sink,
            metrics,
        }
    }

    /// What is written down, and the application.
    pub fn record(&mut self, record: Record, app: Option<String>) {
        self.record = Some(record);
        self.app = app;
    }

    /// So much was sent.
    pub fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Everything was sent.
    pub fn complete(&mut self) {
        self.is_complete = true;
    }

    /// The answer ended before its end.
    pub fn cut(&mut self) {
        self.is_cut = true;
    }

    fn written<'a>(&'a self, record: &'a Record, time: Duration) -> Written<'a> {
        Written {
            visitor: record.visitor,
            host: text(&record.host),
            method: record.method.as_str(),
            path: &record.path,
            protocol: version(record.version),
            status: self.status,
            bytes: self.bytes,
            milliseconds: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            app: self.app.as_deref(),
            complete: self.is_complete,
            agent: record.agent.as_ref().map(text),
            id: text(&record.id),
        }
    }
}

/// A request that is over, in the words of the log.
#[derive(Debug, Serialize)]
struct Written<'a> {
    visitor: IpAddr,
    host: Cow<'a, str>,
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    status: u16,
    bytes: u64,
    milliseconds: u64,
    app: Option<&'a str>,
    complete: bool,
    agent: Option<Cow<'a, str>>,
    id: Cow<'a, str>,
}

impl Written<'_> {
    /// As fields of a log line, which has its own time.
    fn log(&self) {
        tracing::info!(
            target: TARGET,
            visitor = %self.visitor,
            host = &*self.host,
            method = self.method,
            path = self.path,
            protocol = self.protocol,
            status = self.status,
            bytes = self.bytes,
            milliseconds = self.milliseconds,
            app = self.app,
            complete = self.complete,
            agent = self.agent.as_deref(),
            id = &*self.id,
            "Request answered"
        );
    }

    /// As a line of a file.
    fn line(&self, time: jiff::Timestamp) -> String {
        #[derive(Serialize)]
        struct Timed<'a> {
            time: String,
            #[serde(flatten)]
            written: &'a Written<'a>,
        }
        let timed = Timed {
            time: time.to_string(),
            written: self,
        };
        // Texts and numbers always have a form in JSON.
        let mut line = serde_json::to_string(&timed).unwrap_or_default();
        line.push('\n');
        line
    }
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

fn version(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

impl Drop for Finish {
    fn drop(&mut self) {
        let time = self.begun.elapsed();
        self.metrics.answered(self.kind, self.status, time);
        if self.is_cut {
            self.metrics.cut.inc();
        }
        let Some(record) = &self.record else {
            return;
        };
        match &*self.sink {
            Sink::Off => {}
            Sink::Log => self.written(record, time).log(),
            Sink::File(lines) => {
                let line = self.written(record, time).line(jiff::Timestamp::now());
                if lines.try_send(Line::Text(line)).is_err() {
                    self.metrics.log_lines_lost.inc();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::telemetry::logs::{self, Lines};

    fn finish(sink: Sink) -> Finish {
        let metrics = Arc::new(GatewayMetrics::new());
        let mut finish = Finish::new(Instant::now(), Kind::Process, 200, Arc::new(sink), metrics);
        let record = Record {
            visitor: [192, 0, 2, 1].into(),
            method: http::Method::GET,
            path: "/content/\"sales\"/".to_owned(),
            version: http::Version::HTTP_2,
            host: HeaderValue::from_static("apps.example.org"),
            agent: None,
            id: HeaderValue::from_static("12345678"),
        };
        finish.record(record, Some("sales".to_owned()));
        finish.sent(5);
        finish.complete();
        finish
    }

    fn check(line: &Value) {
        for (field, value) in [
            ("visitor", json!("192.0.2.1")),
            ("host", json!("apps.example.org")),
            ("method", json!("GET")),
            ("path", json!("/content/\"sales\"/")),
            ("protocol", json!("HTTP/2.0")),
            ("status", json!(200)),
            ("bytes", json!(5)),
            ("app", json!("sales")),
            ("complete", json!(true)),
            ("id", json!("12345678")),
        ] {
            assert_eq!(line[field], value, "{field} of {line}");
        }
        assert!(line["milliseconds"].is_u64() && line["agent"].is_null());
    }

    /// Proves: PR1 (L, P)
    #[test]
    fn a_request_is_fields_of_a_log_line_and_a_line_of_a_file() {
        let lines = Lines::default();
        let log = logs::json(tracing_subscriber::EnvFilter::new("info"), lines.clone());
        tracing::subscriber::with_default(log, || drop(finish(Sink::Log)));
        let line: Value = serde_json::from_str(&lines.text()).unwrap();
        check(&line);
        assert_eq!(
            (&line["target"], &line["message"]),
            (&json!(TARGET), &json!("Request answered"))
        );
        let (sender, lines) = sync_channel(1);
        drop(finish(Sink::File(sender)));
        let Ok(Line::Text(text)) = lines.recv() else {
            panic!("no line")
        };
        let line: Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
        check(&line);
        assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')));
    }
}
