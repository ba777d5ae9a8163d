//! What runs before the content's container: the copy of the helper, on clusters without image volumes, and the copy
//! of a site's source (ST1). Both are programs of the helper's image alone, as the job's account.

use k8s_openapi::api::core::v1::Container;

use super::{Delivery, PodPlace, container, mounts};
use crate::names;
use crate::plan::{Output, Plan, PodResources, ProcessPlan};

/// The helper in its own image.
const EXEC: &str = "/bin/offhost-exec";

pub(super) fn containers(plan: &Plan, process: &ProcessPlan, place: &PodPlace) -> Option<Vec<Container>> {
    let mut containers = Vec::new();
    if place.delivery == Delivery::InitContainer {
        containers.push(Container {
            args: Some(words(&["install", names::MOUNT_OFFHOST])),
            volume_mounts: Some(mounts::of_install()),
            ..helper("install", process, place)
        });
    }
    if let Output::Result {
        source_copy: None,
        directory,
        ..
    } = &process.output
    {
        containers.push(Container {
            args: Some(words(&["copy", names::MOUNT_SOURCE, names::MOUNT_REPORT])),
            volume_mounts: Some(mounts::of_copy(plan, place, directory)),
            ..helper("copy", process, place)
        });
    }
    Some(containers).filter(|containers| !containers.is_empty())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The same requests and limits as the content has, so that a quota which asks every container for them is content; as
/// init containers run first, that adds nothing to what the Pod needs. No devices.
fn helper(name: &str, process: &ProcessPlan, place: &PodPlace) -> Container {
    let mut resources: PodResources = process.resources.clone();
    for list in [&mut resources.requests, &mut resources.limits] {
        list.retain(|name, _| !name.contains('/'));
    }
    Container {
        command: Some(vec![EXEC.to_owned()]),
        resources: container::requirements(&resources),
        ..container::common(name, &place.exec_image, place)
    }
}
