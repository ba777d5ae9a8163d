//! `offhost apps`: what a running server serves.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::args::{Format, OutputArgs};
use super::failure::{Because, Failure};
use super::printer;
use crate::data::DataDir;
use crate::local::serve::control;
use crate::local::serve::report::{AppLine, ServerReport};
use crate::reason::Reason;

/// Arguments of `apps`.
#[derive(Debug, Args)]
pub struct AppsArgs {
    /// What to do
    #[command(subcommand)]
    pub command: AppsCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum AppsCommand {
    /// List what the server of this machine serves
    List(OutputArgs),
    /// Show everything about one application
    Show {
        /// Its name
        name: String,
        /// How to print it
        #[command(flatten)]
        output: OutputArgs,
    },
}

pub(super) fn run(config: Option<PathBuf>, args: AppsArgs) -> Result<u8, Failure> {
    let loaded = super::settings::loaded(config)?;
    let data = DataDir::open(&loaded.settings.server.data_dir).because(Reason::DataUnavailable)?;
    let report = control::ask(&data).because(Reason::DataUnavailable)?;
    match args.command {
        AppsCommand::List(output) => list(&report, output.output),
        AppsCommand::Show { name, output } => show(&report, &name, output.output)?,
    }
    Ok(0)
}

fn list(report: &ServerReport, format: Format) {
    if format == Format::Json {
        return printer::json(report);
    }
    let head = ["APP", "STATE", "KIND", "PROCESSES", "SESSIONS", "LAST USE", "URL"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(report.apps.iter().map(row));
    printer::table(&rows);
    if !report.jobs.is_empty() {
        printer::line("");
        let mut rows = vec![["JOB", "STATE", "MESSAGE"].map(str::to_owned).to_vec()];
        rows.extend(report.jobs.iter().map(|job| {
            let message = job.message.clone().unwrap_or_else(|| "-".to_owned());
            vec![job.name.clone(), job.state.clone(), message]
        }));
        printer::table(&rows);
    }
    let problems = report.apps.iter().filter_map(|app| {
        app.problem
            .as_ref()
            .map(|problem| format!("{}: {problem}", app.name))
    });
    for problem in report.faults.iter().cloned().chain(problems) {
        printer::note(format!("note: {problem}"));
    }
}

fn row(app: &AppLine) -> Vec<String> {
    vec![
        app.name.clone(),
        app.state.clone(),
        app.kind.clone().unwrap_or_else(|| "-".to_owned()),
        format!("{}/{}", app.ready, app.processes.len()),
        app.sessions.to_string(),
        app.last_use.map_or_else(|| "-".to_owned(), time),
        app.url.clone(),
    ]
}

fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn show(report: &ServerReport, name: &str, format: Format) -> Result<(), Failure> {
    let Some(app) = report.apps.iter().find(|app| app.name == name) else {
        let names: Vec<&str> = report.apps.iter().map(|app| app.name.as_str()).collect();
        let suggestion = crate::text::suggestion(name, names.iter().copied());
        return Err(Failure::new(
            Reason::InvalidInput,
            format!("no application is named '{name}'{suggestion}; offhost apps list shows what there is"),
        ));
    };
    if format == Format::Json {
        printer::json(app);
        return Ok(());
    }
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut rows = vec![
        ("name", app.name.clone()),
        ("state", app.state.clone()),
        ("kind", or_dash(app.kind.clone())),
        ("url", app.url.clone()),
        ("content", or_dash(app.content.clone())),
        ("bundle", or_dash(app.bundle.map(|bundle| bundle.to_string()))),
        ("manifest", app.manifest.clone()),
        ("sessions", app.sessions.to_string()),
        ("waiting", app.waiting.to_string()),
        ("last use", or_dash(app.last_use.map(time))),
    ];
    let content = app.content.as_deref().unwrap_or("CONTENT");
    for process in &app.processes {
        let drains = if process.drains { ", drains" } else { "" };
        let key = &process.key;
        let account = process
            .account
            .as_ref()
            .map_or_else(String::new, |account| format!(", runs as {account}"));
        rows.push((
            "process",
            format!("{key}{account}{drains} (offhost logs {content}/{key})"),
        ));
    }
    if let Some(failure) = &app.last_failure {
        let process = failure.process.as_ref();
        let log = process.map_or_else(String::new, |key| format!(" (offhost logs {content}/{key})"));
        let when = time(failure.time);
        rows.push((
            "failed",
            format!("{when}: {}: {}{log}", failure.reason, failure.message),
        ));
    }
    if let Some(problem) = &app.problem {
        rows.push(("problem", problem.clone()));
    }
    printer::table(
        &rows
            .into_iter()
            .map(|(name, value)| vec![name.to_owned(), value])
            .collect::<Vec<_>>(),
    );
    Ok(())
}
