//! What a visitor has given for a result, from when it has come until the job has it.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::{Forms, job};
use crate::api::app_resource::ContentApp;
use crate::api::resource::ContentJob;
use crate::apps::AppId;
use crate::asked::{About, Custody, Parcel, Record, Reply};
use crate::status::is_finished;

/// What a record says of the seal for it.
fn about(record: &Record) -> About<'_> {
    About {
        id: record.id.as_str(),
        content: record.content.as_str(),
        bundle: record.bundle,
    }
}

impl Forms {
    /// What was sent for a result that is about to be made. Where its parts are not here, another leader got them.
    pub(super) fn sealed(&self, record: &Record, parcel: Option<Parcel>) -> Result<Option<Vec<u8>>, Reply> {
        let Some(parcel) = parcel else {
            return Ok(None);
        };
        let is_known = self.shelf().knows(record);
        let mut trays = self.trays();
        if !is_known && !trays.is_whole(&record.app, record.id.as_str(), &parcel) {
            return Err(Reply::Missing);
        }
        Ok(trays.take(&record.app, record.id.as_str()).filter(|_| !is_known))
    }

    /// Keeps it on the volume, if it is for this result. Whether that was done.
    pub(super) async fn keep(&self, record: &Record, sealed: Vec<u8>) -> bool {
        let (Some(sealing), kept) = (self.context.sealing.get().cloned(), record.clone()) else {
            return false;
        };
        let written = self.context.disk.with(move |volume| {
            Custody(volume.data())
                .keep(kept.id.as_str(), &sealed)
                .map_err(|error| error.to_string())?;
            let opened = sealing.open(about(&kept), sealed).map(drop);
            opened.ok_or_else(|| "it was sealed for something else, or with another key".to_owned())
        });
        let error = match written.await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error,
            Err(error) => error.to_string(),
        };
        let (app, id) = (&record.app, &record.id);
        tracing::warn!(%app, variant = %id, "what a visitor gave is not kept: {error}");
        false
    }

    /// Gives it to the job that was made, or that was there already: to that one only if it is what was to be made.
    pub(super) async fn bind(&self, app: &ContentApp, record: &Record, made: Option<ContentJob>) -> bool {
        // What this very call has made is the one, whatever the API server has put into it.
        let is_made = made.is_some();
        let found = match made {
            Some(made) => Ok(Some(made)),
            None => {
                let name = job::name_of(record.id.as_str());
                self.context.calls.get_job(&name).await
            }
        };
        let error = match found {
            Ok(Some(found)) if is_made || job::is_own(app, record, &found) => {
                match self.bind_to(record, &found).await {
                    Ok(true) => {
                        self.context.view.ask(found.name_any());
                        return true;
                    }
                    Ok(false) => "it is gone".to_owned(),
                    Err(error) => error,
                }
            }
            Ok(Some(_)) => "a job of that name is there that is another".to_owned(),
            Ok(None) => "its job is gone".to_owned(),
            Err(error) => error.to_string(),
        };
        let (app, id) = (&record.app, &record.id);
        tracing::warn!(%app, variant = %id, "what a visitor gave is not used: {error}");
        false
    }

    async fn bind_to(&self, record: &Record, found: &ContentJob) -> Result<bool, String> {
        let (id, uid) = (
            record.id.to_string(),
            found.metadata.uid.clone().unwrap_or_default(),
        );
        let bound = self
            .context
            .disk
            .with(move |volume| Custody(volume.data()).bind(&id, &uid));
        match bound.await {
            Ok(Ok(is_bound)) => Ok(is_bound),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Goes on where a leader has ended between the job and what was given for it. A job that gets nothing fails.
    pub(super) async fn go_on(&self, record: &Record) {
        let id = record.id.to_string();
        let kept = self
            .context
            .disk
            .with(move |volume| Custody(volume.data()).is_kept(&id));
        if !kept.await.unwrap_or_default() {
            return;
        }
        if let Some(served) = self.served(&AppId::from(record.app.as_str())) {
            self.bind(&served.seen.app, record, None).await;
        }
    }

    /// Removes what no job needs any more.
    pub(super) async fn sweep_given(&self) {
        let jobs = self.context.view.jobs.all().into_iter().filter_map(|seen| {
            let is_over = seen.job.status.as_ref().is_some_and(is_finished);
            Some((seen.job.metadata.uid.clone()?, is_over))
        });
        let jobs: BTreeMap<String, bool> = jobs.collect();
        let waiting = self.shelf().waiting().into_iter();
        let waiting: Vec<String> = waiting.map(|record| record.id.to_string()).collect();
        let swept = self
            .context
            .disk
            .with(move |volume| Custody(volume.data()).sweep(&jobs, &waiting));
        if let Ok(Err(error)) = swept.await {
            tracing::warn!("what visitors gave stays until the next sweep: {error}");
        }
    }
}
