//! `offhost gateway`, from its start to its end.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::form::Desks;
use super::routes::Maker;
use super::watch::Follower;
use super::wish::SENDING;
use super::{hub, keys};
use crate::apps::GatewayId;
use crate::asked::{PURPOSE, Sealing};
use crate::cluster::client::{self, ClientError, Connect, Connection};
use crate::gateway::configured::{self, ListenSettingsError};
use crate::gateway::{
    FileServer, Gateway, KeyFile, MemoryLogins, OwnPages, Parts, PeersParts, Questions, Routes, Seats,
    SeatsOptions, StartError,
};
use crate::hub::net::{HubKey, NetDial};
use crate::local::serve::authentication::{self, DoorError};
use crate::settings::{Loaded, Settings};
use crate::signals::{Asked, Signals};
use crate::telemetry::gateway::GatewayMetrics;

/// Pause before keys that are not there yet are looked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a gateway does not run.
#[derive(Debug, Error)]
pub enum RunError {
    /// What the settings say of listening.
    #[error(transparent)]
    Settings(#[from] ListenSettingsError),
    /// There is no cluster.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It can not serve.
    #[error(transparent)]
    Start(#[from] StartError),
    /// What the settings say of who visits.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// Signals can not be waited for.
    #[error("signals can not be waited for: {0}")]
    Signals(#[source] std::io::Error),
}

/// How the gateway is started.
#[derive(Debug)]
pub struct Options {
    /// The settings.
    pub loaded: Loaded,
    /// Where visitors come in, instead of what the settings say.
    pub listen: Option<SocketAddr>,
    /// Where probes and scrapes are answered.
    pub admin: SocketAddr,
    /// Name of the Pod that this runs in; tells gateways apart.
    pub pod_name: String,
    /// Namespace of that Pod.
    pub pod_namespace: Option<String>,
    /// Where other gateways pass on requests of sessions that this one has.
    pub peers: Option<SocketAddr>,
    /// Address of that Pod, as other gateways reach it.
    pub pod_ip: Option<IpAddr>,
    /// The cluster.
    pub connect: Connect,
}

/// Runs the gateway until it is told to end.
///
/// # Errors
/// [`RunError`].
pub async fn run(options: Options) -> Result<(), RunError> {
    let mut signals = Signals::take().map_err(RunError::Signals)?;
    let starting = start(options);
    let running = tokio::select! {
        running = starting => running?,
        () = signals.end() => return Ok(()),
    };
    while signals.next().await == Asked::Reload {
        if let Err(error) = running.gateway.reload() {
            tracing::warn!("{error}; the last good certificate stays in use");
        }
    }
    tracing::info!("Told to end: no new visitor is taken, those who are here are served");
    running.seats.close();
    tokio::select! {
        () = running.gateway.drain() => {}
        () = signals.end() => running.gateway.cut(),
    }
    tracing::info!("Ended");
    Ok(())
}

/// A gateway that works.
struct Running {
    gateway: Gateway,
    seats: Arc<Seats>,
    _follower: AbortOnDropHandle<()>,
}

async fn start(options: Options) -> Result<Running, RunError> {
    let Options {
        loaded,
        listen,
        admin,
        pod_name,
        pod_namespace,
        peers,
        pod_ip,
        connect,
    } = options;
    let settings = Arc::new(loaded.settings);
    let mut own = settings.gateway.clone();
    own.http = listen.or(own.http);
    let served = configured::options(&own, Some(admin))?;
    let door = authentication::door(&settings.authentication, None, Arc::new(MemoryLogins::default()))?;
    let connection = connection(connect, &settings, pod_namespace).await?;
    let (client, namespace) = (connection.client.clone(), connection.namespace.clone());
    let routes = Arc::new(Routes::default());
    let hub_file = keys::hub_key(&settings);
    let hub_key = wait_for(&hub_file, || HubKey::read(&hub_file)).await;
    let (files, questions) = (Arc::new(FileServer::default()), Arc::new(Questions::default()));
    let maker = Maker {
        settings: settings.clone(),
        files: files.clone(),
        desks: Arc::new(Desks {
            settings: settings.clone(),
            files,
            questions: questions.clone(),
            sealing: Sealing::new(hub_key.seed(PURPOSE)),
            sending: Semaphore::new(SENDING),
        }),
    };
    let (follower, mut synced) = Follower::new(maker, routes.clone());
    let follower = AbortOnDropHandle::new(tokio::spawn(follower.run(client.clone(), namespace.clone())));
    let session_keys = keys::session_keys(&settings);
    let keys = wait_for(&session_keys, || KeyFile::open(&session_keys).map(Arc::new)).await;
    let dial = NetDial::new(hub::follow(client, &namespace), hub_key.clone());
    let (listener, address) = listen_to_peers(peers, pod_ip).map_err(StartError::Peers)?.unzip();
    let own = GatewayId::from(pod_name.as_str());
    let seats = Arc::new(Seats::asking(
        SeatsOptions {
            gateway: own.clone(),
            queue_length: settings.gateway.queue_length,
            address,
        },
        Arc::new(dial),
        questions,
    ));
    // Visitors come when it is known what is served.
    let _told = synced.wait_for(|synced| *synced).await;
    let parts = Parts {
        routes,
        backend: seats.clone(),
        keys,
        door,
        pages: Arc::new(OwnPages),
        metrics: Arc::new(GatewayMetrics::new()),
        peers: listener.map(|listener| PeersParts {
            own,
            listener,
            all: seats.peers(),
            key: hub_key,
        }),
    };
    let gateway = Gateway::start(served, parts)?;
    say_started(&gateway, &connection, &pod_name);
    Ok(Running {
        gateway,
        seats,
        _follower: follower,
    })
}

fn say_started(gateway: &Gateway, connection: &Connection, pod_name: &str) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = connection.namespace,
        server = connection.server,
        gateway = pod_name,
        http = ?gateway.http(),
        https = ?gateway.https(),
        admin = ?gateway.admin(),
        "Gateway started"
    );
}

/// The listener of other gateways, if there is to be one, and where they reach it.
fn listen_to_peers(
    at: Option<SocketAddr>,
    pod_ip: Option<IpAddr>,
) -> io::Result<Option<(TcpListener, SocketAddr)>> {
    let Some(at) = at else {
        return Ok(None);
    };
    let listener = TcpListener::bind(at)?;
    let bound = listener.local_addr()?;
    let reached = SocketAddr::new(pod_ip.unwrap_or_else(|| bound.ip()), bound.port());
    Ok(Some((listener, reached)))
}

/// Reads a file that the leading controller makes, as soon as it is there.
async fn wait_for<T, E: std::fmt::Display>(path: &Path, read: impl Fn() -> Result<T, E>) -> T {
    let mut said = String::new();
    loop {
        let error = match read() {
            Ok(found) => return found,
            Err(error) => error.to_string(),
        };
        if said != error {
            tracing::warn!(file = %path.display(), "Waiting for a key, which the leading controller makes: {error}");
            said = error;
        }
        sleep(PAUSE).await;
    }
}

async fn connection(
    mut connect: Connect,
    settings: &Settings,
    pod_namespace: Option<String>,
) -> Result<Connection, RunError> {
    let configured = settings.kubernetes.namespace.clone();
    connect.namespace = configured.or(connect.namespace).or(pod_namespace);
    Ok(client::connect(&connect).await?)
}
