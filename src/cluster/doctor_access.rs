//! Who may do what: access reviews, and whether naming an account is held against a permission.

use futures::{StreamExt, stream};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DynamicObject, PostParams, Request};
use kube::{Api, Resource};

use super::access::{Deed, Who, allowed};
use super::client::Connection;
use super::doctor::{as_controller, is_code, said};
use super::upload;
use crate::api::job::{BundleRef, ContentJobSpec};
use crate::api::resource::ContentJob;
use crate::check::Check;
use crate::names::{API_VERSION, GROUP, KIND_CONTENT_JOB, LEASE, PLURAL_CONTENT_JOB};

const NAME: &str = "permissions";
/// Reviews at a time.
const AT_A_TIME: usize = 8;
/// An account that nobody has: a job that names it is only tried.
const SOME_ACCOUNT: &str = "offhost-doctor";

/// Verbs on a resource: group, `resource` or `resource/subresource`, verbs.
pub type Permission = (&'static str, &'static str, &'static [&'static str]);

/// What the controller does, as docs/rbac.md gives the reasons.
pub const CONTROLLER: [Permission; 12] = [
    (
        GROUP,
        "contentjobs",
        &["get", "list", "watch", "create", "patch", "delete"],
    ),
    (GROUP, "contentjobs/status", &["get", "patch", "update"]),
    (GROUP, "contentjobs/finalizers", &["update"]),
    (GROUP, "contentapps", &["get", "list", "watch"]),
    (GROUP, "contentapps/status", &["get", "patch", "update"]),
    (GROUP, "contentapps/finalizers", &["update"]),
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
pub const PUBLISHER: [Permission; 8] = [
    (
        GROUP,
        "contentjobs",
        &["get", "list", "watch", "create", "patch", "update", "delete"],
    ),
    (
        GROUP,
        "contentapps",
        &["get", "list", "watch", "create", "patch", "update", "delete"],
    ),
    (GROUP, "contentapps/scale", &["get", "patch", "update"]),
    ("", "services", &["list"]),
    ("", "services/proxy", &["update"]),
    ("", "pods", &["get", "list", "watch"]),
    ("", "events", &["get", "list", "watch"]),
    ("", "pods/log", &["get"]),
];

/// What a gateway does: it sees what is served and finds the leading controller.
pub const GATEWAY: [Permission; 2] = [
    (GROUP, "contentapps", &["get", "list", "watch"]),
    ("coordination.k8s.io", "leases", &["get", "list", "watch"]),
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

/// Whether the controller may do what it does: its service account where that is named, else the caller.
pub(super) async fn of_controller(connection: &Connection, service_account: Option<&str>) -> Vec<Check> {
    const ROLE: &str = "give its Role these verbs, as docs/rbac.md lists them";
    if let Some(name) = service_account {
        let found = of(connection, Who::ServiceAccount(name), &CONTROLLER).await;
        let whose = format!("service account '{name}'");
        return vec![verdict(found, &whose, "the controller", ROLE)];
    }
    let remedy = format!(
        "name the controller's service account with --service-account, or {}; if you are it, {ROLE}",
        as_controller(connection)
    );
    let found = of(connection, Who::Caller, &CONTROLLER).await;
    vec![verdict(found, "you", "the controller", &remedy)]
}

/// Whether the caller may do what publishers do, and whether they may name accounts.
pub(super) async fn of_publisher(connection: &Connection) -> Vec<Check> {
    let remedy = "ask an administrator for the role of publishers, which docs/rbac.md describes";
    let found = of(connection, Who::Caller, &PUBLISHER).await;
    let mut checks = vec![verdict(found, "you", "a publisher", remedy)];
    checks.push(match may_name_accounts(connection).await {
        true => Check::pass("accounts", "you may name accounts and service accounts in jobs"),
        false => Check::pass(
            "accounts",
            "you may name no accounts in jobs (spec.runAs, spec.serviceAccountName)",
        ),
    });
    checks
}

/// Whether a service account may do what `who` does.
pub(super) async fn of_account(
    connection: &Connection,
    check: &'static str,
    account: &str,
    who: &str,
    wanted: &[Permission],
) -> Check {
    let found = of(connection, Who::ServiceAccount(account), wanted).await;
    let whose = format!("service account '{account}'");
    let role = "give its Role these verbs, as docs/rbac.md lists them";
    Check {
        name: check,
        ..verdict(found, &whose, who, role)
    }
}

/// How many permissions there are, and which are missing: each resource with its verbs.
type Found = Result<(usize, Vec<String>), kube::Error>;

async fn of(connection: &Connection, who: Who<'_>, wanted: &[Permission]) -> Found {
    let all: Vec<(&Permission, &str)> = wanted
        .iter()
        .flat_map(|permission| permission.2.iter().map(move |verb| (permission, *verb)))
        .collect();
    let count = all.len();
    // The Service that is sent to is the only one whose proxy publishers are given.
    let service = upload::service(connection, None).await.unwrap_or_default();
    let answers = stream::iter(all).map(|((group, resource, _), verb)| {
        let deed = Deed {
            verb,
            group,
            resource,
            name: match *resource {
                "services/proxy" => Some(upload::target(&service)),
                // The gateway is given the controllers' alone; what is not there yet has no name to be asked for.
                "leases" if verb != "create" => Some(LEASE.to_owned()),
                _ => None,
            },
        };
        async move { (*resource, verb, allowed(connection, who, deed).await) }
    });
    let answers: Vec<_> = answers.buffered(AT_A_TIME).collect().await;
    let mut missing: Vec<(&str, Vec<&str>)> = Vec::new();
    for (resource, verb, answer) in answers {
        match (answer?, missing.last_mut()) {
            (true, _) => {}
            (false, Some((last, verbs))) if *last == resource => verbs.push(verb),
            (false, _) => missing.push((resource, vec![verb])),
        }
    }
    let lines = missing
        .iter()
        .map(|(resource, verbs)| format!("{} {resource}", verbs.join(", ")));
    Ok((count, lines.collect()))
}

fn verdict(found: Found, whose: &str, who: &str, remedy: &str) -> Check {
    match found {
        Ok((count, missing)) if missing.is_empty() => {
            Check::pass(NAME, format!("{whose}: all {count} that {who} needs"))
        }
        Ok((_, missing)) => Check {
            remedy: Some(remedy.to_owned()),
            ..Check::fail(
                NAME,
                format!(
                    "{whose}: not all that {who} needs; missing: {}",
                    missing.join("; ")
                ),
            )
        },
        Err(error) => Check::warn(NAME, "they can not be asked for", said(&error)),
    }
}

async fn may_name_accounts(connection: &Connection) -> bool {
    let deed = Deed {
        verb: "runas",
        group: GROUP,
        resource: PLURAL_CONTENT_JOB,
        name: None,
    };
    allowed(connection, Who::Caller, deed).await.unwrap_or(false)
}

/// Whether the cluster asks for a permission before a job may name an account (RA2): a job that names one is tried.
pub(super) async fn admission(connection: &Connection) -> Check {
    const NAME: &str = "accounts of jobs";
    let remedy = "install the chart's policy (admission.enabled), or let only administrators make jobs";
    if may_name_accounts(connection).await {
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
