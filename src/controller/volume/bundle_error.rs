//! Why a job has no bundle.

use std::path::PathBuf;

use crate::content::FactsError;
use crate::content::archive::ArchiveError;
use crate::data::{CopyError, IoFailure, NameError, StoreError};
use crate::names::INCOMING;
use crate::reason::Reason;
use crate::status::{Planned, Problem};

/// Why a job has no bundle to work on.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It names several.
    #[error("spec.bundle has more than one of path, id and archive; keep one")]
    Several,
    /// It names none, and no content item either.
    #[error("the job names no content; set spec.content, or spec.bundle.path or spec.bundle.archive")]
    NoSource,
    /// The path can not be one below the directory for incoming bundles.
    #[error(
        "spec.bundle.path '{path}' {problem}; it is relative to the directory '{INCOMING}' of the data volume and stays in it"
    )]
    Path {
        /// As written.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The path leads nowhere.
    #[error(
        "spec.bundle.path '{path}' is not in the directory '{INCOMING}' of the data volume; copy it there, or send it with 'offhost content deploy'"
    )]
    Missing {
        /// As written.
        path: String,
    },
    /// The archive's digest can not be one.
    #[error(
        "spec.bundle.archive.sha256 '{given}' is no SHA-256; write 64 lower-case hexadecimal digits, as sha256sum prints them"
    )]
    Digest {
        /// As written.
        given: String,
    },
    /// The archive is larger than any that can be unpacked.
    #[error("the archive has {bytes} bytes and may have {limit}; leave out what the content does not need")]
    TooLarge {
        /// As announced.
        bytes: i64,
        /// The limit.
        limit: u64,
    },
    /// The archive was not sent yet.
    #[error(
        "the archive {sha256} ({bytes} bytes) has not been sent yet; 'offhost content deploy' sends it, or PUT it to /v1/uploads/{sha256} of the controller"
    )]
    AwaitingUpload {
        /// Its digest.
        sha256: String,
        /// Its size.
        bytes: i64,
    },
    /// There is no space to unpack the archive.
    #[error(
        "the archive '{}' has more in it than the {room} bytes that can be spared on the data volume; remove old results or enlarge the volume",
        archive.display()
    )]
    Full {
        /// The archive.
        archive: PathBuf,
        /// What it may take.
        room: u64,
    },
    /// The number can not be one of a bundle.
    #[error("spec.bundle.id '{given}' is not the number of a bundle; see offhost content list")]
    Number {
        /// As written.
        given: String,
    },
    /// There is no such content item, or it has no bundle in force.
    #[error(
        "content item '{content}' has no bundle in force; deploy one, with 'offhost content deploy DIRECTORY --content {content}' or by a job with spec.bundle"
    )]
    NoBundle {
        /// The content item.
        content: String,
    },
    /// A content item of that name came from somewhere else.
    #[error(
        "content item '{content}' was deployed from {known}; to replace it, set spec.content to '{content}', and to keep it, to another name"
    )]
    OtherSource {
        /// The content item.
        content: String,
        /// Where it was deployed from.
        known: PathBuf,
    },
    /// The plan of the bundle is refused, so it is not deployed.
    #[error("{}", sentence(.0))]
    Plan(Box<Planned>),
    /// The content item's name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// What the bundle says.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store of content items.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file operation.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

fn sentence(planned: &Planned) -> &str {
    match planned {
        Planned::Refused(problem) | Planned::Waiting(problem) => &problem.message,
        Planned::Ready(_) => "the plan was not accepted",
    }
}

impl BundleError {
    /// What it means for the job: whether it waits or is refused.
    #[must_use]
    pub fn planned(&self) -> Planned {
        if let Self::Plan(planned) = self {
            return (**planned).clone();
        }
        let reason = self.reason();
        let message = self.to_string();
        let problem = Problem { reason, message };
        if reason == Reason::InvalidInput {
            Planned::Refused(problem)
        } else {
            Planned::Waiting(problem)
        }
    }

    /// Everything but wrong input may still come or heal.
    fn reason(&self) -> Reason {
        match self {
            Self::AwaitingUpload { .. } => Reason::AwaitingUpload,
            Self::Missing { .. }
            | Self::NoBundle { .. }
            | Self::Store(StoreError::NoContent { .. } | StoreError::NoBundle { .. }) => {
                Reason::ReferenceNotFound
            }
            Self::Full { .. } => Reason::DataUnavailable,
            Self::Archive(error) if error.is_storage() => Reason::DataUnavailable,
            Self::Store(StoreError::Copy(CopyError::Io(_) | CopyError::NotEmpty { .. }))
            | Self::Store(StoreError::Io(_) | StoreError::Record { .. } | StoreError::InUse { .. })
            | Self::Io(_) => Reason::DataUnavailable,
            _ => Reason::InvalidInput,
        }
    }
}
