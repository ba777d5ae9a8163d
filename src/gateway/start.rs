//! A gateway from its start to its end: threads that serve, each with a runtime of its own, so that a request never leaves
//! the processor it came to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use thiserror::Error;
use tokio::net::TcpListener;

use super::access::Sink;
use super::backend::Backend;
use super::cookie_keys::KeyFile;
use super::listen::{self, ListenError, Listener, Use};
use super::login::Door;
use super::notice::Pages;
use super::options::Options;
use super::peers::{Peers, PeersParts};
use super::routes::Routes;
use super::shared::{Shared, Stages, Worker};
use super::sockjs::Lines;
use super::tls::{self, TlsError};
use super::upstream::Idle;
use super::watchers::Watchers;
use crate::telemetry::gateway::GatewayMetrics;

/// How often idle connections to processes are looked at.
const SWEEP: Duration = Duration::from_secs(5);
/// How long what is cut off may take to end.
const CUT: Duration = Duration::from_secs(10);

/// Why a gateway does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// It can not listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Certificate and key can not be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The access log can not be written.
    #[error("can not write the access log: {0}; name another file in 'Gateway.AccessLog'")]
    AccessLog(#[source] io::Error),
    /// Other gateways can not be listened to.
    #[error("can not listen to other gateways: {0}; name another address in '--peer-listen'")]
    Peers(#[source] io::Error),
    /// No thread.
    #[error("can not start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// What a gateway works with.
#[derive(Debug)]
pub struct Parts {
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
    /// What is measured.
    pub metrics: Arc<GatewayMetrics>,
    /// The other gateways, where there may be some.
    pub peers: Option<PeersParts>,
}

/// A gateway that serves.
#[derive(Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    addresses: Vec<(Use, SocketAddr)>,
    threads: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Starts to listen and to serve.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn start(options: Options, parts: Parts) -> Result<Self, StartError> {
        let tls = options.https.as_ref().map(tls::read).transpose()?;
        let sink = Sink::open(&options.access_log).map_err(StartError::AccessLog)?;
        let mut listeners = listen::open(&options)?;
        let peers = parts
            .peers
            .map(|parts| peers(parts, &mut listeners))
            .transpose()?;
        let addresses = listeners.iter().map(|one| (one.for_, one.address)).collect();
        let count = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let shared = Arc::new(Shared {
            options,
            routes: parts.routes,
            backend: parts.backend,
            keys: parts.keys,
            door: parts.door,
            pages: parts.pages,
            watchers: Watchers::default(),
            lines: Lines::default(),
            peers,
            metrics: parts.metrics,
            sink: Arc::new(sink),
            stages: Stages::default(),
            tls: ArcSwapOption::from_pointee(tls),
            open: AtomicUsize::new(0),
        });
        let mut gateway = Self {
            shared,
            addresses,
            threads: Vec::new(),
        };
        for number in 0..count {
            let thread = thread(&gateway.shared, &listeners, number).map_err(StartError::Thread);
            gateway.threads.push(thread?);
        }
        Ok(gateway)
    }

    /// Where it listens for visitors by HTTP.
    #[must_use]
    pub fn http(&self) -> Vec<SocketAddr> {
        self.addresses_of(|for_| matches!(for_, Use::Visitors(super::connection::Scheme::Http)))
    }

    /// Where it listens for visitors by HTTPS.
    #[must_use]
    pub fn https(&self) -> Vec<SocketAddr> {
        self.addresses_of(|for_| matches!(for_, Use::Visitors(super::connection::Scheme::Https)))
    }

    /// Where it sends visitors to HTTPS.
    #[must_use]
    pub fn redirect(&self) -> Vec<SocketAddr> {
        self.addresses_of(|for_| for_ == Use::Redirect)
    }

    /// Where it answers probes and scrapes.
    #[must_use]
    pub fn admin(&self) -> Vec<SocketAddr> {
        self.addresses_of(|for_| for_ == Use::Admin)
    }

    fn addresses_of(&self, is_wanted: impl Fn(Use) -> bool) -> Vec<SocketAddr> {
        let wanted = self.addresses.iter().filter(|(for_, _)| is_wanted(*for_));
        wanted.map(|(_, address)| *address).collect()
    }

    /// Reads certificate and key again and opens the access log again, as SIGHUP asks for.
    ///
    /// # Errors
    /// [`TlsError`]: the last good certificate stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.shared.sink.reopen();
        tls::refresh(&self.shared)
    }

    /// Ends it in order: load balancers are told, no connection is accepted any more, requests are finished, WebSockets
    /// stay as long as the settings let them. Then, or when [`Self::cut`] is called, what is left is cut off.
    pub async fn drain(&self) {
        let stages = &self.shared.stages;
        stages.leaving.cancel();
        tokio::select! {
            () = tokio::time::sleep(self.shared.options.leave_delay) => {}
            () = stages.ending.cancelled() => {}
        }
        stages.draining.cancel();
        stages.tasks.close();
        tokio::select! {
            () = stages.tasks.wait() => {}
            () = tokio::time::sleep(self.shared.options.drain_timeout) => {}
            () = stages.ending.cancelled() => {}
        }
        self.cut();
        drop(tokio::time::timeout(CUT, stages.tasks.wait()).await);
    }

    /// Cuts off what is left; visitors at WebSockets are told that the service restarts.
    pub fn cut(&self) {
        self.shared.stages.leaving.cancel();
        self.shared.stages.draining.cancel();
        self.shared.stages.tasks.close();
        self.shared.stages.ending.cancel();
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Listens to other gateways, too.
fn peers(parts: PeersParts, listeners: &mut Vec<Listener>) -> Result<Peers, StartError> {
    let (peers, socket) = Peers::new(parts).map_err(|error| StartError::Peers(io::Error::other(error)))?;
    socket.set_nonblocking(true).map_err(StartError::Peers)?;
    let address = socket.local_addr().map_err(StartError::Peers)?;
    listeners.push(Listener {
        socket,
        for_: Use::Peers,
        address,
    });
    Ok(peers)
}

/// A thread with its share of the connections. All threads accept from the same sockets, so that none that waits is lost
/// and a busy thread is not given more.
fn thread(shared: &Arc<Shared>, listeners: &[Listener], number: usize) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut sockets = Vec::new();
    for listener in listeners {
        sockets.push((listener.socket.try_clone()?, listener.for_));
    }
    let shared = shared.clone();
    let name = format!("gateway-{number}");
    std::thread::Builder::new().name(name).spawn(move || {
        let served = serve(shared, sockets, number == 0);
        if let Err(error) = runtime.block_on(served) {
            tracing::error!(%error, "a thread of the gateway can not listen");
        }
        // What looks a name up or reads a file may not hold up the end.
        runtime.shutdown_timeout(Duration::from_secs(1));
    })
}

async fn serve(
    shared: Arc<Shared>,
    sockets: Vec<(std::net::TcpListener, Use)>,
    is_first: bool,
) -> io::Result<()> {
    let worker = Arc::new(Worker {
        shared: shared.clone(),
        idle: Arc::new(Idle::default()),
    });
    for (socket, for_) in sockets {
        let listener = TcpListener::from_std(socket)?;
        let accepting = listen::accept(worker.clone(), listener, for_);
        if for_.is_last() {
            // Probes and other gateways are answered to the end, so that the end does not wait for it.
            tokio::spawn(accepting);
        } else {
            shared.stages.tasks.spawn(accepting);
        }
    }
    if is_first {
        tokio::spawn(tls::follow(shared.clone()));
        tokio::spawn(shared.keys.clone().follow());
        let shared = shared.clone();
        tokio::spawn(async move { shared.door.sweep().await });
    }
    let sweep = async {
        loop {
            tokio::time::sleep(SWEEP).await;
            worker.idle.sweep();
        }
    };
    tokio::select! {
        () = sweep => {}
        () = shared.stages.ending.cancelled() => {
            // Visitors at WebSockets are told.
            drop(tokio::time::timeout(CUT, shared.stages.tasks.wait()).await);
        }
    }
    Ok(())
}
