//! The parameters of one document, as the gateway asks for them.

use std::future::ready;
use std::net::IpAddr;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::{Timestamp, Zoned};
use sha2::{Digest as _, Sha256};

use super::{Forms, Job};
use crate::asked::{Line, Owner, Record, State, failure};
use crate::content::dir::DirFiles;
use crate::content::form::{Answers, Form, form};
use crate::data::{Variant, layout};
use crate::gateway::cookie_keys::random_id;
use crate::gateway::form::{Desk, Look, Refused, VARIANTS};
use crate::gateway::{FilesAt, FilesRoute};
use crate::local::serve::source::Base;

/// The parameters of one document.
#[derive(Debug)]
pub struct DeskAt {
    forms: Arc<Forms>,
    form: Form,
    app: String,
    base: Arc<Base>,
}

impl DeskAt {
    /// Of a document that is served; none where it has no parameters, or nobody is to be asked for them.
    #[must_use]
    pub fn of(forms: &Arc<Forms>, app: &str, base: &Arc<Base>) -> Option<Arc<Self>> {
        if forms.limit() == 0 {
            return None;
        }
        let files = DirFiles::open(base.in_use.path()).ok()?;
        let form = form(&files, &base.facts)
            .map_err(|error| tracing::warn!(%app, "no form asks for the parameters: {error}"))
            .ok()??;
        Some(Arc::new(Self {
            forms: forms.clone(),
            form,
            app: app.to_owned(),
            base: base.clone(),
        }))
    }

    /// What tells these answers from others. Of a password nothing is kept, so each of them is another.
    fn digest(&self, answers: &Answers) -> Option<String> {
        if answers.has_secret {
            return None;
        }
        let mut hash = Sha256::new();
        hash.update(self.base.bundle.to_le_bytes());
        hash.update(serde_json::to_vec(&answers.values).ok()?);
        for file in &answers.files {
            hash.update(Sha256::digest(&file.bytes));
        }
        Some(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn record(&self, owner: Owner, answers: &Answers) -> Option<Record> {
        // Nobody can guess it, though it alone opens nothing.
        let id = Variant::parse(&format!("v{:032x}", random_id().ok()?)).ok()?;
        Some(Record {
            id,
            app: self.app.clone(),
            content: self.base.content.clone(),
            bundle: self.base.bundle,
            owner,
            digest: self.digest(answers),
            answers: answers.told.clone(),
            asked: Timestamp::now(),
            state: State::Waiting,
        })
    }
}

impl Desk for DeskAt {
    fn form(&self) -> &Form {
        &self.form
    }

    fn today(&self) -> String {
        Zoned::now().date().to_string()
    }

    fn days(&self) -> Option<u64> {
        self.forms.server.settings.applications.parameter_result_days()
    }

    fn ask(&self, owner: Owner, address: IpAddr, answers: Answers) -> BoxFuture<'_, Result<String, Refused>> {
        let Some(record) = self.record(owner, &answers) else {
            return async { Err(Refused::Failed) }.boxed();
        };
        let (forms, base) = (self.forms.clone(), self.base.clone());
        let begun = self.forms.runtime.spawn_blocking(move || {
            let job = Job {
                record,
                base,
                answers,
            };
            forms.begin(job, address)
        });
        async move { begun.await.unwrap_or(Err(Refused::Failed)) }.boxed()
    }

    fn results<'a>(&'a self, owner: &'a Owner) -> BoxFuture<'a, Option<Vec<Line>>> {
        let shelf = self.forms.shelf();
        let records = shelf.list(owner, &self.app, &self.base.content).into_iter();
        ready(Some(records.map(Line::of).collect())).boxed()
    }

    fn look<'a>(&'a self, owner: &'a Owner, id: &'a str) -> BoxFuture<'a, Option<Look>> {
        ready(self.found(owner, id)).boxed()
    }
}

impl DeskAt {
    fn found(&self, owner: &Owner, id: &str) -> Option<Look> {
        let mut shelf = self.forms.shelf();
        let item = shelf.of_owner(owner, &self.app, &self.base.content, id)?;
        Some(match &item.record.state {
            State::Waiting => Look::Waiting(item.state.subscribe()),
            State::Failed { reason, message, .. } => Look::Failed(failure(reason, message)),
            State::Done { .. } => {
                let variant = layout::variant(&item.record.content, &item.record.id);
                let files = FilesAt::new(
                    self.forms.files.clone(),
                    FilesRoute::active(self.forms.server.data.path(variant)),
                    self.app.clone(),
                    format!("{}{VARIANTS}/{id}", self.base.prefix),
                );
                Look::Done(Arc::new(files))
            }
        })
    }
}
