//! What must hold before an attempt is begun: the job can be done, is not suspended, its packages are installed, its
//! time has come.

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::attempts;
use super::conditions::{self, Truth};
use super::draft::{Draft, until};
use super::finished::repetition;
use super::next::time_to_live;
use super::types::{Action, EnvironmentSeen, EnvironmentState, Next, Planned, Problem, Ready, World};
use crate::api::status::{
    ACCEPTED, AttemptStatus, ENVIRONMENT_READY, EnvironmentStatus, POD_SCHEDULED, SUCCEEDED,
};
use crate::reason::{Progress, Reason};

/// How soon something that is missing is looked for again where nothing tells that it has come.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(30);

/// What stands in the way of an attempt, or the job that can be done.
pub(super) enum Gate<'w> {
    /// Nothing.
    Open(&'w Ready),
    /// It will never do.
    Closed(Problem),
    /// These environments are to be installed, or something is to be waited for, first; the status says so.
    Wait(Vec<EnvironmentSeen>, Option<SignedDuration>),
}

/// What a closed gate leaves to be done: these environments are to be installed, if any.
pub(super) fn install(missing: Vec<EnvironmentSeen>) -> Action {
    if missing.is_empty() {
        Action::None
    } else {
        Action::Install(missing)
    }
}

/// A job that has no open attempt.
pub(super) fn job(mut draft: Draft<'_>, world: &World) -> Next {
    match gate(&mut draft, world) {
        Gate::Wait(missing, again) => draft.decide(install(missing), again),
        Gate::Closed(problem) => {
            draft.fail(&problem);
            let again = time_to_live(&draft, world);
            draft.wait(again)
        }
        Gate::Open(ready) if !ready.has_pod => {
            draft.say(
                POD_SCHEDULED,
                Truth::Unknown,
                Progress::NotNeeded,
                "the job needs no Pod",
            );
            let message = done_without_pod(&draft, ready);
            draft.succeed(&message);
            let again = time_to_live(&draft, world);
            draft.wait(again)
        }
        Gate::Open(_) => begin_in_time(draft),
    }
}

/// Looks whether an attempt may be begun, and says in the status what is in the way.
pub(super) fn gate<'w>(draft: &mut Draft<'_>, world: &'w World) -> Gate<'w> {
    let ready = match &world.planned {
        Planned::Refused(problem) => {
            draft.blame(ACCEPTED, Truth::False, problem);
            return Gate::Closed(problem.clone());
        }
        Planned::Waiting(problem) => {
            // Before the content has come nothing can be said of the job; anything else that is missing is wrong.
            let truth = if problem.reason == Reason::AwaitingUpload {
                Truth::Unknown
            } else {
                Truth::False
            };
            draft.blame(ACCEPTED, truth, problem);
            draft.blame(SUCCEEDED, Truth::Unknown, problem);
            return Gate::Wait(Vec::new(), Some(LOOK_AGAIN));
        }
        Planned::Ready(ready) => ready,
    };
    accept(draft, ready);
    if draft.job.spec.suspended {
        draft.blame(SUCCEEDED, Truth::Unknown, &suspended());
        return Gate::Wait(Vec::new(), None);
    }
    environments(draft, ready)
}

/// What a suspended job says.
pub(super) fn suspended() -> Problem {
    Problem {
        reason: Reason::Suspended,
        message: "the job is suspended; set spec.suspended to false to let it go on".to_owned(),
    }
}

fn accept(draft: &mut Draft<'_>, ready: &Ready) {
    draft.status.runtime.clone_from(&ready.runtime);
    draft.status.image.clone_from(&ready.image);
    let name = |value: &Option<String>| value.clone().unwrap_or_default();
    let (bundle, content) = (name(&draft.status.bundle), name(&draft.status.content));
    let mut message = format!("bundle {bundle} of content item '{content}' can be used");
    if let (Some(runtime), Some(image)) = (&ready.runtime, &ready.image) {
        message.push_str(&format!(" with runtime '{runtime}', image '{image}'"));
    }
    draft.say(ACCEPTED, Truth::True, Progress::Accepted, &message);
}

