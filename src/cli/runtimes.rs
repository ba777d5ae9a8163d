//! `offhost runtimes`: what there is to run content with, and why a candidate fits or not (EX3, EX5).

use std::path::{Path, PathBuf};

use super::args::{Format, JobArgs, RuntimesCommand, RuntimesSource};
use super::failure::Failure;
use super::{plan as plan_command, printer};
use crate::api::job::TaskKind;
use crate::local::error::LocalError;
use crate::plan::{self, Mode};
use crate::reason::Reason;
use crate::runtimes::{self, ContainerError, Containers, Runtimes};

pub(super) fn run(config: Option<PathBuf>, command: RuntimesCommand) -> Result<u8, Failure> {
    match command {
        RuntimesCommand::List(source) => list(config, &source),
        RuntimesCommand::Match { target, source } => explain(config, target, &source),
        RuntimesCommand::Probe { image, with, output } => probe(&image, with.as_deref(), output.output),
    }
}

fn probe(image: &str, with: Option<&Path>, format: Format) -> Result<u8, Failure> {
    let failed = |error: ContainerError| {
        let reason = match error {
            ContainerError::Failed { .. } | ContainerError::Image(_) => Reason::ImageUnavailable,
            _ => Reason::InvalidInput,
        };
        Failure::new(reason, error)
    };
    let containers = Containers::find(with).map_err(failed)?;
    let probed = containers.probe(image).map_err(failed)?;
    for left_out in &probed.left_out {
        printer::note(format!("note: {left_out}"));
    }
    if format == Format::Json {
        printer::json(&probed.runtime);
    } else {
        printer::line(runtimes::entry(&probed.runtime).trim_end());
    }
    Ok(0)
}

fn list(config: Option<PathBuf>, source: &RuntimesSource) -> Result<u8, Failure> {
    let loaded = super::settings::loaded(config)?;
    if source.runtimes.is_none() {
        let found = runtimes::discover(&loaded.settings).map_err(LocalError::from)?;
        for note in found.notes.iter().chain(&found.left_out) {
            printer::note(format!("note: {note}"));
        }
        for language in found.absent.iter().map(|language| language.label()) {
            printer::note(format!(
                "note: no {language} was found on this machine; install it, or name it in {language}.Executable"
            ));
        }
        return Ok(print(&found.runtimes, source.output.output));
    }
    let runtimes = plan_command::runtimes_of(Mode::Pod, &loaded.settings, source.runtimes.as_deref())?;
    Ok(print(&runtimes, source.output.output))
}

fn print(runtimes: &Runtimes, format: Format) -> u8 {
    if format == Format::Json {
        printer::json(runtimes);
        return 0;
    }
    let mut rows = vec![
        ["RUNTIME", "LANGUAGE", "VERSION", "PATH"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for runtime in &runtimes.runtimes {
        for (language, installations) in &runtime.installations {
            for installation in installations {
                let language = language.label().to_owned();
                rows.push(vec![
                    runtime.name.clone(),
                    language,
                    installation.version.clone(),
                    installation.path.clone(),
                ]);
            }
        }
    }
    printer::table(&rows);
    0
}

fn explain(config: Option<PathBuf>, target: PathBuf, source: &RuntimesSource) -> Result<u8, Failure> {
    let loaded = super::settings::loaded(config)?;
    let mode = if source.runtimes.is_some() {
        Mode::Pod
    } else {
        Mode::Local
    };
    let runtimes = plan_command::runtimes_of(mode, &loaded.settings, source.runtimes.as_deref())?;
    let job = JobArgs {
        target,
        ..JobArgs::default()
    };
    let mut task = plan_command::task(mode, &loaded, &job)?;
    // Whatever is to be done with it: what it needs is asked, and that is the same for an application.
    task.spec.task = Some(TaskKind::Install);
    task.serve = None;
    task.spec.command.clear();
    task.spec.parameters.clear();
    let needs = plan::needs(&task, &loaded.settings).map_err(LocalError::from)?;
    let reports = runtimes::explain(&needs, &runtimes);
    if source.output.output == Format::Json {
        printer::json(&reports);
    } else {
        for report in &reports {
            let verdict = match (report.chosen, report.fits) {
                (true, _) => "chosen",
                (false, true) => "fits",
                (false, false) => "no",
            };
            printer::line(format!("{:<7} {}: {}", verdict, report.name, report.reason));
        }
    }
    if reports.iter().any(|report| report.chosen) {
        return Ok(0);
    }
    let message = match runtimes::select(&needs, &runtimes) {
        Err(error) => error.to_string(),
        Ok(_) => "no candidate was chosen".to_owned(),
    };
    Err(Failure::new(Reason::RuntimeNotFound, message))
}
