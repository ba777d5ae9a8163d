//! Processes that look around in place of content: planned as content is, with the same account, masks, directories, variables,
//! limits and supervisor, so that what they find holds for content.

use std::collections::{BTreeMap, BTreeSet};

use super::install::Environments;
use super::process::{self, Scope};
use super::{EnvironmentKey, Mode, PlanError, ProcessPlan, ServeTask, Task, identity, paths, work};
use crate::api::job::{ContentJobSpec, TaskKind};
use crate::content::{AppMode, BundleFacts};
use crate::identity::Accounts;
use crate::names::PROBE;
use crate::runtimes::{Choice, LanguageName};
use crate::settings::Settings;

/// What is to be planned.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Names its directories, as a job's key does.
    pub key: String,
    /// The server's own environment.
    pub server_env: BTreeMap<String, String>,
    /// What is run, after the supervisor's words.
    pub command: Vec<String>,
}

/// The process of a job, an installation, and a process of an application, in this order.
///
/// # Errors
/// [`PlanError`]: no content would be planned with these settings either.
pub fn probes(
    probe: &Probe,
    settings: &Settings,
    accounts: &Accounts,
) -> Result<[ProcessPlan; 3], PlanError> {
    let run = task(probe, None);
    let serve = task(probe, Some(ServeTask::at("/probe")));
    let install = EnvironmentKey {
        language: LanguageName::Python,
        path: format!("{PROBE}/environment"),
    };
    Ok([
        plan(&run, settings, accounts, None)?,
        plan(&run, settings, accounts, Some(install))?,
        plan(&serve, settings, accounts, None)?,
    ])
}

fn plan(
    task: &Task,
    settings: &Settings,
    accounts: &Accounts,
    install: Option<EnvironmentKey>,
) -> Result<ProcessPlan, PlanError> {
    paths::check(task)?;
    let work = work::of(task)?;
    let accounts = identity::decide(task, settings, accounts)?;
    let identity = match install {
        Some(_) => &accounts.default,
        None => &accounts.content,
    };
    // Whatever interpreter content has: the probe is a program of its own.
    let choice = Choice {
        runtime: "local".to_owned(),
        supervisor: Vec::new(),
        interpreters: BTreeMap::new(),
        explanation: Vec::new(),
        volume_mounts: Vec::new(),
    };
    let scope = Scope {
        task,
        settings,
        work: &work,
        choice: &choice,
        environments: &Environments::default(),
    };
    process::probe(&scope, identity, install, task.spec.command.clone())
}

fn task(probe: &Probe, serve: Option<ServeTask>) -> Task {
    let app_mode = match serve {
        // A kind that inherits its socket.
        Some(_) => AppMode::PythonFastapi,
        None => AppMode::Script,
    };
    Task {
        mode: Mode::Local,
        spec: ContentJobSpec {
            task: serve.is_none().then_some(TaskKind::Run),
            command: probe.command.clone(),
            ..ContentJobSpec::default()
        },
        serve,
        content: PROBE.to_owned(),
        bundle: "1".to_owned(),
        job_key: probe.key.clone(),
        rendering: "1".to_owned(),
        facts: BundleFacts::of(app_mode),
        content_image: None,
        server_env: probe.server_env.clone(),
        installed: Vec::new(),
        r_cache: BTreeSet::new(),
        uv: None,
    }
}
