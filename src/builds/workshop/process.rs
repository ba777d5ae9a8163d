//! One process of a build, in a sandbox or without.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::{Allowed, Scene, Workshop};
use crate::builds::command::{self, End, Output};
use crate::builds::error::BuildError;
use crate::builds::limits;
use crate::builds::view::{self, Exposed, Seen};
use crate::local::launcher::{Ended, LaunchError, Launcher, Streams};
use crate::local::signals;
use crate::sandbox::{EndCause, SandboxSpec};
use crate::settings::BuildLimits;

/// How long what a build has said last may take to arrive.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// PATH of builds where this program has none.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

impl Workshop {
    /// Runs a process of a build to its end: what is to be told of its limits.
    pub(super) fn run(
        &self,
        what: &'static str,
        argv: Vec<String>,
        scene: &Scene<'_>,
        output: &Output,
    ) -> Result<Vec<String>, BuildError> {
        let ended = match (&self.cluster, &self.launcher) {
            (Some(cluster), _) => self.run_in_pod(cluster, what, argv, scene, output)?,
            (None, Some(launcher)) => self.run_in_sandbox(launcher, argv, scene, output)?,
            (None, None) => self.run_outside(&argv, scene.exposed, scene.allowed, output)?,
        };
        if signals::ends() {
            return Err(BuildError::Stopped);
        }
        let allowed = scene.allowed;
        let (limits, said) = (allowed.limits, output.said());
        if let Some((how, reason)) = limits::ended_by(&ended, limits, &said) {
            return Err(BuildError::Limit {
                what,
                how,
                said,
                reason,
            });
        }
        let timed_out = ended.cause == Some(EndCause::Timeout);
        let how = match (&ended.cause, ended.code, ended.signal) {
            (None, Some(0), _) => return Ok(self.notes(&ended, limits)),
            (Some(EndCause::Timeout), ..) => format!("did not end within {} s", allowed.time.as_secs()),
            (_, Some(code), _) => format!("ended with exit code {code}"),
            (_, None, signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
        };
        let how = limits::with_met(how, &ended, limits, &said);
        Err(BuildError::Failed {
            what,
            how,
            said,
            code: ended.code,
            timed_out,
        })
    }

    /// Limits that were asked for and are not in force, and those that were met without ending anything.
    fn notes(&self, ended: &Ended, limits: BuildLimits) -> Vec<String> {
        let counts_processes = self.counts_processes && self.is_sandboxed();
        let mut notes = limits::not_in_force(&ended.layers, limits, counts_processes);
        notes.extend(limits::met(ended, limits));
        notes
    }

    /// The sandbox of a process, which in a Pod is told to a cluster; `path` is where programs are looked for.
    pub(super) fn sandbox(&self, argv: Vec<String>, scene: &Scene<'_>, path: &str) -> SandboxSpec {
        let temp = Seen::in_sandbox().temp.display().to_string();
        let environment = view::environment(&self.builder, path, &temp);
        let Scene {
            hidden,
            exposed,
            allowed,
            ..
        } = *scene;
        let mut spec = view::sandbox(
            &self.builder,
            hidden,
            Some(exposed),
            argv,
            &environment,
            allowed.time,
        );
        limits::put_on(&mut spec, allowed.limits, &allowed.group, self.counts_processes);
        spec
    }

    fn run_in_sandbox(
        &self,
        launcher: &Launcher,
        argv: Vec<String>,
        scene: &Scene<'_>,
        output: &Output,
    ) -> Result<Ended, BuildError> {
        let spec = self.sandbox(argv, scene, &path());
        let streams = Streams {
            stdin: Stdio::null(),
            stdout: Stdio::piped(),
            stderr: Stdio::piped(),
        };
        let mut running = launcher.start(&spec, streams)?;
        let _pass_on = signals::pass_on_to(running.helper_pid());
        let (stdout, stderr) = (running.take_stdout(), running.take_stderr());
        std::thread::scope(|scope| {
            scope.spawn(|| stdout.map(|stream| output.follow(stream)));
            scope.spawn(|| stderr.map(|stream| output.follow(stream)));
            let layers = running.wait_started()?;
            running.wait(layers)
        })
        .map_err(BuildError::Launch)
    }

    /// Without a sandbox (GB2). What the process leaves running has its pipes; nobody waits for it.
    fn run_outside(
        &self,
        argv: &[String],
        exposed: &Exposed,
        allowed: &Allowed,
        output: &Output,
    ) -> Result<Ended, BuildError> {
        let environment = view::environment(&self.builder, &path(), &exposed.temp.display().to_string());
        // The shell is there for these limits alone: it sees no word of a package as code.
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", &limits::in_shell(allowed.limits), "sh"])
            .args(argv)
            .env_clear()
            .envs(environment)
            .current_dir(&exposed.output);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let start = |source| LaunchError::Start {
            path: PathBuf::from(&argv[0]),
            source,
        };
        let mut child = command::start(&mut command).map_err(start)?;
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as _),
            child.stderr.take().map(|stream| Box::new(stream) as _),
        ];
        let (done, all_read) = mpsc::channel::<()>();
        for stream in streams.into_iter().flatten() {
            let (output, done) = (output.clone(), done.clone());
            std::thread::spawn(move || {
                output.follow(stream);
                drop(done);
            });
        }
        drop(done);
        let end = command::wait(&mut child, allowed.time).map_err(start)?;
        // Only what has left the group can still have the pipes, and could keep them for ever.
        let _ = all_read.recv_timeout(LAST_WORDS);
        let mut ended = ended(end);
        ended.layers = limits::missing_outside(allowed.limits);
        Ok(ended)
    }
}

fn path() -> String {
    std::env::var("PATH").unwrap_or_else(|_| USUAL_PATH.to_owned())
}

fn ended(end: End) -> Ended {
    use std::os::unix::process::ExitStatusExt;
    let (status, cause) = match end {
        End::Status(status) => (Some(status), None),
        End::TimedOut => (None, Some(EndCause::Timeout)),
        End::Stopped => (None, Some(EndCause::Stopped)),
    };
    Ended {
        code: status.and_then(|status| status.code()),
        signal: status.and_then(|status| status.signal()),
        cause,
        layers: Vec::new(),
        met: crate::sandbox::Met::default(),
    }
}
