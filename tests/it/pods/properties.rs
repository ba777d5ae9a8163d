//! What holds for the Pods of any job and any application.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::core::v1::{Pod, VolumeMount};
use offhost::plan::Purpose;
use offhost::settings::values::{is_label_value, is_qualified_name, parse_object_name};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::random_jobs::{RandomJob, random_apps, random_jobs};
use super::restricted::{containers, violations};
use super::{content, mounts, spec};

/// Nothing is mounted twice, or over what other content depends on; what can be written holds nothing else.
fn check_mounts(pod: &Pod) -> Result<(), TestCaseError> {
    let volumes = spec(pod).volumes.as_ref().expect("a Pod has volumes");
    let names: BTreeSet<&str> = volumes.iter().map(|volume| volume.name.as_str()).collect();
    prop_assert_eq!(names.len(), volumes.len(), "two volumes of one name");
    let mut used = BTreeSet::new();
    let mut data: Vec<&VolumeMount> = Vec::new();
    for container in containers(spec(pod)) {
        let mounts = mounts(container);
        let paths: BTreeSet<&Path> = mounts.iter().map(|mount| Path::new(&mount.mount_path)).collect();
        prop_assert_eq!(paths.len(), mounts.len(), "two mounts at one place: {:?}", mounts);
        for (index, mount) in mounts.iter().enumerate() {
            let path = Path::new(&mount.mount_path);
            prop_assert!(
                path.is_absolute() && names.contains(mount.name.as_str()),
                "{:?}",
                mount
            );
            used.insert(mount.name.as_str());
            let earlier = &mounts[..index];
            prop_assert!(
                !earlier
                    .iter()
                    .any(|other| Path::new(&other.mount_path).starts_with(path)),
                "{:?}",
                mount
            );
            for own in [
                "/opt/rstudio-connect/mnt",
                "/var/lib/rstudio-connect",
                "/etc",
                "/usr/bin",
                "/proc",
            ] {
                prop_assert!(!Path::new(own).starts_with(path), "PW3: {:?}", mount);
            }
            prop_assert_eq!(mount.name == "data", mount.sub_path.is_some(), "{:?}", mount);
        }
        data.extend(mounts.iter().filter(|mount| mount.name == "data"));
    }
    prop_assert_eq!(used, names, "a volume that nothing mounts");
    let sub_path = |mount: &VolumeMount| mount.sub_path.clone().expect("a directory of the volume");
    for written in data.iter().filter(|mount| mount.read_only != Some(true)) {
        for other in &data {
            let (own, other_path) = (sub_path(written), sub_path(other));
            let same = own == other_path && other.read_only != Some(true);
            prop_assert!(
                same || !Path::new(&other_path).starts_with(&own),
                "{:?} holds {:?}",
                written,
                other
            );
        }
    }
    Ok(())
}

fn check_names(pod: &Pod) -> Result<(), TestCaseError> {
    let name = pod.metadata.name.as_ref().expect("a Pod has a name");
    prop_assert!(parse_object_name(name).is_ok() && name.len() <= 63, "{}", name);
    for (key, value) in pod.metadata.labels.iter().flatten() {
        prop_assert!(
            is_qualified_name(key) && is_label_value(value),
            "{}={}",
            key,
            value
        );
    }
    for volume in spec(pod).volumes.iter().flatten() {
        prop_assert!(
            volume.name.len() <= 63 && !volume.name.contains('.') && parse_object_name(&volume.name).is_ok()
        );
    }
    for container in containers(spec(pod)) {
        let variables = container.env.iter().flatten();
        let names: Vec<&str> = variables.map(|variable| variable.name.as_str()).collect();
        prop_assert!(names.is_sorted_by(|a, b| a < b), "{:?}", names);
    }
    Ok(())
}

/// A request is never above its limit, and devices are given whole.
fn check_resources(pod: &Pod) -> Result<(), TestCaseError> {
    for container in containers(spec(pod)) {
        let Some(resources) = &container.resources else {
            continue;
        };
        let requests = resources.requests.clone().unwrap_or_default();
        let limits = resources.limits.clone().unwrap_or_default();
        for (name, request) in &requests {
            let number = |text: &str| match name.as_str() {
                "cpu" => offhost::plan::parse_millis(text).ok(),
                _ => offhost::plan::parse_units(text).ok(),
            };
            if let Some(limit) = limits.get(name) {
                prop_assert!(
                    number(&request.0) <= number(&limit.0),
                    "{} {:?} {:?}",
                    name,
                    request,
                    limit
                );
            }
        }
        for name in requests
            .keys()
            .chain(limits.keys())
            .filter(|name| name.contains('/'))
        {
            prop_assert_eq!(requests.get(name), limits.get(name));
        }
        let gpus = ["nvidia.com/gpu", "amd.com/gpu"];
        prop_assert!(container.name == "content" || !gpus.iter().any(|gpu| limits.contains_key(*gpu)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// Proves: OH4 (P), FS4 (P), PW3 (P), SB4 (P), SC7 (P)
    #[test]
    fn any_job_becomes_a_sound_pod(job in random_jobs()) {
        check(&job)?;
    }

    /// Proves: OH4 (P), FS4 (P), PW3 (P), SB4 (P), SC7 (P)
    #[test]
    fn any_application_becomes_a_sound_pod(app in random_apps()) {
        check(&app)?;
    }
}

fn check(job: &RandomJob) -> Result<(), TestCaseError> {
    let Some(plan) = job.plan() else { return Ok(()) };
    for (process, pod) in plan.processes.iter().zip(job.pods()) {
        prop_assert_eq!(violations(&pod), Vec::<String>::new());
        check_mounts(&pod)?;
        check_names(&pod)?;
        check_resources(&pod)?;
        let written = serde_json::to_string(&pod).expect("a Pod is JSON");
        prop_assert!(!written.contains(":null"), "{}", written);
        let token = spec(&pod).automount_service_account_token;
        let is_install = matches!(process.purpose, Purpose::Install(_));
        let asked = job.place.service_account_name.is_some() && !is_install;
        prop_assert_eq!(token, Some(asked));
        prop_assert_eq!(spec(&pod).enable_service_links, Some(false));
        prop_assert!(content(&pod).args.is_some() && spec(&pod).active_deadline_seconds.is_none());
        let serves = process.purpose == Purpose::Serve;
        prop_assert_eq!(content(&pod).ports.is_some(), serves);
        prop_assert_eq!(pod.metadata.finalizers.is_none(), serves);
        let owner = &pod.metadata.owner_references.as_ref().expect("it has an owner")[0];
        prop_assert_eq!(&owner.kind, if serves { "ContentApp" } else { "ContentJob" });
    }
    prop_assert_eq!(job.pods(), job.pods());
    Ok(())
}

#[test]
fn nearly_every_random_job_can_be_planned() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for strategy in [random_jobs().boxed(), random_apps().boxed()] {
        let planned = (0..500)
            .filter(|_| {
                strategy
                    .new_tree(&mut runner)
                    .expect("a job")
                    .current()
                    .plan()
                    .is_some()
            })
            .count();
        assert!(planned > 300, "{planned} of 500");
    }
}
