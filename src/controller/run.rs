//! The controller from its start to its end.
//!
//! ```text
//! settings checked -> probes answer -> volume open -> watches -> uploads   every replica, so that a standby is warm
//!                                                        v
//!                                Lease -> jobs of the leader before taken over -> looks at jobs
//!                                                        v
//! SIGTERM: no new looks, those under way end, the Lease is given back
//! ```

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::disk::Disk;
use super::http::{self, Admin};
use super::index::Awaited;
use super::lead::Leader;
use super::lease::LeaseError;
use super::runtimes::RuntimesFile;
use super::tasks::Tasks;
use super::uploads::{self, Uploads};
use super::view::View;
use super::volume::{Volume, VolumeError};
use super::warnings;
use super::watch::{self, Watches};
use crate::cluster::client::{self, ClientError, Connect, Connection};
use crate::hub;
use crate::settings::{Loaded, PathProblem, Settings, check_paths};
use crate::telemetry::metrics::{BySetting, Metrics};

/// Pause before another try to open the volume.
const PAUSE: Duration = Duration::from_secs(2);

/// Why the controller does not run, or does not go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// A setting is missing that Pod mode needs.
    #[error("{setting} is not set; {remedy}")]
    Missing {
        /// The setting.
        setting: &'static str,
        /// What to write there.
        remedy: &'static str,
    },
    /// A configured path can not be used.
    #[error(transparent)]
    Path(Box<PathProblem>),
    /// There is no cluster.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An address can not be listened on.
    #[error("{address} can not be listened on: {source}; give another address with {flag}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The flag that gives it.
        flag: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Signals can not be waited for.
    #[error("signals can not be waited for: {0}")]
    Signals(#[source] std::io::Error),
    /// The volume can not be used.
    #[error("{0}")]
    Volume(#[source] VolumeError),
    /// Another replica leads.
    #[error("ended, so that no job is worked on twice: {0}")]
    Lease(#[from] LeaseError),
    /// A part of the controller broke off.
    #[error("the {0} broke off, which is a fault of this program; it is started anew")]
    Broken(&'static str),
}

/// How the controller is started.
#[derive(Debug)]
pub struct Options {
    /// The settings.
    pub loaded: Loaded,
    /// Where probes and scrapes are answered.
    pub listen: SocketAddr,
    /// Where archives are taken.
    pub upload_listen: SocketAddr,
    /// Where gateways are linked.
    pub hub_listen: SocketAddr,
    /// Address of the Pod that this runs in, at which gateways find it.
    pub pod_ip: Option<IpAddr>,
    /// Name of the Pod that this runs in; tells replicas apart.
    pub pod_name: String,
    /// Namespace of that Pod.
    pub pod_namespace: Option<String>,
    /// The cluster.
    pub connect: Connect,
}

/// Runs the controller until it is told to end.
///
/// # Errors
/// [`RunError`].
pub async fn run(options: Options) -> Result<(), RunError> {
    let Options {
        loaded,
        listen,
        upload_listen,
        hub_listen,
        pod_ip,
        pod_name,
        pod_namespace,
        connect,
    } = options;
    let needed = check(&loaded)?;
    let metrics = Arc::new(Metrics::new());
    warn(&loaded, &metrics);
    let stop = stop_on_signals()?;
    let (admin_port, listen) = bind(listen, "--listen").await?;
    let (upload_port, upload_listen) = bind(upload_listen, "--upload-listen").await?;
    let (hub_port, hub_listen) = bind(hub_listen, "--hub-listen").await?;
    let connection = connection(connect, &loaded.settings, pod_namespace).await?;
    let view = Arc::new(View::new());
    let mut tasks = Tasks::new(stop.clone());
    let admin = Admin {
        health: view.health.clone(),
        metrics: metrics.clone(),
        jobs: view.jobs.clone(),
    };
    tasks.serve("server of probes", admin_port, http::routes(admin));
    announce(&connection, &pod_name, listen, upload_listen);
    let settings = Arc::new(loaded.settings);
    let runtimes = Arc::new(RuntimesFile::open(&needed.runtimes_file, metrics.clone()));
    tasks.spawn(
        "reading of runtimes.yaml",
        runtimes.clone().follow(stop.clone(), asker(&view)),
    );
    let watches = Watches {
        client: connection.client.clone(),
        namespace: connection.namespace.clone(),
        view: view.clone(),
        metrics: metrics.clone(),
        stop: stop.clone(),
    };
    tasks.spawn("watches", watch::watch(watches));
    let Some(volume) = open(&settings, &stop).await? else {
        return Ok(());
    };
    let disk = Disk::new(Arc::new(volume));
    let taken = Uploads {
        view: view.clone(),
        disk: disk.clone(),
        metrics: metrics.clone(),
    };
    tasks.serve("server of uploads", upload_port, uploads::routes(taken));
    let (handle, inbox) = hub::channel();
    let leader = Leader {
        hub: SocketAddr::new(pod_ip.unwrap_or_else(|| hub_listen.ip()), hub_listen.port()),
        hub_port,
        hub_ends: (handle, inbox),
        connection,
        pod_name,
        view,
        disk,
        settings,
        runtimes,
        metrics,
        claim: needed.claim,
        exec_image: needed.exec_image,
    };
    let ended = tasks.unless_broken(Box::pin(leader.run(stop.clone()))).await;
    stop.cancel();
    tasks.end().await;
    ended
}

/// Has the jobs looked at that wait for a runtime.
fn asker(view: &Arc<View>) -> impl Fn() + Send + 'static {
    let view = view.clone();
    move || {
        for job in view.index.waiting_for(&Awaited::Runtime) {
            view.ask(job);
        }
        // What an application is made from may be another image now.
        view.ask_all_apps();
    }
}

/// What Pod mode can not do without.
#[derive(Clone, Debug)]
struct Needed {
    claim: String,
    exec_image: String,
    runtimes_file: PathBuf,
}

fn check(loaded: &Loaded) -> Result<Needed, RunError> {
    let settings = &loaded.settings;
    let claim = needed(
        settings.kubernetes.data_dir_pvc_name.clone(),
        "Kubernetes.DataDirPVCName",
        "name the claim that holds Server.DataDir",
    )?;
    let exec_image = needed(
        settings.kubernetes.exec_image.clone(),
        "Kubernetes.ExecImage",
        "name the image with the helper, the target `exec` of this project's Dockerfile",
    )?;
    let runtimes_file = needed(
        settings.runtimes_file.clone(),
        "ExecutionEnvironments.ConfigFilePath",
        "name the file that lists the images content can run in",
    )?;
    // Interpreters and other programs that the file may name are those of a machine, and none of ours.
    let problem = check_paths(loaded)
        .into_iter()
        .find(|problem| problem.setting == "ExecutionEnvironments.ConfigFilePath");
    match problem {
        Some(problem) => Err(RunError::Path(Box::new(problem))),
        None => Ok(Needed {
            claim,
            exec_image,
            runtimes_file,
        }),
    }
}

fn needed<T>(value: Option<T>, setting: &'static str, remedy: &'static str) -> Result<T, RunError> {
    value.ok_or(RunError::Missing { setting, remedy })
}

/// Tells what a reader of the settings would not expect.
fn warn(loaded: &Loaded, metrics: &Metrics) {
    for note in &loaded.notes {
        tracing::info!("Settings: {note}");
    }
    for (setting, sentence) in warnings::of(&loaded.provenance) {
        tracing::warn!(setting, "Setting without effect: {sentence}");
    }
    let gives_away = rustix::process::geteuid().is_root();
    if gives_away {
        tracing::warn!("The controller runs as root, so that content can run as other accounts");
    }
    let setting = "controller.giveAwayDirectories".to_owned();
    metrics
        .weakened
        .get_or_create(&BySetting { setting })
        .set(i64::from(gives_away));
}

fn announce(connection: &Connection, pod_name: &str, listen: SocketAddr, upload_listen: SocketAddr) {
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        namespace = connection.namespace,
        server = connection.server,
        identity = pod_name,
        %listen,
        %upload_listen,
        "Controller started"
    );
}

/// SIGTERM and an interrupt are orders to end.
fn stop_on_signals() -> Result<CancellationToken, RunError> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("Told to end");
        told.cancel();
    });
    Ok(stop)
}

