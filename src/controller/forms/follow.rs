//! What becomes of results: their jobs end, they get too old, their application goes.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use kube::ResourceExt;
use tokio::time::{Instant, sleep};

use super::{Forms, job};
use crate::api::resource::ContentJob;
use crate::asked::{Record, State};
use crate::controller::call_error::CallError;
use crate::names::LABEL_VISITOR_RESULT;
use crate::reason::Reason;

/// How often it is looked whether jobs have ended, of which the watches have told.
const LOOK: Duration = Duration::from_secs(1);
/// How often results are looked at that are there.
const SWEEP: Duration = Duration::from_secs(600);
/// How long a job may be missing after it was asked for: while it is made, and until the watches tell of it.
const TO_APPEAR: SignedDuration = SignedDuration::from_mins(10);

impl Forms {
    /// Follows jobs, and removes what is too old, until it is dropped.
    pub async fn follow(self: Arc<Self>) {
        let mut swept: Option<Instant> = None;
        loop {
            if !self.context.tenure.holds() {
                return;
            }
            if swept.is_none_or(|at| at.elapsed() > SWEEP) {
                self.sweep().await;
                swept = Some(Instant::now());
            }
            self.look_at_jobs().await;
            sleep(LOOK).await;
        }
    }

    /// Notes what has become of results since the last look.
    pub async fn look_at_jobs(&self) {
        let waiting = self.shelf().waiting();
        for record in waiting {
            if let Some(state) = self.state(&record).await {
                self.over(record.id.as_str(), state).await;
            }
        }
    }

    async fn state(&self, record: &Record) -> Option<State> {
        let now = self.context.now();
        if let Some(seen) = self.context.view.jobs.get(&job::name_of(record.id.as_str())) {
            return job::came_to(seen.job.status.as_ref()?, now);
        }
        if !self.is_older(record.asked, TO_APPEAR) {
            return None;
        }
        // Somebody has deleted the job.
        let looked = record.clone();
        let lost = self
            .context
            .disk
            .with(move |volume| looked.is_lost(volume.data()))
            .await;
        Some(match lost.ok()? {
            false => State::Done { at: now },
            true => job::failed(Reason::Interrupted, now),
        })
    }

    /// Notes what became of a result, first on the volume.
    async fn over(&self, id: &str, state: State) {
        let record = self.shelf().over(id, state);
        if let Some(record) = record {
            // Where it is not written, the next leader finds the job.
            self.write(record).await;
            self.shelf().tell(id);
        }
    }

    /// Removes what is too old, what is lost, what belongs to no application, and jobs of no result.
    pub async fn sweep(&self) {
        let age = self.context.settings.applications.parameter_result_age_seconds;
        let mut gone = self.shelf().expired(age, self.context.now());
        let done = self.shelf().done();
        let found = self.context.disk.with(move |volume| {
            let lost = done.into_iter().filter(|record| record.is_lost(volume.data()));
            lost.map(|record| record.id.to_string()).collect::<Vec<_>>()
        });
        for id in found.await.unwrap_or_default() {
            gone.extend(self.shelf().remove(&id));
        }
        let all = self.shelf().all();
        for record in all {
            if record.over().is_some() && !self.is_app(&record.app) {
                gone.extend(self.shelf().remove(record.id.as_str()));
            }
        }
        self.remove(gone).await;
        self.end_orphans().await;
        self.sweep_given().await;
    }

    fn is_app(&self, uid: &str) -> bool {
        let apps = self.context.view.apps.apps.all();
        apps.iter()
            .any(|seen| seen.app.metadata.uid.as_deref() == Some(uid))
    }

    /// Ends jobs whose result nobody can see: their leader ended between two steps, and no gateway has asked again.
    async fn end_orphans(&self) {
        for seen in self.context.view.jobs.all() {
            let made = seen.job.metadata.creation_timestamp.as_ref();
            let is_old = made.is_some_and(|made| self.is_older(made.0, TO_APPEAR));
            let is_orphan = seen
                .job
                .labels()
                .get(LABEL_VISITOR_RESULT)
                .is_some_and(|id| !self.shelf().has(id));
            if is_old && is_orphan {
                self.delete(&seen.job).await;
            }
        }
    }

    /// Deletes a job; one that is gone is.
    pub(super) async fn delete(&self, job: &ContentJob) {
        match self.context.calls.delete_job(job, false).await {
            Ok(()) | Err(CallError::Gone { .. } | CallError::Stale { .. }) => {}
            Err(error) => {
                tracing::warn!(job = %job.name_any(), "the job of a visitor's result stays: {error}")
            }
        }
    }
}
