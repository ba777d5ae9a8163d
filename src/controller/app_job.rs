//! A job that an application has made: its own, ended with it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::ResourceExt;

use crate::api::app_resource::ContentApp;
use crate::api::job::ContentJobSpec;
use crate::api::resource::ContentJob;
use crate::names::{API_VERSION, KIND_CONTENT_APP, KIND_CONTENT_JOB, LABEL_APP_NAME, LABEL_CONTENT};
use crate::pod::label_value;

/// The job of that name, about that content item; `mark` is the label by which its maker knows it.
pub(super) fn job_of(
    app: &ContentApp,
    name: String,
    content: &str,
    mark: (&'static str, String),
    spec: ContentJobSpec,
) -> ContentJob {
    let labels = [
        (LABEL_APP_NAME, label_value(&app.name_any())),
        (LABEL_CONTENT, label_value(content)),
        mark,
        ("app.kubernetes.io/managed-by", "offhost".to_owned()),
        ("app.kubernetes.io/part-of", "offhost".to_owned()),
    ];
    ContentJob {
        api_version: API_VERSION.to_owned(),
        kind: KIND_CONTENT_JOB.to_owned(),
        metadata: ObjectMeta {
            name: Some(name),
            namespace: app.metadata.namespace.clone(),
            labels: Some(BTreeMap::from(
                labels.map(|(name, value)| (name.to_owned(), value)),
            )),
            owner_references: Some(vec![OwnerReference {
                api_version: API_VERSION.to_owned(),
                kind: KIND_CONTENT_APP.to_owned(),
                name: app.name_any(),
                uid: app.metadata.uid.clone().unwrap_or_default(),
                controller: Some(true),
                block_owner_deletion: None,
            }]),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    }
}
