//! What becomes of a build whose Pod has ended, or does not start. Pure.

use std::time::Duration;

use crate::reason::Reason;
use crate::status::{Ending, Problem, Stage};

/// How the Pod of a build's process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The process ended by itself.
    Process {
        /// Exit code, if it exited.
        code: Option<i32>,
        /// Signal, if it was ended by one.
        signal: Option<i32>,
    },
    /// Its time was over.
    TimedOut,
    /// The cluster ended it or did not start it, or a limit of the Pod was met.
    Cluster(Problem),
    /// The builder was told to end.
    Stopped,
}

/// What an ending means to the build. A process that failed by itself is told as one of a sandbox is.
#[must_use]
pub fn verdict(ending: Ending) -> Verdict {
    match ending.problem {
        None => Verdict::Process {
            code: Some(0),
            signal: None,
        },
        Some(problem) => match problem.reason {
            Reason::DeadlineExceeded => Verdict::TimedOut,
            Reason::ProcessFailed if ending.exit_code.or(ending.signal).is_some() => Verdict::Process {
                code: ending.exit_code,
                signal: ending.signal,
            },
            _ => Verdict::Cluster(problem),
        },
    }
}

/// Whether the process has not been started yet, and what is in its way.
#[must_use]
pub fn not_started(stage: &Stage) -> Option<Option<&Problem>> {
    match stage {
        Stage::Unscheduled { problem, .. } | Stage::Starting { problem, .. } => Some(problem.as_ref()),
        Stage::Running { .. } | Stage::Leaving { .. } | Stage::Ended(_) => None,
    }
}

/// The problem of a Pod that was not started in time.
#[must_use]
pub fn late(pod: &str, patience: Duration, problem: Option<&Problem>) -> Problem {
    let seconds = patience.as_secs();
    let why = problem.map_or_else(
        || format!("nobody says why; see `kubectl describe pod {pod}` of the next try"),
        |problem| problem.message.clone(),
    );
    Problem {
        reason: problem.map_or(Reason::StartFailed, |problem| problem.reason),
        message: format!("it was not started within {seconds} s (Kubernetes.StartTimeout): {why}"),
    }
}

/// The problem of a Pod that is not there any more and of which nobody has seen the end.
#[must_use]
pub fn gone(pod: &str) -> Problem {
    Problem {
        reason: Reason::Disrupted,
        message: format!("Pod '{pod}' was deleted before it had ended; the package is built again"),
    }
}

/// The problem of an API server that does not answer.
#[must_use]
pub fn silent(pod: &str, said: &str) -> Problem {
    Problem {
        reason: Reason::Disrupted,
        message: format!("what became of Pod '{pod}' can not be told: {said}; the package is built again"),
    }
}

/// Whether a reason says nothing about the package: it is built again later, and that counts as no try.
#[must_use]
pub fn is_of_the_cluster(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Unschedulable
            | Reason::PodRefused
            | Reason::ImageUnavailable
            | Reason::ReferenceNotFound
            | Reason::MountFailed
            | Reason::StartFailed
            | Reason::SupervisorRefused
            | Reason::NodeLost
            | Reason::Disrupted
    )
}
