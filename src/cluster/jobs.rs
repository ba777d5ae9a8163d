//! Jobs on a cluster, as a person works with them: made, looked at, deleted.
//!
//! They are read without their specification: that of a newer cluster may have fields that this program does not know.

use kube::api::{ApiResource, DeleteParams, DynamicObject, PostParams, Request};
use kube::{Api, Client, Resource};
use serde_json::Value;

use super::error::ClusterError;
use crate::api::resource::ContentJob;
use crate::api::status::{ContentJobStatus, SUCCEEDED};
use crate::names::PLURAL_CONTENT_JOB;
use crate::reason::Reason;

/// Field manager of what people make with this program.
const FIELD_MANAGER: &str = "offhost-cli";

/// The jobs of a namespace.
#[derive(Clone)]
pub struct Jobs {
    client: Client,
    api: Api<DynamicObject>,
    namespace: String,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jobs")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

/// A job as it was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Its name.
    pub name: String,
    /// What the controller says of it.
    pub status: ContentJobStatus,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is not over.
    Open,
    /// It has succeeded.
    Succeeded,
    /// It has failed for good: reason and sentence.
    Failed(String, String),
}

impl Seen {
    /// The sentence that says how far it is.
    #[must_use]
    pub fn sentence(&self) -> Option<&str> {
        let succeeded = self.succeeded()?;
        Some(succeeded.message.as_str()).filter(|message| !message.is_empty())
    }

    /// Name of the reason that its last condition gives.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        Some(self.succeeded()?.reason.as_str())
    }

    /// Whether it waits for its archive.
    #[must_use]
    pub fn awaits_upload(&self) -> bool {
        self.reason() == Some(Reason::AwaitingUpload.name())
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.succeeded() {
            Some(condition) if condition.status == "True" => Outcome::Succeeded,
            Some(condition) if condition.status == "False" => {
                Outcome::Failed(condition.reason.clone(), condition.message.clone())
            }
            _ => Outcome::Open,
        }
    }

    fn succeeded(&self) -> Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
        let mut conditions = self.status.conditions.iter();
        conditions.find(|condition| condition.type_ == SUCCEEDED)
    }
}

impl Jobs {
    /// The jobs of a namespace.
    #[must_use]
    pub fn new(client: &Client, namespace: &str) -> Self {
        let resource = ApiResource::erase::<ContentJob>(&());
        Self {
            client: client.clone(),
            api: Api::namespaced_with(client.clone(), namespace, &resource),
            namespace: namespace.to_owned(),
        }
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Makes a job. A field that the cluster does not know is refused.
    ///
    /// # Errors
    /// The API server refuses it, or gives no answer.
    pub async fn create(&self, job: &ContentJob) -> Result<(), ClusterError> {
        let refused = |error: &dyn std::fmt::Display| ClusterError::Refused {
            said: error.to_string(),
        };
        let body = serde_json::to_vec(job).map_err(|error| refused(&error))?;
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let path = ContentJob::url_path(&(), Some(&self.namespace));
        let request = Request::new(path).create(&params, body);
        let mut request = request.map_err(|error| refused(&error))?;
        // kube's parameters have no word for it.
        let strict = format!("{}&fieldValidation=Strict", request.uri());
        *request.uri_mut() = strict.parse().map_err(|error| refused(&error))?;
        let made = self.client.request::<DynamicObject>(request).await;
        made.map(|_| ()).map_err(|error| self.error("create", error))
    }

    /// The job of that name.
    ///
    /// # Errors
    /// There is none, or the API server gives no answer.
    pub async fn get(&self, name: &str) -> Result<Seen, ClusterError> {
        let found = self.api.get(name).await;
        let mut object = found.map_err(|error| match &error {
            kube::Error::Api(status) if status.code == 404 && status.message.contains(name) => {
                ClusterError::NoJob {
                    name: name.to_owned(),
                    namespace: self.namespace.clone(),
                }
            }
            _ => self.error("get", error),
        })?;
        let status = object.data.get_mut("status").map(Value::take);
        let status = status.map_or_else(|| Ok(ContentJobStatus::default()), serde_json::from_value);
        Ok(Seen {
            name: name.to_owned(),
            status: status.map_err(|error| ClusterError::Api {
                verb: "get",
                resource: PLURAL_CONTENT_JOB.to_owned(),
                said: error.to_string(),
            })?,
        })
    }

    /// Deletes a job that nothing came of. That it is not possible changes nothing for who made it.
    pub async fn forget(&self, name: &str) {
        drop(self.api.delete(name, &DeleteParams::default()).await);
    }

    fn error(&self, verb: &'static str, error: kube::Error) -> ClusterError {
        ClusterError::of(verb, PLURAL_CONTENT_JOB, &self.namespace, error)
    }
}
