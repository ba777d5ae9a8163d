//! What `offhost doctor --cluster` looks at. Every check runs, whatever another found; what would be made is only tried.

use axum::http::Request;
use serde::de::DeserializeOwned;

use super::client::Connection;
use super::error::ClusterError;
use super::{
    doctor_access as access, doctor_definition as definition, doctor_gateway as gateway, doctor_pods as pods,
    doctor_site as site,
};
use crate::check::{Check, Status};
use crate::runtimes::Runtimes;
use crate::settings::Settings;

pub use super::doctor_access::{CONTROLLER, GATEWAY, PUBLISHER, Permission};

/// What the cluster is held against.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The settings of the controller.
    pub settings: &'a Settings,
    /// Where they were read, for people; none where there are only defaults and variables.
    pub place: Option<String>,
    /// The controller's service account, where its permissions are asked for instead of the caller's.
    pub service_account: Option<String>,
    /// The images, or why they can not be read.
    pub runtimes: Result<Runtimes, String>,
}

/// What the controller needs, asked with the credentials of whoever asks.
pub async fn examine(connection: &Connection, subject: &Subject<'_>) -> Vec<Check> {
    let mut checks = first(connection).await;
    if checks.iter().any(|check| check.status == Status::Fail) {
        // Whatever else was asked would get no other answer.
        return checks;
    }
    checks.extend(definition::check(connection).await);
    checks.extend(access::of_controller(connection, subject.service_account.as_deref()).await);
    checks.extend(site::check(connection, subject).await);
    checks.extend(pods::check(connection, subject).await);
    checks.push(access::admission(connection).await);
    checks.extend(gateway::check(connection).await);
    checks.extend(current_user(subject.settings));
    checks
}

/// CU4.
fn current_user(settings: &Settings) -> Option<Check> {
    settings.applications.run_as_current_user.then(|| {
        Check::warn(
            "current user",
            "Applications.RunAsCurrentUser has no effect: nothing runs as the visitor's account in Pods",
            "remove it, and name an account with spec.runAs; or serve such content with 'offhost serve'",
        )
    })
}

/// What a publisher needs.
pub async fn examine_publisher(connection: &Connection) -> Vec<Check> {
    let mut checks = first(connection).await;
    if checks.iter().any(|check| check.status == Status::Fail) {
        return checks;
    }
    checks.push(definition::discovered(connection).await);
    checks.extend(access::of_publisher(connection).await);
    checks.push(site::upload_service(connection).await);
    checks
}

/// Whether the API server answers, in which version, and as whom it knows the caller.
async fn first(connection: &Connection) -> Vec<Check> {
    match definition::version(connection).await {
        Ok(check) => vec![check, access::user(connection).await],
        Err(error) => vec![Check::fail("API server", error)],
    }
}

/// How to ask with the configuration and the credentials of the controller.
pub(super) fn as_controller(connection: &Connection) -> String {
    let namespace = &connection.namespace;
    format!(
        "ask as the controller: kubectl exec -n {namespace} deployment/offhost -- offhost doctor --cluster"
    )
}

/// What the API server answers to a GET of this path.
pub(super) async fn get<T: DeserializeOwned>(connection: &Connection, path: &str) -> Result<T, kube::Error> {
    let request = Request::get(path)
        .body(Vec::new())
        .map_err(kube::Error::HttpError)?;
    connection.client.request(request).await
}

/// The answer of the API server, in its own words.
pub(super) fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.trim().trim_end_matches('.').to_owned(),
        other => super::error::innermost(other),
    }
}

/// Whether the API server says that.
pub(super) fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

/// An error that is no verdict about what was looked at.
pub(super) fn unknown(
    name: &'static str,
    verb: &'static str,
    resource: &str,
    connection: &Connection,
    error: kube::Error,
) -> Check {
    let error = ClusterError::of(verb, resource, &connection.namespace, error);
    Check::warn(name, "it can not be looked at", error.to_string())
}
