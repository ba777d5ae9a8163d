//! What a gateway is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::settings::values::Network;

/// Settings of a gateway, read and checked.
#[derive(Clone, Debug)]
pub struct Options {
    /// Addresses of plain HTTP.
    pub http: Vec<SocketAddr>,
    /// HTTPS.
    pub https: Option<Https>,
    /// Addresses that only send visitors to HTTPS.
    pub redirect: Vec<SocketAddr>,
    /// Addresses that answer probes and scrapes.
    pub admin: Vec<SocketAddr>,
    /// Threads that serve; 0 for one for each processor.
    pub threads: usize,
    /// How long a visitor may take to send the header of a request, and may be silent between two requests.
    pub header_timeout: Duration,
    /// Largest header of a request, in bytes.
    pub max_header_size: usize,
    /// Connections there may be at once.
    pub max_connections: usize,
    /// How long data may stay unacknowledged before the connection to a visitor counts as lost.
    pub write_timeout: Duration,
    /// How long a person waits for a process before the page that tells so is shown.
    pub page_patience: Duration,
    /// How long the cookie of a session counts.
    pub session_lifetime: Duration,
    /// Whether browsers are told to come encrypted from now on.
    pub is_https_only: bool,
    /// Addresses whose `X-Forwarded-*` are believed.
    pub trusted: Vec<Network>,
    /// Time between the signal to end and the end of accepting, in which load balancers learn of it.
    pub leave_delay: Duration,
    /// How long connections may stay after that.
    pub drain_timeout: Duration,
    /// Where each request is written down.
    pub access_log: AccessLog,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            http: Vec::new(),
            https: None,
            redirect: Vec::new(),
            admin: Vec::new(),
            threads: 0,
            header_timeout: Duration::from_secs(30),
            max_header_size: 64 * 1024,
            max_connections: 50_000,
            write_timeout: Duration::from_secs(120),
            page_patience: Duration::from_secs(1),
            session_lifetime: Duration::from_secs(30 * 24 * 3600),
            is_https_only: false,
            trusted: Vec::new(),
            leave_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(3600),
            access_log: AccessLog::Off,
        }
    }
}

/// HTTPS: where, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Https {
    /// Addresses.
    pub listen: Vec<SocketAddr>,
    /// File with the certificate and its chain, PEM.
    pub certificate: PathBuf,
    /// File with its key, PEM.
    pub key: PathBuf,
    /// The oldest version of TLS that is spoken.
    pub minimum: MinimumTls,
}

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinimumTls {
    /// 1.2.
    #[default]
    V12,
    /// 1.3.
    V13,
}

/// Where each request is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AccessLog {
    /// Nowhere.
    #[default]
    Off,
    /// Among the program's own log lines.
    Log,
    /// To a file, one JSON object a line; opened again on SIGHUP.
    File(PathBuf),
}
