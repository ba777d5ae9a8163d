//! Puts the decisions together into processes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::home::{self, Home};
use super::install::{self, Environments};
use super::work::{Doing, Work};
use super::{
    EnvironmentKey, Identity, InputFile, Limits, Mode, Output, PlanError, PodResources, ProcessPlan, Purpose,
    Task, TmpDir, command, env, limits, masks, mounts, output, paths, serve, supervisor,
};
use crate::api::job::{InstallLanguage, TaskKind};
use crate::names;
use crate::runtimes::{Choice, LanguageName};
use crate::settings::Settings;

/// Everything that the processes of one job have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) task: &'a Task,
    pub(super) settings: &'a Settings,
    pub(super) work: &'a Work,
    pub(super) choice: &'a Choice,
    pub(super) environments: &'a Environments,
}

/// Who one process is and where it lives.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) identity: &'a Identity,
    pub(super) home: Home,
    pub(super) tmp: TmpDir,
    /// Whether the environments exist when the process starts: for content yes, for an installation no.
    pub(super) environments_ready: bool,
}

/// Longer than a probe of `offhost audit` ever takes, unless a file system hangs.
const PROBE_SECONDS: u64 = 60;

/// What the process's temporary directory covers with `Sandbox.MaskTmp` (FS2).
pub(super) const COVERED_BY_TMP: [&str; 2] = ["/tmp", "/var/tmp"];

/// What only one kind of process has.
struct Parts {
    purpose: Purpose,
    command: Vec<String>,
    working_dir: &'static str,
    mounts: Vec<super::Mount>,
    inputs: Vec<InputFile>,
    limits: Limits,
    resources: PodResources,
    timeout_seconds: Option<u64>,
    output: Output,
}

/// Whether the packages of a language are any business of the task.
pub(super) fn is_wanted(task: &Task, work: &Work, language: LanguageName) -> bool {
    match task.spec.language {
        _ if work.doing == Doing::Task(TaskKind::Deploy) => false,
        Some(InstallLanguage::R) => language == LanguageName::R,
        Some(InstallLanguage::Python) => language == LanguageName::Python,
        Some(InstallLanguage::Node) => language == LanguageName::Nodejs,
        None => true,
    }
}

/// The installations that are still to be done, as the default account (RA4).
pub(super) fn installs(scope: &Scope<'_>, identity: &Identity) -> Result<Vec<ProcessPlan>, PlanError> {
    let mut processes = Vec::new();
    let (limits, resources) = limits::of_install(scope.task.mode, scope.settings);
    let wanted = |language| is_wanted(scope.task, scope.work, language);
    if let Some(python) = scope
        .environments
        .python
        .as_ref()
        .filter(|python| !python.installed && wanted(LanguageName::Python))
    {
        let parts = Parts {
            purpose: Purpose::Install(python.key.clone()),
            command: command::install_python(scope, python)?,
            working_dir: names::MOUNT_APP,
            mounts: mounts::of_python_install(scope.task, python),
            inputs: Vec::new(),
            limits: limits.clone(),
            resources: resources.clone(),
            timeout_seconds: None,
            output: Output::Environment {
                staging: paths::python_staging(scope.task, &python.version),
                target: python.key.path.clone(),
                packages: BTreeMap::new(),
            },
        };
        processes.push(assemble(scope, identity, "-install-python", parts)?);
    }
    if let Some(library) = scope
        .environments
        .r
        .as_ref()
        .filter(|library| !library.installed && wanted(LanguageName::R))
    {
        let parts = Parts {
            purpose: Purpose::Install(library.key.clone()),
            command: command::install_r(scope)?,
            working_dir: names::MOUNT_APP,
            mounts: mounts::of_r_install(scope.task, library),
            inputs: vec![install::r_packages(scope.task, library)],
            limits: limits.clone(),
            resources: resources.clone(),
            timeout_seconds: None,
            output: Output::Environment {
                staging: paths::r_staging(scope.task, &library.version),
                target: library.key.path.clone(),
                packages: install::hashes(library),
            },
        };
        processes.push(assemble(scope, identity, "-install-r", parts)?);
    }
    if let Some(node) = scope
        .environments
        .node
        .as_ref()
        .filter(|node| !node.installed && wanted(LanguageName::Nodejs))
    {
        let parts = Parts {
            purpose: Purpose::Install(node.key.clone()),
            command: command::install_node(scope, node)?,
            working_dir: names::MOUNT_APP,
            mounts: mounts::of_node_install(scope.task, node),
            inputs: Vec::new(),
            limits,
            resources,
            timeout_seconds: None,
            output: Output::Environment {
                staging: paths::node_staging(scope.task, &node.version),
                target: node.key.path.clone(),
                packages: BTreeMap::new(),
            },
        };
        processes.push(assemble(scope, identity, "-install-node", parts)?);
    }
    Ok(processes)
}

