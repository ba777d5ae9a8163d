//! Access reviews: whether somebody may do something in a namespace, asked of the API server's own authorizer.

use k8s_openapi::api::authorization::v1::{
    LocalSubjectAccessReview, ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
    SubjectAccessReviewSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::PostParams;

use super::client::Connection;

/// Whose permissions are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who<'a> {
    /// Whoever asks.
    Caller,
    /// This service account of the namespace; asking for it is a permission of its own.
    ServiceAccount(&'a str),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deed<'a> {
    pub(super) verb: &'a str,
    pub(super) group: &'a str,
    /// `resource` or `resource/subresource`.
    pub(super) resource: &'a str,
    /// Name of the object; any when empty.
    pub(super) name: Option<String>,
}

/// Whether it is allowed in the connection's namespace.
pub(super) async fn allowed(
    connection: &Connection,
    who: Who<'_>,
    deed: Deed<'_>,
) -> Result<bool, kube::Error> {
    let namespace = &connection.namespace;
    let (resource, subresource) = match deed.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (deed.resource, None),
    };
    let attributes = ResourceAttributes {
        group: Some(deed.group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource,
        name: deed.name,
        verb: Some(deed.verb.to_owned()),
        namespace: Some(namespace.clone()),
        ..ResourceAttributes::default()
    };
    let params = PostParams::default();
    let status = match who {
        Who::Caller => {
            let reviews: Api<SelfSubjectAccessReview> = Api::all(connection.client.clone());
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec {
                    resource_attributes: Some(attributes),
                    non_resource_attributes: None,
                },
                ..SelfSubjectAccessReview::default()
            };
            reviews.create(&params, &review).await?.status
        }
        Who::ServiceAccount(name) => {
            let reviews: Api<LocalSubjectAccessReview> =
                Api::namespaced(connection.client.clone(), namespace);
            let review = LocalSubjectAccessReview {
                metadata: ObjectMeta {
                    namespace: Some(namespace.clone()),
                    ..ObjectMeta::default()
                },
                spec: SubjectAccessReviewSpec {
                    user: Some(format!("system:serviceaccount:{namespace}:{name}")),
                    groups: Some(groups(namespace)),
                    resource_attributes: Some(attributes),
                    ..SubjectAccessReviewSpec::default()
                },
                status: None,
            };
            reviews.create(&params, &review).await?.status
        }
    };
    Ok(status.is_some_and(|status| status.allowed))
}

/// The groups of every service account of a namespace.
fn groups(namespace: &str) -> Vec<String> {
    vec![
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
        "system:authenticated".to_owned(),
    ]
}
