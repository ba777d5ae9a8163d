//! Who may do what: access reviews, and whether naming an account is held against a permission.

use futures::{StreamExt, stream};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DynamicObject, PostParams, Request};
use kube::{Api, Resource};

use super::client::Connection;
use super::doctor::{as_controller, is_code, said};
use crate::api::job::{BundleRef, ContentJobSpec};
use crate::api::resource::ContentJob;
use crate::check::Check;
use crate::names::{API_VERSION, GROUP, KIND_CONTENT_JOB, PLURAL_CONTENT_JOB};

const NAME: &str = "permissions";
/// Reviews at a time.
const AT_A_TIME: usize = 8;
/// An account that nobody has: a job that names it is only tried.
const SOME_ACCOUNT: &str = "offhost-doctor";

/// Verbs on a resource: group, `resource` or `resource/subresource`, verbs.
pub type Permission = (&'static str, &'static str, &'static [&'static str]);

/// What the controller does, as docs/rbac.md gives the reasons.
pub const CONTROLLER: [Permission; 9] = [
    (
        GROUP,
        "contentjobs",
        &["get", "list", "watch", "create", "patch", "delete"],
    ),
    (GROUP, "contentjobs/status", &["get", "patch", "update"]),
    (GROUP, "contentjobs/finalizers", &["update"]),
    ("", "pods", &["get", "list", "watch", "create", "patch", "delete"]),
    ("", "events", &["list", "watch"]),
    ("events.k8s.io", "events", &["create", "patch"]),
    (
        "coordination.k8s.io",
        "leases",
        &["get", "create", "patch", "update"],
    ),
    ("", "persistentvolumeclaims", &["get"]),
    ("", "serviceaccounts", &["get"]),
];

/// What a publisher does.
pub const PUBLISHER: [Permission; 6] = [
    (
        GROUP,
        "contentjobs",
        &["get", "list", "watch", "create", "patch", "update", "delete"],
    ),
    ("", "services", &["list"]),
    ("", "services/proxy", &["update"]),
    ("", "pods", &["get", "list", "watch"]),
    ("", "events", &["get", "list", "watch"]),
    ("", "pods/log", &["get"]),
];

/// As whom the API server knows the caller.
pub(super) async fn user(connection: &Connection) -> Check {
    const NAME: &str = "user";
    let reviews: Api<SelfSubjectReview> = Api::all(connection.client.clone());
    let namespace = &connection.namespace;
    match reviews
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await
    {
        Ok(review) => {
            let info = review.status.and_then(|status| status.user_info);
            let name = info.and_then(|info| info.username).unwrap_or_default();
            Check::pass(NAME, format!("{name}, in namespace '{namespace}'"))
        }
        Err(error) if is_code(&error, 401) => Check::fail(
            NAME,
            format!("the API server does not know you: {}; log in again", said(&error)),
        ),
        Err(_) => Check::pass(NAME, format!("in namespace '{namespace}'")),
    }
}

/// Whether the caller may do what the controller does.
pub(super) async fn of_controller(connection: &Connection) -> Vec<Check> {
    let remedy = format!(
        "if you are not the controller, {}; else give its Role these verbs, as docs/rbac.md lists them",
        as_controller(connection)
    );
    of(connection, &CONTROLLER, "the controller", &remedy).await
}

/// Whether the caller may do what publishers do, and whether they may name accounts.
pub(super) async fn of_publisher(connection: &Connection) -> Vec<Check> {
    let remedy = "ask an administrator for the role of publishers, which docs/rbac.md describes";
    let mut checks = of(connection, &PUBLISHER, "a publisher", remedy).await;
    let (verb, resource) = ("runas", PLURAL_CONTENT_JOB);
    checks.push(match allowed(connection, GROUP, resource, verb).await {
        Ok(true) => Check::pass("accounts", "you may name accounts and service accounts in jobs"),
        _ => Check::pass(
            "accounts",
            "you may name no accounts in jobs (spec.runAs, spec.serviceAccountName)",
        ),
    });
    checks
}

