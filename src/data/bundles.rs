//! Which bundles are in use, and which are kept (AP2, `Applications.BundleRetentionLimit`).

use std::path::{Path, PathBuf};

use super::dir;
use super::failure::IoFailure;
use super::layout::{self, ContentId};
use super::lock::FileLock;
use super::records::{BundleRecord, StoreError, read_json};
use super::store::Store;

/// A bundle that a process works with. Its directory stays for as long as this lives.
#[derive(Debug)]
#[must_use]
pub struct BundleUse {
    path: PathBuf,
    lock: FileLock,
}

impl BundleUse {
    /// The directory of the bundle.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock; a helper that inherits its descriptor keeps the bundle in use when this process dies.
    #[must_use]
    pub fn lock(&self) -> &FileLock {
        &self.lock
    }
}

impl Store<'_> {
    /// Marks a bundle as in use; any number of processes can share it.
    ///
    /// # Errors
    /// There is no such bundle.
    pub fn use_bundle(&self, content: &ContentId, bundle: u64) -> Result<BundleUse, StoreError> {
        self.bundle_record(content, bundle)?;
        let path = self.data.path(layout::bundle(content, bundle));
        let lock = FileLock::shared(&layout::lock_beside(&path))?;
        // It may have been removed between the look and the lock.
        self.bundle_record(content, bundle)?;
        Ok(BundleUse { path, lock })
    }

    /// The newest bundle that a job of a cluster has deployed.
    ///
    /// # Errors
    /// The directory can not be read.
    pub fn deployed_by(&self, content: &ContentId, job: &str) -> Result<Option<u64>, StoreError> {
        for bundle in self.bundles(content)?.into_iter().rev() {
            let record: Option<BundleRecord> =
                read_json(&self.data.path(layout::bundle_record(content, bundle)))?;
            if record.is_some_and(|record| record.job.as_deref() == Some(job)) {
                return Ok(Some(bundle));
            }
        }
        Ok(None)
    }

    /// The lock that nobody who uses the bundle holds; `None` where somebody does.
    pub(super) fn seize(&self, content: &ContentId, bundle: u64) -> Result<Option<FileLock>, IoFailure> {
        FileLock::try_exclusive(&layout::lock_beside(
            &self.data.path(layout::bundle(content, bundle)),
        ))
    }

    /// Removes the bundles beyond the newest `keep` (0 keeps all), never the one in force or one that is in use.
    /// Returns the numbers removed.
    ///
    /// # Errors
    /// A bundle can not be removed.
    pub fn retain_bundles(&self, content: &ContentId, keep: u32) -> Result<Vec<u64>, StoreError> {
        let _lock = self.data.lock_content(content)?;
        let active = self.active(content)?;
        let bundles = self.bundles(content)?;
        let beyond = if keep == 0 {
            0
        } else {
            bundles.len().saturating_sub(keep as usize)
        };
        let mut removed = Vec::new();
        for bundle in bundles.into_iter().take(beyond) {
            if active == Some(bundle) {
                continue;
            }
            let Some(lock) = self.seize(content, bundle)? else {
                continue;
            };
            dir::take_away(&self.data.path(layout::bundle(content, bundle)))?;
            remove_file(&self.data.path(layout::bundle_record(content, bundle)))?;
            lock.remove();
            removed.push(bundle);
        }
        Ok(removed)
    }
}

/// Removes a file of the server's own, if it is there.
pub(super) fn remove_file(path: &Path) -> Result<(), IoFailure> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(IoFailure::new("remove", path, error))
        }
        _ => Ok(()),
    }
}