fn environments<'w>(draft: &mut Draft<'_>, ready: &'w Ready) -> Gate<'w> {
    draft.status.environments = ready.environments.iter().map(environment_status).collect();
    if let Some(problem) = ready.environments.iter().find_map(install_failed) {
        draft.blame(ENVIRONMENT_READY, Truth::False, &problem);
        return Gate::Closed(problem);
    }
    let missing: Vec<EnvironmentSeen> = ready
        .environments
        .iter()
        .filter(|seen| seen.state == EnvironmentState::Missing)
        .cloned()
        .collect();
    let waits: Vec<String> = ready.environments.iter().filter_map(waits_for).collect();
    if waits.is_empty() {
        let (progress, message) = if ready.environments.is_empty() {
            (Progress::NotNeeded, "the job needs no packages to be installed")
        } else {
            (Progress::Installed, "all packages of the content are installed")
        };
        draft.say(ENVIRONMENT_READY, Truth::True, progress, message);
        return Gate::Open(ready);
    }
    let problem = Problem {
        reason: Reason::Installing,
        message: waits.join("; "),
    };
    draft.blame(ENVIRONMENT_READY, Truth::False, &problem);
    draft.blame(SUCCEEDED, Truth::Unknown, &problem);
    Gate::Wait(missing, Some(LOOK_AGAIN))
}

pub(super) fn environment_status(seen: &EnvironmentSeen) -> EnvironmentStatus {
    let ready = seen.state == EnvironmentState::Ready;
    EnvironmentStatus {
        language: seen.language.clone(),
        path: seen.path.clone(),
        job_name: (!ready).then(|| seen.job_name.clone()),
        ready,
    }
}

pub(super) fn install_failed(seen: &EnvironmentSeen) -> Option<Problem> {
    let EnvironmentState::Failed(why) = &seen.state else {
        return None;
    };
    Some(Problem {
        reason: Reason::InstallFailed,
        message: format!(
            "job '{job}' could not install the {} packages: {why}; see `offhost logs {job}`",
            seen.language,
            job = seen.job_name
        ),
    })
}

pub(super) fn waits_for(seen: &EnvironmentSeen) -> Option<String> {
    let (language, job) = (&seen.language, &seen.job_name);
    match &seen.state {
        EnvironmentState::Ready | EnvironmentState::Failed(_) => None,
        EnvironmentState::Missing => Some(format!(
            "the {language} packages are missing, and job '{job}' is made to install them"
        )),
        EnvironmentState::Installing(how_far) => {
            Some(format!("job '{job}' installs the {language} packages: {how_far}"))
        }
    }
}

fn done_without_pod(draft: &Draft<'_>, ready: &Ready) -> String {
    if !ready.environments.is_empty() {
        return "all packages of the content are installed".to_owned();
    }
    let name = |value: &Option<String>| value.clone().unwrap_or_default();
    let (bundle, content) = (name(&draft.status.bundle), name(&draft.status.content));
    format!("bundle {bundle} of content item '{content}' is there, and nothing more was asked for")
}

/// Begins the next attempt, unless its time has not come.
fn begin_in_time(mut draft: Draft<'_>) -> Next {
    if let Some(at) = draft.status.next_attempt_time.as_ref().map(|time| time.0)
        && at > draft.now
    {
        if let Some(problem) = repetition(&draft.status, draft.job.spec.retries, at) {
            draft.blame(SUCCEEDED, Truth::Unknown, &problem);
        }
        let again = until(at, draft.now);
        return draft.wait(Some(again));
    }
    let uid = draft.job.metadata.uid.as_deref().unwrap_or_default();
    let attempt = attempts::following(&draft.status, draft.name(), uid, draft.now);
    draft.status.next_attempt_time = None;
    if draft.status.start_time.is_none() {
        draft.status.start_time = Some(Time(draft.now));
    }
    begin(draft, attempt)
}

/// Has the directories and the Pod of an attempt made.
fn begin(mut draft: Draft<'_>, attempt: AttemptStatus) -> Next {
    let message = format!("Pod '{}' is being made", attempt.pod_name);
    draft.say(POD_SCHEDULED, Truth::Unknown, Progress::Pending, &message);
    let message = format!("attempt {} begins in Pod '{}'", attempt.number, attempt.pod_name);
    draft.say(SUCCEEDED, Truth::Unknown, Progress::Starting, &message);
    draft.put(attempt.clone());
    draft.decide(Action::Begin(attempt), None)
}

/// The same for an attempt that was begun before: its directories may be there already.
pub(super) fn begin_again(mut draft: Draft<'_>, attempt: AttemptStatus) -> Next {
    // A Pod that is refused again and again says so all the time, not every other time.
    let reason = |kind| conditions::find(&draft.status, kind).map(|condition| condition.reason.as_str());
    let scheduled = reason(POD_SCHEDULED);
    let was_refused = scheduled == reason(SUCCEEDED) && scheduled.and_then(Reason::from_name).is_some();
    if !was_refused {
        return begin(draft, attempt);
    }
    draft.put(attempt.clone());
    draft.decide(Action::Begin(attempt), None)
}
