//! The volumes of a Pod: the claim, the helper, the empty directories, and what the image brings with it (SB4).

use k8s_openapi::api::core::v1::{
    EmptyDirVolumeSource, ImageVolumeSource, NFSVolumeSource, PersistentVolumeClaimVolumeSource, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::scratch::Scratch;
use super::{Delivery, PodPlace};
use crate::plan::{Plan, format_bytes};
use crate::runtimes::{VolumeMount, VolumeSource};

/// Name of the volume with the data directory.
pub(super) const DATA: &str = "data";
/// Name of the volume with the helper and the starters.
pub(super) const OFFHOST: &str = "offhost";
/// What the init container copies is a few MiB.
const OFFHOST_SIZE: u64 = 256 << 20;

/// Name of a volume of the image.
pub(super) fn of_image(index: usize) -> String {
    format!("image-{index}")
}

pub(super) fn of(plan: &Plan, place: &PodPlace, scratch: &[Scratch]) -> Vec<Volume> {
    let mut volumes = vec![offhost(place), claim(DATA.to_owned(), &place.claim, false)];
    volumes.extend(scratch.iter().map(empty));
    let image = plan.runtime.volume_mounts.iter().enumerate();
    volumes.extend(image.map(|(index, mount)| brought(of_image(index), mount)));
    volumes
}

fn offhost(place: &PodPlace) -> Volume {
    let name = OFFHOST.to_owned();
    match place.delivery {
        Delivery::ImageVolume => Volume {
            name,
            image: Some(ImageVolumeSource {
                reference: Some(place.exec_image.clone()),
                pull_policy: place.kubernetes.image_pull_policy.map(str::to_owned),
            }),
            ..Volume::default()
        },
        Delivery::InitContainer => Volume {
            name,
            empty_dir: Some(empty_dir(OFFHOST_SIZE, false)),
            ..Volume::default()
        },
    }
}

fn empty(scratch: &Scratch) -> Volume {
    Volume {
        name: scratch.volume.to_owned(),
        empty_dir: Some(empty_dir(scratch.size_limit, scratch.in_memory)),
        ..Volume::default()
    }
}

fn empty_dir(size_limit: u64, in_memory: bool) -> EmptyDirVolumeSource {
    EmptyDirVolumeSource {
        medium: in_memory.then(|| "Memory".to_owned()),
        size_limit: (size_limit > 0).then(|| Quantity(format_bytes(size_limit))),
    }
}

fn brought(name: String, mount: &VolumeMount) -> Volume {
    let read_only = mount.target.read_only;
    match &mount.source {
        VolumeSource::Pvc { pvc_name } => claim(name, pvc_name, read_only),
        VolumeSource::Nfs {
            nfs_host,
            nfs_export_path,
        } => Volume {
            name,
            nfs: Some(NFSVolumeSource {
                server: nfs_host.clone(),
                path: nfs_export_path.clone(),
                read_only: read_only.then_some(true),
            }),
            ..Volume::default()
        },
    }
}

fn claim(name: String, claim: &str, read_only: bool) -> Volume {
    Volume {
        name,
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: claim.to_owned(),
            read_only: read_only.then_some(true),
        }),
        ..Volume::default()
    }
}
