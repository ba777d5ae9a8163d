//! The results that visitors have asked for, and which of them give way to others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::Owner;
use super::pace::Pace;
use super::record::{Record, State};
use super::words::{Line, LineState};
use crate::apps::Failure;
use crate::data::ContentId;
use crate::gateway::AppState;

/// Results of one document that are being made.
const MOST_WAITING: usize = 20;
/// The same of one visitor.
const MOST_WAITING_OF_ONE: usize = 3;
/// Results of one document, of all visitors together.
const MOST_RESULTS: usize = 1000;
/// Results that one visitor, and one address, may ask for in a minute.
const PACE: (usize, usize) = (10, 30);

/// A result.
#[derive(Debug)]
pub struct Item {
    /// What is kept of it.
    pub record: Record,
    /// For the page that waits.
    pub state: watch::Sender<AppState>,
}

/// All of them, by id.
#[derive(Debug, Default)]
pub struct Shelf {
    items: HashMap<String, Item>,
    pace: Pace,
}

/// Too much is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Full {
    /// By this visitor.
    Visitor,
    /// By all.
    Document,
}

impl Shelf {
    /// What was there before the server was started. What was being made then is given back: nobody makes it any more.
    #[must_use]
    pub fn of(records: Vec<Record>) -> (Self, Vec<Record>) {
        let (over, cut_off): (Vec<Record>, Vec<Record>) =
            records.into_iter().partition(|record| record.over().is_some());
        let mut shelf = Self::default();
        for record in over {
            shelf.put(record);
        }
        (shelf, cut_off)
    }

    /// Puts a result on the shelf for a visitor at this address, unless it is there: then it gives its id. `gone` gets those
    /// that go for it.
    ///
    /// # Errors
    /// Too much is asked for: one sentence for people.
    pub fn admit(
        &mut self,
        wanted: &Record,
        address: IpAddr,
        limit: usize,
        gone: &mut Vec<Record>,
    ) -> Result<Option<String>, String> {
        if let Some(known) = self.known(wanted) {
            return Ok(Some(known.id.to_string()));
        }
        let from = [
            (format!("{:?}", wanted.owner), PACE.0),
            (address.to_string(), PACE.1),
        ];
        if !self.pace.allows(&from, Instant::now()) {
            return Err(
                "Many results were asked for in the last minute: wait a minute and send the answers again"
                    .to_owned(),
            );
        }
        let room = self.make_room(wanted, limit).map_err(|full| match full {
            Full::Visitor => {
                "Several of your results are being made: wait until one is ready and send the answers again"
            }
            Full::Document => {
                "Many results of this document are being made: send the answers again in a few minutes"
            }
        })?;
        gone.extend(room);
        self.put(wanted.clone());
        Ok(None)
    }

    /// Whether [`Self::admit`] would give the id of a result that is there.
    #[must_use]
    pub fn knows(&self, wanted: &Record) -> bool {
        self.known(wanted).is_some()
    }

    /// The very same question asked again, or a result with the same answers.
    fn known(&self, wanted: &Record) -> Option<&Record> {
        let itself = self.items.get(wanted.id.as_str()).map(|item| &item.record);
        itself
            .filter(|record| record.owner == wanted.owner && record.app == wanted.app)
            .or_else(|| self.same(wanted))
    }

    /// Adds one.
    pub fn put(&mut self, record: Record) {
        let state = match &record.state {
            State::Waiting => AppState::Starting {
                since: Instant::now(),
            },
            State::Done { .. } => AppState::Ready,
            State::Failed { reason, message, .. } => AppState::Failed(failure(reason, message)),
        };
        let item = Item {
            state: watch::channel(state).0,
            record,
        };
        self.items.insert(item.record.id.to_string(), item);
    }

    /// One, if it is this visitor's.
    pub fn of_owner(&mut self, owner: &Owner, app: &str, content: &ContentId, id: &str) -> Option<&mut Item> {
        let item = self.items.get_mut(id)?;
        let record = &item.record;
        (record.owner == *owner && record.app == app && record.content == *content).then_some(item)
    }

    /// Those that are being made.
    #[must_use]
    pub fn waiting(&self) -> Vec<Record> {
        let records = self.items.values().map(|item| &item.record);
        records
            .filter(|record| record.over().is_none())
            .cloned()
            .collect()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Record> {
        self.items.values().map(|item| item.record.clone()).collect()
    }

    /// Whether there is one of this id.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.items.contains_key(id)
    }

    /// Those of a visitor at an application, the newest first.
    #[must_use]
    pub fn list(&self, owner: &Owner, app: &str, content: &ContentId) -> Vec<&Record> {
        let mut records: Vec<&Record> = self
            .of_app(app)
            .filter(|record| record.owner == *owner && record.content == *content)
            .collect();
        records.sort_by(|one, other| (other.asked, &other.id).cmp(&(one.asked, &one.id)));
        records
    }

