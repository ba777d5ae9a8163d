//! What all connections of a gateway share, and what those of one thread do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access::Sink;
use super::backend::Backend;
use super::cookie_keys::KeyFile;
use super::login::Door;
use super::notice::Pages;
use super::options::Options;
use super::peers::Peers;
use super::routes::Routes;
use super::sockjs::Lines;
use super::upstream::Idle;
use super::watchers::Watchers;
use crate::telemetry::gateway::GatewayMetrics;

/// What a gateway is made of.
#[derive(Debug)]
pub struct Shared {
    /// Its settings.
    pub options: Options,
    /// What is served where.
    pub routes: Arc<Routes>,
    /// Gives seats at processes.
    pub backend: Arc<dyn Backend>,
    /// Keys of session cookies.
    pub keys: Arc<KeyFile>,
    /// How visitors say who they are.
    pub door: Door,
    /// Pages for people.
    pub pages: Arc<dyn Pages>,
    /// Who waits for a change of an application's state.
    pub watchers: Watchers,
    /// Connections of pages that may come back.
    pub lines: Lines,
    /// The other gateways, where there may be some.
    pub peers: Option<Peers>,
    /// What is measured.
    pub metrics: Arc<GatewayMetrics>,
    /// The access log.
    pub(super) sink: Arc<Sink>,
    /// Its end.
    pub(super) stages: Stages,
    /// Certificate and key in force.
    pub(super) tls: ArcSwapOption<Acceptor>,
    /// Connections of visitors.
    pub(super) open: AtomicUsize,
}

/// The certificate and key of new connections.
pub struct Acceptor(pub TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

/// How far the end of a gateway has come.
#[derive(Debug, Default)]
pub(super) struct Stages {
    /// Load balancers are told to send nobody any more.
    pub(super) leaving: CancellationToken,
    /// No connection is accepted any more, and each ends after its request.
    pub(super) draining: CancellationToken,
    /// What is left is cut off.
    pub(super) ending: CancellationToken,
    /// Connections and tunnels.
    pub(super) tasks: TaskTracker,
}

/// What the connections of one thread share.
#[derive(Debug)]
pub struct Worker {
    /// What all threads share.
    pub shared: Arc<Shared>,
    /// Idle connections to processes.
    pub idle: Arc<Idle>,
}

/// A connection of a visitor, counted while it is there.
#[derive(Debug)]
pub(super) struct Counted(Arc<Shared>);

impl Counted {
    /// Counts another one; `None` where there are too many.
    pub(super) fn another(shared: &Arc<Shared>) -> Option<Self> {
        let before = shared.open.fetch_add(1, Ordering::Relaxed);
        let counted = Self(shared.clone());
        shared.metrics.connections.inc();
        if before < shared.options.max_connections {
            return Some(counted);
        }
        shared.metrics.connections_refused.inc();
        None
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.connections.dec();
    }
}
