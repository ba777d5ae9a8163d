//! The gateway as the chart installs it: its Deployment, its permissions, its keys, and how visitors get to it.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::client::Connection;
use super::doctor::{get, is_code, unknown};
use super::doctor_access::{GATEWAY, of_account};
use crate::check::Check;

/// Labels of what belongs to the gateway.
const SELECTOR: &str = "app.kubernetes.io/part-of=offhost,app.kubernetes.io/component=gateway";
/// Says of a Service that monitoring asks it, and not visitors.
const MONITORED: &str = "offhost.dev/monitored";
/// Name of the port for visitors.
const HTTP: &str = "http";

/// Everything about the gateway.
pub(super) async fn check(connection: &Connection) -> Vec<Check> {
    const NAME: &str = "gateway";
    let deployments: Api<Deployment> = Api::namespaced(connection.client.clone(), &connection.namespace);
    let found = match deployments.list(&own()).await {
        Ok(found) => found.items.into_iter().next(),
        Err(error) => return vec![unknown(NAME, "list", "deployments", connection, error)],
    };
    let Some(deployment) = found else {
        return vec![Check::warn(
            NAME,
            format!("there is none in namespace '{}'", connection.namespace),
            "jobs run without one; to serve content set gateway.enabled of the chart",
        )];
    };
    let mut checks = vec![ready(NAME, &deployment)];
    checks.push(permissions(connection, &deployment).await);
    checks.extend(keys(connection, &deployment).await);
    let (service, name) = service(connection).await;
    checks.push(service);
    checks.extend(ingress(connection, name.as_deref()).await);
    checks.extend(route(connection).await);
    checks
}

fn own() -> ListParams {
    ListParams::default().labels(SELECTOR)
}

/// Whether its Pods are ready.
fn ready(check: &'static str, deployment: &Deployment) -> Check {
    let name = deployment.name_any();
    let wanted = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    let status = deployment.status.as_ref();
    let ready = status.and_then(|status| status.ready_replicas).unwrap_or(0);
    let see = format!("see why: kubectl describe deployment/{name}; kubectl logs deployment/{name}");
    match (ready, wanted) {
        (_, 0) => Check::warn(
            check,
            format!("Deployment '{name}' has no replicas, so that nobody is answered"),
            format!("kubectl scale deployment/{name} --replicas=2"),
        ),
        (0, _) => Check::fail(
            check,
            format!("none of {wanted} Pods of Deployment '{name}' is ready; {see}"),
        ),
        (ready, wanted) if ready < wanted => Check::warn(
            check,
            format!("{ready} of {wanted} Pods of Deployment '{name}' are ready"),
            see,
        ),
        (ready, _) => Check::pass(check, format!("Deployment '{name}', {ready} ready")),
    }
}

/// Whether its account may see what it serves, and find the leading controller.
async fn permissions(connection: &Connection, deployment: &Deployment) -> Check {
    let pod = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let account = pod.and_then(|pod| pod.service_account_name.as_deref());
    let account = account.unwrap_or("default");
    of_account(connection, "gateway access", account, "the gateway", &GATEWAY).await
}

/// The Secrets that its Pods mount: keys of session cookies, a certificate.
async fn keys(connection: &Connection, deployment: &Deployment) -> Vec<Check> {
    const NAME: &str = "gateway secrets";
    let pod = deployment
        .spec
        .as_ref()
        .and_then(|spec| spec.template.spec.as_ref());
    let volumes = pod.into_iter().flat_map(|pod| pod.volumes.iter().flatten());
    let named =
        volumes.filter_map(|volume| Some((&volume.name, volume.secret.as_ref()?.secret_name.as_ref()?)));
    let secrets: Api<Secret> = Api::namespaced(connection.client.clone(), &connection.namespace);
    let mut checks = Vec::new();
    for (volume, name) in named {
        // What is in them is nobody's business.
        checks.push(match secrets.get(name).await {
            Ok(secret) => entries(NAME, volume, name, &secret),
            Err(error) if is_code(&error, 404) => Check::fail(
                NAME,
                format!(
                    "there is no Secret '{name}' in namespace '{}', which the gateway mounts; make it, or correct the chart's values",
                    connection.namespace
                ),
            ),
            Err(error) => unknown(NAME, "get", "secrets", connection, error),
        });
    }
    checks
}

fn entries(check: &'static str, volume: &str, name: &str, secret: &Secret) -> Check {
    let wanted: &[&str] = match volume {
        "keys" => &["keys"],
        "tls" => &["tls.crt", "tls.key"],
        _ => &[],
    };
    let has = |entry: &&&str| {
        let data = secret.data.iter().flatten();
        data.into_iter()
            .any(|(key, value)| key == **entry && !value.0.is_empty())
    };
    let missing: Vec<&str> = wanted.iter().filter(|entry| !has(entry)).copied().collect();
    if missing.is_empty() {
        return Check::pass(check, format!("'{name}'"));
    }
    Check::fail(
        check,
        format!(
            "Secret '{name}' has no entry '{}'; add it",
            missing.join("' and no '")
        ),
    )
}