    /// A result of the same visitor with the same answers, which may still be in the making.
    fn same(&self, wanted: &Record) -> Option<&Record> {
        let digest = wanted.digest.as_ref()?;
        let mut records = self.of_app(&wanted.app);
        records.find(|record| {
            let is_same = record.owner == wanted.owner && record.content == wanted.content;
            let is_failed = matches!(record.state, State::Failed { .. });
            is_same && !is_failed && record.digest.as_ref() == Some(digest)
        })
    }

    /// Makes room for another one of this visitor: gives what goes for it.
    fn make_room(&mut self, wanted: &Record, limit: usize) -> Result<Vec<Record>, Full> {
        let is_own = |record: &&Record| record.owner == wanted.owner;
        let waiting = || self.of_app(&wanted.app).filter(|record| record.over().is_none());
        if waiting().filter(is_own).count() >= MOST_WAITING_OF_ONE.min(limit) {
            return Err(Full::Visitor);
        }
        if waiting().count() >= MOST_WAITING {
            return Err(Full::Document);
        }
        let own = self.of_app(&wanted.app).filter(is_own).count();
        let all = self.of_app(&wanted.app).count();
        let mut gone = self.oldest(
            &wanted.app,
            |record| record.owner == wanted.owner,
            (own + 1).saturating_sub(limit),
        );
        let more = (all + 1).saturating_sub(MOST_RESULTS + gone.len());
        gone.extend(self.oldest(&wanted.app, |_| true, more));
        Ok(gone)
    }

    /// Takes the oldest out that are over.
    fn oldest(&mut self, app: &str, is_meant: impl Fn(&Record) -> bool, count: usize) -> Vec<Record> {
        let over = self
            .of_app(app)
            .filter(|record| record.over().is_some() && is_meant(record));
        let mut over: Vec<(Timestamp, String)> =
            over.map(|record| (record.asked, record.id.to_string())).collect();
        over.sort();
        self.take(over.into_iter().take(count).map(|(_, id)| id))
    }

    /// Takes those out that are older than they may be; 0 keeps all.
    #[must_use]
    pub fn expired(&mut self, age_seconds: u64, now: Timestamp) -> Vec<Record> {
        let age = SignedDuration::from_secs(i64::try_from(age_seconds).unwrap_or(i64::MAX));
        let is_old = |record: &Record| record.over().is_some_and(|over| now.duration_since(over) > age);
        let records = self.items.values().map(|item| &item.record);
        let old = records.filter(|record| age_seconds > 0 && is_old(record));
        let old: Vec<String> = old.map(|record| record.id.to_string()).collect();
        self.take(old.into_iter())
    }

    /// Those that are said to be there.
    #[must_use]
    pub fn done(&self) -> Vec<Record> {
        let records = self.items.values().map(|item| item.record.clone());
        records
            .filter(|record| matches!(record.state, State::Done { .. }))
            .collect()
    }

    /// Takes one out.
    pub fn remove(&mut self, id: &str) -> Option<Record> {
        self.items.remove(id).map(|item| item.record)
    }

    /// Notes what became of one; gives it if it is still there.
    pub fn over(&mut self, id: &str, state: State) -> Option<Record> {
        let item = self.items.get_mut(id)?;
        item.record.state = state;
        Some(item.record.clone())
    }

    /// Tells who waits for one.
    pub fn tell(&mut self, id: &str) {
        if let Some(item) = self.items.get_mut(id) {
            item.state.send_replace(match &item.record.state {
                State::Waiting => return,
                State::Done { .. } => AppState::Ready,
                State::Failed { reason, message, .. } => AppState::Failed(failure(reason, message)),
            });
        }
    }

    fn of_app(&self, app: &str) -> impl Iterator<Item = &Record> {
        let records = self.items.values().map(|item| &item.record);
        records.filter(move |record| record.app == app)
    }

    fn take(&mut self, ids: impl Iterator<Item = String>) -> Vec<Record> {
        ids.filter_map(|id| self.remove(&id)).collect()
    }
}

/// A failure that no process had.
#[must_use]
pub fn failure(reason: &str, message: &str) -> Failure {
    Failure {
        reason: reason.to_owned(),
        message: message.to_owned(),
        process: None,
        exit_code: None,
    }
}

impl Line {
    /// Of a result.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let asked = record.asked.to_zoned(TimeZone::system());
        Self {
            id: record.id.to_string(),
            asked: asked.strftime("%Y-%m-%d %H:%M").to_string(),
            state: match record.state {
                State::Waiting => LineState::Waiting,
                State::Done { .. } => LineState::Done,
                State::Failed { .. } => LineState::Failed,
            },
            answers: record.answers.clone(),
        }
    }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
