//! What visitors ask for with the form of a document: gateways may make no jobs, so the controller that leads makes them, and
//! tells what they come to (PK6).
//!
//! ```text
//! gateway ── Question ──> hub ──> Forms: on the shelf -> written to the volume -> job made ──> Reply
//!                                   └ follow: the job is over -> written to the volume
//! ```
//!
//! Cut off anywhere, the next leader goes on: what was written and has its job is waited for; what has none is forgotten, and
//! made when its gateway asks again, under the same name.

mod begin;
mod custody;
mod follow;
mod job;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;

use super::context::Context;
use super::seen::SeenApp;
use crate::apps::AppId;
use crate::asked::{
    self, BUSY, Custody, Line, Owner, Part, Question, Record, Reply, Shelf, Shown, State, Trays, Untaken,
    failure,
};
use crate::content::kinds::{self, Nature};
use crate::data::{ContentId, layout};
use crate::hub::{Clerk, Teller};

/// Questions that are answered at a time; further ones wait.
const AT_A_TIME: usize = 32;
/// Questions that wait; further ones fail.
const MOST: usize = 1024;
/// Bytes of answers in one list: a message is a line of bounded length.
const MOST_TOLD: usize = 256 * 1024;

/// All results that visitors have asked for, for the leader.
#[derive(Debug)]
pub struct Forms {
    context: Arc<Context>,
    shelf: Mutex<Shelf>,
    /// Passwords and files that gateways are sending.
    trays: Mutex<Trays>,
    turns: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

/// A document that is served.
struct Served {
    seen: Arc<SeenApp>,
    content: ContentId,
    bundle: u64,
}

impl Forms {
    /// Takes over what the leader before had.
    pub async fn open(context: &Arc<Context>) -> Arc<Self> {
        let read = context.disk.with(|volume| asked::all(volume.data())).await;
        let records = read.unwrap_or_else(|error| {
            tracing::warn!("The results of visitors are not known: {error}");
            Vec::new()
        });
        let (mut shelf, waiting) = Shelf::of(records);
        let (made, gone): (Vec<Record>, Vec<Record>) = waiting.into_iter().partition(|record| {
            let name = job::name_of(record.id.as_str());
            context.view.jobs.get(&name).is_some()
        });
        for record in made.clone() {
            shelf.put(record);
        }
        let forms = Arc::new(Self {
            context: context.clone(),
            shelf: Mutex::new(shelf),
            trays: Mutex::default(),
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            room: Arc::new(Semaphore::new(MOST)),
        });
        forms.remove(gone).await;
        for record in made {
            forms.go_on(&record).await;
        }
        forms
    }

    /// Answers a question; none where this replica leads no more.
    pub async fn answer(&self, app: &AppId, question: Question) -> Option<Reply> {
        if !self.context.tenure.holds() {
            return None;
        }
        let Some(served) = self.served(app) else {
            return Some(match question {
                Question::Begin(_) | Question::Give(_) => Reply::Failed,
                Question::List { .. } => Reply::List(Vec::new()),
                Question::Look { .. } => Reply::Look(None),
            });
        };
        match question {
            Question::Give(part) => Some(self.take(app, &part)),
            Question::Begin(begin) => self.begin(app, &served, *begin).await,
            Question::List { owner } => Some(Reply::List(self.list(app, &served, &owner))),
            Question::Look { owner, id } => Some(Reply::Look(self.look(app, &served, &owner, &id))),
        }
    }

    fn take(&self, app: &AppId, part: &Part) -> Reply {
        match self.trays().put(app.as_str(), part, Instant::now()) {
            Ok(()) => Reply::Given,
            Err(Untaken::Busy) => Reply::Busy(BUSY.to_owned()),
            Err(Untaken::Wrong) => Reply::Failed,
        }
    }

    fn list(&self, app: &AppId, served: &Served, owner: &Owner) -> Vec<Line> {
        let shelf = self.shelf();
        let records = shelf.list(owner, app.as_str(), &served.content);
        within(records.into_iter().map(Line::of).collect())
    }

