//! Why a look at a job came to nothing; it is tried again.

use thiserror::Error;

use super::call_error::CallError;
use super::disk::DiskError;
use crate::data::NameError;

/// Why a look at a job came to nothing.
#[derive(Debug, Error)]
pub enum LookError {
    /// The API server did not do what was asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The volume did not.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The status of the job names something that can not be part of a path.
    #[error("the status of the job was changed by somebody else: {0}")]
    Name(#[from] NameError),
    /// This replica may not lead any more.
    #[error("the Lease may be another replica's by now")]
    NotLeading,
}

impl LookError {
    /// Label of the metric that counts it.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Call(error) => error.label(),
            Self::Disk(_) => "volume",
            Self::Name(_) => "status",
            Self::NotLeading => "not_leading",
        }
    }

    /// Whether nothing is wrong but that something has changed meanwhile.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Call(CallError::Stale { .. }))
    }
}