/// Listens on an address; gives the one that was taken where its port is 0.
async fn bind(address: SocketAddr, flag: &'static str) -> Result<(TcpListener, SocketAddr), RunError> {
    let failed = |source| RunError::Listen {
        address,
        flag,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let taken = listener.local_addr().map_err(failed)?;
    Ok((listener, taken))
}

/// The cluster, and the one namespace that is served: that of the settings, else the one this runs in.
async fn connection(
    mut connect: Connect,
    settings: &Settings,
    pod_namespace: Option<String>,
) -> Result<Connection, RunError> {
    let configured = settings.kubernetes.namespace.clone();
    connect.namespace = configured.or(connect.namespace).or(pod_namespace);
    Ok(client::connect(&connect).await?)
}

/// Opens the volume, as soon as it answers. `None` where `stop` came first.
async fn open(settings: &Arc<Settings>, stop: &CancellationToken) -> Result<Option<Volume>, RunError> {
    let mut said = String::new();
    loop {
        let settings = settings.clone();
        let opened = tokio::task::spawn_blocking(move || Volume::open(&settings)).await;
        let error = match opened {
            Ok(Ok(volume)) => return Ok(Some(volume)),
            Ok(Err(error)) if error.heals() => error.to_string(),
            Ok(Err(error)) => return Err(RunError::Volume(error)),
            Err(_) => return Err(RunError::Broken("opening of the data volume")),
        };
        if said != error {
            tracing::warn!("Data volume not open yet, trying again: {error}");
            said = error;
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(None),
            () = sleep(PAUSE) => {}
        }
    }
}
