//! Who in the cluster ended a Pod.

use k8s_openapi::api::core::v1::ContainerStateTerminated;

use super::look::{Look, because, terminated};
use super::words::{condensed, has_any};
use crate::reason::Reason;
use crate::status::types::Problem;

/// What the cluster did to a Pod that has ended, if it did anything. It says nothing of a Pod that met its own limits.
pub(super) fn of(look: &Look<'_>) -> Option<Problem> {
    let pod = look.name();
    let node = look.the_node();
    let (reason, said) = look.said();
    let message = match reason {
        "Evicted" => format!(
            "{node} evicted Pod '{pod}': {}; ask for what the job needs with {}",
            condensed(said),
            look.setting(
                "spec.resources.requests",
                "Scheduler.MemoryRequest and EphemeralStorageRequest"
            )
        ),
        "Preempting" => format!("{node} preempted Pod '{pod}' to admit a critical Pod"),
        "Terminated" | "NodeShutdown" => format!("{node} was shut down, and Pod '{pod}' ended with it"),
        "NodeLost" => return Some(lost(look)),
        _ if said.starts_with("Pod was rejected") => refusal(look, said),
        _ => {
            return targeted(look)
                .or_else(|| deleted_from_outside(look))
                .or_else(|| forgotten(look));
        }
    };
    Some(because(Reason::Disrupted, message))
}

/// The node does not take a Pod that the scheduler gave it.
fn refusal(look: &Look<'_>, said: &str) -> String {
    let why = said
        .trim_start_matches("Pod was rejected")
        .trim_start_matches([':', ' ']);
    format!(
        "{} refused Pod '{}': {}",
        look.the_node(),
        look.name(),
        condensed(why)
    )
}

/// What the condition `DisruptionTarget` says.
fn targeted(look: &Look<'_>) -> Option<Problem> {
    let target = look
        .condition("DisruptionTarget")
        .filter(|one| one.status == "True")?;
    let pod = look.name();
    let node = look.the_node();
    let said = condensed(target.message.as_deref().unwrap_or_default());
    let message = match target.reason.as_deref().unwrap_or_default() {
        "DeletionByTaintManager" => return Some(lost(look)),
        "DeletionByPodGC" => {
            let message = format!("{node} was removed from the cluster while Pod '{pod}' ran there");
            return Some(because(Reason::NodeLost, message));
        }
        "EvictionByEvictionAPI" => {
            format!("Pod '{pod}' was evicted through the API, as when {node} is drained")
        }
        "PreemptionByScheduler" => format!(
            "Pod '{pod}' was preempted by a Pod of higher priority; give the job a higher one with {}",
            look.setting("spec.priorityClassName", "Kubernetes.PriorityClassName")
        ),
        "TerminationByKubelet" => format!("{node} ended Pod '{pod}': {said}"),
        other => format!("Pod '{pod}' was ended by the cluster ({other}): {said}"),
    };
    Some(because(Reason::Disrupted, message))
}

/// Somebody deleted it, and it was not the controller.
fn deleted_from_outside(look: &Look<'_>) -> Option<Problem> {
    look.deleted()?;
    let message = format!(
        "Pod '{}' was deleted from outside; {}",
        look.name(),
        look.setting(
            "delete or suspend the job to end it",
            "the package is built again"
        )
    );
    Some(because(Reason::Disrupted, message))
}

/// The node does not know how the process ended, as after its restart.
fn forgotten(look: &Look<'_>) -> Option<Problem> {
    let statuses = look.containers().into_iter().filter_map(|(_, status)| status);
    let mut ends = statuses.filter_map(terminated);
    ends.any(is_forgotten).then(|| {
        let message = format!(
            "{} does not know how Pod '{}' has ended, as after a restart of the node",
            look.the_node(),
            look.name()
        );
        because(Reason::NodeLost, message)
    })
}

/// Whether the state was made up by the kubelet or by the container's runtime.
pub(super) fn is_forgotten(terminated: &ContainerStateTerminated) -> bool {
    match terminated.reason.as_deref() {
        Some("ContainerStatusUnknown") => true,
        Some("Unknown") => terminated.exit_code == 255,
        _ => false,
    }
}

/// Who is deleting it.
pub(super) fn deleted(look: &Look<'_>) -> Problem {
    targeted(look)
        .or_else(|| deleted_from_outside(look))
        .unwrap_or_else(|| lost(look))
}

/// Its node is gone.
pub(super) fn lost(look: &Look<'_>) -> Problem {
    let message = format!(
        "{} was lost: it did not answer, or was taken out of use, while Pod '{}' was there",
        look.the_node(),
        look.name()
    );
    because(Reason::NodeLost, message)
}

/// The Pod wrote more than its own limits allow: the kubelet calls that an eviction too.
pub(super) fn own_storage_limit(look: &Look<'_>) -> Option<Problem> {
    let (reason, said) = look.said();
    let own = [
        "exceeds the total limit of containers",
        "Usage of EmptyDir volume",
        "exceeded its local ephemeral storage limit",
    ];
    if reason != "Evicted" || !has_any(said, &own) {
        return None;
    }
    let advice = if said.contains("EmptyDir") {
        look.setting(
            "raise Kubernetes.TmpSizeLimit or Kubernetes.HomeSizeLimit, or write less there",
            "raise Kubernetes.TmpSizeLimit, or write less there",
        )
    } else {
        look.setting(
            "raise spec.resources.limits.ephemeral-storage, or write less",
            "raise Scheduler.EphemeralStorageLimit, or write less",
        )
    };
    let message = format!(
        "{} was ended for using more temporary storage than its limit: {}; {advice}",
        look.noun(),
        condensed(said)
    );
    Some(because(Reason::OutOfStorage, message))
}
