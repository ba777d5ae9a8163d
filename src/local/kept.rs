//! What is kept of a content item after a job, and what is written down of it.

use jiff::Timestamp;

use super::error::LocalError;
use super::job::Job;
use crate::data::{self, Store};

impl Job<'_> {
    /// Writes down in the index what has become of the content item. Where that can not be done a sweep does it later:
    /// what was deployed, made or activated is so whatever the index says.
    pub(super) fn note(&self) {
        let server = self.server;
        // What was refused before it began makes no database.
        if server.state.is_made()
            && let Err(error) = server.index().note(&self.content)
        {
            self.watcher
                .done(&format!("note: {error}; the index of content follows later"));
        }
    }

    /// Removes what is beyond the limits of retention (RD4, AP2).
    pub(super) fn retain(&self) -> Result<(), LocalError> {
        let applications = &self.server.settings.applications;
        let (keep, age) = (
            applications.rendering_sweep_limit,
            applications.rendering_sweep_age_seconds,
        );
        self.renders().retain(keep, age, Timestamp::now())?;
        let jobs = &self.server.settings.jobs;
        let gone = data::retain_jobs(
            &self.server.data,
            &self.content,
            jobs.max_completed,
            jobs.oldest_completed_seconds,
            Timestamp::now(),
        )?;
        if let Err(error) = self.server.state.forget_jobs(self.content.as_str(), &gone) {
            self.watcher.done(&format!("note: {error}"));
        }
        Store::new(&self.server.data).retain_bundles(&self.content, applications.bundle_retention_limit)?;
        Ok(())
    }
}
