//! Where a Pod runs, when, and with whose rights towards the cluster.

use k8s_openapi::api::core::v1::{LocalObjectReference, PodSchedulingGate, Toleration};

use super::PodPlace;
use crate::plan::{ProcessPlan, Purpose};
use crate::settings::Kubernetes;

/// Taints of a node that does not answer.
const LOST: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

/// The service account that the job names. An installation has none: what it makes is shared by all content. No build has one.
pub(super) fn own_service_account<'a>(process: &ProcessPlan, place: &'a PodPlace) -> Option<&'a String> {
    match process.purpose {
        Purpose::Task(_) | Purpose::Serve => place.service_account_name.as_ref(),
        Purpose::Install(_) | Purpose::Build => None,
    }
}

pub(super) fn pull_secrets(settings: &Kubernetes) -> Option<Vec<LocalObjectReference>> {
    let secrets = settings.image_pull_secrets.iter();
    let secrets: Vec<_> = secrets
        .map(|name| LocalObjectReference { name: name.clone() })
        .collect();
    Some(secrets).filter(|secrets| !secrets.is_empty())
}

/// Those of the settings, and how long a node may be silent before its Pod is given up.
pub(super) fn tolerations(settings: &Kubernetes) -> Vec<Toleration> {
    let given = settings.tolerations.iter().map(|toleration| Toleration {
        key: Some(toleration.key.clone()),
        operator: Some(
            match toleration.value {
                Some(_) => "Equal",
                None => "Exists",
            }
            .to_owned(),
        ),
        value: toleration.value.clone(),
        effect: Some(toleration.effect.to_owned()),
        toleration_seconds: toleration.seconds.map(i64::from),
    });
    let is_given = |key: &str| {
        let mut tolerations = settings.tolerations.iter();
        tolerations.any(|toleration| toleration.key == key && toleration.effect == "NoExecute")
    };
    let lost = LOST.into_iter().filter(|key| !is_given(key));
    let lost = lost.map(|key| Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        value: None,
        effect: Some("NoExecute".to_owned()),
        toleration_seconds: Some(settings.node_lost_seconds.into()),
    });
    given.chain(lost).collect()
}

pub(super) fn priority_class(place: &PodPlace) -> Option<String> {
    let own = place.priority_class_name.as_ref();
    own.or(place.kubernetes.priority_class_name.as_ref()).cloned()
}

pub(super) fn gates(place: &PodPlace) -> Option<Vec<PodSchedulingGate>> {
    let gates = place.scheduling_gates.iter();
    let gates: Vec<_> = gates
        .map(|name| PodSchedulingGate { name: name.clone() })
        .collect();
    Some(gates).filter(|gates| !gates.is_empty())
}
