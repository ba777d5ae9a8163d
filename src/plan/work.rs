//! What is to be done: the kind of content, the task, the entry point and the parameters, after the job's
//! overrides (PK3, PK4, PK8, PK9).

use std::collections::BTreeMap;

use serde_json::Value;

use super::{PlanError, ServeTask, Task, serve};
use crate::api::job::TaskKind;
use crate::content::kinds::{self, Nature, Served};
use crate::content::{AppMode, check_parameters};

/// What is to be done.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) app_mode: AppMode,
    pub(super) doing: Doing,
    pub(super) entrypoint: Option<String>,
    /// Values for the parameters that the job names; the report's defaults hold for the others.
    pub(super) parameters: BTreeMap<String, Value>,
}

/// What the content's own process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// A finite task.
    Task(TaskKind),
    /// It serves (PK5).
    Serve,
}

pub(super) fn of(task: &Task) -> Result<Work, PlanError> {
    let app_mode = app_mode(task)?;
    if let Some(serving) = &task.serve {
        return of_serving(task, serving, app_mode);
    }
    let kind = task_kind(task, app_mode)?;
    let work = Work {
        app_mode,
        doing: Doing::Task(kind),
        entrypoint: entrypoint(task)?,
        parameters: parameters(task, app_mode, kind)?,
    };
    check_command(task, kind)?;
    if kind == TaskKind::Render && work.entrypoint.is_none() {
        return Err(PlanError::NoEntrypoint);
    }
    Ok(work)
}

/// Content without a process of its own needs nothing but to be deployed.
fn of_serving(task: &Task, serving: &ServeTask, app_mode: AppMode) -> Result<Work, PlanError> {
    serve::check(serving, app_mode)?;
    if let Some(first) = task.spec.parameters.first() {
        return Err(PlanError::UnusedParameters {
            name: first.name.clone(),
            task: "to serve",
        });
    }
    let doing = match app_mode.served() {
        Some(Served::Process) => Doing::Serve,
        Some(Served::Files | Served::Result) => Doing::Task(TaskKind::Deploy),
        None => {
            return Err(PlanError::NotServed {
                app_mode: app_mode.name(),
                hint: "it ends when it is done; run it with a ContentJob",
            });
        }
    };
    Ok(Work {
        app_mode,
        doing,
        entrypoint: entrypoint(task)?,
        parameters: BTreeMap::new(),
    })
}

/// The task's name, as job files spell it.
pub(super) fn task_name(task: TaskKind) -> &'static str {
    match task {
        TaskKind::Deploy => "Deploy",
        TaskKind::Install => "Install",
        TaskKind::Render => "Render",
        TaskKind::RenderSite => "RenderSite",
        TaskKind::Run => "Run",
    }
}

fn app_mode(task: &Task) -> Result<AppMode, PlanError> {
    match &task.spec.app_mode {
        Some(given) => Ok(kinds::of_job(given)?),
        None => Ok(task.facts.app_mode),
    }
}

/// The job's task, or the one that the kind of content is made for.
fn task_kind(task: &Task, app_mode: AppMode) -> Result<TaskKind, PlanError> {
    let nature = app_mode.kind().nature;
    let site = matches!(app_mode, AppMode::RmdStatic | AppMode::QuartoStatic);
    let kind = match task.spec.task {
        Some(kind) => kind,
        None if !task.spec.command.is_empty() || nature == Nature::Command => TaskKind::Run,
        None if site && task.facts.is_site => TaskKind::RenderSite,
        None => TaskKind::Render,
    };
    let hint = match (kind, nature) {
        (TaskKind::Render, Nature::Document) => return Ok(kind),
        (TaskKind::Render, Nature::Files) => {
            "it is served as it is, without a process: 'offhost content deploy' is all it needs"
        }
        (TaskKind::Render, Nature::Command) => "set spec.task to Run and spec.command to its command line",
        (TaskKind::Render, Nature::Application) => {
            "it is interactive, so a job can only install its packages (spec.task: Install) or run a command of it (spec.task: Run); 'offhost serve' and a ContentApp serve it"
        }
        (TaskKind::RenderSite, _) if !site => "only R Markdown and Quarto content can be a site",
        _ => return Ok(kind),
    };
    Err(PlanError::TaskMismatch {
        app_mode: app_mode.name(),
        task: task_name(kind),
        hint,
    })
}

fn check_command(task: &Task, kind: TaskKind) -> Result<(), PlanError> {
    let words = &task.spec.command;
    match (kind, words.first()) {
        (TaskKind::Run, None) => return Err(PlanError::NoCommand),
        (TaskKind::Run, Some(first)) if first.is_empty() => {
            return Err(PlanError::Command {
                index: 0,
                problem: "is empty",
            });
        }
        (TaskKind::Run, Some(_)) | (_, None) => {}
        (other, Some(_)) => {
            return Err(PlanError::UnusedCommand {
                task: task_name(other),
            });
        }
    }
    match words.iter().position(|word| word.contains('\0')) {
        Some(index) => Err(PlanError::Command {
            index,
            problem: "has a NUL character",
        }),
        None => Ok(()),
    }
}

fn entrypoint(task: &Task) -> Result<Option<String>, PlanError> {
    let Some(value) = task.spec.entrypoint.as_ref().or(task.facts.entrypoint.as_ref()) else {
        return Ok(None);
    };
    let problem = if value.is_empty() {
        "is empty"
    } else if value.starts_with('/') {
        "is an absolute path"
    } else if value.starts_with('-') {
        "starts with '-', which reads as an option"
    } else if value.split('/').any(|part| part == "..") {
        "leads out of the bundle"
    } else if value.chars().any(char::is_control) {
        "has a control character"
    } else {
        return Ok(Some(value.clone()));
    };
    Err(PlanError::Entrypoint {
        value: value.clone(),
        problem,
    })
}

/// Documents take parameters, and so do Quarto projects; `rmarkdown::render_site` takes none.
fn parameters(task: &Task, app_mode: AppMode, kind: TaskKind) -> Result<BTreeMap<String, Value>, PlanError> {
    let takes =
        kind == TaskKind::Render || (kind == TaskKind::RenderSite && app_mode == AppMode::QuartoStatic);
    let given = &task.spec.parameters;
    match given.first() {
        Some(first) if !takes => Err(PlanError::UnusedParameters {
            name: first.name.clone(),
            task: task_name(kind),
        }),
        _ if !takes => Ok(BTreeMap::new()),
        _ => {
            let mut checked = check_parameters(&task.facts, given)?;
            checked.retain(|name, _| given.iter().any(|parameter| parameter.name == *name));
            Ok(checked)
        }
    }
}
