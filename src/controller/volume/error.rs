//! Why the volume does not do what a job needs, and whether that may heal.

use std::path::PathBuf;

use crate::data::{DataDirError, EnvironmentError, IoFailure, NameError, ResultError, StoreError};
use crate::reason::Reason;
use crate::status::Problem;

/// Why something can not be done on the data volume.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// A directory belongs to another account than the controller's.
    #[error(
        "'{}' belongs to account {owner} and the controller runs as {own}; give it to {own} ('chown -R'), or set the chart value controller.giveAwayDirectories to true",
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The controller's account.
        own: u32,
    },
    /// The directories of a process can not be given to its account.
    #[error(
        "the content is to run as '{user}' (uid {uid}), but the controller runs as uid {own} and can give directories to no other account; name no runAs, or set the chart value controller.giveAwayDirectories to true"
    )]
    Owner {
        /// The account.
        user: String,
        /// Its uid.
        uid: u32,
        /// The controller's uid.
        own: u32,
    },
    /// An earlier controller still has it.
    #[error(
        "{what} is still held by another process, an earlier controller that has not ended yet; where there is none, its node was lost with the lock: remove '{}'",
        lock.display()
    )]
    Held {
        /// What is held.
        what: String,
        /// The lock file.
        lock: PathBuf,
    },
    /// Another process makes the same environment.
    #[error("another process installs '{target}' on the same volume; wait for it")]
    Installing {
        /// The environment.
        target: String,
    },
    /// The attempt was begun with another plan.
    #[error(
        "the attempt {key} was begun before the settings, the runtimes or the content changed; another one is begun"
    )]
    Changed {
        /// Key of the attempt.
        key: String,
    },
    /// A directory that the Pod is to mount is not there.
    #[error("{what} ('{}') is not on the volume; if it was removed, it is made again", path.display())]
    NotThere {
        /// What it is, for people.
        what: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// A name that can not be part of a path.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A record.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A result.
    #[error(transparent)]
    Result(#[from] ResultError),
    /// An environment.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A file operation.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

impl VolumeError {
    /// Whether the same may succeed later, without a change of the job.
    #[must_use]
    pub fn heals(&self) -> bool {
        !matches!(self, Self::Owner { .. } | Self::Name(_) | Self::Changed { .. })
    }

    /// The reason, from the closed list.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Owner { .. } => Reason::AccountRefused,
            Self::Name(_) => Reason::InvalidInput,
            Self::Changed { .. } => Reason::Disrupted,
            Self::Installing { .. } => Reason::Installing,
            _ => Reason::DataUnavailable,
        }
    }

    /// What is told of it.
    #[must_use]
    pub fn problem(&self) -> Problem {
        Problem {
            reason: self.reason(),
            message: self.to_string(),
        }
    }
}
