//! The open attempt: what its Pod is seen to do, and what follows.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::attempts::{record_process, whole_seconds};
use super::conditions::{self, Truth};
use super::draft::{Draft, cut, later, until};
use super::gates::{self, Gate, suspended};
use super::retry::is_never_repeated;
use super::types::{Action, Ending, Next, Observation, PodSeen, Problem, Stage, World};
use crate::api::status::{ACCEPTED, AttemptStatus, ENVIRONMENT_READY, POD_SCHEDULED, SUCCEEDED};
use crate::reason::{Progress, Reason};

/// `startDeadlineSeconds` of a job that says nothing.
const START_DEADLINE_SECONDS: i64 = 3600;
/// A refused Pod is tried again after the time that was spent on it so far, within these bounds.
const REFUSED_AGAIN: (SignedDuration, SignedDuration) =
    (SignedDuration::from_secs(5), SignedDuration::from_secs(60));

/// Decides about the open attempt.
pub(super) fn attempt(draft: Draft<'_>, attempt: AttemptStatus, world: &World) -> Next {
    match (&world.pod, &attempt.pod_uid) {
        (PodSeen::Present(seen), None) => present(draft, attempt, seen),
        (PodSeen::Present(seen), Some(uid)) if *uid == seen.uid => present(draft, attempt, seen),
        (_, Some(_)) => gone(draft, attempt),
        (PodSeen::Refused(problem), None) => refused(draft, attempt, problem),
        (PodSeen::Absent, None) => unseen(draft, attempt, world),
    }
}

/// Its Pod was seen before and is no more: its finalizer was taken off by hand, or its node's objects were removed.
fn gone(draft: Draft<'_>, attempt: AttemptStatus) -> Next {
    let message = format!(
        "Pod '{}' was removed from outside before its outcome was known",
        attempt.pod_name
    );
    let problem = Problem {
        reason: Reason::Disrupted,
        message,
    };
    finish(draft, attempt, not_run(problem, true))
}

/// Its Pod was not made yet.
fn unseen(mut draft: Draft<'_>, mut attempt: AttemptStatus, world: &World) -> Next {
    match gates::gate(&mut draft, world) {
        Gate::Open(_) => {
            attempt.startable_time = attempt.startable_time.or(Some(Time(draft.now)));
            gates::begin_again(draft, attempt)
        }
        Gate::Wait(missing, again) => {
            attempt.startable_time = None;
            draft.put(attempt);
            draft.decide(gates::install(missing), again)
        }
        Gate::Closed(problem) => finish(draft, attempt, not_run(problem, false)),
    }
}

/// The API server does not take its Pod.
fn refused(mut draft: Draft<'_>, attempt: AttemptStatus, problem: &Problem) -> Next {
    if is_never_repeated(problem.reason) {
        return finish(draft, attempt, not_run(problem.clone(), false));
    }
    let left = time_to_start(&draft, &attempt);
    if left.is_some_and(|left| left.is_zero()) {
        let problem = too_late(&draft, problem);
        return finish(draft, attempt, not_run(problem, false));
    }
    draft.blame(POD_SCHEDULED, Truth::Unknown, problem);
    draft.blame(SUCCEEDED, Truth::Unknown, problem);
    let begun = attempt.begin_time.as_ref().map_or(draft.now, |time| time.0);
    let spent = draft.now.duration_since(begun);
    let pause = spent.clamp(REFUSED_AGAIN.0, REFUSED_AGAIN.1);
    draft.wait(Some(left.map_or(pause, |left| left.min(pause))))
}

/// Its Pod is there.
fn present(mut draft: Draft<'_>, mut attempt: AttemptStatus, seen: &Observation) -> Next {
    attempt.pod_uid = Some(seen.uid.clone());
    if seen.node.is_some() {
        attempt.node_name.clone_from(&seen.node);
    }
    passed(&mut draft, &attempt);
    scheduled(&mut draft, &attempt, &seen.stage);
    match &seen.stage {
        Stage::Ended(ending) => return finish(draft, attempt, ending.clone()),
        Stage::Leaving { until: at, problem } => {
            let said = stopping(&attempt).unwrap_or_else(|| problem.clone());
            let message = format!("attempt {} is being ended: {}", attempt.number, said.message);
            draft.say(SUCCEEDED, Truth::Unknown, Progress::Stopping, &message);
            draft.put(attempt);
            let again = until(*at, draft.now).max(SignedDuration::from_secs(1));
            return draft.wait(Some(again));
        }
        Stage::Unscheduled { .. } | Stage::Starting { .. } | Stage::Running { .. } => {}
    }
    if let Some(problem) = stopping(&attempt) {
        return stop(draft, attempt, &problem);
    }
    if draft.job.spec.suspended {
        return stop(draft, attempt, &suspended());
    }
    if let Stage::Running { since } = &seen.stage {
        return running(draft, attempt, since.map(whole_seconds));
    }
    starting(draft, attempt, &seen.stage)
}

