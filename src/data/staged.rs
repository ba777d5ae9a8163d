//! Directories that are filled and then renamed or thrown away, and keys for them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::failure::IoFailure;
use super::lock::Claim;
use super::remove::remove_tree;

/// A key of 16 characters that nothing else has.
#[must_use]
pub(crate) fn new_key() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let now = Timestamp::now().as_nanosecond();
    let seed = format!(
        "{now} {} {}",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    );
    Sha256::digest(seed)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A directory below `DataDir` that is filled and then renamed, or thrown away: removed when dropped, if it is still
/// there.
#[derive(Debug)]
pub(crate) struct Staged {
    claim: Option<Claim>,
    path: PathBuf,
}

impl Staged {
    /// Makes the directory, whose name must be one that the sweep knows.
    ///
    /// # Errors
    /// It can not be made.
    pub(crate) fn make(path: PathBuf) -> Result<Self, IoFailure> {
        let claim = Some(Claim::make_anew(&path)?);
        Ok(Self { claim, path })
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What can not be removed now, the next sweep removes.
        if remove_tree(&self.path).is_ok()
            && let Some(claim) = self.claim.take()
        {
            claim.release();
        }
    }
}
