//! The container that runs the content, and what all containers have.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::dollars::literal;
use super::scratch::Scratch;
use super::{PodPlace, env, mounts, scheduling, security, serving};
use crate::names;
use crate::plan::{Plan, PodResources, ProcessPlan, SERVE_GRACE_SECONDS};

/// Time between SIGTERM and SIGKILL, in seconds: that of the sandbox.
const GRACE_SECONDS: u64 = 5;

/// The container `content`: the helper as its first process, and the plan's command line as the helper's.
pub(super) fn content(
    plan: &Plan,
    process: &ProcessPlan,
    place: &PodPlace,
    scratch: &[Scratch],
) -> Container {
    Container {
        command: Some(vec![names::MOUNT_EXEC.to_owned()]),
        args: Some(arguments(process, place)),
        working_dir: Some(process.working_dir.clone()),
        env: Some(env::variables(&process.env)),
        resources: requirements(&process.resources),
        ports: process.serve.as_ref().map(|_| serving::ports()),
        volume_mounts: Some(mounts::of_content(plan, process, place, scratch)),
        ..common(names::CONTENT_CONTAINER, &plan.runtime.runtime, place)
    }
}

/// What every container has.
pub(super) fn common(name: &str, image: &str, place: &PodPlace) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: place.kubernetes.image_pull_policy.map(str::to_owned),
        security_context: Some(security::of_container()),
        // The helper's own words; never the end of the output, which is the content's (EN4).
        termination_message_policy: Some("File".to_owned()),
        ..Container::default()
    }
}

/// What the helper is told, then what the content is.
fn arguments(process: &ProcessPlan, place: &PodPlace) -> Vec<String> {
    let mut arguments = vec!["pod".to_owned()];
    let mut flag = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    if let Some(target) = mounts::copied_to(process) {
        flag("--copy-from", names::MOUNT_SOURCE.to_owned());
        flag("--copy-to", target.to_owned());
    }
    let name = process.purpose.process_name();
    flag("--log", format!("{}/{name}.log", names::MOUNT_LOG));
    let limits = &process.limits;
    for (name, value) in [
        ("--timeout-seconds", process.timeout_seconds),
        ("--grace-seconds", Some(grace_seconds(process))),
        ("--supervisor-words", supervisor_words(process)),
        ("--open-files", limits.open_files),
        ("--file-size", limits.file_size_bytes),
    ] {
        if let Some(value) = value {
            flag(name, value.to_string());
        }
    }
    arguments.extend(process.serve.iter().flat_map(serving::arguments));
    if knows_api_server(process, place) {
        arguments.extend(["--api-server", "tell"].map(str::to_owned));
    }
    arguments.push("--".to_owned());
    arguments.extend(process.command.iter().map(|word| literal(word)));
    arguments
}

/// Whether the variables that the kubelet adds stay: for content that has an account at the API server, or that sets
/// such a variable itself, which the helper could not tell apart.
fn knows_api_server(process: &ProcessPlan, place: &PodPlace) -> bool {
    let sets = process.env.keys().any(|name| name.starts_with("KUBERNETES_"));
    sets || scheduling::own_service_account(process, place).is_some()
}

/// An application has requests to answer before it ends.
fn grace_seconds(process: &ProcessPlan) -> u64 {
    match process.serve {
        Some(_) => SERVE_GRACE_SECONDS,
        None => GRACE_SECONDS,
    }
}

fn supervisor_words(process: &ProcessPlan) -> Option<u64> {
    let words = u64::try_from(process.supervisor_words).ok();
    words.filter(|words| *words > 0)
}

/// Requests and limits as Kubernetes has them; none where there are none.
pub(super) fn requirements(resources: &PodResources) -> Option<ResourceRequirements> {
    let list = |resources: &BTreeMap<String, String>| {
        let list: BTreeMap<String, Quantity> = resources
            .iter()
            .map(|(name, quantity)| (name.clone(), Quantity(quantity.clone())))
            .collect();
        Some(list).filter(|list| !list.is_empty())
    };
    (!resources.is_empty()).then(|| ResourceRequirements {
        requests: list(&resources.requests),
        limits: list(&resources.limits),
        claims: None,
    })
}
