//! Why a result can not be made, finished or served.

use std::path::PathBuf;

use super::failure::IoFailure;
use super::fdio;
use super::layout::{ContentId, Variant};

/// Why a result can not be made, finished or activated. What is served has not changed.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The site's output is not where its configuration says.
    #[error("the site was to be rendered into '{}', but no such directory was made; check the site's configuration and the log", output.display())]
    SiteDirMissing {
        /// The directory, relative to the site.
        output: PathBuf,
    },
    /// The site's configuration names a place outside the site.
    #[error("the site's output directory '{}' leads out of the site; name a directory inside it", given.display())]
    SiteDirOutside {
        /// The directory as written.
        given: PathBuf,
    },
    /// The main file is missing.
    #[error("the render made no file '{}'; check the entry point and the log", index.display())]
    IndexMissing {
        /// The file, relative to the result.
        index: PathBuf,
    },
    /// The main file is not a file.
    #[error("'{}' of the result is a {kind}, not a file; have the render write the file itself", index.display())]
    IndexKind {
        /// The file, relative to the result.
        index: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// The result is nested too deeply.
    #[error("'{}' is nested more than {} directories deep; flatten the output", path.display(), fdio::MAX_DEPTH)]
    TooDeep {
        /// Where.
        path: PathBuf,
    },
    /// There is no such result.
    #[error(
        "'{content}' has no result {number} of variant '{variant}'; 'offhost content results {content}' lists what there is"
    )]
    NotFound {
        /// The content item.
        content: ContentId,
        /// The variant.
        variant: Variant,
        /// The number asked for.
        number: u64,
    },
    /// The result was never finished.
    #[error("result {number} of '{content}' is unfinished and can not be served; render it again")]
    Unfinished {
        /// The content item.
        content: ContentId,
        /// The number asked for.
        number: u64,
    },
    /// The result is the one that is served.
    #[error("result {number} of '{content}' is the one that is served; activate another one first")]
    Active {
        /// The content item.
        content: ContentId,
        /// The number asked for.
        number: u64,
    },
    /// A record can not be read.
    #[error("the record '{}' is damaged; remove that result and render again", path.display())]
    Record {
        /// The record.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Something of it did not reach the disk.
    #[error("the result could not be stored: {0}; render it again")]
    Lost(#[source] IoFailure),
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

impl ResultError {
    /// Whether space, quota or a read-only mount is the cause: nothing is wrong with the content itself.
    #[must_use]
    pub fn is_storage(&self) -> bool {
        matches!(self, Self::Io(failure) | Self::Lost(failure) if failure.is_storage())
    }

    /// Whether the same may succeed later: the system refused something, and nothing of the result is lost.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Io(_))
    }
}
