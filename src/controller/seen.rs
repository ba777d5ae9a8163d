//! A job as it comes from the API server: one that this program can not read does not end the watch of all others.

use std::borrow::Cow;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::Value;

use crate::api::app_resource::ContentApp;
use crate::api::resource::ContentJob;
use crate::names::{API_VERSION, KIND_CONTENT_APP, KIND_CONTENT_JOB};
use crate::text::suggest_in_serde_message;

/// Annotation in which `kubectl apply` repeats the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A job, and what of it could not be read.
///
/// The API server holds jobs against the schema, so only one that was written for another version of this program, as
/// during an upgrade, can have a fault. Its metadata can be read in any case, so it can be told and be deleted.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenJob {
    /// The job; what could not be read of it is empty.
    pub job: ContentJob,
    /// What could not be read.
    pub fault: Option<String>,
}

/// An application, and what of it could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenApp {
    /// The application; what could not be read of it is empty.
    pub app: ContentApp,
    /// What could not be read.
    pub fault: Option<String>,
}

/// Reads an object of ours whatever its spec and status are, and makes it known to kube's client.
macro_rules! seen {
    ($seen:ident, $field:ident: $object:ident, $kind:expr) => {
        impl<'de> Deserialize<'de> for $seen {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = Raw::deserialize(deserializer)?;
                let (spec, spec_fault) = part("spec", raw.spec);
                let (status, status_fault) = part("status", raw.status);
                let mut $field = $object {
                    api_version: API_VERSION.to_owned(),
                    kind: $kind.to_owned(),
                    metadata: raw.metadata,
                    spec: spec.unwrap_or_default(),
                    status,
                };
                trim(&mut $field.metadata);
                Ok(Self {
                    $field,
                    fault: spec_fault.or(status_fault),
                })
            }
        }

        impl kube::Resource for $seen {
            type DynamicType = ();
            type Scope = NamespaceResourceScope;

            fn kind((): &()) -> Cow<'_, str> {
                $object::kind(&())
            }

            fn group((): &()) -> Cow<'_, str> {
                $object::group(&())
            }

            fn version((): &()) -> Cow<'_, str> {
                $object::version(&())
            }

            fn plural((): &()) -> Cow<'_, str> {
                $object::plural(&())
            }

            fn meta(&self) -> &ObjectMeta {
                &self.$field.metadata
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                &mut self.$field.metadata
            }
        }
    };
}

seen!(SeenJob, job: ContentJob, KIND_CONTENT_JOB);
seen!(SeenApp, app: ContentApp, KIND_CONTENT_APP);

/// An object before its parts are read.
#[derive(Deserialize)]
struct Raw {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

/// One part of an object, or what is wrong with it.
fn part<T: DeserializeOwned>(name: &str, value: Value) -> (Option<T>, Option<String>) {
    if value.is_null() {
        return (None, None);
    }
    match serde_json::from_value(value) {
        Ok(part) => (Some(part), None),
        Err(error) => {
            let what = suggest_in_serde_message(&error.to_string());
            (None, Some(format!("{name}: {what}")))
        }
    }
}

/// Drops what nobody here reads and what makes most of an object in memory.
pub fn trim(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_of_another_version_keeps_its_name_and_what_can_be_read() {
        let seen: SeenJob = serde_json::from_value(json!({
            "apiVersion": "offhost.dev/v1alpha1",
            "kind": "ContentJob",
            "metadata": {
                "name": "a",
                "uid": "u",
                "managedFields": [{"manager": "kubectl"}],
                "annotations": {LAST_APPLIED: "{}", "own": "1"},
            },
            "spec": {"tasks": "Render"},
            "status": {"observedGeneration": 3},
        }))
        .unwrap();
        assert_eq!(seen.job.metadata.name.as_deref(), Some("a"));
        assert_eq!(seen.job.status.unwrap().observed_generation, Some(3));
        let fault = seen.fault.unwrap();
        assert!(fault.starts_with("spec: unknown field `tasks`"), "{fault}");
        assert_eq!(seen.job.metadata.managed_fields, None);
        let annotations = seen.job.metadata.annotations.unwrap();
        assert_eq!(annotations.keys().collect::<Vec<_>>(), ["own"]);
    }

    #[test]
    fn a_job_without_a_status_is_whole() {
        let seen: SeenJob =
            serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": {"task": "Render"}})).unwrap();
        assert_eq!((seen.fault, seen.job.status), (None, None));
    }
}
