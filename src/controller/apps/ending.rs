//! How the life of a process ended: what that means, who is told what, and what is left on the volume.

use super::process::Process;
use crate::apps::Failure;
use crate::controller::context::Context;
use crate::reason::Reason;
use crate::status::{Ending, Problem};

/// What ended a life.
pub(super) struct Over {
    /// What went wrong, and the exit code, if there was one.
    pub(super) failure: Option<(Problem, Option<i32>)>,
}

/// What the end of a Pod means: one that was told to end has not failed.
pub(super) fn of_ending(deleted: bool, ending: &Ending) -> Over {
    if deleted {
        return Over { failure: None };
    }
    let problem = ending.problem.clone().unwrap_or_else(|| Problem {
        reason: Reason::ProcessFailed,
        message: "the application ended by itself with exit code 0; it has to go on until it is told to end"
            .to_owned(),
    });
    Over {
        failure: Some((problem, ending.exit_code)),
    }
}

/// A Pod that nobody of us deleted is gone.
pub(super) fn vanished(process: &Process) -> Problem {
    Problem {
        reason: Reason::Disrupted,
        message: format!(
            "Pod '{}' was deleted from outside; set spec.suspended to end the application",
            process.pod
        ),
    }
}

/// What the hub is told, and visitors by it. What only the publisher is to read is kept for the status.
pub(super) fn told(
    context: &Context,
    process: &Process,
    problem: &Problem,
    exit_code: Option<i32>,
) -> Failure {
    context.apps.note_problem(&process.id, problem.clone());
    Failure {
        reason: problem.reason.name().to_owned(),
        message: for_visitors(problem),
        process: Some(process.id.clone()),
        exit_code,
    }
}

/// Names and commands of the installation are none of a visitor's business.
fn for_visitors(problem: &Problem) -> String {
    match problem.reason {
        Reason::ProcessFailed | Reason::OutOfMemory | Reason::OutOfStorage | Reason::DeadlineExceeded => {
            let sentence = problem.message.split(';').next().unwrap_or_default();
            sentence.to_owned()
        }
        _ => "the application could not be started; its publisher finds the reason in its status".to_owned(),
    }
}

/// Records on the volume what a process came to, and frees what it held.
pub(super) async fn close(context: &Context, process: &Process, problem: Option<(&Problem, Option<i32>)>) {
    let (attempt, now) = (process.attempt.clone(), context.now());
    let problem = problem.map(|(problem, code)| (problem.clone(), code));
    let closed = context.disk.with(move |volume| {
        let problem = problem.as_ref().map(|(problem, code)| (problem, *code));
        volume.end_process(&attempt, problem, now)
    });
    match closed.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(
            app = process.name,
            "Process not cleared up, a sweep does: {error}"
        ),
        Err(error) => tracing::warn!(
            app = process.name,
            "Process not cleared up, a sweep does: {error}"
        ),
    }
}
