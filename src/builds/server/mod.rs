//! `offhost builder`: watches repositories and builds what is new in them, until it is told to end.

mod admin;
mod metrics;
mod watch;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use metrics::BuildMetrics;

use super::cluster::ClusterError;
use super::error::BuildError;
use super::file::{self, GitBuilder};
use super::workshop::Workshop;
use crate::data::{FileLock, IoFailure};
use crate::local::signals;
use crate::settings::{BuildSettings, LoadedBuilds};
use watch::{Shared, Watch};

/// Between two looks whether the end was asked for.
const TICK: Duration = Duration::from_millis(200);
/// Pause before a cluster is asked again in which nothing could be built.
const AGAIN: Duration = Duration::from_secs(30);
/// Name of the file of builders, beside the settings file.
const BUILDERS: &str = "builders.yaml";

/// What the server is started with.
#[derive(Debug)]
pub struct Options {
    /// The settings.
    pub loaded: LoadedBuilds,
    /// The file of builders; `builders.yaml` beside the settings file when not given.
    pub builders: Option<PathBuf>,
    /// Address for health and metrics.
    pub admin: SocketAddr,
}

/// The file of builders: the one that was named, else the one beside the settings file.
#[must_use]
pub fn builders_file(loaded: &LoadedBuilds, named: Option<&Path>) -> PathBuf {
    let beside = || {
        let config = loaded.config_file.as_deref().and_then(Path::parent);
        config
            .unwrap_or_else(|| Path::new(crate::names::BUILD_CONFIG_DIR))
            .join(BUILDERS)
    };
    named.map_or_else(beside, Path::to_owned)
}

/// Reads the file of builders.
///
/// # Errors
/// It can not be read, or is not what it must be.
pub fn read_builders(path: &Path, settings: &BuildSettings) -> Result<Vec<GitBuilder>, BuildError> {
    let text = std::fs::read_to_string(path).map_err(|source| BuildError::Builders {
        path: path.to_owned(),
        source,
    })?;
    Ok(file::parse(&text, &path.display().to_string(), settings)?)
}

/// Serves until a signal asks for the end.
///
/// # Errors
/// It can not begin. What goes wrong with one repository later on is told in the log alone.
pub fn run(options: Options) -> Result<(), BuildError> {
    // Before any thread: signals are taken by one of their own.
    signals::take().map_err(BuildError::Begin)?;
    let Options {
        loaded,
        builders,
        admin,
    } = options;
    let file = builders_file(&loaded, builders.as_deref());
    let builders = read_builders(&file, &loaded.settings)?;
    let state = loaded.settings.builder_dir.clone();
    let _lock = take(&state)?;
    let metrics = Arc::new(BuildMetrics::new());
    metrics.allowed_unsandboxed(loaded.settings.allow_unsandboxed);
    let health = admin::start(admin, Arc::clone(&metrics))?;
    let mut secrets: Vec<PathBuf> = builders
        .iter()
        .flat_map(|builder| builder.access.secrets())
        .collect();
    secrets.push(file);
    if let Some(workshop) = open(&loaded, &secrets, &health)? {
        metrics.opened(workshop.is_sandboxed());
        health.ready();
        let shared = Shared::new(&loaded.settings, &workshop, &metrics, &state);
        serve(&builders, &shared);
    }
    tracing::info!("the builder has ended");
    Ok(())
}

/// The workshop; `None` where the end was asked for before there was one. A sandbox that can not be had is not tried again, as only
/// another configuration can help; a cluster may only be short of something now.
fn open(
    loaded: &LoadedBuilds,
    secrets: &[PathBuf],
    health: &admin::Health,
) -> Result<Option<Workshop>, BuildError> {
    while !signals::ends() {
        let opened = Workshop::open(loaded, secrets.to_vec());
        let opened = opened.and_then(|workshop| workshop.end_left_over().map(|()| workshop));
        match opened {
            Ok(workshop) => return Ok(Some(workshop)),
            Err(error @ BuildError::Off { .. }) => {
                tracing::error!("{error}");
                health.off(&error.to_string());
                wait_for_end();
            }
            Err(
                error @ (BuildError::PodsOff { .. }
                | BuildError::Cluster(ClusterError::Call(_))
                | BuildError::Pod { .. }),
            ) => {
                tracing::error!("{error}");
                health.off(&error.to_string());
                wait(AGAIN);
            }
            Err(BuildError::Stopped) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The directory of what is remembered, for this server alone.
fn take(state: &Path) -> Result<FileLock, BuildError> {
    crate::local::make_own(state)?;
    let logs = state.join(watch::LOGS);
    crate::local::make_own(&logs)?;
    let lock = FileLock::try_exclusive(&state.join("builder.lock"))?;
    lock.ok_or_else(|| BuildError::Busy(state.to_owned()))
}

/// Each repository has a thread of its own, so that one which hangs or fails holds no other.
fn serve(builders: &[GitBuilder], shared: &Shared<'_>) {
    let opened = builders.iter().filter_map(|builder| {
        let opened = Watch::open(builder, shared);
        let told = |error| tracing::error!(builder = builder.name, "the builder is off: {error}");
        opened.map_err(told).ok()
    });
    let watches: Vec<Watch<'_>> = opened.collect();
    watches.iter().for_each(Watch::sweep);
    tracing::info!("{} builders begin", watches.len());
    std::thread::scope(|scope| {
        for watch in watches {
            scope.spawn(move || watch.run());
        }
        wait_for_end();
    });
}

fn wait_for_end() {
    wait(Duration::MAX);
}

/// Waits so long, or until the end is asked for.
fn wait(time: Duration) {
    let begun = Instant::now();
    while !signals::ends() && begun.elapsed() < time {
        std::thread::sleep(TICK);
    }
}

/// A record that can not be read.
fn memory_fault(path: &Path, source: serde_json::Error) -> BuildError {
    BuildError::Memory {
        path: path.to_owned(),
        source,
    }
}

fn read_failure(path: &Path, error: std::io::Error) -> BuildError {
    IoFailure::new("read", path, error).into()
}
