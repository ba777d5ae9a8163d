//! What a Pod says, in one look.

use k8s_openapi::api::core::v1::{Event, Pod};

use super::types::{Observation, PodContext, Stage};

/// Looks at a Pod and the events about it.
#[must_use]
pub fn observe(pod: &Pod, _events: &[Event], _context: &PodContext) -> Observation {
    let spec = pod.spec.as_ref();
    Observation {
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        node: spec.and_then(|spec| spec.node_name.clone()),
        stage: Stage::Running { since: None },
    }
}
