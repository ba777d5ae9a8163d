//! One planned process, run: its directories, its sandbox, its output.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::error::LocalError;
use super::failed::Failed;
use super::launcher::{Ended, Streams};
use super::output::Log;
use super::server::Server;
use super::{met, secrets, signals};
use crate::content::form::Upload;
use crate::data::{IoFailure, JobDir, Owner, Workspace};
use crate::plan::{Identity, Limits, ProcessPlan, Purpose};
use crate::sandbox::{self, Place, SandboxSpec};

/// The owner that a process's directories are given to; `None` for an ordinary user, whose they are already.
#[must_use]
pub fn owner(identity: &Identity) -> Option<Owner> {
    Owner::of_process(identity.uid, identity.gid)
}

/// How a process ended, and where its output is.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// Its output.
    pub log: PathBuf,
    limits: Limits,
    timeout: Option<u64>,
    /// Where no space was left when it ended: what it has written may be cut off.
    pub full: Option<IoFailure>,
}

impl Finished {
    /// A sentence for each limit that it has met without being ended for it.
    #[must_use]
    pub fn met(&self) -> Vec<String> {
        met::sentences(&self.ended, &self.limits)
    }

    /// It, as the cause of a failure.
    #[must_use]
    pub fn failed(self) -> Box<Failed> {
        Box::new(Failed {
            ended: self.ended,
            log: self.log,
            limits: self.limits,
            timeout: self.timeout,
            full: self.full,
        })
    }
}

/// Runs a process to its end. Its directories below `DataDir` must be there.
///
/// # Errors
/// It could not be started; an exit code other than 0 is no error here.
pub fn run(server: &Server, job: &JobDir, plan: &ProcessPlan) -> Result<Finished, LocalError> {
    let inputs = write_inputs(job, plan.purpose.process_name(), plan)?;
    run_with(server, job, plan, inputs)
}

/// As [`run`], for what only one visitor has asked for: its files are among the inputs of the process, and nothing of what
/// was answered stays when it is over.
///
/// # Errors
/// As for [`run`].
pub fn run_private(
    server: &Server,
    job: &JobDir,
    plan: &ProcessPlan,
    private: &Private,
) -> Result<Finished, LocalError> {
    let directory = inputs_of(job, plan.purpose.process_name());
    let files = plan
        .inputs
        .iter()
        .map(|input| (input.name.as_str(), input.text.as_bytes()));
    let sent = private
        .files
        .iter()
        .map(|file| (file.name.as_str(), file.bytes.as_slice()));
    let finished = crate::data::write_inputs(&directory, files.chain(sent), owner(&plan.identity))
        .map_err(LocalError::from)
        .and_then(|()| run_with(server, job, plan, directory.clone()));
    let removed = crate::data::remove_tree(&directory);
    // What the process failed of comes first.
    let finished = finished?;
    removed?;
    Ok(finished)
}

/// What a render gets that only one visitor has asked for.
#[derive(Debug, Default)]
pub struct Private {
    /// Files that were sent.
    pub files: Vec<Upload>,
}

fn run_with(
    server: &Server,
    job: &JobDir,
    plan: &ProcessPlan,
    inputs_dir: PathBuf,
) -> Result<Finished, LocalError> {
    let name = plan.purpose.process_name();
    let secrets = secrets::resolve(&plan.env, server.settings.config_dir.as_deref())?;
    let place = Place {
        data_dir: server.data.root().to_owned(),
        runtime_dir: server.runtime_dir.clone(),
        inputs_dir,
        mode: server.form.mode,
        secrets,
    };
    let log = job.path().join(format!("{name}.log"));
    let key = plan.tmp.path.file_name().and_then(|key| key.to_str());
    let temp_dir = &server.settings.server.temp_dir;
    let workspace = Workspace::make(temp_dir, key.unwrap_or(name), owner(&plan.identity))?;
    let ended = on_this_machine(sandbox::build(plan, &place))
        .map_err(LocalError::from)
        .and_then(|spec| launch(server, &spec, plan, &log));
    // Before anything is removed, which would make room again.
    let full = IoFailure::if_full(server.data.root()).or_else(|| IoFailure::if_full(workspace.path()));
    let removed = workspace.remove();
    // What the process failed of comes first.
    let ended = ended?;
    removed?;
    Ok(Finished {
        ended,
        log,
        limits: plan.limits.clone(),
        timeout: plan.timeout_seconds,
        full,
    })
}

/// Writes the process's input files for its account alone to read: parameters may be nobody else's business. They are
/// shown to it read-only, so owning them gives it no right to change them.
pub(super) fn write_inputs(job: &JobDir, name: &str, plan: &ProcessPlan) -> Result<PathBuf, LocalError> {
    let directory = inputs_of(job, name);
    let files = plan
        .inputs
        .iter()
        .map(|input| (input.name.as_str(), input.text.as_bytes()));
    crate::data::write_inputs(&directory, files, owner(&plan.identity))?;
    Ok(directory)
}

fn inputs_of(job: &JobDir, name: &str) -> PathBuf {
    job.path().join(format!("{name}.inputs"))
}

/// The helper follows no link, so the links of this machine's own paths are followed here, where only the server can
/// have made them.
pub(super) fn on_this_machine(mut spec: SandboxSpec) -> Result<SandboxSpec, IoFailure> {
    for mask in &mut spec.masks {
        match mask.path.canonicalize() {
            Ok(path) => mask.path = path,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(IoFailure::new("find", &mask.path, error)),
        }
    }
    for bind in &mut spec.binds {
        if let Some(source) = &mut bind.source {
            *source = source
                .canonicalize()
                .map_err(|error| IoFailure::new("find", source.clone(), error))?;
        }
        bind.target = follow_links(&bind.target);
    }
    Ok(spec)
}

/// Follows the links in the part of a path that exists; what lies below is made in the sandbox.
fn follow_links(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return if rest.as_os_str().is_empty() {
                real
            } else {
                real.join(rest)
            };
        }
    }
    path.to_owned()
}

/// Starts the process, shows and keeps its output, and waits for its end.
fn launch(server: &Server, spec: &SandboxSpec, plan: &ProcessPlan, log: &Path) -> Result<Ended, LocalError> {
    // Content may print what is for nobody else on this machine.
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(log);
    let file = file.map_err(|source| IoFailure::new("make", log, source))?;
    let log = Log::new(file);
    let streams = Streams {
        stdin: Stdio::null(),
        stdout: Stdio::piped(),
        stderr: Stdio::piped(),
    };
    let mut running = server.launcher_for(&plan.identity).start(spec, streams)?;
    let _pass_on = signals::pass_on_to(running.helper_pid());
    let (stdout, stderr) = (running.take_stdout(), running.take_stderr());
    // An installation talks about itself: only the task's own output is the program's output.
    let is_task = matches!(plan.purpose, Purpose::Task(_));
    let shown = |is_output: bool| -> Box<dyn Write + Send> {
        match (server.shows_output, is_output && is_task) {
            (false, _) => Box::new(std::io::sink()),
            (true, true) => Box::new(std::io::stdout()),
            (true, false) => Box::new(std::io::stderr()),
        }
    };
    std::thread::scope(|scope| {
        if let Some(stream) = stdout {
            let (log, shown) = (log.clone(), shown(true));
            scope.spawn(move || log.follow(stream, shown));
        }
        if let Some(stream) = stderr {
            let (log, shown) = (log.clone(), shown(false));
            scope.spawn(move || log.follow(stream, shown));
        }
        let layers = running.wait_started()?;
        Ok(running.wait(layers)?)
    })
}
