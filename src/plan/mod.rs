//! The plan: everything about one process that both modes share. Pure: no file, no clock, no environment.
//!
//! One decision a file; [`plan`] asks them in order.

mod asked;
mod cluster;
mod command;
mod current_user;
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
mod probe;
mod process;
mod python_key;
mod quantity;
mod r_cache;
mod reason;
mod resources;
mod serve;
mod standing;
mod supervisor;
mod types;
mod work;

pub use current_user::CurrentUserError;
pub use error::*;
pub use inherit::POD_PATH;
pub use probe::{Probe, probes};
pub use quantity::*;
pub use resources::PodResources;
pub use serve::{Listen, PlaceError, SERVE_GRACE_SECONDS, ServePlan, ServeTask, StopSequence};
pub use standing::{May, Standing, standing};
pub use types::*;

use crate::api::job::TaskKind;
use crate::identity::Accounts;
use crate::runtimes::{self, Runtimes};
use crate::settings::Settings;
use work::Doing;

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
    if task.serve.as_ref().is_some_and(|serve| serve.current_user) {
        current_user::check(task.mode, work.app_mode, settings, accounts)?;
    }
    let accounts = identity::decide(task, settings, accounts)?;
    if task.mode == Mode::Pod {
        cluster::check(settings, &choice, [&accounts.default, &accounts.content])?;
    }
    let environments = match work.doing {
        Doing::Task(TaskKind::Deploy) => install::Environments::default(),
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
    if let Some(mut process) = process::task(&scope, &accounts.content)? {
        if let Some(serve) = &mut process.serve {
            serve.shared_group = accounts.shared_group;
        }
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
    if work.doing == Doing::Task(TaskKind::Deploy) {
        // What is only deployed is not run.
        return Ok(Vec::new());
    }
    let choice = runtimes::select(&needs::of(task, settings, &work), runtimes)?;
    let found = install::environments(task, settings, &choice)?;
    let keys = [
        found.python.map(|python| python.key),
        found.r.map(|r| r.key),
        found.node.map(|node| node.key),
    ];
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

/// The account that the processes of a visitor run as, by the name by which the visitor has logged in (CU2).
///
/// # Errors
/// [`PlanError`]: it is missing, is root, or is outside the shared group.
pub fn visitor_identity(name: &str, settings: &Settings, accounts: &Accounts) -> Result<Identity, PlanError> {
    identity::visitor(name, settings, accounts)
}

/// Requests and limits of the Pod of a Git build (GB6).
#[must_use]
pub fn build_resources(scheduler: &crate::settings::Scheduler) -> PodResources {
    resources::of_install(scheduler)
}

/// Whether visitors of content of this kind can have processes of their own accounts on this machine (CU1).
///
/// # Errors
/// [`PlanError`]: the kind, the settings or this program's own account do not allow it.
pub fn check_current_user(
    app_mode: crate::content::AppMode,
    settings: &Settings,
    accounts: &Accounts,
) -> Result<(), PlanError> {
    Ok(current_user::check(Mode::Local, app_mode, settings, accounts)?)
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
