//! The volume, from asynchronous code: each call on a thread of its own, a bounded number at a time, so that storage
//! that is slow holds up nobody who does not need it.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::Semaphore;

use super::volume::{Volume, VolumeError};

/// Calls at a time.
const AT_A_TIME: usize = 16;

/// Why a call to the volume gave nothing.
#[derive(Debug, Error)]
pub enum DiskError {
    /// The volume says why.
    #[error("{0}")]
    Volume(#[from] VolumeError),
    /// A fault of this program.
    #[error("a step on the data volume broke off: {0}")]
    Broken(#[source] tokio::task::JoinError),
}

/// The volume; cheap to clone.
#[derive(Clone, Debug)]
pub struct Disk {
    volume: Arc<Volume>,
    permits: Arc<Semaphore>,
}

impl Disk {
    /// A way to that volume.
    #[must_use]
    pub fn new(volume: Arc<Volume>) -> Self {
        Self {
            volume,
            permits: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    /// Does something with the volume.
    ///
    /// # Errors
    /// [`DiskError::Broken`]: it panicked.
    pub async fn with<T: Send + 'static>(
        &self,
        step: impl FnOnce(&Volume) -> T + Send + 'static,
    ) -> Result<T, DiskError> {
        let _permit = self.permits.acquire().await;
        let volume = self.volume.clone();
        tokio::task::spawn_blocking(move || step(&volume))
            .await
            .map_err(DiskError::Broken)
    }
}
