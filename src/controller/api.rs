//! Calls to the API server: each with a time limit, few at a time, and errors told by what they mean here.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::ObjectMeta;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::call_error::CallError;
use super::seen::{SeenApp, SeenJob};
use crate::api::resource::ContentJob;
use crate::api::status::ContentJobStatus;
use crate::names::{
    API_VERSION, FIELD_MANAGER, JOB_FINALIZER, KIND_CONTENT_JOB, PLURAL_CONTENT_JOB, POD_FINALIZER,
};

/// Calls at a time, watches not counted.
const AT_A_TIME: usize = 16;
/// How long an answer is waited for; admission webhooks may take 30 s of it.
const ANSWER: Duration = Duration::from_secs(35);

/// What the controller asks of the API server, in its one namespace.
#[derive(Clone)]
pub struct Calls {
    pub(super) apps: Api<SeenApp>,
    jobs: Api<SeenJob>,
    new_jobs: Api<ContentJob>,
    pods: Api<Pod>,
    permits: Arc<Semaphore>,
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calls").finish_non_exhaustive()
    }
}

impl Calls {
    /// Calls in one namespace.
    #[must_use]
    pub fn new(client: &Client, namespace: &str) -> Self {
        Self {
            apps: Api::namespaced(client.clone(), namespace),
            jobs: Api::namespaced(client.clone(), namespace),
            new_jobs: Api::namespaced(client.clone(), namespace),
            pods: Api::namespaced(client.clone(), namespace),
            permits: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }

    /// Writes a status. Refused as stale where the job has changed since it was seen.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn write_status(
        &self,
        job: &ContentJob,
        status: &ContentJobStatus,
    ) -> Result<SeenJob, CallError> {
        let name = job.name_any();
        // The API server takes nothing but the status from this, and its version to compare.
        let body = json!({
            "apiVersion": API_VERSION,
            "kind": KIND_CONTENT_JOB,
            "metadata": {
                "name": name,
                "namespace": job.metadata.namespace,
                "uid": job.metadata.uid,
                "resourceVersion": job.metadata.resource_version,
            },
            "status": status,
        });
        let params = post();
        let call = self.jobs.replace_subresource("status", &name, &params, &body);
        self.call("update", "contentjobs/status", &name, call).await
    }

    /// Puts the finalizer on a job, or takes it off. Refused as stale where the job has changed since it was seen.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn set_job_finalizer(&self, job: &ContentJob, wanted: bool) -> Result<SeenJob, CallError> {
        let mut finalizers: Vec<String> = job.finalizers().to_vec();
        finalizers.retain(|name| name != JOB_FINALIZER);
        if wanted {
            finalizers.push(JOB_FINALIZER.to_owned());
        }
        let body = json!({"metadata": {
            "uid": job.metadata.uid,
            "resourceVersion": job.metadata.resource_version,
            "finalizers": finalizers,
        }});
        let name = job.name_any();
        let patch = Patch::Merge(&body);
        let params = patching();
        let call = self.jobs.patch(&name, &params, &patch);
        self.call("patch", PLURAL_CONTENT_JOB, &name, call).await
    }

    /// A job, as the API server has it now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get_job(&self, name: &str) -> Result<Option<ContentJob>, CallError> {
        let call = self.new_jobs.get_opt(name);
        self.call("get", PLURAL_CONTENT_JOB, name, call).await
    }

    /// Makes a job.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn create_job(&self, job: &ContentJob) -> Result<ContentJob, CallError> {
        let params = post();
        let call = self.new_jobs.create(&params, job);
        self.call("create", PLURAL_CONTENT_JOB, &job.name_any(), call)
            .await
    }

    /// Deletes this very job, and its Pods after it. With `unchanged` only as it was seen.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn delete_job(&self, job: &ContentJob, unchanged: bool) -> Result<(), CallError> {
        let name = job.name_any();
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: job.metadata.uid.clone(),
                resource_version: unchanged.then(|| job.metadata.resource_version.clone()).flatten(),
            }),
            ..DeleteParams::background()
        };
        let call = self.jobs.delete(&name, &params);
        self.call("delete", PLURAL_CONTENT_JOB, &name, call)
            .await
            .map(drop)
    }

    /// Every job, as the API server has them now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list_jobs(&self) -> Result<Vec<SeenJob>, CallError> {
        let params = ListParams::default();
        let list = self
            .call("list", PLURAL_CONTENT_JOB, "", self.jobs.list(&params))
            .await?;
        Ok(list.items)
    }

    /// Every Pod of these labels, as the API server has them now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list_pods(&self, labels: &str) -> Result<Vec<Pod>, CallError> {
        let params = ListParams::default().labels(labels);
        let list = self.call("list", "pods", "", self.pods.list(&params)).await?;
        Ok(list.items)
    }

    /// The Pod of this name, as the API server has it now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn get_pod(&self, name: &str) -> Result<Option<Pod>, CallError> {
        match self.call("get", "pods", name, self.pods.get(name)).await {
            Ok(pod) => Ok(Some(pod)),
            Err(CallError::Gone { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a Pod. A second one of the same name is refused: nothing runs twice.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn create_pod(&self, pod: &Pod) -> Result<Pod, CallError> {
        let params = post();
        let call = self.pods.create(&params, pod);
        self.call("create", "pods", &pod.name_any(), call).await
    }

    /// Whether the API server would take this Pod, and what it makes of it.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn try_pod(&self, pod: &Pod) -> Result<Pod, CallError> {
        let params = PostParams {
            dry_run: true,
            ..post()
        };
        let call = self.pods.create(&params, pod);
        self.call("create", "pods", &pod.name_any(), call).await
    }

    /// Ends this very Pod, within its own grace period or the one given.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn delete_pod(&self, pod: &ObjectMeta, grace: Option<u32>) -> Result<(), CallError> {
        let name = pod.name.clone().unwrap_or_default();
        let params = DeleteParams {
            grace_period_seconds: grace,
            preconditions: Some(Preconditions {
                uid: pod.uid.clone(),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let call = self.pods.delete(&name, &params);
        self.call("delete", "pods", &name, call).await.map(drop)
    }

    /// Takes our finalizer off this very Pod; where it is gone there is nothing to do.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn release_pod(&self, pod: &ObjectMeta) -> Result<Option<Pod>, CallError> {
        let name = pod.name.clone().unwrap_or_default();
        // By name and not by place, so that it does not matter what the kubelet writes meanwhile.
        let body: Value = json!({"metadata": {
            "uid": pod.uid,
            "$deleteFromPrimitiveList/finalizers": [POD_FINALIZER],
        }});
        let patch = Patch::Strategic(&body);
        let params = patching();
        match self
            .call("patch", "pods", &name, self.pods.patch(&name, &params, &patch))
            .await
        {
            Ok(pod) => Ok(Some(pod)),
            // Another Pod of that name is not the one that was meant.
            Err(CallError::Gone { .. } | CallError::Stale { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks, and tells an error by what it means.
    ///
    /// # Errors
    /// [`CallError`].
    pub(super) async fn call<T>(
        &self,
        verb: &'static str,
        resource: &'static str,
        name: &str,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, CallError> {
        let _permit = self.permits.acquire().await;
        match tokio::time::timeout(ANSWER, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(CallError::of(verb, resource, name, error)),
            Err(_) => Err(CallError::Late {
                call: format!("{verb} {resource} {name}"),
                seconds: ANSWER.as_secs(),
            }),
        }
    }
}

pub(super) fn post() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn patching() -> PatchParams {
    PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    }
}