/// Its Pod has not started its process.
fn starting(mut draft: Draft<'_>, mut attempt: AttemptStatus, stage: &Stage) -> Next {
    let gated = matches!(stage, Stage::Unscheduled { gated: true, .. });
    if gated {
        attempt.startable_time = None;
    } else if attempt.startable_time.is_none() {
        attempt.startable_time = Some(Time(draft.now));
    }
    let problem = match stage {
        Stage::Unscheduled { problem, .. } | Stage::Starting { problem, .. } => problem.clone(),
        _ => None,
    };
    let left = time_to_start(&draft, &attempt);
    if left.is_some_and(|left| left.is_zero()) {
        let problem = too_late(&draft, &problem.unwrap_or_else(|| never_started(&attempt)));
        return stop(draft, attempt, &problem);
    }
    match problem {
        Some(problem) => draft.blame(SUCCEEDED, Truth::Unknown, &problem),
        None => {
            let message = match &attempt.node_name {
                Some(node) => {
                    format!(
                        "attempt {} starts in Pod '{}' on node '{node}'",
                        attempt.number, attempt.pod_name
                    )
                }
                None => format!(
                    "attempt {} waits for a node for Pod '{}'",
                    attempt.number, attempt.pod_name
                ),
            };
            draft.say(SUCCEEDED, Truth::Unknown, Progress::Starting, &message);
        }
    }
    draft.put(attempt);
    draft.wait(left)
}

/// Its process runs.
fn running(mut draft: Draft<'_>, mut attempt: AttemptStatus, since: Option<jiff::Timestamp>) -> Next {
    attempt.start_time = since.map(Time).or(attempt.start_time);
    let mut message = format!("attempt {} runs in Pod '{}'", attempt.number, attempt.pod_name);
    if let Some(node) = &attempt.node_name {
        message.push_str(&format!(" on node '{node}'"));
    }
    draft.say(SUCCEEDED, Truth::Unknown, Progress::Running, &message);
    draft.put(attempt);
    draft.wait(None)
}

/// What a Pod proves by being there, should something have been missing when it was looked for again.
fn passed(draft: &mut Draft<'_>, attempt: &AttemptStatus) {
    for (kind, progress) in [
        (ACCEPTED, Progress::Accepted),
        (ENVIRONMENT_READY, Progress::Installed),
    ] {
        let holds = conditions::find(&draft.status, kind).is_some_and(|one| one.status == "True");
        if !holds {
            let message = format!("attempt {} has its Pod", attempt.number);
            draft.say(kind, Truth::True, progress, &message);
        }
    }
}

/// The condition about its node.
fn scheduled(draft: &mut Draft<'_>, attempt: &AttemptStatus, stage: &Stage) {
    let pod = &attempt.pod_name;
    match (stage, &attempt.node_name) {
        (_, Some(node)) => {
            let message = format!("Pod '{pod}' is on node '{node}'");
            draft.say(POD_SCHEDULED, Truth::True, Progress::Scheduled, &message);
        }
        (
            Stage::Unscheduled {
                problem: Some(problem),
                ..
            },
            None,
        ) => {
            draft.blame(POD_SCHEDULED, Truth::False, problem);
        }
        (Stage::Unscheduled { .. }, None) => {
            let message = format!("Pod '{pod}' waits for a node");
            draft.say(POD_SCHEDULED, Truth::Unknown, Progress::Pending, &message);
        }
        _ => {}
    }
}

/// Ends its Pod, and remembers why until it has ended: what was decided is not taken back.
fn stop(mut draft: Draft<'_>, mut attempt: AttemptStatus, why: &Problem) -> Next {
    attempt.reason = Some(why.reason.name().to_owned());
    attempt.message = Some(cut(&why.message));
    draft.put(attempt.clone());
    draft.blame(SUCCEEDED, Truth::Unknown, why);
    draft.decide(Action::Stop(attempt), None)
}

/// Why its Pod is being ended, if that was decided.
fn stopping(attempt: &AttemptStatus) -> Option<Problem> {
    Some(Problem {
        reason: Reason::from_name(attempt.reason.as_deref()?)?,
        message: attempt.message.clone().unwrap_or_default(),
    })
}

/// It is over: the volume is put in order, and then the job's status says so.
fn finish(mut draft: Draft<'_>, mut attempt: AttemptStatus, mut ending: Ending) -> Next {
    if let (Some(why), true) = (stopping(&attempt), ending.problem.is_some()) {
        ending.disrupted = why.reason == Reason::Suspended;
        ending.problem = Some(why);
    }
    record_process(&mut attempt, &ending);
    draft.put(attempt.clone());
    draft.decide(Action::Finish(attempt, ending), None)
}

fn not_run(problem: Problem, disrupted: bool) -> Ending {
    Ending {
        problem: Some(problem),
        exit_code: None,
        signal: None,
        started: None,
        finished: None,
        disrupted,
    }
}

/// What is left of the time in which the Pod must start its process; `None` while that time does not run.
fn time_to_start(draft: &Draft<'_>, attempt: &AttemptStatus) -> Option<SignedDuration> {
    let since = attempt.startable_time.as_ref()?;
    Some(until(later(since.0, deadline(draft)), draft.now))
}

fn deadline(draft: &Draft<'_>) -> i64 {
    draft
        .job
        .spec
        .start_deadline_seconds
        .unwrap_or(START_DEADLINE_SECONDS)
}

fn too_late(draft: &Draft<'_>, problem: &Problem) -> Problem {
    Problem {
        reason: problem.reason,
        message: format!(
            "the process was not started within {} s (spec.startDeadlineSeconds): {}",
            deadline(draft),
            problem.message
        ),
    }
}

fn never_started(attempt: &AttemptStatus) -> Problem {
    let pod = &attempt.pod_name;
    Problem {
        reason: Reason::StartFailed,
        message: match &attempt.node_name {
            Some(node) => {
                format!("node '{node}' is still preparing Pod '{pod}'; see `kubectl describe pod {pod}`")
            }
            None => format!("Pod '{pod}' has no node yet; see `kubectl describe pod {pod}`"),
        },
    }
}
