//! `ContentJob` as the API server keeps it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::job::ContentJobSpec;
use super::status::ContentJobStatus;

/// The custom resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentJob {
    /// Always `offhost.dev/v1alpha1`.
    pub api_version: String,
    /// Always `ContentJob`.
    pub kind: String,
    /// Name, labels, generation.
    pub metadata: ObjectMeta,
    /// What is to be done.
    pub spec: ContentJobSpec,
    /// What happened; written by the controller alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ContentJobStatus>,
}
