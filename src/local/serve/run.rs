//! The server of this machine, from its start to its end.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::authentication::{self, DoorError};
use super::control::Control;
use super::fleet::{Handle, LocalFleet};
use super::keeper::{self, Keeper, News};
use super::lock::{LockError, ServerLock};
use super::sockets::Sockets;
use super::tally::Tally;
use super::upkeep;
use crate::apps::GatewayId;
use crate::data::IoFailure;
use crate::gateway::configured::{self, ListenSettingsError};
use crate::gateway::cookie_keys::{KeyFile, KeyFileError};
use crate::gateway::{Gateway, OwnPages, Parts, Routes, Seats, SeatsOptions, StartError};
use crate::hub::{self, FleetEvent, HubOptions};
use crate::local::error::LocalError;
use crate::local::server::{Server, open_data};
use crate::local::{probe, signals};
use crate::settings::Loaded;
use crate::signals::{Asked, Signals};
use crate::state::{Address, SqliteLock};
use crate::telemetry::gateway::GatewayMetrics;

/// Beside the settings file, unless another directory is named.
const CONTENT_D: &str = "content.d";
/// The gateway of this program.
const GATEWAY: &str = "local";
/// The processes end with the server, so that nothing is won by waiting for those who only listen.
const LONGEST_DRAIN: Duration = Duration::from_secs(30);
/// How long jobs may take to end.
const JOBS_END: Duration = Duration::from_secs(30);

/// How the server is started.
#[derive(Debug)]
pub struct Options {
    /// The settings.
    pub loaded: Loaded,
    /// The directory of manifests, if one is named.
    pub manifests: Option<PathBuf>,
    /// Where probes and scrapes are answered.
    pub admin: SocketAddr,
}