    fn look(&self, app: &AppId, served: &Served, owner: &Owner, id: &str) -> Option<Shown> {
        let mut shelf = self.shelf();
        let item = shelf.of_owner(owner, app.as_str(), &served.content, id)?;
        Some(match &item.record.state {
            State::Waiting => {
                let elapsed = self.context.now().duration_since(item.record.asked);
                Shown::Waiting {
                    elapsed: elapsed.try_into().unwrap_or_default(),
                }
            }
            State::Failed { reason, message, .. } => Shown::Failed(failure(reason, message)),
            State::Done { .. } => Shown::Done,
        })
    }

    /// The document that an application serves.
    fn served(&self, app: &AppId) -> Option<Served> {
        let apps = self.context.view.apps.apps.all();
        let seen = apps
            .into_iter()
            .find(|seen| seen.app.metadata.uid.as_deref() == Some(app.as_str()))?;
        if seen.fault.is_some() || seen.app.metadata.deletion_timestamp.is_some() || seen.app.spec.suspended {
            return None;
        }
        let status = seen.app.status.as_ref()?;
        let mode = kinds::of_job(status.app_mode.as_deref()?).ok()?;
        let content = ContentId::parse(status.content.as_deref()?).ok()?;
        let bundle = layout::parse_number(status.bundle.as_deref()?)?;
        (mode.kind().nature == Nature::Document).then_some(Served {
            seen,
            content,
            bundle,
        })
    }

    fn limit(&self) -> usize {
        let limit = self.context.settings.applications.parameter_result_limit;
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    fn is_older(&self, at: Timestamp, than: SignedDuration) -> bool {
        self.context.now().duration_since(at) > than
    }

    /// Writes a result down; whether that was done.
    async fn write(&self, record: Record) -> bool {
        let (app, id) = (record.app.clone(), record.id.to_string());
        let written = self
            .context
            .disk
            .with(move |volume| record.write(volume.data()))
            .await;
        let error = match written {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(
            app,
            variant = id,
            "a visitor's result is not written down: {error}"
        );
        false
    }

    /// Removes results that are on the shelf no more, with their jobs.
    async fn remove(&self, records: Vec<Record>) {
        for record in records {
            let name = job::name_of(record.id.as_str());
            let (app, id) = (record.app.clone(), record.id.to_string());
            if let Some(seen) = self.context.view.jobs.get(&name) {
                self.delete(&seen.job).await;
            }
            let removed = self
                .context
                .disk
                .with(move |volume| {
                    Custody(volume.data()).forget(record.id.as_str())?;
                    record.remove(volume.data())
                })
                .await;
            let error = match removed {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            };
            tracing::warn!(
                app,
                variant = id,
                "a visitor's result stays until another controller leads: {error}"
            );
        }
    }

    fn trays(&self) -> MutexGuard<'_, Trays> {
        // Each change is whole.
        self.trays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // Each change is whole.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The clerk of the leader's hub.
#[derive(Debug)]
pub struct FormsClerk(pub Arc<Forms>);

impl Clerk for FormsClerk {
    fn ask(&self, app: AppId, question: Question, teller: Teller) {
        let forms = self.0.clone();
        let Ok(room) = forms.room.clone().try_acquire_owned() else {
            teller.tell(Reply::Failed);
            return;
        };
        tokio::spawn(async move {
            let Ok(_turn) = forms.turns.clone().acquire_owned().await else {
                return;
            };
            if let Some(reply) = forms.answer(&app, question).await {
                teller.tell(reply);
            }
            drop(room);
        });
    }
}

/// Takes the answers off the oldest lines where all of them are too much for one message.
fn within(mut lines: Vec<Line>) -> Vec<Line> {
    let mut left = MOST_TOLD;
    for line in &mut lines {
        let size: usize = line
            .answers
            .iter()
            .map(|(label, text)| label.len() + text.len())
            .sum();
        left = left.saturating_sub(size);
        if left == 0 {
            line.answers.clear();
        }
    }
    lines
}
