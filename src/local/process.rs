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
use super::{secrets, signals};
use crate::data::{IoFailure, JobDir, Owner, Workspace};
use crate::plan::{Identity, ProcessPlan, Purpose};
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
    limits: (Option<u64>, Option<u64>),
    /// Where no space was left when it ended: what it has written may be cut off.
    pub full: Option<IoFailure>,
}

impl Finished {
    /// It, as the cause of a failure.
    #[must_use]
    pub fn failed(self) -> Box<Failed> {
        let (memory_limit, timeout) = self.limits;
        Box::new(Failed {
            ended: self.ended,
            log: self.log,
            memory_limit,
            timeout,
            full: self.full,
        })
    }
}

/// Runs a process to its end. Its directories below `DataDir` must be there.
///
/// # Errors
/// It could not be started; an exit code other than 0 is no error here.
pub fn run(server: &Server, job: &JobDir, plan: &ProcessPlan) -> Result<Finished, LocalError> {
    let name = plan.purpose.process_name();
    let secrets = secrets::resolve(&plan.env, server.settings.config_dir.as_deref())?;
    let place = Place {
        data_dir: server.data.root().to_owned(),
        runtime_dir: server.runtime_dir.clone(),
        inputs_dir: write_inputs(job, name, plan)?,
        mode: server.form.mode,
        secrets,
    };
    let log = job.path().join(format!("{name}.log"));
    let key = plan.tmp.path.file_name().and_then(|key| key.to_str());
    let temp_dir = &server.settings.server.temp_dir;
    let workspace = Workspace::make(temp_dir, key.unwrap_or(name), owner(&plan.identity))?;
    let ended = on_this_machine(sandbox::build(plan, &place))
        .map_err(LocalError::from)
        .and_then(|spec| launch(server, &spec, &plan.purpose, &log));
    // Before anything is removed, which would make room again.
    let full = IoFailure::if_full(server.data.root()).or_else(|| IoFailure::if_full(workspace.path()));
    let removed = workspace.remove();
    // What the process failed of comes first.
    let ended = ended?;
    removed?;
    Ok(Finished {
        ended,
        log,
        limits: (plan.limits.memory_bytes, plan.timeout_seconds),
        full,
    })
}

/// Writes the process's input files for its account alone to read: parameters may be nobody else's business. They are
/// shown to it read-only, so owning them gives it no right to change them.
fn write_inputs(job: &JobDir, name: &str, plan: &ProcessPlan) -> Result<PathBuf, LocalError> {
    let directory = job.path().join(format!("{name}.inputs"));
    let files = plan
        .inputs
        .iter()
        .map(|input| (input.name.as_str(), input.text.as_str()));
    crate::data::write_inputs(&directory, files, owner(&plan.identity))?;
    Ok(directory)
}

/// The helper follows no link, so the links of this machine's own paths are followed here, where only the server can
/// have made them.
fn on_this_machine(mut spec: SandboxSpec) -> Result<SandboxSpec, IoFailure> {
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
fn launch(server: &Server, spec: &SandboxSpec, purpose: &Purpose, log: &Path) -> Result<Ended, LocalError> {
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
    let mut running = server.launcher.start(spec, streams)?;
    let _pass_on = signals::pass_on_to(running.helper_pid());
    let (stdout, stderr) = (running.take_stdout(), running.take_stderr());
    // An installation talks about itself: only the task's own output is the program's output.
    let shows_stdout = matches!(purpose, Purpose::Task(_));
    std::thread::scope(|scope| {
        if let Some(stream) = stdout {
            let log = log.clone();
            scope.spawn(move || {
                let out: Box<dyn Write> = if shows_stdout {
                    Box::new(std::io::stdout())
                } else {
                    Box::new(std::io::stderr())
                };
                log.follow(stream, out);
            });
        }
        if let Some(stream) = stderr {
            let log = log.clone();
            scope.spawn(move || log.follow(stream, std::io::stderr()));
        }
        let layers = running.wait_started()?;
        Ok(running.wait(layers)?)
    })
}
