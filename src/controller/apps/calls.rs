//! Calls to the API server about applications.

use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::json;

use crate::api::app_resource::ContentApp;
use crate::api::app_status::ContentAppStatus;
use crate::controller::api::{Calls, post};
use crate::controller::call_error::CallError;
use crate::controller::seen::SeenApp;
use crate::names::{API_VERSION, KIND_CONTENT_APP, PLURAL_CONTENT_APP};

impl Calls {
    /// Writes the status of an application. Refused as stale where the application has changed since it was seen.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn write_app_status(
        &self,
        app: &ContentApp,
        status: &ContentAppStatus,
    ) -> Result<SeenApp, CallError> {
        let name = app.name_any();
        // The API server takes nothing but the status from this, and its version to compare.
        let body = json!({
            "apiVersion": API_VERSION,
            "kind": KIND_CONTENT_APP,
            "metadata": {
                "name": name,
                "namespace": app.metadata.namespace,
                "uid": app.metadata.uid,
                "resourceVersion": app.metadata.resource_version,
            },
            "status": status,
        });
        let params = post();
        let call = self.apps.replace_subresource("status", &name, &params, &body);
        self.call("update", "contentapps/status", &name, call).await
    }

    /// Every application, as the API server has them now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list_apps(&self) -> Result<Vec<SeenApp>, CallError> {
        let params = ListParams::default();
        let list = self
            .call("list", PLURAL_CONTENT_APP, "", self.apps.list(&params))
            .await?;
        Ok(list.items)
    }
}
