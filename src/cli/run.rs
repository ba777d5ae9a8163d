//! `offhost run`: a job in the sandbox of this machine.

use std::path::PathBuf;

use super::args::{JobArgs, RunArgs};
use super::failure::{Because, Failure};
use super::printer::{self, Progress};
use crate::api::job::{Activation, Parameter};
use crate::local::deploy::{self, Request};
use crate::local::error::LocalError;
use crate::local::job;
use crate::local::server::Server;
use crate::local::signals;
use crate::local::watcher::Watcher;
use crate::reason::Reason;

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        Self {
            reason: error.reason(),
            exit_code: error.exit_code(),
            message: error.to_string(),
        }
    }
}

impl Watcher for Progress {
    fn step(&self, text: &str) {
        Self::step(self, text);
    }

    fn done(&self, text: &str) {
        Self::done(self, text);
    }

    fn pause(&self) {
        Self::pause(self);
    }
}

pub(super) fn run(config: Option<PathBuf>, args: &RunArgs) -> Result<u8, Failure> {
    // Before anything starts a thread.
    signals::take().because(Reason::SandboxUnavailable)?;
    let mut request = job(&args.job)?;
    if args.no_activate {
        request.spec.activation = Activation::Manual;
    }
    let progress = Progress::new();
    let server = open(config, &progress)?;
    let outcome = job::run(&server, request, &progress)?;
    progress.done(&format!("job {} of {} succeeded", outcome.key, outcome.content));
    if let Some(path) = outcome.path {
        printer::line(path.display());
    }
    Ok(0)
}

/// The same for something that is run once.
pub(super) fn job(args: &JobArgs) -> Result<Request, Failure> {
    let request = request(args)?;
    if request.serve.is_none() {
        return Ok(request);
    }
    let message = format!(
        "'{}' is a ContentApp, and 'offhost run' runs jobs; start 'offhost serve', or create it on a cluster with kubectl",
        request.name
    );
    Err(Failure::new(Reason::InvalidInput, message))
}

/// The request of the command line: what a job file says, and the flags over it.
pub(super) fn request(args: &JobArgs) -> Result<Request, Failure> {
    let mut request = deploy::request(&args.target)?;
    let spec = &mut request.spec;
    // It is run once, now.
    spec.schedule = None;
    for given in &args.parameters {
        let pair = given.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, value) = pair.ok_or_else(|| {
            let lacks = if given.contains('=') {
                "name before the "
            } else {
                ""
            };
            Failure::new(
                Reason::InvalidInput,
                format!("--param {given}: has no {lacks}'='; write --param NAME=VALUE"),
            )
        })?;
        spec.parameters.retain(|parameter| parameter.name != name);
        spec.parameters.push(Parameter {
            name: name.to_owned(),
            value: value.to_owned(),
        });
    }
    let flags = [
        (&args.content, &mut spec.content),
        (&args.variant, &mut spec.variant),
        (&args.run_as, &mut spec.run_as),
        (&args.app_mode, &mut spec.app_mode),
        (&args.entrypoint, &mut spec.entrypoint),
    ];
    for (flag, field) in flags {
        if flag.is_some() {
            field.clone_from(flag);
        }
    }
    Ok(request)
}

/// Opens the server and tells what it found.
pub(super) fn open(config: Option<PathBuf>, progress: &Progress) -> Result<Server, Failure> {
    let loaded = super::settings::loaded(config)?;
    let notes = loaded.notes.clone();
    let server = Server::open(loaded)?;
    for note in notes.iter().chain(&server.discovered.notes) {
        progress.done(&format!("note: {note}"));
    }
    for (mode, reason) in &server.form.declined {
        let form = crate::local::probe::describe(*mode);
        progress.done(&format!(
            "note: the sandbox runs in a weaker form, since {form} it can not be made: {reason}"
        ));
    }
    for gone in &server.swept.removed {
        progress.done(&format!(
            "removed {} that an interrupted run had left: {}",
            gone.what,
            gone.path.display()
        ));
    }
    for failure in &server.swept.failed {
        progress.done(&format!("note: {failure}"));
    }
    Ok(server)
}
