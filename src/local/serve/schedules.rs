//! Jobs of manifests that have a schedule. What is done is decided by `schedule::decide`, upon what the state knows: several
//! servers that share it come to the same, and a run is begun by one of them. Whoever asks has the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::report::JobLine;
use super::work::Piece;
use crate::api::job::JobFile;
use crate::api::schedule::Schedule;
use crate::schedule::{self, Decision, Past, Rule, decide, run_name, surplus};
use crate::state::{Ledger, State, StateError};

/// The schedules of all manifests.
#[derive(Debug, Default)]
pub struct Schedules {
    entries: BTreeMap<String, Entry>,
}

/// One schedule.
#[derive(Debug)]
struct Entry {
    job: JobFile,
    base: PathBuf,
    file: String,
    plan: Plan,
    /// Runs that have not begun are wanted for as long as this lives.
    wanted: Arc<()>,
    looked: Option<Looked>,
    /// The runs that this server cares for, until they are over.
    mine: BTreeSet<Timestamp>,
    /// Those of them that have got their turn.
    running: BTreeSet<Timestamp>,
}

/// What a schedule is looked at by.
#[derive(Clone, Debug)]
pub struct Plan {
    name: String,
    schedule: Schedule,
    rule: Rule,
}

/// What a look gave.
#[derive(Clone, Debug)]
pub struct Looked {
    ledger: Ledger,
    decision: Decision,
    /// How far the clock that was followed is ahead of this server's own.
    ahead: SignedDuration,
}

impl Plan {
    fn read(job: &JobFile) -> Option<Self> {
        let schedule = job.spec.schedule.clone()?;
        // It was read when the manifest was.
        let rule = Rule::read(&schedule).ok()?;
        Some(Self {
            name: job.metadata.name.clone(),
            schedule,
            rule,
        })
    }

    /// Name of the job.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Looks what is to be done now, begins the run that is due, and forgets those beyond the limits. Blocks.
    ///
    /// # Errors
    /// [`StateError`]: then no run was begun.
    pub fn look(&self, state: &State, now: Timestamp) -> Result<Looked, StateError> {
        let own = now;
        let now = state.clock(own)?;
        let mut ledger = state.ledger(&self.name, now)?;
        let (past, is_given_up) = past(&ledger).believed(now);
        if is_given_up {
            tracing::warn!(
                job = %self.name,
                "runs were begun for times that are still to come, by a clock that was ahead; the schedule goes on from now"
            );
            state.set_back(&self.name, now)?;
        }
        let gone = self.beyond(&ledger, now);
        if !gone.is_empty() {
            state.forget_runs(&self.name, &gone)?;
            ledger.runs.retain(|run| !gone.contains(&run.time));
        }
        let decision = decide(&self.rule, past, now);
        if let Some(time) = decision.begin.filter(|_| !decision.replace) {
            if state.begin_run(&self.name, time)? {
                tracing::info!(job = %run_name(&self.name, time), "a run is begun");
            }
            ledger = state.ledger(&self.name, now)?;
        }
        let ahead = now.duration_since(own);
        Ok(Looked {
            ledger,
            decision,
            ahead,
        })
    }

    /// The runs that are over and not kept any more.
    fn beyond(&self, ledger: &Ledger, now: Timestamp) -> Vec<Timestamp> {
        let over = ledger.runs.iter().filter_map(|run| {
            Some(schedule::Run {
                time: run.time,
                succeeded: run.end.as_ref()?.succeeded,
            })
        });
        surplus(&self.schedule, &over.collect::<Vec<_>>(), now)
    }
}

fn past(ledger: &Ledger) -> Past {
    Past {
        since: ledger.since,
        last: ledger.last,
        active: open(ledger).count(),
    }
}

fn open(ledger: &Ledger) -> impl Iterator<Item = Timestamp> {
    let runs = ledger.runs.iter();
    runs.filter(|run| run.end.is_none()).map(|run| run.time)
}

impl Schedules {
    /// Keeps only these; gives the names of the others.
    pub fn keep_only(&mut self, is_there: impl Fn(&str) -> bool) -> Vec<String> {
        let names = self.entries.keys().filter(|name| !is_there(name));
        let gone: Vec<String> = names.cloned().collect();
        for name in &gone {
            self.entries.remove(name);
        }
        gone
    }

