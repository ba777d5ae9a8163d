//! Command lines: the kind of content and the task become an argument list (PK1–PK4, PK8). The flags of the
//! starters are those that `runtime/` documents; those of Quarto are its own `render` command's.

use super::install::{self, NodeEnvironment, PythonEnvironment, interpreter};
use super::process::Scope;
use super::work::Doing;
use super::{PlanError, paths, python_key};
use crate::api::job::TaskKind;
use crate::content::AppMode;
use crate::names::{MOUNT_APP, MOUNT_INPUTS, MOUNT_REPORT, MOUNT_RUNTIME};
use crate::runtimes::{Installation, LanguageName};

/// Name of the parameters among the inputs.
pub(super) const PARAMETERS: &str = "params.json";

/// The command line of the task, without the supervisor's words.
pub(super) fn of_task(scope: &Scope<'_>) -> Result<Vec<String>, PlanError> {
    let work = scope.work;
    match (work.doing, work.app_mode) {
        (Doing::Task(TaskKind::Run), _) => Ok(scope.task.spec.command.clone()),
        (Doing::Task(TaskKind::RenderSite), AppMode::QuartoStatic) => quarto(scope, &["."]),
        (Doing::Task(TaskKind::RenderSite), _) => Ok(r_starter(
            interpreter(scope.choice, LanguageName::R)?,
            "render_site.R",
            &[],
        )),
        (_, AppMode::QuartoStatic) => quarto_document(scope),
        (_, AppMode::JupyterStatic) => notebook(scope),
        _ => r_markdown(scope),
    }
}

/// The Python that the content runs with: its environment's, else the installation.
pub(super) fn python_path(scope: &Scope<'_>) -> Option<String> {
    match &scope.environments.python {
        Some(environment) => Some(format!("{}/bin/python", paths::mounted(&environment.key.path))),
        None => scope
            .choice
            .interpreters
            .get(&LanguageName::Python)
            .map(|python| python.path.clone()),
    }
}

pub(super) fn install_python(
    scope: &Scope<'_>,
    environment: &PythonEnvironment,
) -> Result<Vec<String>, PlanError> {
    let python = interpreter(scope.choice, LanguageName::Python)?;
    let requirements = scope.task.facts.python.as_ref();
    let file = requirements.map_or("requirements.txt", |requirements| requirements.file.as_str());
    let format = requirements.map_or("requirements", |requirements| {
        python_key::format_name(requirements.format)
    });
    let manager = python_key::manager_name(environment.manager);
    // -E -s: neither variables nor a user's own site directory reach the installer, which fills a shared cache.
    let mut argv = words(&[&python.path, "-E", "-s", &starter("install_python.py")]);
    argv.extend(words(&["--env", &paths::mounted(&environment.key.path)]));
    argv.extend(words(&[
        "--requirements",
        &format!("{MOUNT_APP}/{file}"),
        "--format",
        format,
    ]));
    argv.extend(words(&["--manager", manager]));
    if manager == "uv"
        && let Some(uv) = scope.task.uv.as_ref().and_then(|uv| uv.to_str())
    {
        argv.extend(words(&["--uv", uv]));
    }
    Ok(argv)
}

pub(super) fn install_node(
    scope: &Scope<'_>,
    environment: &NodeEnvironment,
) -> Result<Vec<String>, PlanError> {
    let node = interpreter(scope.choice, LanguageName::Nodejs)?;
    Ok(words(&[
        &node.path,
        &starter("install_node.js"),
        "--env",
        &paths::mounted(&environment.key.path),
        "--source",
        MOUNT_APP,
    ]))
}

pub(super) fn install_r(scope: &Scope<'_>) -> Result<Vec<String>, PlanError> {
    let r = interpreter(scope.choice, LanguageName::R)?;
    let packages = format!("{MOUNT_INPUTS}/{}", install::R_PACKAGES);
    let mut argv = r_starter(r, "install_r.R", &["--packages", &packages]);
    // The working directory is the content's: its .Rprofile must not run where the shared cache is filled.
    argv.insert(1, "--no-init-file".to_owned());
    Ok(argv)
}

