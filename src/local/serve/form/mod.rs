//! Parameterised documents of `offhost serve`: what visitors ask for is rendered as a variant of its own, which they alone
//! see (PK6).

mod desk;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::ended;
use super::source::Base;
use crate::api::job::BundleRef;
use crate::asked::{self, Record, Shelf, State, to_visitor};
use crate::content::form::Answers;
use crate::gateway::FileServer;
use crate::gateway::form::Refused;
use crate::local::deploy::Request;
use crate::local::error::LocalError;
use crate::local::job;
use crate::local::process::Private;
use crate::local::server::Server;
use crate::local::watcher::Watcher;
use crate::reason::Reason;

pub use desk::DeskAt;

/// How often results are looked at.
const LOOK: Duration = Duration::from_secs(600);

/// All results that visitors have asked for, of all documents.
#[derive(Debug)]
pub struct Forms {
    server: Arc<Server>,
    files: Arc<FileServer>,
    /// Held by what renders; jobs and installations hold it too.
    turns: Arc<Semaphore>,
    /// Where renders are waited for: the gateway's own threads have other things to do.
    runtime: Handle,
    shelf: Mutex<Shelf>,
}

/// What a render is made of.
struct Job {
    record: Record,
    base: Arc<Base>,
    answers: Answers,
}

impl Forms {
    /// Reads what is there, and removes what an earlier server was still making. Called within the runtime that it
    /// renders in.
    #[must_use]
    pub fn open(server: Arc<Server>, files: Arc<FileServer>, turns: Arc<Semaphore>) -> Arc<Self> {
        let (shelf, cut_off) = Shelf::of(asked::all(&server.data));
        let forms = Self {
            server,
            files,
            turns,
            runtime: Handle::current(),
            shelf: Mutex::new(shelf),
        };
        forms.remove(&cut_off);
        Arc::new(forms)
    }

    /// Removes what is too old, now and then, until `end`.
    pub async fn follow(self: Arc<Self>, end: CancellationToken) {
        loop {
            let forms = self.clone();
            drop(tokio::task::spawn_blocking(move || forms.sweep()).await);
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    fn sweep(&self) {
        let age = self.server.settings.applications.parameter_result_age_seconds;
        let mut gone = self.shelf().expired(age, Timestamp::now());
        let done = self.shelf().done();
        for record in done.iter().filter(|record| record.is_lost(&self.server.data)) {
            gone.extend(self.shelf().remove(record.id.as_str()));
        }
        self.remove(&gone);
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limit(&self) -> usize {
        let limit = self.server.settings.applications.parameter_result_limit;
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    /// Removes results that are on the shelf no more.
    fn remove(&self, records: &[Record]) {
        for record in records {
            if let Err(error) = record.remove(&self.server.data) {
                tracing::warn!(app = %record.app, variant = %record.id, %error, "a visitor's result stays until the next start");
            }
        }
    }

    /// Gives the id of the result with these answers, and begins to make it where it is not there. Blocks.
    fn begin(self: &Arc<Self>, job: Job, address: IpAddr) -> Result<String, Refused> {
        let mut gone = Vec::new();
        let begun = self.shelf().admit(&job.record, address, self.limit(), &mut gone);
        self.remove(&gone);
        if let Some(known) = begun.map_err(Refused::Busy)? {
            return Ok(known);
        }
        let id = job.record.id.to_string();
        if let Err(error) = job.record.write(&self.server.data) {
            tracing::warn!(app = %job.record.app, %error, "a visitor's result can not be made");
            self.shelf().remove(&id);
            return Err(Refused::Failed);
        }
        self.runtime.spawn(self.clone().make(job));
        Ok(id)
    }

    async fn make(self: Arc<Self>, job: Job) {
        // The server ends where there are no turns any more; the next one removes what is not made.
        let Ok(turn) = self.turns.clone().acquire_owned().await else {
            return;
        };
        let forms = self.clone();
        let made = tokio::task::spawn_blocking(move || {
            let (id, made) = (job.record.id.to_string(), forms.render(job));
            if let Some(state) = made {
                forms.over(&id, state);
            }
            drop(turn);
        });
        if let Err(error) = made.await {
            tracing::error!(%error, "a render of a visitor's result broke off");
        }
    }

    /// Notes what became of a result, first on the disk.
    fn over(&self, id: &str, state: State) {
        let record = self.shelf().over(id, state);
        let Some(record) = record else {
            return;
        };
        if let Err(error) = record.write(&self.server.data) {
            tracing::warn!(app = %record.app, variant = %id, %error, "a visitor's result is lost with the next start");
        }
        self.shelf().tell(id);
    }

    /// Renders; none where the server ended it.
    fn render(&self, job: Job) -> Option<State> {
        let Job {
            record,
            base,
            answers,
        } = job;
        let mut spec = base.spec.as_job(&record.app);
        spec.content = Some(record.content.to_string());
        spec.bundle = BundleRef {
            id: Some(record.bundle.to_string()),
            ..BundleRef::default()
        };
        spec.variant = Some(record.id.to_string());
        spec.parameters = answers.parameters();
        let private = Private { files: answers.files };
        let request = Request {
            spec,
            serve: None,
            // As whom the document runs was looked at when it was taken up.
            manifest: None,
            base: PathBuf::new(),
            name: format!("{} with parameters", record.app),
        };
        let made = job::run_private(&self.server, request, private, &Told(&record));
        let at = Timestamp::now();
        match made {
            Ok(_) => Some(State::Done { at }),
            Err(LocalError::Stopped) => None,
            Err(error) if error.reason() == Reason::Interrupted => None,
            Err(error) => {
                tracing::warn!(app = %record.app, variant = %record.id, reason = error.reason().name(), "{error}");
                Some(State::Failed {
                    at,
                    reason: error.reason().name().to_owned(),
                    message: public(&error),
                })
            }
        }
    }
}

/// What a visitor is told: no path and no output of the document.
fn public(error: &LocalError) -> String {
    match error {
        LocalError::Process(_) => to_visitor(None),
        other => to_visitor(Some(ended::public(other))),
    }
}

/// Tells the log what a render does.
struct Told<'a>(&'a Record);

impl Watcher for Told<'_> {
    fn step(&self, text: &str) {
        tracing::debug!(app = %self.0.app, variant = %self.0.id, "{text}");
    }

    fn done(&self, text: &str) {
        tracing::info!(app = %self.0.app, variant = %self.0.id, "{text}");
    }

    fn pause(&self) {}
}
