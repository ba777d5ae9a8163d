//! Why a job of local mode did not succeed, with the reason that the command line and the job's record give.

use std::path::PathBuf;

use super::launcher::{Ended, LaunchError};
use super::probe::NoSandbox;
use super::secrets::SecretError;
use super::supervisor::SupervisorError;
use super::tempdir::TempDirError;
use crate::api::JobFileError;
use crate::content::FactsError;
use crate::content::archive::ArchiveError;
use crate::data::{CopyError, DataDirError, EnvironmentError, IoFailure, NameError, ResultError, StoreError};
use crate::identity::GatherError;
use crate::plan::PlanError;
use crate::reason::Reason;
use crate::runtimes::{DiscoverError, RuntimesError};
use crate::sandbox::EndCause;
use crate::settings::PathProblem;

/// Why a job did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Configured paths that can not be used (FS6).
    #[error("{}", join(.0))]
    Paths(Vec<PathProblem>),
    /// `Server.TempDir` (TD3).
    #[error(transparent)]
    TempDir(#[from] TempDirError),
    /// `Server.DataDir`.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The interpreters that the settings name.
    #[error(transparent)]
    Discover(#[from] DiscoverError),
    /// `runtimes.yaml`.
    #[error(transparent)]
    Runtimes(#[from] RuntimesError),
    /// Accounts.
    #[error(transparent)]
    Accounts(#[from] GatherError),
    /// The sandbox of this machine (SB3).
    #[error(transparent)]
    NoSandbox(#[from] NoSandbox),
    /// The supervisor (SV5).
    #[error(transparent)]
    Supervisor(#[from] SupervisorError),
    /// The job file.
    #[error(transparent)]
    JobFile(#[from] JobFileError),
    /// The command line names something that is not there or not usable.
    #[error("{path}: {problem}", path = .path.display())]
    Target {
        /// What was named.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The bundle.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The content item's name, or the variant's.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A content item of that name came from somewhere else.
    #[error(
        "content item '{content}' was deployed from {known}; to replace it, give --content {content}, and to keep it, another name"
    )]
    OtherSource {
        /// The content item.
        content: String,
        /// Where it was deployed from.
        known: PathBuf,
    },
    /// The job names no bundle, and the content item has none in force.
    #[error(
        "content item '{0}' has no bundle in force; deploy one with: offhost content deploy DIRECTORY --content {0}"
    )]
    NoBundle(String),
    /// The job, the settings, the runtimes and the accounts do not go together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A variable by reference.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The copy of the source.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// The store of content items.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store of environments.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The result.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// A file operation.
    #[error(transparent)]
    Io(#[from] IoFailure),
    /// The process could not be launched.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// Packages could not be installed.
    #[error("packages could not be installed: the installation {}; its output is in {log}", how(.ended), log = .log.display())]
    Install {
        /// How the process ended.
        ended: Ended,
        /// Its output.
        log: PathBuf,
    },
    /// The content's process failed.
    #[error("the process {}; its output is in {log}", how(.ended), log = .log.display())]
    Process {
        /// How the process ended.
        ended: Ended,
        /// Its output.
        log: PathBuf,
    },
    /// A signal came between two processes.
    #[error("stopped on request; nothing has changed")]
    Stopped,
}

impl LocalError {
    /// The reason, from the closed list.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::NoSandbox(_) | Self::Launch(_) => Reason::SandboxUnavailable,
            Self::Supervisor(_) => Reason::SupervisorRefused,
            Self::DataDir(_) | Self::Io(_) => Reason::DataUnavailable,
            Self::Copy(error) | Self::Store(StoreError::Copy(error)) => of_copy(error),
            Self::Store(StoreError::Io(_) | StoreError::Record { .. }) => Reason::DataUnavailable,
            Self::Environment(EnvironmentError::NoPackage { .. }) => Reason::InstallFailed,
            Self::Environment(_) => Reason::DataUnavailable,
            Self::Result(error) => of_result(error),
            Self::Stopped => Reason::ProcessFailed,
            Self::Plan(error) => error.reason(),
            Self::Install { ended, .. } => by_cause(ended).unwrap_or(Reason::InstallFailed),
            Self::Process { ended, .. } => by_cause(ended).unwrap_or(Reason::ProcessFailed),
            _ => Reason::InvalidInput,
        }
    }

    /// The exit code of the process that failed, where it was its own doing (SB8); 128 and the number for a signal.
    #[must_use]
    pub fn process_code(&self) -> Option<u8> {
        let (Self::Install { ended, .. } | Self::Process { ended, .. }) = self else {
            return None;
        };
        if ended.cause.is_some_and(|cause| cause != EndCause::Stopped) {
            return None;
        }
        let code = ended.code.or_else(|| Some(128 + ended.signal?))?;
        u8::try_from(code).ok().filter(|code| *code != 0)
    }
}

/// A tree that can not be copied, unlike a disk that refuses, is the content's own fault.
fn of_copy(error: &CopyError) -> Reason {
    match error {
        CopyError::Io(_) | CopyError::NotEmpty { .. } => Reason::DataUnavailable,
        _ => Reason::InvalidInput,
    }
}

fn of_result(error: &ResultError) -> Reason {
    match error {
        ResultError::NotFound { .. } | ResultError::Unfinished { .. } | ResultError::Active { .. } => {
            Reason::InvalidInput
        }
        error if error.is_storage() => Reason::DataUnavailable,
        _ => Reason::ProcessFailed,
    }
}

fn by_cause(ended: &Ended) -> Option<Reason> {
    match ended.cause? {
        EndCause::Timeout => Some(Reason::DeadlineExceeded),
        EndCause::Memory => Some(Reason::OutOfMemory),
        EndCause::Stopped => None,
    }
}

/// How a process ended, as the end of a sentence.
fn how(ended: &Ended) -> String {
    match (ended.cause, ended.code, ended.signal) {
        (Some(EndCause::Timeout), ..) => "was ended when its time was over (raise spec.timeoutSeconds)".to_owned(),
        (Some(EndCause::Memory), ..) => {
            "was ended for using more memory than its limit (raise spec.resources.limits.memory or Sandbox.MemoryLimit)"
                .to_owned()
        }
        (Some(EndCause::Stopped), ..) => "was stopped on request".to_owned(),
        (None, Some(code), _) => format!("ended with exit code {code}"),
        (None, None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None, None) => "ended in an unknown way".to_owned(),
    }
}

fn join(problems: &[PathProblem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
