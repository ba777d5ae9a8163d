//! Installs packages into the shared caches: made aside by the default account, put in place by the server (PK1, PK2, RA4).

use std::collections::BTreeMap;
use std::path::Path;

use super::error::LocalError;
use super::process::{self, Finished};
use super::server::Server;
use super::signals::stop_asked;
use crate::data::{Environments, FileLock, JobDir, Stage, layout, remove_tree};
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
    match key.language {
        LanguageName::R => r(server, job, plan, (Path::new(target), packages), on_wait),
        _ => python(
            server,
            job,
            plan,
            (Path::new(staging), Path::new(target)),
            on_wait,
        ),
    }
}

fn python(
    server: &Server,
    job: &JobDir,
    plan: &ProcessPlan,
    (staging, target): (&Path, &Path),
    on_wait: impl FnOnce(),
) -> Result<Installed, LocalError> {
    let environments = Environments::new(&server.data);
    let wait = |lock: &Path| {
        on_wait();
        FileLock::exclusive_while(lock, || !stop_asked())
    };
    let made = match environments.stage(target, staging, process::owner(&plan.identity), wait)? {
        Stage::Present(_) => return Ok(Installed::Meanwhile),
        Stage::GivenUp => return Err(LocalError::Stopped),
        Stage::Make(made) => made,
    };
    match process::run(server, job, plan).and_then(succeeded) {
        Ok(()) => {
            environments.publish(made)?;
            Ok(Installed::Now)
        }
        Err(error) => {
            // What the installation failed of comes first; a sweep removes what this can not.
            drop(environments.discard(made));
            Err(error)
        }
    }
}

/// R packages go one by one into the shared cache, then the library of links is made (PK1).
fn r(
    server: &Server,
    job: &JobDir,
    plan: &ProcessPlan,
    (target, packages): (&Path, &BTreeMap<String, String>),
    on_wait: impl FnOnce(),
) -> Result<Installed, LocalError> {
    let environments = Environments::new(&server.data);
    let (version, key) = version_and_key(target);
    let lock = server
        .data
        .ensure(layout::r_data().join(&version))?
        .join(format!(".{key}.install.lock"));
    let _alone = match FileLock::try_exclusive(&lock)? {
        Some(held) => held,
        None => {
            on_wait();
            FileLock::exclusive_while(&lock, || !stop_asked())?.ok_or(LocalError::Stopped)?
        }
    };
    if environments.is_present(target) {
        return Ok(Installed::Meanwhile);
    }
    // The process sees the cache read-only, also where it is still empty.
    server
        .data
        .ensure(layout::packrat().join(&version).join("v2/library"))?;
    let staging = environments.stage_r(&version, job_key(plan), process::owner(&plan.identity))?;
    // What was in the cache when the plan was made was linked from there, and is not among what was built.
    let before = crate::local::gather::r_cache(server.data.root());
    let cached = |package: &str, hash: &str| {
        layout::r_package(&version, package, hash)
            .parent()
            .and_then(Path::to_str)
            .is_some_and(|path| before.contains(path))
    };
    let installed = process::run(server, job, plan)
        .and_then(succeeded)
        .and_then(|()| publish(&environments, packages, cached, &version, staging.path()));
    let removed = remove_tree(staging.path()).map(|_| staging.release());
    // What the installation failed of comes first; a sweep removes what this could not.
    installed?;
    removed?;
    environments.publish_library(&version, &key, packages)?;
    Ok(Installed::Now)
}

/// Moves each package that the cache lacked into it. Which ones there must be is known from the plan, not from what the
/// process left.
fn publish(
    environments: &Environments<'_>,
    packages: &BTreeMap<String, String>,
    cached: impl Fn(&str, &str) -> bool,
    version: &str,
    staging: &Path,
) -> Result<(), LocalError> {
    for (package, hash) in packages {
        if !cached(package, hash) {
            let built = staging.join("v2/library").join(package).join(hash).join(package);
            environments.publish_package(version, package, hash, &built)?;
        }
    }
    Ok(())
}

/// `packrat/4.2.2/libraries/KEY`: the version and the key.
fn version_and_key(target: &Path) -> (String, String) {
    let parts: Vec<String> = target
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let part = |index: usize| parts.get(index).cloned().unwrap_or_default();
    (part(1), part(3))
}

/// The last part of the staging directory's name is the job's key.
fn job_key(plan: &ProcessPlan) -> &str {
    let Output::Environment { staging, .. } = &plan.output else {
        return "job";
    };
    staging
        .rsplit_once("staging.")
        .map_or(staging.as_str(), |(_, key)| key)
}

fn succeeded(finished: Finished) -> Result<(), LocalError> {
    // A package that was cut off would stay in the cache for all content.
    if finished.ended.succeeded() && finished.full.is_none() {
        return Ok(());
    }
    Err(LocalError::Install(finished.failed()))
}
