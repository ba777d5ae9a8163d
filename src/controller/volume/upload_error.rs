//! Why an archive is not taken.

use crate::data::IoFailure;

/// Why an archive is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The digest can not be one.
    #[error(
        "'{0}' is no SHA-256; name the archive by 64 lower-case hexadecimal digits, as sha256sum prints them"
    )]
    Digest(String),
    /// It is larger than any that can be unpacked, or empty.
    #[error(
        "an archive has between 1 and {limit} bytes, and this one has {bytes}; leave out what the content does not need"
    )]
    Size {
        /// As announced.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// There is no space for it.
    #[error(
        "there is no space for an archive of {bytes} bytes on the data volume ({free} are free); remove old results or enlarge the volume, then send it again"
    )]
    Full {
        /// As announced.
        bytes: u64,
        /// What is free.
        free: u64,
    },
    /// It goes on behind its announced end.
    #[error(
        "the archive is longer than the {bytes} bytes that were announced; correct spec.bundle.archive.bytes or send the right archive"
    )]
    Longer {
        /// As announced.
        bytes: u64,
    },
    /// It ended too early.
    #[error("only {got} of {bytes} bytes of the archive came; send it again")]
    CutOff {
        /// What came.
        got: u64,
        /// As announced.
        bytes: u64,
    },
    /// It is another one.
    #[error(
        "the archive that came has the digest {got} and not {wanted}; send the one that the job names, or correct spec.bundle.archive.sha256"
    )]
    Other {
        /// As announced.
        wanted: String,
        /// What came.
        got: String,
    },
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

impl UploadError {
    /// The status code of HTTP that says as much.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Digest(_) | Self::Longer { .. } | Self::CutOff { .. } | Self::Other { .. } => 400,
            Self::Size { .. } => 413,
            Self::Full { .. } => 507,
            Self::Io(failure) if failure.is_full() => 507,
            Self::Io(_) => 500,
        }
    }
}