/// The content's own process; none where the task is only an installation.
pub(super) fn task(scope: &Scope<'_>, identity: &Identity) -> Result<Option<ProcessPlan>, PlanError> {
    let allowed = limits::of_task(scope.task, scope.settings)?;
    let timeout_seconds = limits::timeout(scope.task)?;
    let purpose = match scope.work.doing {
        Doing::Task(TaskKind::Deploy | TaskKind::Install) => return Ok(None),
        Doing::Task(kind) => Purpose::Task(kind),
        Doing::Serve => Purpose::Serve,
    };
    let inputs: Vec<InputFile> = parameters(scope).into_iter().collect();
    let parts = Parts {
        command: match purpose {
            // It names places that are known only in the end.
            Purpose::Serve => Vec::new(),
            _ => command::of_task(scope)?,
        },
        purpose,
        working_dir: match scope.work.doing {
            Doing::Task(TaskKind::RenderSite) => names::MOUNT_REPORT,
            _ => names::MOUNT_APP,
        },
        mounts: mounts::of_task(scope.task, scope.work, scope.environments, !inputs.is_empty()),
        inputs,
        limits: allowed.limits,
        resources: allowed.resources,
        timeout_seconds,
        output: output::of_task(scope),
    };
    assemble(scope, identity, "", parts).map(Some)
}

/// What is run in place of a process of content, to look around where that would be (`offhost audit`): the same in
/// everything but its command line, its files and its environments, of which it has none.
pub(super) fn probe(
    scope: &Scope<'_>,
    identity: &Identity,
    install: Option<EnvironmentKey>,
    command: Vec<String>,
) -> Result<ProcessPlan, PlanError> {
    let (purpose, limits, suffix) = match (install, scope.work.doing) {
        (Some(key), _) => {
            let (limits, _) = limits::of_install(scope.task.mode, scope.settings);
            (Purpose::Install(key), limits, "-install")
        }
        (None, Doing::Serve) => (
            Purpose::Serve,
            limits::of_task(scope.task, scope.settings)?.limits,
            "-serve",
        ),
        (None, Doing::Task(kind)) => (
            Purpose::Task(kind),
            limits::of_task(scope.task, scope.settings)?.limits,
            "",
        ),
    };
    let mounts = match &purpose {
        Purpose::Install(key) => mounts::of_probe_install(scope.task, key),
        Purpose::Task(_) | Purpose::Serve | Purpose::Build => {
            mounts::of_task(scope.task, scope.work, scope.environments, true)
        }
    };
    let parts = Parts {
        purpose,
        command,
        working_dir: names::MOUNT_APP,
        mounts,
        inputs: Vec::new(),
        limits,
        resources: PodResources::default(),
        timeout_seconds: Some(PROBE_SECONDS),
        output: Output::None,
    };
    assemble(scope, identity, suffix, parts)
}

/// Text of a value for an input file. Maps are ordered, so the same value gives the same text.
pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

fn parameters(scope: &Scope<'_>) -> Option<InputFile> {
    let parameters = &scope.work.parameters;
    (!parameters.is_empty()).then(|| InputFile {
        name: command::PARAMETERS.to_owned(),
        text: json(parameters),
    })
}

fn assemble(
    scope: &Scope<'_>,
    identity: &Identity,
    suffix: &str,
    mut parts: Parts,
) -> Result<ProcessPlan, PlanError> {
    let masks = masks::of(scope)?;
    let mut tmp = tmp(scope, suffix);
    let installed = match &parts.purpose {
        Purpose::Install(key) => Some(key.language),
        Purpose::Task(_) | Purpose::Serve | Purpose::Build => None,
    };
    // A Pod has nothing to hide, and yet HOME is the same in both modes.
    let home = match scope.task.mode {
        Mode::Local => home::decide(Mode::Local, scope.settings, identity, &masks, &tmp.target),
        Mode::Pod => home::decide(
            Mode::Pod,
            scope.settings,
            identity,
            &masks::fs1(scope.settings),
            &tmp.target,
        ),
    };
    if !tmp.mask_tmp {
        tmp.target = home::seen_at(&home.plan, &tmp.path)?;
    }
    let place = Place {
        identity,
        home,
        tmp,
        environments_ready: installed.is_none(),
    };
    let serve = match parts.purpose {
        Purpose::Serve => Some(serve::plan(scope, &place.tmp)?),
        Purpose::Install(_) | Purpose::Task(_) | Purpose::Build => None,
    };
    if let Some(serve) = serve.as_ref().filter(|_| parts.command.is_empty()) {
        parts.command = serve::command(scope, serve)?;
    }
    let env = match installed {
        Some(language) => env::of_install(scope, &place, language),
        None => env::of_task(scope, &place, serve.as_ref())?,
    };
    let supervisor = supervisor::words(scope)?;
    Ok(ProcessPlan {
        purpose: parts.purpose,
        command: supervisor.iter().cloned().chain(parts.command).collect(),
        supervisor_words: supervisor.len(),
        working_dir: parts.working_dir.to_owned(),
        identity: identity.clone(),
        env,
        mounts: parts.mounts,
        inputs: parts.inputs,
        masks,
        tmp: place.tmp,
        home: place.home.plan,
        limits: parts.limits,
        resources: parts.resources,
        timeout_seconds: parts.timeout_seconds,
        serve,
        output: parts.output,
    })
}

/// Each process has a temporary directory of its own (TD1); the job's key and the purpose name it.
fn tmp(scope: &Scope<'_>, suffix: &str) -> TmpDir {
    let directory: PathBuf = scope.settings.server.temp_dir.join(names::WORKSPACES);
    let path = directory.join(format!("{}{suffix}", scope.task.job_key));
    let mask_tmp = scope.settings.sandbox.mask_tmp;
    TmpDir {
        target: if mask_tmp {
            COVERED_BY_TMP[0].to_owned()
        } else {
            path.to_string_lossy().into_owned()
        },
        path,
        mask_tmp,
    }
}
