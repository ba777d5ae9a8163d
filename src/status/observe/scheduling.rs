//! Why a Pod has no node.

use super::look::{Look, because};
use super::words::{condensed, has_any, quoted_after};
use crate::reason::Reason;
use crate::status::types::Problem;

/// Whether a scheduling gate holds it.
pub(super) fn is_gated(look: &Look<'_>) -> bool {
    !gates(look).is_empty()
}

fn gates<'a>(look: &Look<'a>) -> Vec<&'a str> {
    let gates = look.spec().and_then(|spec| spec.scheduling_gates.as_deref());
    gates
        .unwrap_or_default()
        .iter()
        .map(|gate| gate.name.as_str())
        .collect()
}

/// Why it has no node; nothing while the scheduler has not looked at it.
pub(super) fn problem(look: &Look<'_>) -> Option<Problem> {
    if is_gated(look) {
        let message = format!(
            "Pod '{}' is held by the scheduling gate '{}' until the queue that it belongs to takes that off",
            look.name(),
            gates(look).join("', '")
        );
        return Some(because(Reason::Gated, message));
    }
    let said = refusal(look)?;
    let said = without_afterthoughts(said);
    Some(claim_problem(look, said).unwrap_or_else(|| no_node(look, said)))
}

/// What the scheduler says of preemption and of devices repeats the rest.
fn without_afterthoughts(said: &str) -> &str {
    let ends = [" preemption: ", " no new claims to deallocate"];
    let end = ends.iter().filter_map(|end| said.find(end)).min();
    end.map_or(said, |end| &said[..end])
}

/// The scheduler's own sentence.
fn refusal<'a>(look: &Look<'a>) -> Option<&'a str> {
    let condition = look
        .condition("PodScheduled")
        // The condition of a gate that was taken off stays until the scheduler has looked.
        .filter(|one| one.status == "False" && one.reason.as_deref() != Some("SchedulingGated"));
    let message = condition.and_then(|condition| condition.message.as_deref());
    let event = || {
        let events = look.events(&["FailedScheduling"]);
        events.first().and_then(|event| event.message.as_deref())
    };
    message.or_else(event).filter(|message| !message.is_empty())
}

/// What is wrong with a claim is no matter of nodes.
fn claim_problem(look: &Look<'_>, said: &str) -> Option<Problem> {
    let namespace = look.namespace();
    if let Some(claim) = quoted_after(said, "persistentvolumeclaim ") {
        let message = if said.contains("not found") {
            format!(
                "claim '{claim}' does not exist in namespace '{namespace}'; create it, or correct \
                 Kubernetes.DataDirPVCName"
            )
        } else {
            let said = condensed(said.split(": ").last().unwrap_or(said));
            format!("claim '{claim}' can not be used: {said}; see `kubectl describe pvc {claim}`")
        };
        return Some(because(Reason::MountFailed, message));
    }
    let claim = look.claim()?;
    let (what, advice) = if said.contains("unbound immediate PersistentVolumeClaims") {
        (
            "is bound to no volume",
            "a storage class or a volume that gives what it asks for is missing",
        )
    } else if said.contains("ReadWriteOncePod") {
        (
            "is in use by another Pod",
            "it needs the access mode ReadWriteMany",
        )
    } else if has_any(
        said,
        &[
            "bound to non-existent pv",
            "didn't find available persistent volumes",
        ],
    ) {
        (
            "is bound to no volume",
            "the volume that it asks for does not exist",
        )
    } else {
        return None;
    };
    let message = format!("claim '{claim}' {what}: {advice}; see `kubectl describe pvc {claim}`");
    Some(because(Reason::MountFailed, message))
}

fn no_node(look: &Look<'_>, said: &str) -> Problem {
    let short = condensed(said);
    let asked = asked_for(look, said);
    let advice = advice(look, said);
    let message = format!("no node fits Pod '{}': {short}{asked}; {advice}", look.name());
    because(Reason::Unschedulable, message)
}

/// How much was asked for of what the nodes have too little of.
fn asked_for(look: &Look<'_>, said: &str) -> String {
    let mut short: Vec<&str> = said
        .split("Insufficient ")
        .skip(1)
        .map(|rest| rest.split([',', ' ']).next().unwrap_or_default())
        .map(|name| name.trim_end_matches('.'))
        .collect();
    short.sort_unstable();
    short.dedup();
    let asked: Vec<String> = short
        .into_iter()
        .filter_map(|name| look.request(name).map(|amount| format!("{name} {amount}")))
        .collect();
    if asked.is_empty() {
        String::new()
    } else {
        format!(" (asked for: {})", asked.join(", "))
    }
}

/// What can be done, for every cause that stands in the sentence.
fn advice(look: &Look<'_>, said: &str) -> String {
    let causes: [(&[&str], &str); 6] = [
        (
            &["Insufficient "],
            look.setting(
                "lower spec.resources.requests, wait for other Pods to end, or add a node",
                "lower Scheduler.CPURequest and MemoryRequest, wait for other Pods to end, or add a node",
            ),
        ),
        (
            &["taint"],
            "tolerate the taint with Kubernetes.Toleration, or take it off the node",
        ),
        (
            &["node affinity/selector"],
            "correct Kubernetes.NodeSelector, or label a node with it",
        ),
        (
            &["were unschedulable"],
            "let a node take Pods again with `kubectl uncordon`",
        ),
        (
            &[
                "volume node affinity conflict",
                "no available volume zone",
                "max volume count",
            ],
            "the data volume can not be reached from these nodes: use one that all nodes can mount",
        ),
        (&["no nodes available"], "the cluster has no node: add one"),
    ];
    let found: Vec<&str> = causes
        .iter()
        .filter(|(parts, _)| has_any(said, parts))
        .map(|(_, advice)| *advice)
        .collect();
    if found.is_empty() {
        "see `kubectl describe nodes`".to_owned()
    } else {
        found.join("; ")
    }
}
