//! The next status of an application, and whether processes may be started (pure).

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::app_types::{AppNext, AppNumbers, AppPlanned, AppReady, AppWorld};
use super::attempts::whole_seconds;
use super::conditions::{self, Truth};
use super::draft::cut;
use super::types::{EnvironmentSeen, EnvironmentState, EventRecord, Problem};
use super::{gates, records};
use crate::api::app_resource::ContentApp;
use crate::api::app_status::{ACTIVE, ContentAppStatus, READY};
use crate::reason::{Progress, Reason};

/// How old the time of the last use may be in the status while visitors come all the time.
const COARSE: SignedDuration = SignedDuration::from_secs(60);

/// Decides about an application from what was seen. Applied to its own result it changes nothing more.
#[must_use]
pub fn next_app(app: &ContentApp, world: &AppWorld, now: Timestamp) -> AppNext {
    let now = whole_seconds(now);
    let generation = app.metadata.generation;
    let mut status = app.status.clone().unwrap_or_default();
    status.observed_generation = generation;
    conditions::complete_with(&mut status.conditions, &[READY, ACTIVE], generation, now);
    describe(&mut status, world);
    count(&mut status, &world.numbers);
    let Gate { held, install } = gate(app, world, &mut status);
    let mut say = |kind: &str, truth: Truth, reason: &str, message: &str| {
        conditions::set(&mut status.conditions, kind, truth, reason, &cut(message), now);
    };
    match &held {
        Some(problem) => say(READY, Truth::False, problem.reason.name(), &problem.message),
        None => say(
            READY,
            Truth::True,
            Progress::Accepted.name(),
            &can_be_served(world),
        ),
    }
    let (truth, reason, message) = active(world, held.as_ref());
    say(ACTIVE, truth, reason, &message);
    let events = events(app.status.as_ref(), &status);
    AppNext {
        status,
        held,
        install,
        events,
    }
}

/// What is found out whatever its state is.
fn describe(status: &mut ContentAppStatus, world: &AppWorld) {
    if let Some(bundle) = &world.bundle {
        status.content = Some(bundle.content.clone());
        status.bundle = Some(bundle.bundle.clone());
    }
    if world.app_mode.is_some() {
        status.app_mode.clone_from(&world.app_mode);
    }
    status.url.clone_from(&world.url);
    status.selector.clone_from(&world.selector);
    match &world.planned {
        AppPlanned::Ready(ready) => {
            status.runtime = Some(ready.runtime.clone());
            status.image = Some(ready.image.clone());
            let environments = ready.environments.iter();
            status.environments = environments.map(gates::environment_status).collect();
        }
        AppPlanned::Files => {
            status.runtime = None;
            status.image = None;
            status.environments.clear();
        }
        AppPlanned::Refused(_) | AppPlanned::Waiting(_) => {}
    }
}

fn count(status: &mut ContentAppStatus, numbers: &AppNumbers) {
    status.processes = numbers.processes;
    status.ready_processes = numbers.ready;
    status.sessions = numbers.sessions;
    if numbers.failure.is_some() {
        status.last_failure.clone_from(&numbers.failure);
    } else if numbers.ready > 0 {
        status.last_failure = None;
    }
    let known = status.last_use_time.as_ref().map(|time| time.0);
    if let Some(used) = numbers.last_use.map(whole_seconds)
        && known
            .is_none_or(|known| used.duration_since(known) >= COARSE || numbers.sessions == 0 && used > known)
    {
        status.last_use_time = Some(Time(used));
    }
}

/// What stands in the way of new processes.
struct Gate {
    held: Option<Problem>,
    install: Vec<EnvironmentSeen>,
}

impl Gate {
    fn held(problem: Problem) -> Self {
        Self {
            held: Some(problem),
            install: Vec::new(),
        }
    }
}

fn gate(app: &ContentApp, world: &AppWorld, status: &mut ContentAppStatus) -> Gate {
    if app.spec.suspended {
        status.environments.retain(|environment| environment.ready);
        return Gate::held(Problem {
            reason: Reason::Suspended,
            message: "the application is suspended; set spec.suspended to false to serve it".to_owned(),
        });
    }
    match &world.planned {
        AppPlanned::Refused(problem) | AppPlanned::Waiting(problem) => Gate::held(problem.clone()),
        AppPlanned::Files => Gate {
            held: None,
            install: Vec::new(),
        },
        AppPlanned::Ready(ready) => environments(ready),
    }
}

