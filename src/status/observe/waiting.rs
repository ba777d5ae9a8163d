//! Why a container is not started, from the reason for which it waits.

use k8s_openapi::api::core::v1::{Container, ContainerStateWaiting, EnvVarSource};

use super::image;
use super::look::{Look, because};
use super::words::{condensed, has_any, quoted_after};
use crate::names::{MOUNT_EXEC, MOUNT_OFFHOST};
use crate::reason::Reason;
use crate::status::types::Problem;

/// What is in the way of a container.
pub(super) fn problem(look: &Look<'_>, container: &Container, waiting: &ContainerStateWaiting) -> Problem {
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let said = waiting.message.as_deref().unwrap_or_default();
    if image::REASONS.contains(&reason) {
        return image::problem(look, container, waiting);
    }
    match reason {
        "CreateContainerConfigError" => config(look, container, said),
        "CreateContainerError" | "RunContainerError" | "PreCreateHookError" | "PreStartHookError" => {
            not_created(look, container, said)
        }
        _ => {
            let said = condensed(&format!("{reason}: {said}"));
            because(
                Reason::StartFailed,
                format!("{} does not start: {said}", of(look, container)),
            )
        }
    }
}

/// `container 'content' of Pod 'x'`.
fn of(look: &Look<'_>, container: &Container) -> String {
    format!("container '{}' of Pod '{}'", container.name, look.name())
}

/// The kubelet can not put together what the container needs.
fn config(look: &Look<'_>, container: &Container, said: &str) -> Problem {
    if let Some(problem) = missing_reference(look, Some(container), said) {
        return problem;
    }
    if has_any(said, &["subPath", "SubPath"]) {
        let place = look
            .claim()
            .map_or_else(String::new, |claim| format!(" on claim '{claim}'"));
        let message = format!(
            "a directory of the job{place} can not be mounted on {}: {}; check that the controller and \
             content Pods mount the same directory (Kubernetes.DataDirPVCName, Kubernetes.DataDirPVCSubPath)",
            look.the_node(),
            condensed(said)
        );
        return because(Reason::MountFailed, message);
    }
    let message = format!("{} can not be set up: {}", of(look, container), condensed(said));
    because(Reason::StartFailed, message)
}

/// A Secret or ConfigMap, or a key of one, that is not there.
pub(super) fn missing_reference(
    look: &Look<'_>,
    container: Option<&Container>,
    said: &str,
) -> Option<Problem> {
    let (kind, name, key) = [("Secret", "secret "), ("ConfigMap", "configmap ")]
        .into_iter()
        .find_map(|(kind, word)| missing_object(said, kind, word))?;
    let variable = container.and_then(|container| variable(container, kind, name, key));
    let user = variable.map_or_else(String::new, |name| {
        format!("variable '{name}' takes its value from ")
    });
    let or_correct = if variable.is_some() {
        ", or correct spec.env"
    } else {
        ""
    };
    let message = match key {
        Some(key) => {
            format!("{user}key '{key}' of {kind} '{name}', which has no such key; add it{or_correct}")
        }
        None => format!(
            "{user}{kind} '{name}'{} not exist in namespace '{}'; create it{or_correct}",
            if variable.is_some() {
                ", which does"
            } else {
                " does"
            },
            look.namespace()
        ),
    };
    Some(because(Reason::ReferenceNotFound, message))
}

/// Kind, name and key in `secret "db" not found` and `couldn't find key password in Secret default/db`.
fn missing_object<'t>(
    said: &'t str,
    kind: &'static str,
    word: &str,
) -> Option<(&'static str, &'t str, Option<&'t str>)> {
    if said.contains(word) && said.contains("not found") {
        return quoted_after(said, word).map(|name| (kind, name, None));
    }
    let (_, rest) = said.split_once("couldn't find key ")?;
    let (key, rest) = rest.split_once(" in ")?;
    let path = rest.strip_prefix(kind)?.trim_start();
    let path = path.split_whitespace().next()?;
    let name = path.rsplit('/').next()?.trim_end_matches([',', '.']);
    Some((kind, name, Some(key)))
}

/// The variable that takes its value from there.
fn variable<'c>(container: &'c Container, kind: &str, name: &str, key: Option<&str>) -> Option<&'c str> {
    let refers = |source: &EnvVarSource| {
        let found = if kind == "Secret" {
            let reference = source.secret_key_ref.as_ref();
            reference.map(|reference| (reference.name.as_str(), reference.key.as_str()))
        } else {
            let reference = source.config_map_key_ref.as_ref();
            reference.map(|reference| (reference.name.as_str(), reference.key.as_str()))
        };
        found.is_some_and(|(object, own)| object == name && key.is_none_or(|key| key == own))
    };
    let env = container.env.as_deref().unwrap_or_default();
    let found = env
        .iter()
        .find(|variable| variable.value_from.as_ref().is_some_and(refers));
    found.map(|variable| variable.name.as_str())
}

/// The container's runtime can not make or start it.
pub(super) fn not_created(look: &Look<'_>, container: &Container, said: &str) -> Problem {
    if let Some(image) = look.image_volume()
        && is_about_image_volume(said)
    {
        let message = format!(
            "{} can not mount image '{image}' as a volume: {}; set Kubernetes.ImageVolumes = never, and the helper is \
             copied into each Pod instead",
            look.the_node(),
            cause(said)
        );
        return because(Reason::MountFailed, message);
    }
    let entry = container
        .command
        .as_deref()
        .and_then(<[String]>::first)
        .map_or(MOUNT_EXEC, String::as_str);
    let about_entry =
        said.contains(&format!("exec: \"{entry}\"")) || said.contains(&format!("stat {entry}:"));
    if about_entry || said.contains("exec format error") {
        let advice = if said.contains("exec format error") {
            "it is made for another processor: build the image of Kubernetes.ExecImage for that of the node"
        } else {
            "correct Kubernetes.ExecImage: it must name the image of this version of offhost"
        };
        let message = format!(
            "'{entry}' can not be started in Pod '{}': {}; {advice}",
            look.name(),
            cause(said)
        );
        return because(Reason::StartFailed, message);
    }
    let message = format!(
        "{} can not be started on {}: {}",
        of(look, container),
        look.the_node(),
        cause(said)
    );
    because(Reason::StartFailed, message)
}

/// A runtime that knows no image volumes finds a mount without a source.
fn is_about_image_volume(said: &str) -> bool {
    let lower = said.to_lowercase();
    has_any(
        &lower,
        &[
            "image volume",
            "imagevolume",
            "mkdir \"\"",
            "mkdir : no such file",
            "mount image",
        ],
    ) || (lower.contains(MOUNT_OFFHOST) && lower.contains("mount source"))
}

/// The last link of a runtime's chain of causes.
fn cause(said: &str) -> String {
    let links = [
        "error during container init: ",
        "unable to start container process: ",
        "runc create failed: ",
        "OCI runtime create failed: ",
        "failed to generate container spec: ",
        "failed to create containerd task: ",
    ];
    let last = links
        .iter()
        .find_map(|link| said.split_once(link).map(|(_, rest)| rest));
    condensed(last.unwrap_or(said))
}
