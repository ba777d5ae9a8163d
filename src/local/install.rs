//! Installs packages into the shared caches: made aside by the default account, put in place by the server (PK1, PK2, RA4).

use std::path::Path;

use super::error::LocalError;
use super::process::{self, Finished};
use super::server::Server;
use super::signals::stop_asked;
use crate::data::{Environments, FileLock, JobDir, Stage};
use crate::plan::{EnvironmentKey, Output, ProcessPlan};
use crate::runtimes::LanguageName;

/// What an installation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Installed {
    /// The packages were installed now.
    Now,
    /// Another job had installed them in the meantime.
    Meanwhile,
}

/// Runs one installation and puts its result in place. Waits, after `on_wait`, while another job installs the same.
///
/// # Errors
/// The installation failed: nothing has changed.
pub fn run(
    server: &Server,
    job: &JobDir,
    plan: &ProcessPlan,
    key: &EnvironmentKey,
    on_wait: impl FnOnce(),
) -> Result<Installed, LocalError> {
    let Output::Environment {
        staging,
        target,
        packages,
    } = &plan.output
    else {
        return Ok(Installed::Meanwhile);
    };
    let environments = Environments::new(&server.data);
    let (target, staging) = (Path::new(target), Path::new(staging));
    let owner = process::owner(&plan.identity);
    let wait = |lock: &Path| {
        on_wait();
        FileLock::exclusive_while(lock, || !stop_asked())
    };
    let install = || process::run(server, job, plan).and_then(succeeded);
    match key.language {
        LanguageName::R => match environments.stage_library(target, staging, owner, wait)? {
            Stage::Present(_) => Ok(Installed::Meanwhile),
            Stage::GivenUp => Err(LocalError::Stopped),
            Stage::Make(made) => {
                let installed =
                    install().and_then(|()| Ok(environments.publish_built(&made, packages).map(drop)?));
                let removed = environments.discard_library(made);
                // What the installation failed of comes first; a sweep removes what this could not.
                installed?;
                removed?;
                Ok(Installed::Now)
            }
        },
        _ => match environments.stage(target, staging, owner, wait)? {
            Stage::Present(_) => Ok(Installed::Meanwhile),
            Stage::GivenUp => Err(LocalError::Stopped),
            Stage::Make(made) => match install() {
                Ok(()) => Ok(environments.publish(made).map(|_| Installed::Now)?),
                Err(error) => {
                    drop(environments.discard(made));
                    Err(error)
                }
            },
        },
    }
}

fn succeeded(finished: Finished) -> Result<(), LocalError> {
    // A package that was cut off would stay in the cache for all content.
    if finished.ended.succeeded() && finished.full.is_none() {
        return Ok(());
    }
    Err(LocalError::Install(finished.failed()))
}
