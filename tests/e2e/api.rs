//! The API server, by paths and JSON: what a test sends and gets is what anybody would.

use std::sync::LazyLock;

use kube::Client;
use serde_json::Value;
use tokio::runtime::Runtime;

/// Path of the custom resources of a namespace.
pub(crate) fn jobs(namespace: &str) -> String {
    format!("/apis/offhost.dev/v1alpha1/namespaces/{namespace}/contentjobs")
}

/// Path of what the core has in a namespace: `pods`, `secrets`, `events`.
pub(crate) fn core(namespace: &str, kind: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/{kind}")
}

/// What the API server refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The HTTP status.
    pub(crate) code: u16,
    /// Its words.
    pub(crate) message: String,
}

pub(crate) struct Api {
    pub(crate) runtime: Runtime,
    pub(crate) client: Client,
}

/// The cluster of KUBECONFIG.
pub(crate) static API: LazyLock<Api> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(Client::try_default()).unwrap();
    Api { runtime, client }
});

/// One request. Whatever is not an answer is a fault of the cluster, and ends the test.
pub(crate) async fn send(
    method: &str,
    path: &str,
    kind: &str,
    body: Option<&Value>,
) -> Result<Value, Refusal> {
    let bytes = body.map_or_else(Vec::new, |body| serde_json::to_vec(body).unwrap());
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("Content-Type", kind)
        .body(bytes)
        .unwrap();
    match API.client.request::<Value>(request).await {
        Ok(answer) => Ok(answer),
        Err(kube::Error::Api(status)) => Err(Refusal {
            code: status.code,
            message: status.message.clone(),
        }),
        Err(error) => panic!("{method} {path}: {error}"),
    }
}

fn call(method: &str, path: &str, kind: &str, body: Option<&Value>) -> Result<Value, Refusal> {
    API.runtime.block_on(send(method, path, kind, body))
}

/// The object, if there is one.
#[track_caller]
pub(crate) fn find(path: &str) -> Option<Value> {
    match call("GET", path, "application/json", None) {
        Ok(object) => Some(object),
        Err(refusal) if refusal.code == 404 => None,
        Err(refusal) => panic!("GET {path}: {refusal:?}"),
    }
}

/// The object.
#[track_caller]
pub(crate) fn get(path: &str) -> Value {
    find(path).unwrap_or_else(|| panic!("there is no {path}"))
}

/// The objects of a list.
#[track_caller]
pub(crate) fn list(path: &str) -> Vec<Value> {
    let mut list = get(path);
    serde_json::from_value(list["items"].take()).unwrap()
}

/// Makes an object.
pub(crate) fn try_create(path: &str, object: &Value) -> Result<Value, Refusal> {
    call("POST", path, "application/json", Some(object))
}

/// Makes an object that must be taken.
#[track_caller]
pub(crate) fn create(path: &str, object: &Value) -> Value {
    try_create(path, object).unwrap_or_else(|refusal| panic!("POST {path}: {refusal:?}\n{object:#}"))
}

/// Changes an object, as `kubectl patch --type merge`.
pub(crate) fn try_patch(path: &str, change: &Value) -> Result<Value, Refusal> {
    call("PATCH", path, "application/merge-patch+json", Some(change))
}

/// Changes an object that must be there.
#[track_caller]
pub(crate) fn patch(path: &str, change: &Value) -> Value {
    try_patch(path, change).unwrap_or_else(|refusal| panic!("PATCH {path}: {refusal:?}"))
}

/// Removes an object, if it is there.
#[track_caller]
pub(crate) fn delete(path: &str) {
    match call("DELETE", path, "application/json", None) {
        Ok(_) => {}
        Err(refusal) if refusal.code == 404 => {}
        Err(refusal) => panic!("DELETE {path}: {refusal:?}"),
    }
}
