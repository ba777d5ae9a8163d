//! What becomes of a job with a schedule: which runs are made of it, ended and removed.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::attempts::whole_seconds;
use super::conditions::{self, Truth};
use super::draft::{cut, until};
use super::types::Problem;
use crate::api::resource::ContentJob;
use crate::api::schedule::Schedule;
use crate::api::status::{ACCEPTED, ContentJobStatus, MOST_ACTIVE, ScheduleStatus};
use crate::reason::{Progress, Reason};
use crate::schedule::{
    Decision, LONGEST_NAME, Past, Rule, Run, decide, is_ahead, is_far_ahead, run_name, surplus,
};

/// How soon runs that are being ended are looked at again where nothing tells that they are gone.
const WHILE_ENDING: SignedDuration = SignedDuration::from_secs(5);

/// A run as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSeen {
    /// Its time, by its name.
    pub time: Timestamp,
    /// How far it is.
    pub state: RunState,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It is not over.
    Open,
    /// It is being deleted.
    Leaving,
    /// It has succeeded, at that time.
    Succeeded(Option<Timestamp>),
    /// It has failed for good.
    Failed,
}

/// What is decided about a schedule. It is carried out in this order, and then the status is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Recurrence {
    /// The runs of these times are to be ended, for another one.
    pub end: Vec<Timestamp>,
    /// The run of this time is to be made.
    pub begin: Option<Timestamp>,
    /// The runs of these times are over, and not kept any more.
    pub remove: Vec<Timestamp>,
    /// The last time that was written down was given up: a clock that was ahead has written it.
    pub was_ahead: bool,
    /// The status to write after that.
    pub status: ContentJobStatus,
    /// When to look again without being told.
    pub again: Option<SignedDuration>,
}

/// Decides about a job with a schedule from its runs. Decided again after it was carried out, it changes nothing more.
#[must_use]
pub fn recur(job: &ContentJob, schedule: &Schedule, runs: &[RunSeen], now: Timestamp) -> Recurrence {
    let now = whole_seconds(now);
    let generation = job.metadata.generation;
    let mut status = job.status.clone().unwrap_or_default();
    status.observed_generation = generation;
    conditions::complete_with(&mut status.conditions, &[ACCEPTED], generation, now);
    let rule = match read(job, schedule) {
        Ok(rule) => rule,
        Err(problem) => return refused(status, &problem, now),
    };
    let acknowledged = last(&status);
    let known = runs
        .iter()
        .map(|run| run.time)
        .filter(|time| !is_ahead(*time, now));
    let (past, was_ahead) = Past {
        since: job
            .metadata
            .creation_timestamp
            .as_ref()
            .map_or(now, |time| time.0),
        last: acknowledged.max(known.max()),
        active: runs.iter().filter(|run| is_active(run)).count(),
    }
    .believed(now);
    let decision = decide(&rule, past, now);
    let end = if decision.replace { open(runs) } else { Vec::new() };
    let begin = decision.begin.filter(|_| !decision.replace);
    status.schedule = Some(seen(
        &status,
        &job_name(job),
        runs,
        &decision,
        begin.or(past.last),
    ));
    let message = sentence(schedule, &decision);
    let progress = Progress::Accepted.name();
    conditions::set(
        &mut status.conditions,
        ACCEPTED,
        Truth::True,
        progress,
        &cut(&message),
        now,
    );
    let soon = decision.replace.then_some(WHILE_ENDING);
    Recurrence {
        end,
        begin,
        was_ahead,
        remove: beyond(schedule, runs, acknowledged, now),
        again: soon.or_else(|| decision.next.map(|next| until(next, now))),
        status,
    }
}

fn read(job: &ContentJob, schedule: &Schedule) -> Result<Rule, Problem> {
    let invalid = |message: String| Problem {
        reason: Reason::InvalidInput,
        message,
    };
    if job_name(job).len() > LONGEST_NAME {
        return Err(invalid(format!(
            "the name of a job with a schedule has at most {LONGEST_NAME} characters, since the minute of each run comes after it; make it again with a shorter one"
        )));
    }
    Rule::read(schedule).map_err(|error| invalid(format!("spec.schedule.{} {error}", error.field())))
}

