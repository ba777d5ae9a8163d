//! The typed settings of applications and of the gateway.

use core::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::values::Network;

/// `[Scheduler]`: how many processes an application has that says nothing of its own (SC2, SC3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppDefaults {
    /// `Scheduler.MinProcesses`.
    pub min_processes: u32,
    /// `Scheduler.MaxProcesses`.
    pub max_processes: u32,
    /// `Scheduler.MinProcessesLimit`: the most that content may ask for as its minimum.
    pub min_processes_limit: u32,
    /// `Scheduler.MaxProcessesLimit`: the most that content may ask for as its maximum.
    pub max_processes_limit: u32,
    /// `Scheduler.MaxProcessesTotal`: processes of all applications; 0 is no bound.
    pub max_processes_total: u32,
    /// `Scheduler.MaxConnsPerProcess`.
    pub max_conns_per_process: u32,
    /// `Scheduler.LoadFactor`, in thousandths.
    pub load_factor_thousandths: u32,
    /// `Scheduler.InitTimeout`.
    pub init_timeout: Duration,
    /// `Scheduler.IdleTimeout`; zero is for ever.
    pub idle_timeout: Duration,
    /// `Scheduler.ConnectionTimeout`; zero is for ever.
    pub connection_timeout: Duration,
    /// `Scheduler.ReadTimeout`; zero is for ever.
    pub read_timeout: Duration,
    /// `Applications.DisabledProtocol`: by which pages of Shiny may not speak.
    pub disabled_protocols: Vec<String>,
    /// `Client.ReconnectTimeout`: how long a Shiny session outlives its connection; zero where it does not.
    pub reconnect_timeout: Duration,
}

impl Default for AppDefaults {
    fn default() -> Self {
        Self {
            min_processes: 0,
            max_processes: 3,
            min_processes_limit: 10,
            max_processes_limit: 20,
            max_processes_total: 0,
            max_conns_per_process: 20,
            load_factor_thousandths: 500,
            init_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(5),
            connection_timeout: Duration::from_secs(3600),
            read_timeout: Duration::from_secs(3600),
            disabled_protocols: Vec::new(),
            reconnect_timeout: Duration::from_secs(15),
        }
    }
}

/// `[HTTP]`, `[HTTPS]`, `[HTTPRedirect]`, `[Gateway]` and `Server.Address`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// `Server.Address`: the public address, without a slash at its end.
    pub address: Option<String>,
    /// `HTTP.Listen`.
    pub http: Option<SocketAddr>,
    /// `HTTPS.Listen`.
    pub https: Option<SocketAddr>,
    /// `HTTPRedirect.Listen`.
    pub redirect: Option<SocketAddr>,
    /// `HTTPS.Certificate`: chain in PEM form.
    pub certificate: Option<PathBuf>,
    /// `HTTPS.Key`: private key in PEM form.
    pub key: Option<PathBuf>,
    /// `HTTPS.MinimumTLS` is `1.3`.
    pub tls_1_3_only: bool,
    /// `HTTPS.Permanent`: browsers are told to use HTTPS only.
    pub https_permanent: bool,
    /// `Gateway.AppDomain`: each application has a host name of its own below it.
    pub app_domain: Option<String>,
    /// `Gateway.QueueLength`: requests held for one application.
    pub queue_length: u32,
    /// `Gateway.SessionKeyFile`; a file in the data directory when absent.
    pub session_key_file: Option<PathBuf>,
    /// `Gateway.SessionLifetime`.
    pub session_lifetime: Duration,
    /// `Gateway.HubKeyFile`: the secret that gateways and controllers share.
    pub hub_key_file: Option<PathBuf>,
    /// `Gateway.HeaderTimeout`: time for the head of a request.
    pub header_timeout: Duration,
    /// `Gateway.MaxHeaderSize` in bytes.
    pub max_header_size: u64,
    /// `Gateway.MaxConnections`; 0 is as many as the system allows.
    pub max_connections: u64,
    /// `Gateway.DrainTimeout`: how long established connections are kept when the gateway ends.
    pub drain_timeout: Duration,
    /// `Gateway.TrustedProxies`: whose forwarded headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// `Gateway.AccessLog`.
    pub access_log: bool,
}
