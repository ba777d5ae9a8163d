//! Starts `offhost-exec` for one process and follows its reports.
//!
//! The helper is a program of its own because a process with many threads must not fork and then run code: it is
//! spawned, gets its specification in a memory file, and ends with everything in its sandbox when this program goes.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::MemfdFlags;
use rustix::io::FdFlags;
use rustix::pipe::PipeFlags;
use rustix::process::PidfdFlags;
use rustix::time::Timespec;

use crate::names::EXEC_PROGRAM;
use crate::sandbox::{EndCause, Report, SandboxSpec};

/// Why a process could not be launched.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The helper is not where it should be.
    #[error("the helper {0} is missing; install it beside offhost")]
    HelperMissing(PathBuf),
    /// The helper could not be started.
    #[error("start {path}: {source}")]
    Start {
        /// The helper.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The specification or the reports could not be passed.
    #[error("pass the sandbox specification: {0}")]
    Pass(#[source] std::io::Error),
    /// The sandbox could not be made; nothing of the content has run.
    #[error("{step}: {message}{}{hint}", if hint.is_empty() { "" } else { "; " })]
    Sandbox {
        /// The step that failed.
        step: String,
        /// What was refused.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// The helper ended without a report.
    #[error(
        "{EXEC_PROGRAM} was ended from outside, and the process with it; see the system log for a crash or the out-of-memory killer"
    )]
    Silent,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Exit code, if it exited (SB8).
    pub code: Option<i32>,
    /// Signal, if it was ended by one.
    pub signal: Option<i32>,
    /// Why the launcher ended it, or the limit it met.
    pub cause: Option<EndCause>,
    /// Layers of the sandbox that were in force.
    pub layers: Vec<String>,
}

impl Ended {
    /// Whether it exited with 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.code == Some(0) && self.cause.is_none()
    }
}

/// Where the process's standard streams go.
#[derive(Debug)]
pub struct Streams {
    /// Standard input.
    pub stdin: Stdio,
    /// Standard output.
    pub stdout: Stdio,
    /// Standard error.
    pub stderr: Stdio,
}

/// Starts processes in sandboxes.
#[derive(Clone, Debug)]
pub struct Launcher {
    helper: PathBuf,
}

/// The kernel ends a whole sandbox faster than this, unless one of its processes is stuck in a dead file system.
const END: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Descriptors become inheritable only for the moment of a spawn, and only one spawn has such a moment at a time.
static SPAWNING: Mutex<()> = Mutex::new(());

impl Launcher {
    /// A launcher that uses the helper beside the running program.
    ///
    /// # Errors
    /// [`LaunchError::HelperMissing`].
    pub fn beside_this_program() -> Result<Self, LaunchError> {
        let own = std::env::current_exe().map_err(LaunchError::Pass)?;
        let helper = own.with_file_name(EXEC_PROGRAM);
        Self::at(&helper)
    }

    /// A launcher that uses this helper.
    ///
    /// # Errors
    /// [`LaunchError::HelperMissing`].
    pub fn at(helper: &Path) -> Result<Self, LaunchError> {
        if helper.is_file() {
            Ok(Self {
                helper: helper.to_owned(),
            })
        } else {
            Err(LaunchError::HelperMissing(helper.to_owned()))
        }
    }

