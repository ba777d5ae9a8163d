//! Name, labels, owner and finalizer of a Pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use sha2::{Digest, Sha256};

use super::PodPlace;
use crate::api::job::TaskKind;
use crate::names;
use crate::plan::{Plan, ProcessPlan, Purpose};
use crate::settings::values::is_label_value;

/// The longest value of a label.
const LONGEST: usize = 63;

pub(super) fn of(plan: &Plan, process: &ProcessPlan, place: &PodPlace) -> ObjectMeta {
    ObjectMeta {
        name: Some(place.pod_name.clone()),
        namespace: Some(place.namespace.clone()),
        labels: Some(labels(plan, process, place)),
        annotations: Some(BTreeMap::from([(
            "kubectl.kubernetes.io/default-container".to_owned(),
            names::CONTENT_CONTAINER.to_owned(),
        )])),
        // Without blockOwnerDeletion, which on some clusters needs a permission on the job's finalizers; the job has
        // a finalizer of its own.
        owner_references: owner(process, place).map(|owner| vec![owner]),
        // Nothing is lost with a process that serves, and nobody has to have seen its end. A build that nobody has seen the
        // end of is done again.
        finalizers: match process.purpose {
            Purpose::Install(_) | Purpose::Task(_) => Some(vec![names::POD_FINALIZER.to_owned()]),
            Purpose::Serve | Purpose::Build => None,
        },
        ..ObjectMeta::default()
    }
}

/// What its Pod goes with: the job or the application; of a build the Pod of the builder, where it runs in one.
fn owner(process: &ProcessPlan, place: &PodPlace) -> Option<OwnerReference> {
    let (api_version, kind) = match process.purpose {
        Purpose::Serve => (names::API_VERSION, names::KIND_CONTENT_APP),
        Purpose::Install(_) | Purpose::Task(_) => (names::API_VERSION, names::KIND_CONTENT_JOB),
        Purpose::Build if place.job.uid.is_empty() => return None,
        Purpose::Build => ("v1", "Pod"),
    };
    Some(OwnerReference {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: place.job.name.clone(),
        uid: place.job.uid.clone(),
        controller: Some(true),
        block_owner_deletion: None,
    })
}

/// The job's own labels, for queues and policies, and over them those that the system selects by.
fn labels(plan: &Plan, process: &ProcessPlan, place: &PodPlace) -> BTreeMap<String, String> {
    let mut labels = place.job.labels.clone();
    let own = [
        ("app.kubernetes.io/name", names::CONTENT_APP.to_owned()),
        (
            "app.kubernetes.io/component",
            component(&process.purpose).to_owned(),
        ),
        ("app.kubernetes.io/part-of", "offhost".to_owned()),
        ("app.kubernetes.io/managed-by", "offhost".to_owned()),
    ];
    let content = (names::LABEL_CONTENT, label_value(&plan.content));
    let (name, uid) = (label_value(&place.job.name), place.job.uid.clone());
    let owner = match process.purpose {
        Purpose::Serve => vec![
            content,
            (names::LABEL_APP_NAME, name),
            (names::LABEL_APP_UID, uid),
        ],
        // A package is no content item; `mark_build` says what it is.
        Purpose::Build => Vec::new(),
        Purpose::Install(_) | Purpose::Task(_) => vec![
            content,
            (names::LABEL_JOB_NAME, name),
            (names::LABEL_JOB_UID, uid),
            (names::LABEL_ATTEMPT, place.attempt.to_string()),
        ],
    };
    labels.extend(
        own.into_iter()
            .chain(owner)
            .map(|(name, value)| (name.to_owned(), value)),
    );
    labels
}

fn component(purpose: &Purpose) -> &'static str {
    match purpose {
        Purpose::Install(_) | Purpose::Task(TaskKind::Install | TaskKind::Deploy) => "install",
        Purpose::Task(TaskKind::Render) => "render",
        Purpose::Task(TaskKind::RenderSite) => "rendersite",
        Purpose::Task(TaskKind::Run) => "run",
        Purpose::Serve => "app",
        Purpose::Build => "build",
    }
}

/// Says of the Pod of an application which process it is, and from which bundle and deployment.
pub fn mark_app(pod: &mut Pod, key: &str, deployment: &str, content: &str, bundle: &str) {
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(names::LABEL_PROCESS.to_owned(), key.to_owned());
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(names::ANNOTATION_DEPLOYMENT.to_owned(), deployment.to_owned());
    annotations.insert(names::ANNOTATION_BUNDLE.to_owned(), format!("{content}/{bundle}"));
}

/// Says of the Pod of a Git build whose it is, which build it belongs to and of what, and when the cluster ends it itself:
/// also where its builder is gone by then.
pub fn mark_build(pod: &mut Pod, builder: &str, key: &str, of: &str, deadline_seconds: i64) {
    let labels = pod.metadata.labels.get_or_insert_default();
    labels.insert(names::LABEL_BUILDER.to_owned(), builder.to_owned());
    labels.insert(names::LABEL_BUILD.to_owned(), label_value(key));
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(names::ANNOTATION_BUILD_OF.to_owned(), of.to_owned());
    if let Some(spec) = &mut pod.spec {
        spec.active_deadline_seconds = Some(deadline_seconds);
    }
}

/// A name as the value of a label: itself where that can be one, else what is left of it and a digest of all of it.
#[must_use]
pub fn label_value(name: &str) -> String {
    if is_label_value(name) {
        return name.to_owned();
    }
    let digest = Sha256::digest(name);
    let digest: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let kept: String = name
        .chars()
        .filter(plain)
        .take(LONGEST - digest.len() - 1)
        .collect();
    match kept.trim_start_matches(['-', '_', '.']) {
        "" => digest,
        kept => format!("{kept}-{digest}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        assert_eq!(label_value("sales-2024"), "sales-2024");
        let long = "a".repeat(70);
        let (first, second) = (label_value(&format!("{long}1")), label_value(&format!("{long}2")));
        assert!(first != second && first.starts_with("aaa") && first.len() == LONGEST);
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_label(name in "\\PC{0,80}|[-_.a-z]{0,90}") {
            prop_assert!(is_label_value(&label_value(&name)), "{}", label_value(&name));
        }
    }
}
