//! Why a job of local mode did not succeed, with the reason that the command line and the job's record give.

use std::path::PathBuf;

use super::failed::Failed;
use super::launcher::LaunchError;
use super::pam::PamError;
use super::probe::NoSandbox;
use super::secrets::SecretError;
use super::supervisor::SupervisorError;
use super::tempdir::TempDirError;
use super::trust::Untrusted;
use crate::api::JobFileError;
use crate::apps::BoundsError;
use crate::content::FactsError;
use crate::content::archive::ArchiveError;
use crate::data::{CopyError, DataDirError, EnvironmentError, IoFailure, NameError, ResultError, StoreError};
use crate::identity::GatherError;
use crate::plan::PlanError;
use crate::reason::Reason;
use crate::runtimes::{DiscoverError, RuntimesError};
use crate::settings::PathProblem;
use crate::state::StateError;
use crate::visitors::AccessRefused;

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
    /// PAM (PM1 to PM3).
    #[error(transparent)]
    Pam(#[from] PamError),
    /// A probe of the audit gave no answer.
    #[error(
        "the probe of the audit ended with {0} before it could tell what it had found; run offhost doctor"
    )]
    Probe(String),
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
    /// A job without output.
    #[error("{}: the job has no output; see what became of it with: offhost content jobs CONTENT", .0.display())]
    NoLog(PathBuf),
    /// A manifest that others than an administrator could have written says as whom content runs (RA2).
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// A job whose bundle is sent to a cluster.
    #[error(
        "spec.bundle.archive is an archive that is sent to a cluster; name it in spec.bundle.path to run it here, or give --cluster"
    )]
    Upload,
    /// The job, the settings, the runtimes and the accounts do not go together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The processes of an application.
    #[error(transparent)]
    Bounds(#[from] BoundsError),
    /// Nobody may see what the application serves, as it is asked for.
    #[error(transparent)]
    Access(#[from] AccessRefused),
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
    #[error("packages could not be installed: the installation {0}")]
    Install(Box<Failed>),
    /// The content's process failed.
    #[error("the process {0}")]
    Process(Box<Failed>),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
    /// A signal came between two processes.
    #[error("stopped on request; nothing has changed")]
    Stopped,
}

impl LocalError {
    /// The reason, from the closed list.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Launch(LaunchError::NoSession(_)) | Self::Pam(PamError::NoPassword(_)) => {
                Reason::SessionRefused
            }
            Self::NoSandbox(_) | Self::Launch(_) | Self::Probe(_) => Reason::SandboxUnavailable,
            Self::Supervisor(_) => Reason::SupervisorRefused,
            Self::DataDir(_) | Self::Io(_) => Reason::DataUnavailable,
            Self::TempDir(TempDirError::Write(failure)) if failure.is_full() => Reason::DataUnavailable,
            Self::Archive(error) if error.is_storage() => Reason::DataUnavailable,
            Self::Copy(error) | Self::Store(StoreError::Copy(error)) => of_copy(error),
            Self::Store(StoreError::Io(_) | StoreError::Record { .. }) => Reason::DataUnavailable,
            Self::Environment(
                EnvironmentError::NoPackage { .. } | EnvironmentError::NoEnvironment { .. },
            ) => Reason::InstallFailed,
            Self::Environment(_) => Reason::DataUnavailable,
            Self::Result(error) => of_result(error),
            Self::Stopped => Reason::Interrupted,
            Self::State(StateError::Lost { .. }) => Reason::Interrupted,
            Self::State(error) if !error.is_setting() => Reason::DataUnavailable,
            Self::Untrusted(_) => Reason::AccountRefused,
            Self::Plan(error) => error.reason(),
            Self::Install(failed) => failed.reason().unwrap_or(Reason::InstallFailed),
            Self::Process(failed) => failed.reason().unwrap_or(Reason::ProcessFailed),
            _ => Reason::InvalidInput,
        }
    }

    /// The exit code of the process that failed, as it was (SB8); 128 and the number for a signal.
    #[must_use]
    pub fn process_code(&self) -> Option<u8> {
        match self {
            Self::Install(failed) | Self::Process(failed) => failed.code(),
            // PM2: it counts as the process's own.
            Self::Launch(LaunchError::NoSession(_)) => Some(Reason::SessionRefused.exit_code()),
            _ => None,
        }
    }

    /// The exit code of the command line, where it is not that of the reason: the process's own where the failure was
    /// its own doing, 128 and the number for the signal that stopped the job.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        let stopped = || u8::try_from(128 + super::signals::asked()?).ok();
        match self {
            Self::Stopped => stopped(),
            Self::Install(failed) | Self::Process(failed) => match failed.reason() {
                None => failed.code().filter(|code| *code != 0),
                Some(Reason::Interrupted) => failed.own_code().filter(|code| *code != 0).or_else(stopped),
                Some(_) => None,
            },
            _ => None,
        }
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

fn join(problems: &[PathProblem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
