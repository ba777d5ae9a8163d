//! When which application is due. Nothing runs where nothing is due.

use std::collections::{BTreeSet, HashMap};

use crate::apps::{AppId, Moment};

#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Moment, AppId)>,
    by_app: HashMap<AppId, Moment>,
}

impl Timers {
    /// Sets, moves or removes the timer of an application.
    pub(super) fn set(&mut self, app: &AppId, due: Option<Moment>) {
        let old = match due {
            Some(due) => self.by_app.insert(app.clone(), due),
            None => self.by_app.remove(app),
        };
        if old == due {
            return;
        }
        if let Some(old) = old {
            self.by_time.remove(&(old, app.clone()));
        }
        if let Some(due) = due {
            self.by_time.insert((due, app.clone()));
        }
    }

    pub(super) fn next(&self) -> Option<Moment> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// Takes an application that is due.
    pub(super) fn pop(&mut self, now: Moment) -> Option<AppId> {
        let (due, _) = self.by_time.first()?;
        if *due > now {
            return None;
        }
        let (_, app) = self.by_time.pop_first()?;
        self.by_app.remove(&app);
        Some(app)
    }
}
