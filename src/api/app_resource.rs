//! `ContentApp` as the API server keeps it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::{Deserialize, Serialize};

use super::app::ContentAppSpec;
use super::app_status::ContentAppStatus;

/// The custom resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentApp {
    /// Always `offhost.dev/v1alpha1`.
    pub api_version: String,
    /// Always `ContentApp`.
    pub kind: String,
    /// Name, labels, generation.
    pub metadata: ObjectMeta,
    /// What is to be served, and how.
    pub spec: ContentAppSpec,
    /// What happens; written by the controller alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ContentAppStatus>,
}
