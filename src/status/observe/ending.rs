//! How an attempt ended: what the process itself says comes first, then what the cluster did to it.

use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated};

use super::look::{Look, because, limit, real, terminated, was_not_started};
use super::words::signal_name;
use super::{disruption, report, waiting};
use crate::reason::Reason;
use crate::sandbox::{EndCause, Report};
use crate::status::types::{Ending, Problem};

/// Why it ended, and whether that was the cluster's doing.
struct Cause {
    problem: Option<Problem>,
    disrupted: bool,
}

impl Cause {
    fn own(problem: Problem) -> Self {
        Self {
            problem: Some(problem),
            disrupted: false,
        }
    }

    fn cluster(problem: Problem) -> Self {
        Self {
            problem: Some(problem),
            disrupted: true,
        }
    }
}

/// How a Pod ended in which nothing runs any more.
pub(super) fn of(look: &Look<'_>) -> Ending {
    let cause = said_itself(look)
        .or_else(|| disruption::own_storage_limit(look).map(Cause::own))
        .or_else(|| pod_deadline(look).map(Cause::own))
        .or_else(|| disruption::of(look).map(Cause::cluster))
        .unwrap_or_else(|| unexplained(look));
    ending(look, cause)
}

/// How the process ended where it has said so itself, and was not told to end.
pub(super) fn of_itself(look: &Look<'_>) -> Option<Ending> {
    let terminated = look.terminated()?;
    let report = report::of(terminated)?;
    process(look, terminated, &report).map(|cause| ending(look, cause))
}

/// It was deleted before it had a node.
pub(super) fn deleted(look: &Look<'_>) -> Ending {
    ending(look, Cause::cluster(disruption::deleted(look)))
}

/// Its node does not say that it has ended.
pub(super) fn lost(look: &Look<'_>) -> Ending {
    let cause = said_itself(look).unwrap_or_else(|| Cause::cluster(disruption::lost(look)));
    ending(look, cause)
}

fn ending(look: &Look<'_>, cause: Cause) -> Ending {
    let terminated = look.terminated();
    let (exit_code, signal) = terminated.map_or((None, None), codes);
    Ending {
        problem: cause.problem,
        exit_code,
        signal,
        started: look.started_at(),
        finished: terminated.and_then(|one| real(one.finished_at.as_ref())),
        disrupted: cause.disrupted,
    }
}

/// Exit code and signal of the content's process: the helper's own exit code only says them indirectly.
fn codes(terminated: &ContainerStateTerminated) -> (Option<i32>, Option<i32>) {
    match report::of(terminated) {
        Some(Report::Ended { code, signal, .. }) => (code, signal),
        Some(_) => (None, None),
        None if disruption::is_forgotten(terminated) || was_not_started(terminated) => (None, None),
        // The helper itself was ended by a signal.
        None if (129..=159).contains(&terminated.exit_code) => (None, Some(terminated.exit_code - 128)),
        None => (Some(terminated.exit_code), terminated.signal),
    }
}

/// What can be said without asking what the cluster did.
fn said_itself(look: &Look<'_>) -> Option<Cause> {
    if let Some(terminated) = look.terminated() {
        let content = look.content()?;
        let reported = report::of(terminated).and_then(|report| process(look, terminated, &report));
        return reported.or_else(|| not_run(look, content, terminated));
    }
    // Content has not started: a container before it failed.
    look.containers().into_iter().find_map(|(container, status)| {
        let terminated = status.and_then(terminated).filter(|one| one.exit_code != 0)?;
        let reported = match report::of(terminated) {
            Some(Report::Failed { step, message, hint }) => Some(helper_failed(look, &step, &message, &hint)),
            _ => None,
        };
        reported
            .map(Cause::own)
            .or_else(|| not_run(look, container, terminated))
    })
}

/// What a report says; nothing where the process was told to end, for then it depends on who told it.
fn process(look: &Look<'_>, terminated: &ContainerStateTerminated, report: &Report) -> Option<Cause> {
    match report {
        Report::Started { .. } | Report::Ready | Report::Met(_) => None,
        Report::Failed { step, message, hint } => Some(Cause::own(helper_failed(look, step, message, hint))),
        Report::Ended { cause, code, signal } => match cause {
            Some(EndCause::Stopped) => None,
            Some(EndCause::Timeout) => Some(Cause::own(too_long(look))),
            Some(EndCause::Memory) => Some(Cause::own(out_of_memory(look, look.content()))),
            None if is_oom(terminated) => Some(Cause::own(out_of_memory(look, look.content()))),
            None if *code == Some(0) => Some(Cause {
                problem: None,
                disrupted: false,
            }),
            None => Some(Cause::own(failed(look, *code, *signal))),
        },
    }
}

/// A container that ran out of memory, helper and all, or was never started.
fn not_run(look: &Look<'_>, container: &Container, terminated: &ContainerStateTerminated) -> Option<Cause> {
    if is_oom(terminated) {
        return Some(Cause::own(out_of_memory(look, Some(container))));
    }
    was_not_started(terminated).then(|| {
        let said = terminated.message.as_deref().unwrap_or_default();
        Cause::own(waiting::not_created(look, container, said))
    })
}