    /// Starts a process. It is not known yet whether its sandbox could be made: see [`Running::wait`].
    ///
    /// # Errors
    /// Those of starting the helper.
    pub fn start(&self, spec: &SandboxSpec, streams: Streams) -> Result<Running, LaunchError> {
        let cgroup = spec.cgroup.as_ref().map(|cgroup| cgroup.name.clone());
        let spec = memory_file(spec).map_err(LaunchError::Pass)?;
        let pipe =
            || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| LaunchError::Pass(error.into()));
        let ((reports, said), (held, lifeline)) = (pipe()?, pipe()?);
        let passed = [spec.as_fd(), said.as_fd(), held.as_fd()];
        let mut command = Command::new(&self.helper);
        command
            .args(passed.map(|fd| fd.as_raw_fd().to_string()))
            .env_clear()
            .current_dir("/");
        // A group of its own: an interrupt typed at the terminal reaches this program, which then ends the job.
        command.process_group(0);
        command
            .stdin(streams.stdin)
            .stdout(streams.stdout)
            .stderr(streams.stderr);
        let child = {
            let _alone = SPAWNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for fd in passed {
                rustix::io::fcntl_setfd(fd, FdFlags::empty())
                    .map_err(|error| LaunchError::Pass(error.into()))?;
            }
            let child = command.spawn();
            for fd in passed {
                rustix::io::fcntl_setfd(fd, FdFlags::CLOEXEC)
                    .map_err(|error| LaunchError::Pass(error.into()))?;
            }
            child.map_err(|source| LaunchError::Start {
                path: self.helper.clone(),
                source,
            })?
        };
        Ok(Running {
            child,
            reports: BufReader::new(reports.into()),
            first: None,
            cgroup,
            _lifeline: lifeline,
        })
    }
}

/// The specification in a file without a name, which no other process can open.
fn memory_file(spec: &SandboxSpec) -> std::io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create("offhost-spec", MemfdFlags::CLOEXEC)?;
    let mut file = File::from(fd);
    file.write_all(&serde_json::to_vec(spec).map_err(std::io::Error::other)?)?;
    Ok(file.into())
}

/// A process that was started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    reports: BufReader<File>,
    /// The first process of the sandbox: all others have ended when it has.
    first: Option<OwnedFd>,
    /// Name of its control groups.
    cgroup: Option<String>,
    /// Closed when this is dropped, or when this program dies: the helper then ends the process.
    _lifeline: OwnedFd,
}

impl Running {
    /// Process id of the helper. SIGTERM to it ends the process, after a time of grace by force.
    #[must_use]
    pub fn helper_pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(0)
    }

    /// The process's standard output, where a pipe was asked for.
    pub fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// The process's standard error, where a pipe was asked for.
    pub fn take_stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.child.stderr.take()
    }

    /// Waits until the sandbox stands and the process has been executed: the layers in force.
    ///
    /// # Errors
    /// [`LaunchError::Sandbox`] where it could not be made, [`LaunchError::Silent`] where the helper died.
    pub fn wait_started(&mut self) -> Result<Vec<String>, LaunchError> {
        match self.next_report()? {
            Some(Report::Started { pid, layers }) => {
                let pid = rustix::process::Pid::from_raw(pid);
                self.first = pid.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok());
                Ok(layers)
            }
            Some(Report::Failed { step, message, hint }) => {
                self.reap();
                Err(LaunchError::Sandbox { step, message, hint })
            }
            _ => Err(self.killed()),
        }
    }

    /// Waits for the end of the process and of everything in its sandbox.
    ///
    /// # Errors
    /// As [`Running::wait_started`].
    pub fn wait(mut self, layers: Vec<String>) -> Result<Ended, LaunchError> {
        let ended = self.next_report()?;
        // The helper ends after the whole PID namespace has: only then is nothing left (SB7).
        self.reap();
        match ended {
            Some(Report::Ended { code, signal, cause }) => Ok(Ended {
                code,
                signal,
                cause,
                layers,
            }),
            _ => Err(self.killed()),
        }
    }

    /// The helper was killed. The kernel then kills the sandbox, which takes a moment, and nobody but us is left to
    /// see its end and to tidy up: until then its processes may still write.
    fn killed(&mut self) -> LaunchError {
        self.reap();
        if let Some(first) = &self.first {
            let mut poll = [PollFd::new(first, PollFlags::IN)];
            let _ = rustix::event::poll(&mut poll, Some(&END));
        }
        if let Some(name) = &self.cgroup {
            crate::exec::remove_control_groups(name);
        }
        LaunchError::Silent
    }

    fn reap(&mut self) {
        let _ = self.child.wait();
    }

    fn next_report(&mut self) -> Result<Option<Report>, LaunchError> {
        let mut line = String::new();
        self.reports.read_line(&mut line).map_err(LaunchError::Pass)?;
        Ok(serde_json::from_str(&line).ok())
    }
}
