//! Why an image is not to be had.

use k8s_openapi::api::core::v1::{Container, ContainerStateWaiting};

use super::look::{Look, because};
use super::words::{condensed, has_any, unwrapped};
use crate::reason::Reason;
use crate::status::types::Problem;

/// Reasons of the kubelet for which a container waits for an image.
pub(super) const REASONS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
];
/// Steps of a pull that stand in front of the cause, each with the image in quotes.
const STEPS: [&str; 7] = [
    "Back-off pulling image ",
    "Failed to pull image ",
    "failed to pull and unpack image ",
    "failed to resolve reference ",
    "failed to pull image ",
    "Failed to apply default image tag ",
    "Failed to inspect image ",
];
/// Words without an image that stand in front of the cause.
const WRAPPINGS: [&str; 3] = [
    "ErrImagePull: ",
    "failed to copy: ",
    "couldn't parse image name: ",
];

/// What a container's image lacks.
pub(super) fn problem(look: &Look<'_>, container: &Container, waiting: &ContainerStateWaiting) -> Problem {
    let said = waiting.message.as_deref().unwrap_or_default();
    let image = wanted(look, container, said);
    let answer = answer(look, image, said);
    let owner = Owner::of(look, container, image);
    let named = owner.named(look, image);
    let message = match waiting.reason.as_deref() {
        Some("InvalidImageName") => {
            format!(
                "{named} has a name that no image can have; {}",
                owner.correct(look)
            )
        }
        Some("ErrImageNeverPull") => format!(
            "{named} is not on {}, and Kubernetes.ImagePullPolicy is Never; load it there, or allow pulling",
            look.the_node()
        ),
        Some("SignatureValidationFailed") => {
            let policy = "sign it, or change the policy of the node";
            format!(
                "{named} has no signature that {} accepts{answer}; {policy}",
                look.the_node()
            )
        }
        _ => {
            let advice = advice(look, &owner, &answer);
            format!("{named} can not be pulled{answer}; {advice}")
        }
    };
    because(Reason::ImageUnavailable, message)
}

/// Whose image it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner<'a> {
    /// The content's: from `runtimes.yaml`.
    Runtime,
    /// The helper's: from the settings.
    Helper,
    /// That of a container which something else has put into the Pod.
    Other(&'a str),
}

impl<'a> Owner<'a> {
    fn of(look: &Look<'_>, container: &'a Container, image: &str) -> Self {
        if look.image_volume() == Some(image) {
            Self::Helper
        } else if image == look.image() {
            Self::Runtime
        } else if has_helper(container) {
            Self::Helper
        } else {
            Self::Other(&container.name)
        }
    }

    fn named(self, look: &Look<'_>, image: &str) -> String {
        match (self, &look.context.runtime) {
            (Self::Runtime, Some(runtime)) => format!("image '{image}' of runtime '{runtime}'"),
            (Self::Runtime, None) => format!("image '{image}'"),
            (Self::Helper, _) => format!("image '{image}' with the helper"),
            (Self::Other(container), _) => format!("image '{image}' of container '{container}'"),
        }
    }

    /// Where its name is written.
    fn correct(self, look: &Look<'_>) -> String {
        match self {
            Self::Runtime => "correct it in runtimes.yaml".to_owned(),
            Self::Helper => "correct Kubernetes.ExecImage".to_owned(),
            Self::Other(container) => format!(
                "correct what adds container '{container}' to Pods of namespace '{}'",
                look.namespace()
            ),
        }
    }
}

/// Whether a container starts the helper.
fn has_helper(container: &Container) -> bool {
    let command = container.command.as_deref().unwrap_or_default();
    command.first().is_some_and(|word| word.ends_with("offhost-exec"))
}

/// The image that the kubelet speaks of: the one that is mounted as a volume is pulled for a container too.
fn wanted<'a>(look: &Look<'a>, container: &'a Container, said: &str) -> &'a str {
    let own = container.image.as_deref().unwrap_or_default();
    let volume = look.image_volume().unwrap_or_default();
    let names = |image: &str| !image.is_empty() && said.contains(image);
    // One name may be the beginning of the other.
    if names(volume) && (!names(own) || volume.len() > own.len()) {
        volume
    } else {
        own
    }
}

/// `: ` and the registry's answer; nothing if it is not known.
fn answer(look: &Look<'_>, image: &str, said: &str) -> String {
    let cause = stripped(said, image);
    let cause = if cause.is_empty() {
        let events = look.events(&["Failed"]);
        let mut causes = events
            .iter()
            .filter_map(|event| event.message.as_deref())
            .filter(|message| message.starts_with("Failed to pull image") && message.contains(image))
            .map(|message| stripped(message, image));
        causes.next().unwrap_or_default()
    } else {
        cause
    };
    if cause.is_empty() {
        String::new()
    } else {
        format!(": {}", condensed(&cause))
    }
}

fn stripped(said: &str, image: &str) -> String {
    let whole = unwrapped(said);
    let mut rest = whole.trim();
    loop {
        let before = rest;
        for step in STEPS {
            if let Some((_, after)) = rest
                .strip_prefix(step)
                .and_then(|rest| rest.strip_prefix('"'))
                .and_then(|rest| rest.split_once('"'))
            {
                rest = after.trim_start_matches(": ");
            }
        }
        for wrapping in WRAPPINGS {
            rest = rest.strip_prefix(wrapping).unwrap_or(rest);
        }
        // A reference is often repeated in its full form, with the name of the registry.
        if let Some((name, after)) = rest.split_once(": ")
            && !image.is_empty()
            && name.ends_with(image)
        {
            rest = after;
        }
        if rest == before {
            return rest.trim().to_owned();
        }
    }
}

/// What to do, after the registry's answer.
fn advice(look: &Look<'_>, owner: &Owner<'_>, answer: &str) -> String {
    let said = answer.to_lowercase();
    let correct = owner.correct(look);
    let node = look.the_node();
    let unreachable = [
        "no such host",
        "connection refused",
        "i/o timeout",
        "no route to host",
        "network is unreachable",
        "deadline exceeded",
        "handshake timeout",
        "registry is unavailable",
    ];
    let refused = [
        "401",
        "403",
        "unauthorized",
        "forbidden",
        "denied",
        "authorization",
        "authentication",
        "credentials",
    ];
    if has_any(&said, &unreachable) {
        format!("{correct}, or make its registry reachable from {node}")
    } else if has_any(&said, &["x509", "certificate"]) {
        format!("have {node} trust the certificate of its registry")
    } else if has_any(&said, &["toomanyrequests", "429", "rate limit"]) {
        "give a pull secret with Kubernetes.ImagePullSecret, or use a mirror of its registry".to_owned()
    } else if has_any(&said, &refused) {
        format!("{correct}, or give a pull secret with Kubernetes.ImagePullSecret")
    } else if said.contains("no match for platform") {
        format!("build it for the processor of {node} too")
    } else if said.contains("no space left") {
        format!("free space on {node}")
    } else {
        format!("{correct}, or push it to its registry")
    }
}
