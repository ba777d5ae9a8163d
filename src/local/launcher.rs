//! Starts `offhost-exec` for one process and follows its reports.
//!
//! The helper is a program of its own because a process with many threads must not fork and then run code: it is
//! spawned, gets its specification in a memory file, and ends with everything in its sandbox when this program goes.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::fs::MemfdFlags;
use rustix::pipe::PipeFlags;

use super::pam::Session;
pub use super::running::Running;
use super::spawn;
use crate::names::EXEC_PROGRAM;
use crate::sandbox::{EndCause, Met, SandboxSpec};

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
    /// No PAM session could be opened around the process; nothing of the content has run (PM2).
    #[error("{0}")]
    NoSession(String),
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
    /// The limits that it has met.
    pub met: Met,
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
    /// What each helper holds until nothing is left of its process.
    hold: Option<Arc<OwnedFd>>,
    /// The PAM session that is opened around the process.
    session: Option<Arc<Session>>,
}

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
                hold: None,
                session: None,
            })
        } else {
            Err(LaunchError::HelperMissing(helper.to_owned()))
        }
    }

    /// The same, whose helpers keep a descriptor of this program open for as long as anything of their process is left.
    #[must_use]
    pub fn holding(self, hold: Arc<OwnedFd>) -> Self {
        Self {
            hold: Some(hold),
            ..self
        }
    }

    /// The same, which opens this PAM session around the process (PM1).
    #[must_use]
    pub fn in_session(self, session: Session) -> Self {
        Self {
            session: Some(Arc::new(session)),
            ..self
        }
    }

    /// Starts a process. It is not known yet whether its sandbox could be made: see [`Running::wait`].
    ///
    /// # Errors
    /// Those of starting the helper.
    pub fn start(&self, spec: &SandboxSpec, streams: Streams) -> Result<Running, LaunchError> {
        self.start_serving(spec, streams, None)
    }

    /// The same for a process that serves. It inherits `listener`, a listening socket, as descriptor 3; of what the
    /// caller has, that can be closed at once.
    ///
    /// # Errors
    /// Those of starting the helper.
    pub fn start_serving(
        &self,
        spec: &SandboxSpec,
        streams: Streams,
        listener: Option<BorrowedFd<'_>>,
    ) -> Result<Running, LaunchError> {
        let cgroup = spec.cgroup.as_ref().map(|cgroup| cgroup.name.clone());
        let program = self
            .session
            .as_ref()
            .map_or(self.helper.as_path(), |session| session.program());
        let (spec, password) = self.told(spec).map_err(LaunchError::Pass)?;
        let pipe =
            || rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(|error| LaunchError::Pass(error.into()));
        let ((reports, said), (held, lifeline)) = (pipe()?, pipe()?);
        // A descriptor of our own: this program may have handed the caller's to another thread.
        let listener = listener.map(|fd| fd.try_clone_to_owned()).transpose();
        let listener = listener.map_err(LaunchError::Pass)?;
        let hold = self.hold.as_ref().map(|fd| fd.as_fd());
        let listener = listener.as_ref().map(AsFd::as_fd);
        let mut given = vec![
            Some(spec.as_fd()),
            Some(said.as_fd()),
            Some(held.as_fd()),
            hold,
            listener,
        ];
        let mut command = Command::new(program);
        if self.session.is_some() {
            command.arg("session");
            given.push(password.as_ref().map(AsFd::as_fd));
        }
        let number =
            |fd: &Option<BorrowedFd<'_>>| fd.map_or_else(|| "-".to_owned(), |fd| fd.as_raw_fd().to_string());
        command
            .args(given.iter().map(number))
            .env_clear()
            .current_dir("/");
        // A group of its own: an interrupt typed at the terminal reaches this program, which then ends the job.
        command.process_group(0);
        command
            .stdin(streams.stdin)
            .stdout(streams.stdout)
            .stderr(streams.stderr);
        let passed: Vec<BorrowedFd<'_>> = given.into_iter().flatten().collect();
        let child = spawn::inheriting(&mut command, &passed).map_err(|source| LaunchError::Start {
            path: program.to_owned(),
            source,
        })?;
        let session = self.session.clone();
        Ok(Running::new(child, reports, lifeline, cgroup, session))
    }

    /// What the started program reads: the specification, in a request where a session is opened, and its password.
    fn told(&self, spec: &SandboxSpec) -> std::io::Result<(OwnedFd, Option<OwnedFd>)> {
        match &self.session {
            None => Ok((memory_file(spec)?, None)),
            Some(session) => Ok((session.request(spec, &self.helper)?, session.password_pipe()?)),
        }
    }
}

/// The specification in a file without a name, which no other process can open.
fn memory_file(spec: &SandboxSpec) -> std::io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create("offhost-spec", MemfdFlags::CLOEXEC)?;
    let mut file = File::from(fd);
    file.write_all(&serde_json::to_vec(spec).map_err(std::io::Error::other)?)?;
    Ok(file.into())
}