fn refused(mut status: ContentJobStatus, problem: &Problem, now: Timestamp) -> Recurrence {
    let (reason, message) = (problem.reason.name(), cut(&problem.message));
    conditions::set(
        &mut status.conditions,
        ACCEPTED,
        Truth::False,
        reason,
        &message,
        now,
    );
    if let Some(schedule) = &mut status.schedule {
        schedule.next_schedule_time = None;
    }
    Recurrence {
        end: Vec::new(),
        begin: None,
        was_ahead: false,
        remove: Vec::new(),
        status,
        again: None,
    }
}

fn job_name(job: &ContentJob) -> String {
    job.metadata.name.clone().unwrap_or_default()
}

fn last(status: &ContentJobStatus) -> Option<Timestamp> {
    let schedule = status.schedule.as_ref()?;
    schedule.last_schedule_time.as_ref().map(|time| time.0)
}

fn is_active(run: &RunSeen) -> bool {
    matches!(run.state, RunState::Open | RunState::Leaving)
}

fn open(runs: &[RunSeen]) -> Vec<Timestamp> {
    let open = runs.iter().filter(|run| run.state == RunState::Open);
    open.map(|run| run.time).collect()
}

/// What the status says.
fn seen(
    status: &ContentJobStatus,
    name: &str,
    runs: &[RunSeen],
    decision: &Decision,
    last: Option<Timestamp>,
) -> ScheduleStatus {
    let before = status.schedule.as_ref();
    let succeeded = runs.iter().filter_map(|run| match run.state {
        RunState::Succeeded(at) => at,
        _ => None,
    });
    let known = before.and_then(|before| before.last_successful_time.as_ref().map(|time| time.0));
    let mut active: Vec<Timestamp> = runs
        .iter()
        .filter(|run| is_active(run))
        .map(|run| run.time)
        .collect();
    active.extend(decision.begin.filter(|_| !decision.replace));
    active.sort_unstable();
    active.dedup();
    ScheduleStatus {
        last_schedule_time: last.map(Time),
        last_successful_time: known.max(succeeded.max()).map(Time),
        next_schedule_time: decision.next.map(Time),
        active: active
            .iter()
            .take(MOST_ACTIVE)
            .map(|time| run_name(name, *time))
            .collect(),
    }
}

fn sentence(schedule: &Schedule, decision: &Decision) -> String {
    let zone = schedule.time_zone.as_deref().unwrap_or("UTC");
    let words = format!("runs are made at '{}' in {zone}", schedule.cron);
    match (schedule.suspended, decision.waits) {
        (true, _) => format!("{words}, but none while spec.schedule.suspended is true"),
        (false, Some(time)) => format!("{words}; that of {time} waits for the end of an earlier one"),
        (false, None) => words,
    }
}

/// Runs that are over and beyond those that are kept. One that the status does not speak of yet stays: without it, it would
/// be made a second time.
fn beyond(
    schedule: &Schedule,
    runs: &[RunSeen],
    acknowledged: Option<Timestamp>,
    now: Timestamp,
) -> Vec<Timestamp> {
    let over: Vec<Run> = runs
        .iter()
        .filter(|run| is_told(run.time, acknowledged, now))
        .filter_map(|run| {
            let succeeded = match run.state {
                RunState::Succeeded(_) => true,
                RunState::Failed => false,
                RunState::Open | RunState::Leaving => return None,
            };
            Some(Run {
                time: run.time,
                succeeded,
            })
        })
        .collect();
    surplus(schedule, &over, now)
}

/// Whether a run of this time can go without being made a second time: its schedule speaks of it or of a later one, or its
/// time is one that only a wrong clock could give.
#[must_use]
pub fn is_told(run: Timestamp, acknowledged: Option<Timestamp>, now: Timestamp) -> bool {
    acknowledged.is_some_and(|last| run <= last) || is_far_ahead(run, now)
}
