//! The plan: everything about one process that both modes share. Pure: no file, no clock, no environment.
//!
//! One decision a file; [`plan`] asks them in order.

mod asked;
mod cluster;
mod command;
mod digest;
mod env;
mod error;
mod home;
mod identity;
mod inherit;
mod install;
mod limits;
mod masks;
mod mounts;
mod needs;
mod notes;
mod output;
mod pandoc;
mod paths;
mod process;
mod python_key;
mod quantity;
mod r_cache;
mod resources;
mod supervisor;
mod types;
mod work;

pub use error::*;
pub use quantity::*;
pub use resources::PodResources;
pub use types::*;

use crate::api::job::TaskKind;
use crate::identity::Accounts;
use crate::runtimes::{self, Runtimes};
use crate::settings::Settings;

/// Plans every process of one job: installations of packages that are not there yet, then the task itself.
/// The same input gives the same plan.
///
/// # Errors
/// [`PlanError`]: the job, the settings, the runtimes and the accounts do not go together; nothing may be started.
pub fn plan(
    task: &Task,
    settings: &Settings,
    runtimes: &Runtimes,
    accounts: &Accounts,
) -> Result<Plan, PlanError> {
    paths::check(task)?;
    let work = work::of(task)?;
    let needs = needs::of(task, settings, &work);
    let choice = runtimes::select(&needs, runtimes)?;
    let accounts = identity::decide(task, settings, accounts)?;
    if task.mode == Mode::Pod {
        cluster::check(settings, &choice, [&accounts.default, &accounts.content])?;
    }
    let environments = match work.task {
        TaskKind::Deploy => install::Environments::default(),
        _ => install::environments(task, settings, &choice)?,
    };
    let scope = process::Scope {
        task,
        settings,
        work: &work,
        choice: &choice,
        environments: &environments,
    };
    let mut processes = process::installs(&scope, &accounts.default)?;
    if let Some(process) = process::task(&scope, &accounts.content)? {
        processes.push(process);
    }
    let notes = notes::of(&scope, &accounts, &processes);
    Ok(Plan {
        mode: task.mode,
        content: task.content.clone(),
        bundle: task.bundle.clone(),
        runtime: choice,
        processes,
        notes,
    })
}

/// The environments that the content of a task needs, installed or not, in the order of their languages.
///
/// # Errors
/// [`PlanError`]: the task does not fit the content, no runtime fits, or a lock file can not be used.
pub fn environments(
    task: &Task,
    settings: &Settings,
    runtimes: &Runtimes,
) -> Result<Vec<EnvironmentKey>, PlanError> {
    let work = work::of(task)?;
    let choice = runtimes::select(&needs::of(task, settings, &work), runtimes)?;
    let found = install::environments(task, settings, &choice)?;
    let keys = [found.python.map(|python| python.key), found.r.map(|r| r.key)];
    let wanted = |key: &EnvironmentKey| process::is_wanted(task, &work, key.language);
    Ok(keys.into_iter().flatten().filter(wanted).collect())
}

/// The account of `Applications.RunAs`, checked (RA1); an ordinary user's own where only that is to be had (SB9).
///
/// # Errors
/// [`PlanError`]: it is missing, or is root.
pub fn default_identity(settings: &Settings, accounts: &Accounts) -> Result<Identity, PlanError> {
    identity::default(settings, accounts)
}

/// The account that a content item's own `runAs` names, checked against the rules (RA1, RA3).
///
/// # Errors
/// [`PlanError`]: it is missing, is root, or is outside the shared group.
pub fn content_identity(
    asked: &str,
    settings: &Settings,
    accounts: &Accounts,
) -> Result<Identity, PlanError> {
    identity::content(asked, settings, accounts)
}

/// What every local process does not see (FS1).
#[must_use]
pub fn masks(settings: &Settings) -> Vec<Mask> {
    masks::fs1(settings)
}

/// What the task asks of a runtime (EX3, EX5).
///
/// # Errors
/// [`PlanError`]: the task does not fit the content.
pub fn needs(task: &Task, settings: &Settings) -> Result<crate::runtimes::Needs, PlanError> {
    Ok(needs::of(task, settings, &work::of(task)?))
}
