//! What is beyond the limits of retention goes (RD4, AP2, PK10). It changes nothing for the job that was finished, so what
//! can not be removed is logged, and tried again with the next one.

use jiff::Timestamp;

use super::Volume;
use super::attempt::{Record, result_of};
use crate::data::{ContentId, Renders, Store, retain_jobs};
use crate::plan::Output;

impl Volume {
    /// Removes what is beyond the limits, of the content item whose attempt was finished. Nothing that runs: an attempt's
    /// result has no record yet, and its bundle and its own record are held.
    pub(super) fn retain(&self, content: &ContentId, record: &Record, now: Timestamp) {
        let limits = &self.applications;
        if let Output::Result { directory, .. } = &record.output
            && let Some((variant, _)) = result_of(directory)
        {
            let renders = Renders::new(&self.data, content.clone(), variant);
            let (keep, age) = (limits.rendering_sweep_limit, limits.rendering_sweep_age_seconds);
            warn(content, "results", renders.retain(keep, age, now));
        }
        if limits.bundle_retention_limit > 0 {
            let kept = Store::new(&self.data).retain_bundles(content, limits.bundle_retention_limit);
            warn(content, "bundles", kept);
        }
        // Each of up to a thousand records is read for it, so not with every job.
        if self.state.retention_due(content, now) {
            let (keep, age) = (self.jobs.max_completed, self.jobs.oldest_completed_seconds);
            warn(
                content,
                "job records",
                retain_jobs(&self.data, content, keep, age, now),
            );
        }
    }
}

fn warn<T, E: std::fmt::Display>(content: &ContentId, what: &str, done: Result<T, E>) {
    if let Err(failure) = done {
        tracing::warn!(%content, "old {what} could not be removed: {failure}");
    }
}
