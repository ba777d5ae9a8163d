//! A result is made: put on the shelf, written down, and its job made.

use std::time::Duration;

use tokio::time::sleep;

use super::{Forms, Served, job};
use crate::api::job::Parameter;
use crate::api::resource::ContentJob;
use crate::apps::AppId;
use crate::asked::{Begin, Record, Reply, State, is_id};
use crate::controller::call_error::CallError;
use crate::data::Variant;

/// Parameters of a job.
const MOST_PARAMETERS: usize = 256;
/// How often a job is tried to be made where the API server does not answer.
const TRIES: usize = 4;
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

impl Forms {
    /// Gives the id of the result with these answers, and has it made where it is not there.
    pub(super) async fn begin(&self, app: &AppId, served: &Served, begin: Begin) -> Option<Reply> {
        let limit = self.limit();
        if limit == 0 || begin.parameters.len() > MOST_PARAMETERS || !is_id(&begin.id) {
            return Some(Reply::Failed);
        }
        if begin.content != served.content.as_str() || begin.bundle != served.bundle {
            let sentence = "The document was deployed anew while the form was open: open the form again";
            return Some(Reply::Busy(sentence.to_owned()));
        }
        let (address, parcel) = (begin.address, begin.given.clone());
        let (record, parameters) = self.record(app, served, begin)?;
        let sealed = match self.sealed(&record, parcel) {
            Ok(sealed) => sealed,
            Err(reply) => return Some(reply),
        };
        let mut gone = Vec::new();
        let admitted = self.shelf().admit(&record, address, limit, &mut gone);
        self.remove(gone).await;
        match admitted {
            Err(sentence) => Some(Reply::Busy(sentence)),
            Ok(Some(known)) => Some(Reply::Begun(known)),
            Ok(None) => self.make(served, record, parameters, sealed).await,
        }
    }

    fn record(&self, app: &AppId, served: &Served, begin: Begin) -> Option<(Record, Vec<Parameter>)> {
        let record = Record {
            id: Variant::parse(&begin.id).ok()?,
            app: app.as_str().to_owned(),
            content: served.content.clone(),
            bundle: served.bundle,
            owner: begin.owner,
            digest: begin.digest,
            answers: begin.told,
            asked: self.context.now(),
            state: State::Waiting,
        };
        Some((record, begin.parameters))
    }

    async fn make(
        &self,
        served: &Served,
        record: Record,
        parameters: Vec<Parameter>,
        sealed: Option<Vec<u8>>,
    ) -> Option<Reply> {
        let id = record.id.to_string();
        let is_given = sealed.is_some();
        let wanted = job::job(&served.seen.app, &record, parameters, is_given);
        // First, so that no job runs of which nobody knows whose result it makes, or without what was given for it.
        let is_kept = match sealed {
            Some(sealed) => self.keep(&record, sealed).await,
            None => true,
        };
        if !is_kept || !self.write(record.clone()).await {
            return self.give_up(record).await;
        }
        match self.create(&wanted).await {
            Ok(_) if !is_given => Some(Reply::Begun(id)),
            Ok(made) => match self.bind(&served.seen.app, &record, made).await {
                true => Some(Reply::Begun(id)),
                false => self.give_up(record).await,
            },
            // The next leader is asked again.
            Err(None) => None,
            Err(Some(error)) => {
                let app = &record.app;
                tracing::warn!(app, variant = id, "a visitor's result can not be made: {error}");
                self.give_up(record).await
            }
        }
    }

    async fn give_up(&self, record: Record) -> Option<Reply> {
        self.shelf().remove(record.id.as_str());
        self.remove(vec![record]).await;
        Some(Reply::Failed)
    }

    /// Makes the job, unless it is there: then it is not given. Without an error where this replica leads no more.
    async fn create(&self, wanted: &ContentJob) -> Result<Option<ContentJob>, Option<CallError>> {
        let mut tries = 1;
        loop {
            if !self.context.tenure.holds() {
                return Err(None);
            }
            match self.context.calls.create_job(wanted).await {
                Ok(made) => return Ok(Some(made)),
                Err(CallError::Exists { .. }) => return Ok(None),
                // It may have been made all the same: under that name it is not made twice.
                Err(CallError::Late { .. } | CallError::Failed { .. }) if tries < TRIES => tries += 1,
                Err(error) => return Err(Some(error)),
            }
            sleep(PAUSE).await;
        }
    }
}
