//! Why builds can not be Pods here.

use std::path::PathBuf;

use super::plan::PlanError;
use crate::cluster::client::ClientError;
use crate::controller::call_error::CallError;
use crate::reason::Reason;
use crate::runtimes::RuntimesError;

/// Why builds can not be Pods here.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A setting is missing.
    #[error("{setting} is not set, which Git.BuildExecutor = kubernetes needs; {remedy}")]
    Missing {
        /// The setting.
        setting: &'static str,
        /// What to write there.
        remedy: &'static str,
    },
    /// `runtimes.yaml` can not be read.
    #[error("{}: {source}; ExecutionEnvironments.ConfigFilePath must name a file that can be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It is not what the format says.
    #[error(transparent)]
    Runtimes(#[from] RuntimesError),
    /// It has no R for builds.
    #[error("{}: there is no image with {wanted}; add one, with the version and the path of its R", .path.display())]
    NoImage {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: String,
    },
    /// There is no cluster.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The API server does not do what was asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A process that can not be a Pod's.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl ClusterError {
    /// The reason, from the closed list.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Call(_) => Reason::PodRefused,
            Self::NoImage { .. } => Reason::RuntimeNotFound,
            Self::Missing { .. }
            | Self::Read { .. }
            | Self::Runtimes(_)
            | Self::Client(_)
            | Self::Plan(_) => Reason::InvalidInput,
        }
    }
}