async fn of(connection: &Connection, wanted: &[Permission], who: &str, remedy: &str) -> Vec<Check> {
    let all: Vec<(&Permission, &str)> = wanted
        .iter()
        .flat_map(|permission| permission.2.iter().map(move |verb| (permission, *verb)))
        .collect();
    let count = all.len();
    let answers = stream::iter(all).map(|(permission, verb)| async move {
        let answer = allowed(connection, permission.0, permission.1, verb).await;
        (permission.1, verb, answer)
    });
    let answers: Vec<_> = answers.buffered(AT_A_TIME).collect().await;
    let mut missing: Vec<(&str, Vec<&str>)> = Vec::new();
    for (resource, verb, answer) in answers {
        match answer {
            Ok(true) => {}
            Ok(false) => match missing.last_mut() {
                Some((last, verbs)) if *last == resource => verbs.push(verb),
                _ => missing.push((resource, vec![verb])),
            },
            Err(error) => {
                return vec![Check::warn(NAME, "they can not be asked for", said(&error))];
            }
        }
    }
    if missing.is_empty() {
        return vec![Check::pass(NAME, format!("all {count} that {who} needs"))];
    }
    let lacks: Vec<String> = missing
        .iter()
        .map(|(resource, verbs)| format!("{} {resource}", verbs.join(", ")))
        .collect();
    vec![Check {
        remedy: Some(remedy.to_owned()),
        ..Check::fail(
            NAME,
            format!(
                "you may not do all that {who} needs; missing: {}",
                lacks.join("; ")
            ),
        )
    }]
}

async fn allowed(
    connection: &Connection,
    group: &str,
    resource: &str,
    verb: &str,
) -> Result<bool, kube::Error> {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (resource, None),
    };
    // The Service that is sent to is the only one that publishers are given.
    let name = match (resource, &subresource) {
        ("services", Some(_)) => Some(super::upload::target(
            &super::upload::service(connection, None).await.unwrap_or_default(),
        )),
        _ => None,
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource,
                name,
                verb: Some(verb.to_owned()),
                namespace: Some(connection.namespace.clone()),
                ..ResourceAttributes::default()
            }),
            non_resource_attributes: None,
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(connection.client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Whether the cluster asks for a permission before a job may name an account (RA2): a job that names one is tried.
pub(super) async fn admission(connection: &Connection) -> Check {
    const NAME: &str = "accounts of jobs";
    let remedy = "install the chart's policy (admission.enabled), or let only administrators make jobs";
    if allowed(connection, GROUP, PLURAL_CONTENT_JOB, "runas")
        .await
        .unwrap_or(false)
    {
        return Check::warn(
            NAME,
            "whether others are refused can not be tried, as you may name accounts yourself",
            as_controller(connection),
        );
    }
    match try_job(connection).await {
        Ok(()) => Check::warn(NAME, "whoever may make jobs may name any account in them", remedy),
        Err(error) if said(&error).contains("runas") => {
            Check::pass(NAME, "naming one needs the permission 'runas'")
        }
        Err(error) if said(&error).contains(" cannot create ") => {
            Check::warn(NAME, "it can not be tried, as you may not make jobs", remedy)
        }
        Err(error) => Check::warn(
            NAME,
            format!("the job that was tried is refused: {}", said(&error)),
            remedy,
        ),
    }
}

/// Offers a job that names an account, in a dry run.
async fn try_job(connection: &Connection) -> Result<(), kube::Error> {
    let job = ContentJob {
        api_version: API_VERSION.to_owned(),
        kind: KIND_CONTENT_JOB.to_owned(),
        metadata: ObjectMeta {
            name: Some(SOME_ACCOUNT.to_owned()),
            ..ObjectMeta::default()
        },
        spec: ContentJobSpec {
            content: Some(SOME_ACCOUNT.to_owned()),
            bundle: BundleRef {
                id: Some("1".to_owned()),
                ..BundleRef::default()
            },
            run_as: Some(SOME_ACCOUNT.to_owned()),
            suspended: true,
            ..ContentJobSpec::default()
        },
        status: None,
    };
    let body = serde_json::to_vec(&job).map_err(kube::Error::SerdeError)?;
    let params = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let path = ContentJob::url_path(&(), Some(&connection.namespace));
    let request = Request::new(path)
        .create(&params, body)
        .map_err(kube::Error::BuildRequest)?;
    connection
        .client
        .request::<DynamicObject>(request)
        .await
        .map(drop)
}