    /// A manifest asks for a schedule.
    pub fn put(&mut self, file: String, job: JobFile, base: PathBuf) {
        let Some(plan) = Plan::read(&job) else {
            return;
        };
        if let Some(entry) = self.entries.get_mut(&plan.name) {
            (entry.job, entry.base, entry.file, entry.plan) = (job, base, file, plan);
            return;
        }
        let entry = Entry {
            job,
            base,
            file,
            plan: plan.clone(),
            wanted: Arc::default(),
            looked: None,
            mine: BTreeSet::new(),
            running: BTreeSet::new(),
        };
        self.entries.insert(plan.name, entry);
    }

    /// What is to be looked at.
    #[must_use]
    pub fn plans(&self) -> Vec<Plan> {
        self.entries.values().map(|entry| entry.plan.clone()).collect()
    }

    /// A schedule was looked at. Gives the runs that are to be done, whoever has begun them and whenever, and the names of
    /// those that are to be ended.
    pub fn looked(&mut self, name: &str, looked: Looked) -> (Vec<Piece>, Vec<String>) {
        let Some(entry) = self.entries.get_mut(name) else {
            return (Vec::new(), Vec::new());
        };
        let open: Vec<Timestamp> = open(&looked.ledger).collect();
        let mut ended = Vec::new();
        if looked.decision.replace {
            ended.extend(open.iter().map(|time| run_name(name, *time)));
        }
        let new: Vec<Timestamp> = open.into_iter().filter(|time| entry.mine.insert(*time)).collect();
        let pieces = new.into_iter().map(|time| entry.piece(name, time)).collect();
        entry.looked = Some(looked);
        (pieces, ended)
    }

    /// A run has got its turn.
    pub fn running(&mut self, name: &str, time: Timestamp) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.running.insert(time);
        }
    }

    /// A run is over.
    pub fn over(&mut self, name: &str, time: Timestamp) {
        if let Some(entry) = self.entries.get_mut(name) {
            entry.running.remove(&time);
            entry.mine.remove(&time);
        }
    }

    /// When something is to be done next by this server's clock, unless something happens before.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let looks = self.entries.values().filter_map(|entry| entry.looked.as_ref());
        let times = looks.filter_map(|looked| looked.decision.next?.checked_sub(looked.ahead).ok());
        times.min()
    }

    pub(super) fn lines(&self) -> Vec<JobLine> {
        self.entries
            .iter()
            .flat_map(|(name, entry)| entry.lines(name))
            .collect()
    }
}

impl Entry {
    fn piece(&self, name: &str, time: Timestamp) -> Piece {
        let mut job = self.job.clone();
        job.metadata.name = run_name(name, time);
        job.spec.schedule = None;
        Piece {
            job,
            base: self.base.clone(),
            manifest: self.base.join(&self.file),
            run: Some((name.to_owned(), time)),
            wanted: Arc::downgrade(&self.wanted),
        }
    }

    /// The schedule, and its runs.
    fn lines(&self, name: &str) -> Vec<JobLine> {
        let line = |name: String, state: &str, message: Option<String>| JobLine {
            name,
            state: state.to_owned(),
            message,
            manifest: self.file.clone(),
        };
        let decision = self
            .looked
            .as_ref()
            .map(|looked| looked.decision)
            .unwrap_or_default();
        let (state, message) = match decision {
            _ if self.plan.schedule.suspended => ("Suspended", None),
            Decision {
                waits: Some(time), ..
            } => (
                "Scheduled",
                Some(format!("the run of {time} waits for the one before")),
            ),
            Decision { next, .. } => ("Scheduled", next.map(|next| format!("next run at {next}"))),
        };
        let mut lines = vec![line(name.to_owned(), state, message)];
        let runs = self.looked.iter().flat_map(|looked| &looked.ledger.runs);
        lines.extend(runs.map(|run| {
            let (state, message) = match &run.end {
                None if self.running.contains(&run.time) => ("Running", None),
                None => ("Waiting", None),
                Some(end) if end.succeeded => ("Succeeded", Some(end.message.clone())),
                Some(end) => ("Failed", Some(end.message.clone())),
            };
            line(run_name(name, run.time), state, message)
        }));
        lines
    }
}

#[cfg(test)]
#[path = "schedules_tests.rs"]
mod tests;
