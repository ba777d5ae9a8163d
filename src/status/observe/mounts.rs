//! Why a volume is not mounted.

use k8s_openapi::api::core::v1::Event;

use super::look::{Look, because, claim_of};
use super::waiting::missing_reference;
use super::words::{condensed, has_any, quoted_after};
use crate::reason::Reason;
use crate::status::types::Problem;

/// Events about volumes that are not mounted.
const REASONS: [&str; 3] = ["FailedMount", "FailedAttachVolume", "FailedMapVolume"];
/// The kubelet's summary, which names volumes and no cause.
const SUMMARY: &str = "Unable to attach or mount volumes";

/// The newest event about a volume; one that names a cause comes before a summary.
pub(super) fn newest<'a>(look: &Look<'a>) -> Option<&'a Event> {
    let events = look.events(&REASONS);
    let says_why = |event: &&&Event| {
        let message = event.message.as_deref();
        message.is_some_and(|message| !message.starts_with(SUMMARY))
    };
    let explained = events.iter().find(says_why).copied();
    explained.or_else(|| events.first().copied())
}

/// What an event about a volume says.
pub(super) fn problem(look: &Look<'_>, event: &Event) -> Problem {
    let said = event.message.as_deref().unwrap_or_default();
    if let Some(problem) = missing_reference(look, None, said) {
        return problem;
    }
    let name = quoted_after(said, "for volume ")
        .or_else(|| listed(said))
        .unwrap_or_default();
    let volume = look.volumes().iter().find(|volume| volume.name == name);
    // A claim's volume is called by the name of its PersistentVolume.
    let claim = volume.map_or_else(|| look.claim(), claim_of);
    let what = claim.map_or_else(|| format!("volume '{name}'"), |claim| format!("claim '{claim}'"));
    let see = claim.map_or_else(
        || format!("see `kubectl describe pod {}`", look.name()),
        |claim| format!("see `kubectl describe pvc {claim}`"),
    );
    let message = format!(
        "{what} can not be mounted on {}: {}; {}{see}",
        look.the_node(),
        cause(said),
        advice(said)
    );
    because(Reason::MountFailed, message)
}

/// `data` of `unmounted volumes=[data], …`.
fn listed(said: &str) -> Option<&str> {
    let (_, after) = said.split_once("unmounted volumes=[")?;
    after.split([']', ' ']).next().filter(|name| !name.is_empty())
}

/// What stands behind the name of the volume.
fn cause(said: &str) -> String {
    if said.starts_with(SUMMARY) {
        return "it is not there after minutes".to_owned();
    }
    let after_name = said
        .split_once("for volume \"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or(said, |(_, rest)| rest);
    // The command of a mount is longer than what it answered.
    let answer = after_name
        .split_once("Output: ")
        .map_or(after_name, |(_, answer)| answer);
    condensed(answer.trim_start_matches([' ', ':']))
}

fn advice(said: &str) -> &'static str {
    if has_any(
        said,
        &["Multi-Attach", "already exclusively attached", "already used by"],
    ) {
        "it can be used on one node at a time: take a claim with ReadWriteMany; "
    } else if said.contains("hostPath type check failed") {
        "make that directory on every node, or take another kind of volume; "
    } else {
        ""
    }
}
