//! How a tree is copied, what was copied, and why it was not.

use std::path::PathBuf;

use super::dir::Owner;
use super::failure::IoFailure;
use super::fdio;

/// How a tree is copied.
#[derive(Clone, Copy, Debug)]
pub struct CopyOptions {
    /// Account that the copy belongs to; the server's own when absent.
    pub owner: Option<Owner>,
    /// Threads; 0 takes one a processor, at least two and at most eight.
    pub threads: usize,
    /// What happens to links that lead out of the tree.
    pub links: Links,
    /// What happens to permission bits.
    pub modes: Modes,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self {
            owner: None,
            threads: 0,
            links: Links::Any,
            modes: Modes::Keep,
        }
    }
}

/// What happens to links that lead out of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// All are copied as they are.
    Any,
    /// One that could lead out is refused.
    Inside,
}

/// What happens to permission bits. Neither keeps set-uid, set-gid or sticky bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modes {
    /// Kept; the owner can always read and write.
    Keep,
    /// Readable by all, writable by the owner; only whether a file can be executed is kept.
    Normal,
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyStats {
    /// Regular files.
    pub files: u64,
    /// Directories, the root not counted.
    pub directories: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of the regular files.
    pub bytes: u64,
    /// Files whose blocks are shared with the source.
    pub shared: u64,
}

/// Why a tree was not copied. Nothing of the copy is left.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The source has something that is neither a file, a directory nor a link.
    #[error("'{}' is a {kind}; content can have only files, directories and links, so remove it", path.display())]
    Special {
        /// Where it is.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A link leads out of the tree.
    #[error("the link '{}' leads out of the content, to '{}'; replace it by a copy of what it means", path.display(), target.display())]
    LinkOut {
        /// Where it is.
        path: PathBuf,
        /// Its target.
        target: PathBuf,
    },
    /// The source is nested too deeply.
    #[error("'{}' is nested more than {} directories deep; flatten it", path.display(), fdio::MAX_DEPTH)]
    TooDeep {
        /// Where it is.
        path: PathBuf,
    },
    /// The destination has something in it.
    #[error("'{}' is not empty; copy into a new directory", path.display())]
    NotEmpty {
        /// The destination.
        path: PathBuf,
    },
    /// The system refused something.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

impl CopyError {
    /// Whether space, quota or a read-only mount is the cause.
    #[must_use]
    pub fn is_storage(&self) -> bool {
        matches!(self, Self::Io(failure) if failure.is_storage())
    }
}