/// Why the server does not work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// This machine or its settings.
    #[error(transparent)]
    Local(Box<LocalError>),
    /// Another server.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No manifests.
    #[error(
        "there is no directory of manifests; make {CONTENT_D} beside the settings file, set Server.ManifestDir, or give --manifests DIR"
    )]
    NoManifests,
    /// A directory that is none.
    #[error("--manifests {path}: {source}; name a directory", path = .path.display())]
    Manifests {
        /// What was given.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// What the settings say of listening.
    #[error(transparent)]
    Settings(#[from] ListenSettingsError),
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] StartError),
    /// The keys of sessions.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// Who visits.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// The data directory.
    #[error(transparent)]
    Io(#[from] IoFailure),
    /// Signals.
    #[error("signals can not be taken: {0}")]
    Signals(#[source] std::io::Error),
}

impl From<LocalError> for RunError {
    fn from(error: LocalError) -> Self {
        Self::Local(Box::new(error))
    }
}

/// A server that is ready to run: everything that is checked once has been checked.
#[derive(Debug)]
pub struct Opened {
    server: Arc<Server>,
    directory: PathBuf,
    gateway: crate::gateway::Options,
    lock: ServerLock,
    _database: Option<SqliteLock>,
}

/// Takes the data directory and checks everything. Blocks.
///
/// # Errors
/// [`RunError`]: nothing of any content has run.
pub fn open(options: Options) -> Result<Opened, RunError> {
    let Options {
        loaded,
        manifests,
        admin,
    } = options;
    let mut gateway = configured::options(&loaded.settings.gateway, Some(admin))?;
    gateway.drain_timeout = gateway.drain_timeout.min(LONGEST_DRAIN);
    let directory = directory(&loaded, manifests)?;
    let data = open_data(&loaded)?;
    let address = Address::of(&loaded.settings).map_err(LocalError::from)?;
    let lock = if address.is_shared() {
        ServerLock::take_one(&data)?
    } else {
        ServerLock::take(&data)?
    };
    let database = address.directory().map(SqliteLock::take).transpose();
    let database = database.map_err(LocalError::from)?;
    for note in &loaded.notes {
        tracing::warn!("{note}");
    }
    let mut server = Server::open(loaded)?;
    tell(&server);
    upkeep::catch_up(&server)?;
    server.shows_output = false;
    server.launcher = server.launcher.holding(lock.fd());
    Ok(Opened {
        server: Arc::new(server),
        directory,
        gateway,
        lock,
        _database: database,
    })
}

fn directory(loaded: &Loaded, given: Option<PathBuf>) -> Result<PathBuf, RunError> {
    if let Some(path) = given {
        let checked = path.canonicalize().and_then(|path| {
            std::fs::read_dir(&path)?;
            Ok(path)
        });
        return checked.map_err(|source| RunError::Manifests { path, source });
    }
    let settings = &loaded.settings;
    let usual = || Some(settings.config_dir.as_ref()?.join(CONTENT_D)).filter(|path: &PathBuf| path.is_dir());
    settings
        .server
        .manifest_dir
        .clone()
        .or_else(usual)
        .ok_or(RunError::NoManifests)
}

/// Tells what was found when the server was opened.
fn tell(server: &Server) {
    for note in &server.discovered.notes {
        tracing::warn!("{note}");
    }
    for (mode, reason) in &server.form.declined {
        let form = probe::describe(*mode);
        tracing::warn!("the sandbox runs in a weaker form, since {form} it can not be made: {reason}");
    }
    for gone in &server.swept.removed {
        tracing::info!(path = %gone.path.display(), "removed {} that an interrupted run had left", gone.what);
    }
    for failure in &server.swept.failed {
        tracing::warn!("{failure}");
    }
}

/// A server that works.
struct Running {
    gateway: Gateway,
    seats: Arc<Seats>,
    fleet: Arc<LocalFleet>,
    news: UnboundedSender<News>,
    /// Held by jobs and installations while they run.
    jobs: (Arc<Semaphore>, u32),
    end: CancellationToken,
}

/// Runs until a signal ends it.
///
/// # Errors
/// [`RunError`]: it can not listen, or not write in the data directory.
pub async fn run(opened: Opened) -> Result<(), RunError> {
    // Before anything runs that they would have to end.
    let mut signals = Signals::take().map_err(RunError::Signals)?;
    let running = start(&opened).await?;
    while signals.next().await == Asked::Reload {
        reload(&running);
    }
    tracing::info!("ending in order; another signal ends at once");
    end(running, signals).await;
    tracing::info!("ended");
    Ok(())
}

async fn start(opened: &Opened) -> Result<Running, RunError> {
    let server = &opened.server;
    let settings = &server.settings;
    let tally = Arc::new(Tally::default());
    let door = authentication::of_server(server, &tally)?;
    let (hub, inbox) = hub::channel();
    let sockets = Sockets::open(&server.data, opened.lock.number)?;
    let fleet = LocalFleet::new(server.clone(), sockets, hub.clone(), tally.clone());
    let options = HubOptions {
        term: 1,
        gateways: Some([GatewayId::from(GATEWAY)].into()),
        max_processes_total: settings.scheduler.apps.max_processes_total,
        ..HubOptions::default()
    };
    tokio::spawn(hub::run(inbox, Arc::new(Handle(fleet.clone())), options));
    let seats = Arc::new(Seats::start(
        SeatsOptions {
            gateway: GatewayId::from(GATEWAY),
            queue_length: settings.gateway.queue_length,
            address: None,
        },
        Arc::new(hub.dial()),
    ));
    let routes = Arc::new(Routes::default());
    let keys = configured::session_keys(&settings.gateway, server.data.root());
    let keys = Arc::new(KeyFile::open_or_make(keys)?);
    let control = Control::open(&server.data, opened.lock.number)?;
    let (keeper, news, heard) = Keeper::new(keeper::Parts {
        server: server.clone(),
        fleet: fleet.clone(),
        routes: routes.clone(),
        hub: hub.clone(),
        tally: tally.clone(),
        directory: Some(opened.directory.clone()),
        address: address(settings.gateway.address.as_deref(), &opened.gateway),
    });
    let jobs = keeper.jobs();
    let end = CancellationToken::new();
    tokio::spawn(upkeep::keep_up(server.clone()));
    tokio::spawn(upkeep::keep_records(server.clone()));
    tokio::spawn(upkeep::keep_index(server.clone()));
    let (known, is_known) = oneshot::channel();
    tokio::spawn(keeper.run(heard, end.clone(), move || {
        let _ = known.send(());
    }));
    // Visitors come when it is known what there is.
    drop(is_known.await);
    hub.tell(FleetEvent::Complete);
    let metrics = Arc::new(GatewayMetrics::with(|registry| tally.register(registry)));
    let parts = Parts {
        routes,
        backend: seats.clone(),
        keys,
        door,
        pages: Arc::new(OwnPages),
        metrics,
        peers: None,
    };
    let gateway = Gateway::start(opened.gateway.clone(), parts)?;
    told(&gateway, &opened.directory);
    tokio::spawn(answer(control, news.clone()));
    Ok(Running {
        gateway,
        seats,
        fleet,
        news,
        jobs,
        end,
    })
}

fn told(gateway: &Gateway, directory: &Path) {
    for address in gateway.http() {
        tracing::info!("listening at http://{address}");
    }
    for address in gateway.https() {
        tracing::info!("listening at https://{address}");
    }
    for address in gateway.admin() {
        tracing::info!("health and metrics at http://{address}");
    }
    tracing::info!(directory = %directory.display(), "following the manifests");
}

/// By which addresses of applications begin, for people.
fn address(public: Option<&str>, gateway: &crate::gateway::Options) -> String {
    if let Some(public) = public {
        return public.to_owned();
    }
    let https = gateway.https.iter().flat_map(|https| &https.listen);
    let (scheme, listen) = match (https.into_iter().next(), gateway.http.first()) {
        (Some(listen), _) => ("https", listen),
        (None, Some(listen)) => ("http", listen),
        (None, None) => return String::new(),
    };
    if listen.ip().is_unspecified() {
        return format!("{scheme}://localhost:{}", listen.port());
    }
    format!("{scheme}://{listen}")
}

/// Answers `offhost apps`.
async fn answer(control: Control, news: UnboundedSender<News>) {
    let report = || async {
        let (asker, answer) = oneshot::channel();
        drop(news.send(News::Report(asker)));
        answer.await.unwrap_or_default()
    };
    control.answer(report).await;
}

fn reload(running: &Running) {
    tracing::info!("reading manifests and certificates again");
    drop(running.news.send(News::Reload));
    if let Err(error) = running.gateway.reload() {
        tracing::warn!("{error}; the last good certificate stays in use");
    }
}

/// Requests are answered and jobs ended, then the processes; a second signal does not wait for any of them.
async fn end(running: Running, mut signals: Signals) {
    let Running {
        gateway,
        seats,
        fleet,
        jobs: (jobs, count),
        end,
        ..
    } = running;
    tokio::spawn(async move {
        signals.end().await;
        // Everything in a sandbox ends with this program.
        crate::exec::exit_now(128 + libc::SIGTERM);
    });
    end.cancel();
    seats.close();
    signals::ask(libc::SIGTERM);
    let jobs = async {
        drop(tokio::time::timeout(JOBS_END, jobs.acquire_many(count)).await);
    };
    tokio::join!(gateway.drain(), jobs);
    fleet.close().await;
}
