//! A gateway on a free port, and a hub that gives seats as a test tells it to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use offhost::apps::{Address, AppId};
use offhost::gateway::cookie_keys::KeyFile;

use offhost::gateway::{
    AppState, Backend, Claim, Door, Gateway, NoSeat, Options, OwnPages, Parts, Processes, Route, Routes,
    Seat, Serves,
};
use offhost::telemetry::gateway::GatewayMetrics;
use tokio::sync::watch;

/// Gives seats at one process.
#[derive(Debug)]
pub(crate) struct Hub {
    address: Mutex<Address>,
    process: Mutex<String>,
    /// Answers that are given before any seat.
    pub(crate) refusals: Mutex<VecDeque<NoSeat>>,
    /// How long each seat takes.
    pub(crate) delay: Mutex<Duration>,
    /// What was claimed.
    pub(crate) claims: Mutex<Vec<Claim>>,
    /// Seats that are taken.
    pub(crate) taken: Arc<AtomicUsize>,
    pub(crate) state: watch::Sender<AppState>,
}

struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Hub {
    pub(crate) fn new(address: &Address) -> Arc<Self> {
        Arc::new(Self {
            address: Mutex::new(address.clone()),
            process: Mutex::new("p1".to_owned()),
            refusals: Mutex::default(),
            delay: Mutex::default(),
            claims: Mutex::default(),
            taken: Arc::default(),
            state: watch::Sender::new(AppState::Ready),
        })
    }

    /// From now on seats are at another process.
    pub(crate) fn moved_to(&self, process: &str, address: &Address) {
        *self.address.lock().unwrap() = address.clone();
        process.clone_into(&mut self.process.lock().unwrap());
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// Waits until so many seats are taken.
    pub(crate) async fn until_taken(&self, count: usize) {
        let waited = async {
            while self.taken() != count {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let done = tokio::time::timeout(Duration::from_secs(10), waited).await;
        assert!(
            done.is_ok(),
            "{} seats are taken instead of {count}",
            self.taken()
        );
    }
}

impl Backend for Hub {
    fn take(&self, claim: Claim) -> BoxFuture<'_, Result<Seat, NoSeat>> {
        self.claims.lock().unwrap().push(claim.clone());
        let refusal = self.refusals.lock().unwrap().pop_front();
        let delay = *self.delay.lock().unwrap();
        async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay.min(claim.patience)).await;
                if delay > claim.patience {
                    return Err(NoSeat::Starting {
                        since: std::time::Instant::now(),
                    });
                }
            }
            if let Some(refusal) = refusal {
                return Err(refusal);
            }
            let process = self.process.lock().unwrap().as_str().into();
            let is_known = claim
                .session
                .is_some_and(|session| session.process.as_ref() == Some(&process));
            self.taken.fetch_add(1, Ordering::SeqCst);
            Ok(Seat {
                process,
                address: self.address.lock().unwrap().clone(),
                new_session: !is_known,
                guard: Box::new(Guard(self.taken.clone())),
            })
        }
        .boxed()
    }

    fn state(&self, _: &AppId) -> Option<watch::Receiver<AppState>> {
        Some(self.state.subscribe())
    }
}

/// A gateway that serves one application at `/content/app`.
pub(crate) struct Rig {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) at: SocketAddr,
    pub(crate) hub: Arc<Hub>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) metrics: Arc<GatewayMetrics>,
    /// Holds the file `keys`.
    pub(crate) directory: tempfile::TempDir,
}

/// What each test changes a little.
pub(crate) fn options() -> Options {
    Options {
        http: vec!["127.0.0.1:0".parse().unwrap()],
        threads: 2,
        page_patience: Duration::from_millis(50),
        ..Options::default()
    }
}

pub(crate) fn processes() -> Processes {
    Processes {
        keeps_prefix: false,
        affinity: false,
        is_shiny: false,
        connection_timeout: None,
        read_timeout: None,
        max_hold: Duration::from_secs(5),
        fallbacks: None,
        runs_as: None,
    }
}

pub(crate) fn route(name: &str, path: &str, serves: Serves) -> Route {
    Route {
        app: name.into(),
        name: name.to_owned(),
        path: path.to_owned(),
        host: None,
        access: offhost::visitors::AccessRule::All,
        serves,
    }
}

impl Rig {
    pub(crate) fn new(address: &Address) -> Self {
        Self::with(address, options(), processes())
    }

    pub(crate) fn with(address: &Address, options: Options, processes: Processes) -> Self {
        Self::behind(Door::Open, address, options, processes)
    }

    pub(crate) fn behind(door: Door, address: &Address, options: Options, processes: Processes) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let hub = Hub::new(address);
        let routes = Arc::new(Routes::default());
        let metrics = Arc::new(GatewayMetrics::new());
        routes
            .set(route("app", "/content/app", Serves::Processes(processes)))
            .unwrap();
        let parts = Parts {
            routes: routes.clone(),
            backend: hub.clone(),
            keys: Arc::new(KeyFile::open_or_make(directory.path().join("keys")).unwrap()),
            door,
            pages: Arc::new(OwnPages),
            metrics: metrics.clone(),
            peers: None,
        };
        let gateway = Arc::new(Gateway::start(options, parts).unwrap());
        let at = gateway.http()[0];
        Self {
            gateway,
            at,
            hub,
            routes,
            metrics,
            directory,
        }
    }
}