/// Where visitors come in, and its name.
async fn service(connection: &Connection) -> (Check, Option<String>) {
    const NAME: &str = "gateway service";
    let services: Api<Service> = Api::namespaced(connection.client.clone(), &connection.namespace);
    let found = match services.list(&own()).await {
        Ok(found) => found.items,
        Err(error) => return (unknown(NAME, "list", "services", connection, error), None),
    };
    let for_visitors = |service: &&Service| {
        let ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten());
        let mut ports = ports.into_iter();
        !service.labels().contains_key(MONITORED) && ports.any(|port| port.name.as_deref() == Some(HTTP))
    };
    let Some(service) = found.iter().find(for_visitors) else {
        let none = "no Service leads visitors to the gateway; install the chart's again, or make one for its port 'http'";
        return (Check::fail(NAME, none), None);
    };
    let name = service.name_any();
    let kind = service.spec.as_ref().and_then(|spec| spec.type_.as_deref());
    let kind = kind.unwrap_or("ClusterIP");
    let balancer = service
        .status
        .as_ref()
        .and_then(|status| status.load_balancer.as_ref());
    let has_address = balancer.is_some_and(|balancer| balancer.ingress.iter().flatten().next().is_some());
    let check = if kind == "LoadBalancer" && !has_address {
        Check::warn(
            NAME,
            format!("'{name}' has no address yet"),
            format!("see whether this cluster has load balancers: kubectl describe service/{name}"),
        )
    } else {
        Check::pass(NAME, format!("'{name}', {kind}"))
    };
    (check, Some(name))
}

/// The Ingress, where there is one.
async fn ingress(connection: &Connection, service: Option<&str>) -> Vec<Check> {
    const NAME: &str = "gateway ingress";
    let ingresses: Api<Ingress> = Api::namespaced(connection.client.clone(), &connection.namespace);
    let found = match ingresses.list(&own()).await {
        Ok(found) => found.items,
        Err(error) => return vec![unknown(NAME, "list", "ingresses", connection, error)],
    };
    let told = found.iter().map(|ingress| {
        let name = ingress.name_any();
        let rules = ingress.spec.iter().flat_map(|spec| spec.rules.iter().flatten());
        let hosts: Vec<&str> = rules.clone().filter_map(|rule| rule.host.as_deref()).collect();
        let mut targets = rules
            .flat_map(|rule| rule.http.iter().flat_map(|http| &http.paths))
            .filter_map(|path| path.backend.service.as_ref());
        if let Some(other) = targets.find(|target| service.is_some_and(|service| service != target.name)) {
            let said = format!("'{name}' leads to the Service '{}'; correct it", other.name);
            return Check::fail(NAME, said);
        }
        let balancer = ingress
            .status
            .as_ref()
            .and_then(|status| status.load_balancer.as_ref());
        if balancer.is_none_or(|balancer| balancer.ingress.iter().flatten().next().is_none()) {
            return Check::warn(
                NAME,
                format!("'{name}' has no address: no ingress controller has taken it yet"),
                format!("see its class: kubectl describe ingress/{name}"),
            );
        }
        Check::pass(NAME, format!("'{name}' for {}", hosts.join(", ")))
    });
    told.collect()
}

/// The route of the Gateway API, where there is one.
async fn route(connection: &Connection) -> Vec<Check> {
    const NAME: &str = "gateway route";
    let path = format!(
        "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes?labelSelector={}",
        connection.namespace,
        SELECTOR
            .replace('/', "%2F")
            .replace('=', "%3D")
            .replace(',', "%2C")
    );
    let found: Value = match get(connection, &path).await {
        Ok(found) => found,
        // This cluster has no Gateway API.
        Err(error) if is_code(&error, 404) => return Vec::new(),
        Err(error) => return vec![unknown(NAME, "list", "httproutes", connection, error)],
    };
    let routes = found["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    routes.iter().map(|route| accepted(NAME, route)).collect()
}

fn accepted(check: &'static str, route: &Value) -> Check {
    let name = route["metadata"]["name"].as_str().unwrap_or_default();
    let parents = route["status"]["parents"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let conditions = parents
        .iter()
        .flat_map(|parent| parent["conditions"].as_array().into_iter().flatten());
    let wrong = conditions.into_iter().find(|condition| {
        matches!(condition["type"].as_str(), Some("Accepted" | "ResolvedRefs"))
            && condition["status"] == "False"
    });
    if let Some(wrong) = wrong {
        let said = wrong["message"].as_str().unwrap_or_default();
        return Check::fail(
            check,
            format!("HTTPRoute '{name}' is not taken: {said}; correct gateway.httpRoute of the chart"),
        );
    }
    if parents.is_empty() {
        return Check::warn(
            check,
            format!("HTTPRoute '{name}' was taken by no Gateway yet"),
            "see gateway.httpRoute.parentRefs of the chart",
        );
    }
    Check::pass(check, format!("HTTPRoute '{name}'"))
}