fn r_markdown(scope: &Scope<'_>) -> Result<Vec<String>, PlanError> {
    let r = interpreter(scope.choice, LanguageName::R)?;
    let entrypoint = entrypoint(scope)?;
    let mut argv = r_starter(
        r,
        "render_rmd.R",
        &[
            "--input",
            entrypoint,
            "--output-dir",
            MOUNT_REPORT,
            "--output-file",
            "index.html",
        ],
    );
    argv.extend(parameters(scope, "--params"));
    Ok(argv)
}

fn notebook(scope: &Scope<'_>) -> Result<Vec<String>, PlanError> {
    let installation = interpreter(scope.choice, LanguageName::Python)?;
    let python = python_path(scope).unwrap_or_else(|| installation.path.clone());
    let mut argv = words(&[
        &python,
        &starter("render_notebook.py"),
        "--input",
        entrypoint(scope)?,
    ]);
    argv.extend(words(&[
        "--output-dir",
        MOUNT_REPORT,
        "--output-file",
        "index.html",
    ]));
    argv.extend(parameters(scope, "--params"));
    let facts = &scope.task.facts;
    for (wanted, flag) in [
        (facts.hide_all_input, "--hide-all-input"),
        (facts.hide_tagged_input, "--hide-tagged-input"),
    ] {
        argv.extend(wanted.then(|| flag.to_owned()));
    }
    Ok(argv)
}

/// `--output-dir` is relative to the document's directory: releases before 1.5 join even an absolute one to it.
/// `--no-clean`, as the output directory is a mount, new and empty, which can not be removed and made again.
fn quarto_document(scope: &Scope<'_>) -> Result<Vec<String>, PlanError> {
    let entrypoint = entrypoint(scope)?;
    let depth = entrypoint
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .count();
    let output = format!("{}report", "../".repeat(depth));
    quarto(
        scope,
        &[
            entrypoint,
            "--execute-dir",
            MOUNT_APP,
            "--output-dir",
            &output,
            "--no-clean",
        ],
    )
}

fn quarto(scope: &Scope<'_>, arguments: &[&str]) -> Result<Vec<String>, PlanError> {
    let quarto = interpreter(scope.choice, LanguageName::Quarto)?;
    let mut argv = words(&[&quarto.path, "render"]);
    argv.extend(words(arguments));
    argv.extend(parameters(scope, "--execute-params"));
    Ok(argv)
}

/// Parameters go through a file: an argument can be read by every process of the machine, and is limited in size.
fn parameters(scope: &Scope<'_>, flag: &str) -> Vec<String> {
    if scope.work.parameters.is_empty() {
        return Vec::new();
    }
    words(&[flag, &format!("{MOUNT_INPUTS}/{PARAMETERS}")])
}

pub(super) fn r_starter(r: &Installation, script: &str, arguments: &[&str]) -> Vec<String> {
    // Before R 4.0 the option had another name, and the new one is not known there.
    let old = r
        .version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u64>().ok())
        .is_some_and(|major| major < 4);
    let quiet = if old { "--slave" } else { "--no-echo" };
    let mut argv = words(&[
        &r.path,
        quiet,
        "--no-restore",
        "--no-save",
        "-f",
        &starter(script),
    ]);
    if !arguments.is_empty() {
        argv.push("--args".to_owned());
        argv.extend(words(arguments));
    }
    argv
}

pub(super) fn starter(name: &str) -> String {
    format!("{MOUNT_RUNTIME}/{name}")
}

pub(super) fn entrypoint<'a>(scope: &Scope<'a>) -> Result<&'a str, PlanError> {
    scope.work.entrypoint.as_deref().ok_or(PlanError::NoEntrypoint)
}

pub(super) fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