fn environments(ready: &AppReady) -> Gate {
    if let Some(problem) = ready.environments.iter().find_map(gates::install_failed) {
        return Gate::held(problem);
    }
    let waits: Vec<String> = ready.environments.iter().filter_map(gates::waits_for).collect();
    let held = (!waits.is_empty()).then(|| Problem {
        reason: Reason::Installing,
        message: waits.join("; "),
    });
    let missing = ready.environments.iter();
    let missing = missing.filter(|seen| seen.state == EnvironmentState::Missing);
    Gate {
        held,
        install: missing.cloned().collect(),
    }
}

fn can_be_served(world: &AppWorld) -> String {
    let (bundle, content) = world
        .bundle
        .as_ref()
        .map_or(("", ""), |bundle| (&bundle.bundle, &bundle.content));
    match &world.planned {
        AppPlanned::Ready(ready) => format!(
            "bundle {bundle} of content item '{content}' can be served with runtime '{}', image '{}'",
            ready.runtime, ready.image
        ),
        _ => format!("bundle {bundle} of content item '{content}' is served from its files"),
    }
}

/// Whether visitors are taken, and why not.
fn active(world: &AppWorld, held: Option<&Problem>) -> (Truth, &'static str, String) {
    let numbers = &world.numbers;
    if numbers.ready > 0 {
        let message = match numbers.ready {
            1 => "one process takes visitors".to_owned(),
            count => format!("{count} processes take visitors"),
        };
        return (Truth::True, Progress::Running.name(), message);
    }
    if let Some(problem) = held {
        return (Truth::False, problem.reason.name(), problem.message.clone());
    }
    if world.planned == AppPlanned::Files {
        let message = "files need no process".to_owned();
        return (Truth::True, Progress::NotNeeded.name(), message);
    }
    if let Some(problem) = &world.starting {
        return (Truth::False, problem.reason.name(), problem.message.clone());
    }
    if numbers.queued {
        let message = "visitors wait: as many processes run as Scheduler.MaxProcessesTotal allows for all applications; \
                       one starts when another ends";
        return (Truth::False, Progress::Queued.name(), message.to_owned());
    }
    if let Some(failure) = &numbers.failure {
        let reason = Reason::from_name(&failure.reason).unwrap_or(Reason::ProcessFailed);
        return (Truth::False, reason.name(), failure.message.clone());
    }
    if numbers.processes > 0 {
        let message = "no process takes visitors yet; one starts or ends".to_owned();
        return (Truth::False, Progress::Starting.name(), message);
    }
    let message = "no process runs, as nobody visits; the next visitor has one started".to_owned();
    (Truth::False, Progress::Idle.name(), message)
}

/// What a person wants to hear of.
fn events(before: Option<&ContentAppStatus>, after: &ContentAppStatus) -> Vec<EventRecord> {
    let find = |status: &ContentAppStatus, kind: &str| -> Option<Condition> {
        let mut conditions = status.conditions.iter();
        conditions.find(|condition| condition.type_ == kind).cloned()
    };
    let changed = |kind: &str| {
        let old = before.and_then(|status| find(status, kind));
        find(after, kind).filter(|new| {
            old.as_ref().map(|old| (&old.status, &old.reason)) != Some((&new.status, &new.reason))
        })
    };
    let ready = changed(READY);
    let is_held = find(after, READY).is_some_and(|condition| condition.status == "False");
    // What keeps it from being served is told once.
    let active = changed(ACTIVE).filter(|new| !(is_held && new.status == "False"));
    let failure = before.and_then(|status| status.last_failure.as_ref());
    let failed = after.last_failure.as_ref().filter(|new| failure != Some(*new));
    let failed = failed.map(|failure| records::serving(&failure.reason, &failure.message));
    let is_said = |condition: &Condition| failed.is_some() && Reason::from_name(&condition.reason).is_some();
    ready
        .into_iter()
        .chain(active)
        .filter(|condition| !is_said(condition))
        .map(|condition| records::serving(&condition.reason, &condition.message))
        .chain(failed.clone())
        .collect()
}
