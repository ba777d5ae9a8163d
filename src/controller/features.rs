//! Whether Pods of this cluster can mount images, asked of the API server by a Pod that is tried and not made.

use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ImageVolumeSource, Pod, PodSecurityContext, PodSpec, ResourceRequirements,
    SeccompProfile, SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::core::ObjectMeta;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::api::Calls;
use super::call_error::CallError;
use crate::names::MOUNT_OFFHOST;
use crate::pod::Delivery;
use crate::settings::{ImageVolumes, Kubernetes};

/// Pauses while the API server does not answer.
const PAUSE: Duration = Duration::from_secs(2);

/// How the helper comes into Pods: as the settings say, or as the cluster can. `None` where `stop` came first.
pub async fn delivery(calls: &Calls, settings: &Kubernetes, stop: &CancellationToken) -> Option<Delivery> {
    match settings.image_volumes {
        ImageVolumes::Always => return Some(Delivery::ImageVolume),
        ImageVolumes::Never => return Some(Delivery::InitContainer),
        ImageVolumes::Auto => {}
    }
    let mut said = String::new();
    loop {
        match calls.try_pod(&probe(settings)).await {
            Ok(pod) if has_image(&pod) => {
                tracing::info!("Pods mount the image of the helper");
                return Some(Delivery::ImageVolume);
            }
            Ok(_) => return Some(without("this cluster has no image volumes")),
            Err(CallError::Refused { said, .. }) => return Some(without(&said)),
            Err(CallError::Forbidden { said, .. }) => return Some(without(&said)),
            Err(error) => {
                let error = error.to_string();
                if said != error {
                    tracing::warn!("Image volumes not looked for yet, trying again: {error}");
                    said = error;
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = sleep(PAUSE) => {}
        }
    }
}

fn without(why: &str) -> Delivery {
    tracing::info!(
        "Pods copy the helper with an init container, which takes longer than mounting its image: {why}; Kubernetes.ImageVolumes can be set to always or never"
    );
    Delivery::InitContainer
}

/// An API server without image volumes drops the field, or refuses the volume that is left without a source.
fn has_image(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let mut volumes = spec.and_then(|spec| spec.volumes.as_ref()).into_iter().flatten();
    volumes.any(|volume| volume.image.is_some())
}

/// A Pod that passes the `restricted` standard and most quotas, and mounts an image.
fn probe(settings: &Kubernetes) -> Pod {
    let image = settings.exec_image.clone();
    let name = "offhost-image-volume-probe".to_owned();
    let small = |kind: &str, value: &str| (kind.to_owned(), Quantity(value.to_owned()));
    let resources = [small("cpu", "1m"), small("memory", "16Mi")];
    Pod {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            ..ObjectMeta::default()
        },
        spec: Some(PodSpec {
            automount_service_account_token: Some(false),
            service_account_name: settings.service_account.clone(),
            restart_policy: Some("Never".to_owned()),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                run_as_user: Some(65_534),
                seccomp_profile: Some(SeccompProfile {
                    type_: "RuntimeDefault".to_owned(),
                    ..SeccompProfile::default()
                }),
                ..PodSecurityContext::default()
            }),
            containers: vec![Container {
                name: name.clone(),
                image: image.clone(),
                resources: Some(ResourceRequirements {
                    limits: Some(resources.clone().into()),
                    requests: Some(resources.into()),
                    ..ResourceRequirements::default()
                }),
                security_context: Some(SecurityContext {
                    allow_privilege_escalation: Some(false),
                    capabilities: Some(Capabilities {
                        drop: Some(vec!["ALL".to_owned()]),
                        ..Capabilities::default()
                    }),
                    ..SecurityContext::default()
                }),
                volume_mounts: Some(vec![VolumeMount {
                    name: "offhost".to_owned(),
                    mount_path: MOUNT_OFFHOST.to_owned(),
                    ..VolumeMount::default()
                }]),
                ..Container::default()
            }],
            volumes: Some(vec![Volume {
                name: "offhost".to_owned(),
                image: Some(ImageVolumeSource {
                    reference: image,
                    ..ImageVolumeSource::default()
                }),
                ..Volume::default()
            }]),
            ..PodSpec::default()
        }),
        status: None,
    }
}
