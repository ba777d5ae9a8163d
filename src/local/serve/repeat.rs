//! What the keeper does about schedules: has them looked at when it is time, and the runs done that there are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::jobs::is_first_whole;
use super::keeper::{Keeper, News};
use super::schedules::Looked;
use crate::api::job::JobFile;
use crate::local::signals;
use crate::state::{Outcome, StateError};

/// How soon a state that could not be asked is asked again.
const AGAIN: Duration = Duration::from_secs(5);

/// What became of a look at all schedules.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Whether one is under way.
    is_looking: bool,
    /// Whether something has happened since it began.
    is_asked: bool,
    /// Whether it was known of all manifests what they say.
    is_known: bool,
    /// What went wrong last, so that it is told once.
    fault: Option<String>,
    /// The next one, where it is not a schedule that says when.
    at: Option<Instant>,
}

impl Keeper {
    /// Follows the manifests of jobs with a schedule.
    pub(super) fn follow_schedules(&mut self, jobs: BTreeMap<String, (String, JobFile, PathBuf)>) {
        // A run that goes on is not ended with its manifest: what it has begun is whole or not there.
        let mut gone = self.schedules.keep_only(|name| jobs.contains_key(name));
        let state = self.server.state.clone();
        let is_whole = self.faults().is_empty();
        let is_first = is_first_whole(&mut self.looks.is_known, is_whole) && !state.address().is_shared();
        let there: Vec<String> = jobs.keys().cloned().collect();
        tokio::task::spawn_blocking(move || {
            if is_first {
                // One whose manifest went while no server ran begins anew when it comes back.
                match state.schedule_names() {
                    Ok(names) => gone.extend(names.into_iter().filter(|name| !there.contains(name))),
                    Err(error) => {
                        tracing::warn!("{error}; schedules whose manifests went before are remembered")
                    }
                }
            }
            for name in gone {
                if let Err(error) = state.forget_schedule(&name) {
                    tracing::warn!(job = %name, "{error}; its runs are remembered when its manifest comes back");
                }
            }
        });
        for (file, job, base) in jobs.into_values() {
            self.schedules.put(file, job, base);
        }
        self.look_at_schedules();
    }

    /// Has all schedules looked at.
    pub(super) fn look_at_schedules(&mut self) {
        let plans = self.schedules.plans();
        if plans.is_empty() {
            return;
        }
        if self.looks.is_looking {
            self.looks.is_asked = true;
            return;
        }
        (self.looks.is_looking, self.looks.is_asked, self.looks.at) = (true, false, None);
        let (state, news) = (self.server.state.clone(), self.news.clone());
        tokio::task::spawn_blocking(move || {
            let now = Timestamp::now();
            let looks = plans.into_iter().map(|plan| {
                let looked = plan.look(&state, now);
                (plan.name().to_owned(), looked)
            });
            drop(news.send(News::Schedules(looks.collect())));
        });
    }

    pub(super) fn schedules_looked(&mut self, looks: Vec<(String, Result<Looked, StateError>)>) {
        self.looks.is_looking = false;
        let mut fault = None;
        for (name, looked) in looks {
            match looked {
                Ok(looked) => self.follow_look(&name, looked),
                Err(error) => fault = Some(error.to_string()),
            }
        }
        if let Some(fault) = &fault {
            self.looks.at = Some(Instant::now() + AGAIN);
            if self.looks.fault.as_ref() != Some(fault) {
                tracing::warn!("{fault}; runs of schedules wait for it");
            }
        } else if self.looks.fault.is_some() {
            tracing::info!("the state can be asked again");
        }
        self.looks.fault = fault;
        if self.looks.is_asked {
            self.look_at_schedules();
        }
    }

    fn follow_look(&mut self, name: &str, looked: Looked) {
        let (pieces, ended) = self.schedules.looked(name, looked);
        for piece in pieces {
            self.do_once(piece);
        }
        let state = self.server.state.clone();
        for run in ended {
            tracing::info!(job = %run, "a run is ended for the next one");
            signals::stop(&run);
            let state = state.clone();
            tokio::task::spawn_blocking(move || state.ask_to_stop(&format!("run/{run}")));
        }
    }

    pub(super) fn run_over(&mut self, job: &str, time: Timestamp, done: Option<Outcome>, was_known: bool) {
        // None where the server ended it: the next one runs it again.
        let Some(done) = done else {
            return;
        };
        if !was_known {
            let state = if done.succeeded { "Succeeded" } else { "Failed" };
            self.tally.job_over(state);
        }
        self.schedules.over(job, time);
        if let Some(content) = done.content {
            self.try_content(&content);
        }
        self.look_at_schedules();
    }

    /// When schedules are to be looked at next.
    pub(super) fn schedules_at(&self) -> Option<Instant> {
        if self.looks.at.is_some() {
            return self.looks.at;
        }
        let next = self.schedules.next().filter(|_| !self.looks.is_looking)?;
        let left = Duration::try_from(next.duration_since(Timestamp::now())).unwrap_or_default();
        Instant::now().checked_add(left)
    }

    /// Has schedules looked at, if it is time.
    pub(super) fn turn_schedules(&mut self) {
        if self.schedules_at().is_some_and(|at| at <= Instant::now()) {
            self.look_at_schedules();
        }
    }
}
