//! Why a Pod that has a node does not start its process.

use k8s_openapi::api::core::v1::{ContainerStateWaiting, ContainerStatus};

use super::look::{Look, because, time_of};
use super::words::{condensed, has_any};
use super::{mounts, waiting};
use crate::reason::Reason;
use crate::status::types::Problem;

/// Reasons of containers that merely wait for their turn.
const ORDINARY: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// Events after which what went wrong before is over.
const PROGRESS: [&str; 5] = [
    "Pulling",
    "Pulled",
    "Created",
    "Started",
    "SuccessfulAttachVolume",
];
/// The kubelet can not make the surroundings of the containers.
const SANDBOX: [&str; 3] = [
    "FailedCreatePodSandBox",
    "NetworkNotReady",
    "FailedPrepareDynamicResources",
];

/// What is in the way: a container's own words, else the newest event that nothing has overtaken.
pub(super) fn problem(look: &Look<'_>) -> Option<Problem> {
    let stuck = look.containers().into_iter().find_map(|(container, status)| {
        let waiting = status.and_then(waiting_state)?;
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let is_stuck = !reason.is_empty() && !ORDINARY.contains(&reason);
        is_stuck.then(|| waiting::problem(look, container, waiting))
    });
    stuck.or_else(|| from_events(look))
}

fn waiting_state(status: &ContainerStatus) -> Option<&ContainerStateWaiting> {
    status.state.as_ref()?.waiting.as_ref()
}

fn from_events(look: &Look<'_>) -> Option<Problem> {
    let progress = look.events(&PROGRESS).first().and_then(|event| time_of(event));
    let is_new = |time| progress.is_none_or(|progress| time > Some(progress));
    let mount = mounts::newest(look).filter(|event| is_new(time_of(event)));
    let sandbox = look
        .events(&SANDBOX)
        .first()
        .copied()
        .filter(|event| is_new(time_of(event)));
    match (mount, sandbox) {
        (Some(mount), Some(sandbox)) if time_of(sandbox) > time_of(mount) => {
            Some(no_sandbox(look, sandbox.message.as_deref()))
        }
        (Some(mount), _) => Some(mounts::problem(look, mount)),
        (None, Some(sandbox)) => Some(no_sandbox(look, sandbox.message.as_deref())),
        (None, None) => None,
    }
}

fn no_sandbox(look: &Look<'_>, said: Option<&str>) -> Problem {
    let said = said.unwrap_or_default();
    let said = said
        .strip_prefix("Failed to create pod sandbox: ")
        .unwrap_or(said);
    let lower = said.to_lowercase();
    let advice = if has_any(&lower, &["user namespace", "userns", "idmap", "id map"]) {
        "set Kubernetes.UserNamespaces = false, or give Pods a node that has them"
    } else if has_any(&lower, &["runtime handler", "no runtime for", "runtimeclass"]) {
        "correct Kubernetes.RuntimeClassName, or install that runtime on the node"
    } else if has_any(&lower, &["network", "cni", "plugin"]) {
        "repair the network plugin of the node"
    } else {
        "see the log of the kubelet there"
    };
    let message = format!(
        "{} can not make Pod '{}': {}; {advice}",
        look.the_node(),
        look.name(),
        condensed(said)
    );
    because(Reason::StartFailed, message)
}
