//! After a start: the locks of everything that is not finished are taken over, then what nobody holds is removed (OH2).

use jiff::Timestamp;

use super::attempt::Attempt;
use super::state::lock_slot;
use super::{Volume, VolumeError};
use crate::data::{ContentId, StoreError, Swept, sweep_volume};

/// A job that is not finished.
#[derive(Clone, Debug)]
pub struct OpenJob {
    /// Its uid.
    pub uid: String,
    /// Its open attempt.
    pub attempt: Option<Attempt>,
    /// The bundle that its status names.
    pub pinned: Option<(ContentId, u64)>,
    /// Digest of the archive that it waits for, where its status names no bundle yet.
    pub awaits: Option<String>,
}

impl Volume {
    /// Takes over the locks of every job that is not finished, then removes what nobody holds. Before it nothing of this
    /// volume is swept, so that whatever still runs keeps its directories.
    ///
    /// # Errors
    /// [`VolumeError::Held`] while an earlier controller still has one of them: nothing is swept; it can be tried again, and
    /// everything else goes on meanwhile.
    pub fn adopt(&self, open: &[OpenJob], now: Timestamp) -> Result<Swept, VolumeError> {
        let mut first = None;
        for job in open {
            if let Err(error) = self.adopt_job(job) {
                first.get_or_insert(error);
            }
        }
        match first {
            None => Ok(self.sweep(now)),
            Some(error) => Err(error),
        }
    }

    fn adopt_job(&self, job: &OpenJob) -> Result<(), VolumeError> {
        if let Some(digest) = &job.awaits {
            self.state
                .with_job(&job.uid, |held| held.upload = Some(digest.clone()));
        }
        if let Some((content, bundle)) = &job.pinned {
            match self.use_bundle(&job.uid, content, *bundle) {
                // What becomes of a job whose bundle is gone is said when that is asked for.
                Ok(_) | Err(StoreError::NoContent { .. } | StoreError::NoBundle { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let Some(attempt) = &job.attempt else {
            return Ok(());
        };
        let slot = self.state.slot(attempt);
        let mut place = lock_slot(&slot);
        if !self.hold(attempt, &mut place, false)? {
            self.state.forget_attempt(attempt.key());
        }
        Ok(())
    }

    /// Removes what killed runs have left, and uploads that nobody waits for. Only once [`Self::adopt`] has succeeded.
    pub fn sweep(&self, now: Timestamp) -> Swept {
        let mut swept = sweep_volume(&self.data);
        self.expire_uploads(now, &mut swept);
        swept
    }
}
