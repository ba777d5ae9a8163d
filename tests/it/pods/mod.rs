//! Pods: what a plan becomes on a cluster.

mod builds;
mod golden;
mod oracle;
mod parity;
mod properties;
#[path = "../../common/random_jobs.rs"]
pub(crate) mod random_jobs;
mod resources;
mod restricted;
mod rules;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, VolumeMount};
use offhost::plan::Plan;
use offhost::pod::{Delivery, Job, PodPlace, build};
use offhost::settings::Kubernetes;

use crate::plan_fixture::World;

/// A place on a small cluster.
pub(crate) fn place() -> PodPlace {
    PodPlace {
        pod_name: "sales-nightly-0b5f3a6e-1".to_owned(),
        namespace: "content".to_owned(),
        job: Job {
            name: "sales-nightly".to_owned(),
            uid: "0b5f3a6e-8c1d-4a70-9d2e-5f6a7b8c9d0e".to_owned(),
            labels: BTreeMap::from([("team".to_owned(), "finance".to_owned())]),
        },
        attempt: 1,
        key: "job1".to_owned(),
        claim: "connect-data".to_owned(),
        exec_image: "registry.example.com/offhost/exec:1".to_owned(),
        delivery: Delivery::ImageVolume,
        priority_class_name: None,
        service_account_name: None,
        scheduling_gates: Vec::new(),
        kubernetes: Kubernetes {
            tmp_size_limit: 1 << 30,
            home_size_limit: 1 << 30,
            node_lost_seconds: 30,
            ..Kubernetes::default()
        },
    }
}

/// The plan of a world, and its last process as a Pod.
fn last(world: &World, place: &PodPlace) -> (Plan, Pod) {
    let plan = world.plan().expect("it can be planned");
    let process = plan.processes.last().expect("it has a process");
    let pod = build(&plan, process, place);
    (plan, pod)
}

fn spec(pod: &Pod) -> &PodSpec {
    pod.spec.as_ref().expect("a Pod has a specification")
}

fn content(pod: &Pod) -> &Container {
    &spec(pod).containers[0]
}

fn init<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    let mut containers = spec(pod).init_containers.iter().flatten();
    containers.find(|container| container.name == name)
}

fn mounts(container: &Container) -> &[VolumeMount] {
    container.volume_mounts.as_deref().unwrap_or_default()
}

fn mount<'a>(container: &'a Container, path: &str) -> Option<&'a VolumeMount> {
    mounts(container).iter().find(|mount| mount.mount_path == path)
}

/// What Kubernetes makes of a text in a command line or a variable, with no variable known: `$$` is a `$`, and a
/// reference to a variable stays. A single `$` before anything else is a mistake here, as not every release keeps it.
fn expanded(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '$' {
            assert_eq!(chars.next(), Some('$'), "a single dollar in {text:?}");
        }
    }
    out
}

/// The variables of a container with the values that a process sees; `secrets` are those given by reference.
fn environment(container: &Container, secrets: &BTreeMap<String, String>) -> Vec<String> {
    let variables = container.env.iter().flatten();
    let entry = |(name, value): (&String, String)| format!("{name}={value}");
    variables
        .filter_map(|variable| match &variable.value_from {
            Some(_) => Some((&variable.name, secrets.get(&variable.name)?.clone())),
            None => Some((
                &variable.name,
                expanded(variable.value.as_deref().unwrap_or_default()),
            )),
        })
        .map(entry)
        .collect()
}

/// The helper's own arguments, and the command line that it starts.
fn arguments(container: &Container) -> (Vec<String>, Vec<String>) {
    let all: Vec<String> = container
        .args
        .iter()
        .flatten()
        .map(|word| expanded(word))
        .collect();
    let end = all.iter().position(|word| word == "--").unwrap_or(all.len());
    let argv = all.get(end + 1..).unwrap_or_default().to_vec();
    (all[..end].to_vec(), argv)
}

/// The value of one of the helper's arguments.
fn flag(container: &Container, name: &str) -> Option<String> {
    let (own, _) = arguments(container);
    let at = own.iter().position(|word| word == name)?;
    own.get(at + 1).cloned()
}