fn is_oom(terminated: &ContainerStateTerminated) -> bool {
    terminated.reason.as_deref() == Some("OOMKilled")
}

/// The helper could not start the process.
fn helper_failed(look: &Look<'_>, step: &str, message: &str, hint: &str) -> Problem {
    let advice = if hint.is_empty() {
        String::new()
    } else {
        format!("; {hint}")
    };
    if step == "supervisor" {
        let sentence = format!("image '{}' is refused: {message}{advice}", look.image());
        return because(Reason::SupervisorRefused, sentence);
    }
    let (reason, what) = if step.starts_with("copy") {
        (Reason::DataUnavailable, "the source could not be copied")
    } else {
        (Reason::StartFailed, "the process could not be started")
    };
    because(
        reason,
        format!("{what} in Pod '{}' ({step}): {message}{advice}", look.name()),
    )
}

fn too_long(look: &Look<'_>) -> Problem {
    let time = look
        .context
        .timeout_seconds
        .map_or_else(String::new, |seconds| format!(" of {seconds} s"));
    let message = format!(
        "{} was ended when its time{time} was over; raise spec.timeoutSeconds",
        look.noun()
    );
    because(Reason::DeadlineExceeded, message)
}

/// A limit of time that somebody else gave the Pod.
fn pod_deadline(look: &Look<'_>) -> Option<Problem> {
    let (reason, _) = look.said();
    if reason != "DeadlineExceeded" {
        return None;
    }
    let seconds = look.spec().and_then(|spec| spec.active_deadline_seconds);
    let time = seconds.map_or_else(String::new, |seconds| format!(" of {seconds} s"));
    let message = format!(
        "{} was ended when the activeDeadlineSeconds{time} of Pod '{}' were over; raise what sets them",
        look.noun(),
        look.name()
    );
    Some(because(Reason::DeadlineExceeded, message))
}

fn out_of_memory(look: &Look<'_>, container: Option<&Container>) -> Problem {
    let message = match container.and_then(|container| limit(container, "memory")) {
        Some(limit) => format!(
            "{} was ended for using more memory than its limit of {limit}; raise {}",
            look.noun(),
            look.setting("spec.resources.limits.memory", "Scheduler.MemoryLimit")
        ),
        None => format!(
            "{} was ended because {} ran out of memory; ask for what it needs with {}",
            look.noun(),
            look.the_node(),
            look.setting("spec.resources.requests.memory", "Scheduler.MemoryRequest")
        ),
    };
    because(Reason::OutOfMemory, message)
}

/// The process failed by itself.
fn failed(look: &Look<'_>, code: Option<i32>, signal: Option<i32>) -> Problem {
    let noun = look.noun();
    let how = match (code, signal) {
        (Some(code), _) => format!("{noun} ended with exit code {code}{}", explained(look, code)),
        (None, Some(signal)) => format!("{noun} was ended by signal {signal}{}", signal_name(signal)),
        (None, None) => format!("{noun} ended in an unknown way"),
    };
    let reason = if look.is_install() {
        Reason::InstallFailed
    } else {
        Reason::ProcessFailed
    };
    because(reason, format!("{how}; {}", look.output()))
}

/// What shells say with these codes.
fn explained(look: &Look<'_>, code: i32) -> String {
    match code {
        126 => ", which says that a program that it started can not be executed".to_owned(),
        127 => format!(
            ", which says that a program that it started is not in image '{}'",
            look.image()
        ),
        129..=159 => {
            let signal = code - 128;
            format!(
                ", which says that a program that it started was ended by signal {signal}{}",
                signal_name(signal)
            )
        }
        _ => String::new(),
    }
}

/// Nobody says why it ended: the exit code is all there is.
fn unexplained(look: &Look<'_>) -> Cause {
    if let Some(terminated) = look.terminated() {
        return match report::of(terminated) {
            Some(Report::Ended { .. }) => {
                let message = format!("Pod '{}' was told to end, and nobody says why", look.name());
                Cause::cluster(because(Reason::Disrupted, message))
            }
            _ if terminated.exit_code == 0 => Cause {
                problem: None,
                disrupted: false,
            },
            _ if terminated.exit_code == 137 => {
                let message = format!(
                    "{} was killed from outside of Pod '{}', as by a node without memory; ask for what it needs with \
                     spec.resources.requests.memory; {}",
                    look.noun(),
                    look.name(),
                    look.output()
                );
                Cause::own(because(Reason::ProcessFailed, message))
            }
            _ => Cause::own(failed(look, Some(terminated.exit_code), None)),
        };
    }
    let before = look.containers().into_iter().find_map(|(container, status)| {
        let terminated = status.and_then(terminated).filter(|one| one.exit_code != 0)?;
        Some(format!(
            "container '{}' of Pod '{}' ended with exit code {} before the content was started; see `kubectl logs {} \
             -c {}`",
            container.name,
            look.name(),
            terminated.exit_code,
            look.name(),
            container.name
        ))
    });
    let message = before.unwrap_or_else(|| {
        let (reason, said) = look.said();
        let said = super::words::condensed(&format!("{reason} {said}"));
        format!(
            "Pod '{}' has failed before its process was started: {said}",
            look.name()
        )
    });
    Cause::own(because(Reason::StartFailed, message))
}
