//! What a container sees of the volumes (FS3, FS4, PW1, PW3).

use std::path::Path;

use k8s_openapi::api::core::v1::VolumeMount;

use super::scratch::Scratch;
use super::{PodPlace, volumes};
use crate::names;
use crate::plan::{Access, Output, Plan, ProcessPlan, Source};

/// What the content's container sees, parents before what lies below them.
pub(super) fn of_content(
    plan: &Plan,
    process: &ProcessPlan,
    place: &PodPlace,
    scratch: &[Scratch],
) -> Vec<VolumeMount> {
    let mut mounts = vec![offhost(true)];
    for mount in &process.mounts {
        let read_only = mount.access == Access::ReadOnly;
        match &mount.source {
            Source::Data(path) => mounts.push(data(place, path, &mount.target, read_only)),
            Source::Inputs => mounts.push(data(place, &inputs(plan, process, place), &mount.target, true)),
            // They lie in the volume of the helper.
            Source::Runtime => {}
        }
    }
    if copied_to(process).is_some() {
        mounts.push(source(plan, place));
    }
    for scratch in scratch {
        let paths = scratch.paths.iter();
        mounts.extend(paths.map(|path| mount(scratch.volume, path, None, false)));
    }
    let image = plan.runtime.volume_mounts.iter().enumerate();
    mounts.extend(image.map(|(index, volume)| {
        let target = &volume.target;
        mount(&volumes::of_image(index), &target.path, None, target.read_only)
    }));
    mounts.sort_by(|a, b| Path::new(&a.mount_path).cmp(Path::new(&b.mount_path)));
    mounts
}

/// What the init container that copies a site's source sees: the source, and where the copy goes. The container that
/// renders does not see the source (ST1).
pub(super) fn of_copy(plan: &Plan, place: &PodPlace, directory: &str) -> Vec<VolumeMount> {
    vec![
        source(plan, place),
        data(place, directory, names::MOUNT_REPORT, false),
    ]
}

/// What the init container that copies the helper sees.
pub(super) fn of_install() -> Vec<VolumeMount> {
    vec![offhost(false)]
}

/// Where the helper copies the source to before the process is started (RD1), if it does.
pub(super) fn copied_to(process: &ProcessPlan) -> Option<&'static str> {
    match &process.output {
        Output::Scratch { .. }
        | Output::Result {
            source_copy: Some(_), ..
        } => Some(names::MOUNT_APP),
        Output::None | Output::Environment { .. } | Output::Result { .. } => None,
    }
}

fn offhost(read_only: bool) -> VolumeMount {
    mount(volumes::OFFHOST, names::MOUNT_OFFHOST, None, read_only)
}

fn source(plan: &Plan, place: &PodPlace) -> VolumeMount {
    let path = format!("apps/{}/{}", plan.content, plan.bundle);
    data(place, &path, names::MOUNT_SOURCE, true)
}

fn inputs(plan: &Plan, process: &ProcessPlan, place: &PodPlace) -> String {
    let name = process.purpose.process_name();
    format!("jobs/{}/{}/{name}.inputs", plan.content, place.key)
}

fn data(place: &PodPlace, path: &str, target: &str, read_only: bool) -> VolumeMount {
    let path = match &place.kubernetes.data_dir_pvc_sub_path {
        Some(prefix) => format!("{prefix}/{path}"),
        None => path.to_owned(),
    };
    mount(volumes::DATA, target, Some(path), read_only)
}

fn mount(volume: &str, target: &str, sub_path: Option<String>, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: target.to_owned(),
        sub_path,
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}
