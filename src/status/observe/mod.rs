//! What a Pod says, in one look: its object and the events about it become a stage and at most one sentence.
//!
//! Nothing that content has printed or written gets into a sentence: of a container's last words only the helper's own
//! report is read, and only where the exit code agrees with it.

mod disruption;
mod ending;
mod image;
mod look;
mod mounts;
mod report;
mod scheduling;
mod starting;
mod waiting;
mod words;

use k8s_openapi::api::core::v1::{Event, Pod};

use self::look::Look;
use super::draft::later;
use super::types::{Observation, PodContext, Stage};

/// Looks at a Pod and the events about it, which may come in any order and be about other objects too.
#[must_use]
pub fn observe(pod: &Pod, events: &[Event], context: &PodContext) -> Observation {
    let look = Look::new(pod, events, context);
    Observation {
        uid: look.uid().to_owned(),
        node: look.node().map(str::to_owned),
        stage: stage(&look),
    }
}

fn stage(look: &Look<'_>) -> Stage {
    if look.is_terminal() {
        return Stage::Ended(ending::of(look));
    }
    // The kubelet makes the phase terminal a second later than the container. What the process itself has said is not
    // changed by that.
    if let Some(ending) = ending::of_itself(look) {
        return Stage::Ended(ending);
    }
    if let Some(deleted) = look.deleted() {
        let until = later(deleted, look.context.node_lost_seconds);
        return if look.node().is_none() {
            Stage::Ended(ending::deleted(look))
        } else if look.context.now >= until {
            Stage::Ended(ending::lost(look))
        } else {
            let problem = disruption::deleted(look);
            Stage::Leaving { until, problem }
        };
    }
    if look.node().is_none() {
        return Stage::Unscheduled {
            gated: scheduling::is_gated(look),
            problem: scheduling::problem(look),
        };
    }
    if look.has_run() {
        // A process that has ended and has not said why is as good as running until the kubelet says more.
        return Stage::Running {
            since: look.started_at(),
        };
    }
    Stage::Starting {
        since: look.scheduled_at(),
        problem: starting::problem(look),
    }
}
