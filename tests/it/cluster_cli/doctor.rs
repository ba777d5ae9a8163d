//! `offhost doctor --cluster`.

use offhost::cluster::crd;
use offhost::cluster::doctor_config::{Installed, installed};
use serde_json::{Value, json};

use super::fake::{Cluster, Outcome};

/// A cluster where everything is as it should be, and whose caller is the controller.
fn cluster() -> Cluster {
    let cluster = Cluster::new();
    let digest = "a".repeat(64);
    let runtimes = cluster.file(
        "etc/runtimes.yaml",
        &format!("name: Kubernetes\nimages:\n- name: registry.example/content@sha256:{digest}\n  python: {{installations: [{{version: 3.11.2, path: /usr/bin/python3}}]}}\n"),
    );
    configure(
        &cluster,
        &format!(
            "[ExecutionEnvironments]\nConfigFilePath = {}\n",
            runtimes.display()
        ),
    );
    let mut world = cluster.world();
    world.forbidden.insert("runas contentjobs".to_owned());
    for (path, object) in [
        ("cluster/contentjobs.offhost.dev", crd::definitions()[0].json()),
        ("cluster/contentapps.offhost.dev", crd::definitions()[1].json()),
        ("persistentvolumeclaims/content", claim("ReadWriteMany", "Bound")),
        (
            "serviceaccounts/default",
            json!({ "metadata": { "name": "default" } }),
        ),
        (
            "leases/offhost-controller",
            json!({ "metadata": {}, "spec": { "holderIdentity": "offhost-0" } }),
        ),
        (
            "refuse/contentjobs",
            json!("denied: 'somebody' does not have the permission 'runas'"),
        ),
        ("restricted/pods", json!({})),
    ] {
        world.objects.insert(path.to_owned(), object);
    }
    for (path, object) in gateway() {
        world.objects.insert(path.to_owned(), object);
    }
    drop(world);
    cluster
}

/// What the chart installs of the gateway.
fn gateway() -> [(&'static str, Value); 6] {
    let named = |name: &str| {
        json!({ "name": name, "labels": {
            "app.kubernetes.io/part-of": "offhost", "app.kubernetes.io/component": "gateway",
        } })
    };
    let mut metrics = named("offhost-gateway-metrics");
    metrics["labels"]["offhost.dev/monitored"] = json!("true");
    let path = json!({ "backend": { "service": { "name": "offhost-gateway", "port": { "name": "http" } } }, "pathType": "Prefix" });
    [
        (
            "deployments/offhost-gateway",
            json!({
                "metadata": named("offhost-gateway"),
                "spec": { "replicas": 2, "selector": {}, "template": { "spec": {
                    "serviceAccountName": "offhost-gateway", "containers": [],
                    "volumes": [{ "name": "keys", "secret": { "secretName": "session-keys" } }],
                } } },
                "status": { "readyReplicas": 2 },
            }),
        ),
        (
            "secrets/session-keys",
            json!({ "metadata": named("session-keys"), "data": { "keys": "eA==" } }),
        ),
        (
            "services/offhost-gateway-metrics",
            json!({ "metadata": metrics, "spec": { "ports": [{ "name": "admin", "port": 8080 }] } }),
        ),
        (
            "services/offhost-gateway",
            json!({
                "metadata": named("offhost-gateway"),
                "spec": { "type": "ClusterIP", "ports": [{ "name": "http", "port": 80 }] },
            }),
        ),
        (
            "ingresses/offhost-gateway",
            json!({
                "metadata": named("offhost-gateway"),
                "spec": { "rules": [{ "host": "apps.example.org", "http": { "paths": [path] } }] },
                "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.1" }] } },
            }),
        ),
        (
            "httproutes/offhost-gateway",
            json!({
                "metadata": named("offhost-gateway"),
                "status": { "parents": [{ "conditions": [{ "type": "Accepted", "status": "True" }] }] },
            }),
        ),
    ]
}

/// Changes an object of the cluster.
fn change(cluster: &Cluster, path: &str, pointer: &str, value: Value) {
    let mut world = cluster.world();
    let object = world.objects.get_mut(path).unwrap();
    *object.pointer_mut(pointer).unwrap() = value;
}

fn configure(cluster: &Cluster, more: &str) {
    let base = "[Applications]\nRunAs = nobody\n[Kubernetes]\nDataDirPVCName = content\nExecImage = registry.example/exec:1\n";
    cluster.file("etc/offhost.gcfg", &format!("{base}{more}"));
}

fn claim(mode: &str, phase: &str) -> Value {
    json!({ "metadata": { "name": "content" }, "spec": { "accessModes": [mode] }, "status": { "phase": phase, "accessModes": [mode] } })
}

fn doctor(cluster: &Cluster, more: &[&str]) -> Outcome {
    cluster.offhost(&[&["doctor", "--cluster"], more].concat())
}

/// The line of a check.
fn line<'a>(outcome: &'a Outcome, name: &str) -> &'a str {
    let mut lines = outcome.stdout.lines();
    lines
        .find(|line| line.get(6..24).is_some_and(|found| found.trim_end() == name))
        .unwrap_or_else(|| panic!("{name}: {outcome:?}"))
}

/// Proves: OH1 (P), OH4 (P)
#[test]
fn a_cluster_that_is_ready_passes_every_check() {
    let cluster = cluster();
    let outcome = doctor(&cluster, &[]);
    let lines: Vec<&str> = outcome.succeeded().stdout.lines().collect();
    assert_eq!(lines.last(), Some(&"This cluster is ready."));
    assert!(
        lines[..lines.len() - 1]
            .iter()
            .all(|line| line.starts_with("pass ")),
        "{outcome:?}"
    );
    assert!(lines.len() > 12, "{outcome:?}");
    let json = doctor(&cluster, &["-o", "json"]);
    let report: Value = serde_json::from_str(&json.succeeded().stdout).unwrap();
    assert_eq!(report["ready"], true);
    // Nothing was made: whatever was posted was a review or a trial.
    assert_eq!(cluster.world().made, Vec::<Value>::new());
}

/// A fault: what it is, how it is made, the check that tells it, and its verdict and words.
type Fault = (&'static str, fn(&Cluster), &'static str, &'static [&'static str]);

const FAULTS: &[Fault] = &[
    (
        "no definition",
        |cluster| drop(cluster.world().objects.remove("cluster/contentjobs.offhost.dev")),
        "definition",
        &["FAIL", "the cluster has no contentjobs.offhost.dev; apply it"],
    ),
    (
        "no claim",
        |cluster| drop(cluster.world().objects.remove("persistentvolumeclaims/content")),
        "data claim",
        &["FAIL", "there is no claim 'content' in namespace 'reports'"],
    ),
    (
        "a claim of one Pod",
        |cluster| {
            drop(cluster.world().objects.insert(
                "persistentvolumeclaims/content".to_owned(),
                claim("ReadWriteOncePod", "Bound"),
            ))
        },
        "data claim",
        &["FAIL", "can not be written by several Pods (ReadWriteOncePod)"],
    ),
    (
        "a claim of one node",
        |cluster| {
            drop(cluster.world().objects.insert(
                "persistentvolumeclaims/content".to_owned(),
                claim("ReadWriteOnce", "Bound"),
            ))
        },
        "data claim",
        &["warn", "one node at a time"],
    ),
    (
        "a claim that waits",
        |cluster| {
            drop(cluster.world().objects.insert(
                "persistentvolumeclaims/content".to_owned(),
                claim("ReadWriteMany", "Pending"),
            ))
        },
        "data claim",
        &["warn", "waits for a volume"],
    ),
    (
        "no service account",
        |cluster| drop(cluster.world().objects.remove("serviceaccounts/default")),
        "service account",
        &["FAIL", "there is no service account 'default'"],
    ),
    (
        "no images",
        |cluster| drop(cluster.file("etc/runtimes.yaml", "name: Kubernetes\nimages: []\n")),
        "images",
        &["FAIL", "nothing will run"],
    ),
    (
        "a name that is none",
        |cluster| {
            drop(cluster.file("etc/runtimes.yaml", "name: K\nimages:\n- name: Registry/Content\n  r: {installations: [{version: 4.2.2, path: /usr/bin/R}]}\n"))
        },
        "images",
        &["FAIL", "'Registry/Content' is no name of an image"],
    ),
    (
        "a quota",
        |cluster| {
            drop(cluster.world().objects.insert("refuse/pods".to_owned(), json!("pods is forbidden: exceeded quota: compute, requested: pods=1, used: pods=9, limited: pods=9")))
        },
        "content Pods",
        &["FAIL", "exceeded quota: compute"],
    ),
    (
        "an older cluster",
        |cluster| drop(cluster.world().objects.insert("older/pods".to_owned(), json!({}))),
        "image volumes",
        &["warn", "an init container copies the helper"],
    ),
    (
        "user namespaces that are not to be had",
        |cluster| {
            cluster.world().objects.insert("older/pods".to_owned(), json!({}));
            let text = std::fs::read_to_string(cluster.path("etc/offhost.gcfg")).unwrap();
            cluster.file(
                "etc/offhost.gcfg",
                &format!("{text}[Kubernetes]\nUserNamespaces = true\n"),
            );
        },
        "user namespaces",
        &["FAIL", "Kubernetes.UserNamespaces to false"],
    ),
    (
        "an open namespace",
        |cluster| drop(cluster.world().objects.remove("restricted/pods")),
        "Pod Security",
        &["warn", "takes others too"],
    ),
    (
        "no policy",
        |cluster| drop(cluster.world().objects.remove("refuse/contentjobs")),
        "accounts of jobs",
        &["warn", "whoever may make jobs may name any account"],
    ),
    (
        "no gateway",
        |cluster| drop(cluster.world().objects.remove("deployments/offhost-gateway")),
        "gateway",
        &["warn", "there is none in namespace 'reports'"],
    ),
    (
        "a gateway that can not be looked at",
        |cluster| {
            cluster.world().forbidden.insert("list deployments".to_owned());
        },
        "gateway",
        &["warn", "it can not be looked at"],
    ),
    (
        "a gateway of which a part is ready",
        |cluster| {
            change(
                cluster,
                "deployments/offhost-gateway",
                "/status/readyReplicas",
                json!(1),
            )
        },
        "gateway",
        &["warn", "1 of 2 Pods of Deployment 'offhost-gateway' are ready"],
    ),
    (
        "a gateway that is not ready",
        |cluster| change(cluster, "deployments/offhost-gateway", "/status", json!({})),
        "gateway",
        &["FAIL", "none of 2 Pods of Deployment 'offhost-gateway' is ready"],
    ),
    (
        "a gateway that is switched off",
        |cluster| change(cluster, "deployments/offhost-gateway", "/spec/replicas", json!(0)),
        "gateway",
        &["warn", "has no replicas"],
    ),
    (
        "a gateway with another account",
        |cluster| {
            change(
                cluster,
                "deployments/offhost-gateway",
                "/spec/template/spec/serviceAccountName",
                json!("other"),
            );
        },
        "gateway access",
        &["FAIL", "service account 'other'", "get, list, watch contentapps"],
    ),
    (
        "no keys",
        |cluster| drop(cluster.world().objects.remove("secrets/session-keys")),
        "gateway secrets",
        &["FAIL", "there is no Secret 'session-keys'"],
    ),
    (
        "empty keys",
        |cluster| change(cluster, "secrets/session-keys", "/data", json!({ "keys": "" })),
        "gateway secrets",
        &["FAIL", "Secret 'session-keys' has no entry 'keys'"],
    ),
    (
        "no way in",
        |cluster| drop(cluster.world().objects.remove("services/offhost-gateway")),
        "gateway service",
        &["FAIL", "no Service leads visitors to the gateway"],
    ),
    (
        "a load balancer that gives no address",
        |cluster| {
            change(
                cluster,
                "services/offhost-gateway",
                "/spec/type",
                json!("LoadBalancer"),
            )
        },
        "gateway service",
        &["warn", "'offhost-gateway' has no address yet"],
    ),
    (
        "an ingress that nobody takes",
        |cluster| change(cluster, "ingresses/offhost-gateway", "/status", json!({})),
        "gateway ingress",
        &["warn", "no ingress controller has taken it yet"],
    ),
    (
        "an ingress that leads elsewhere",
        |cluster| {
            change(
                cluster,
                "ingresses/offhost-gateway",
                "/spec/rules/0/http/paths/0/backend/service/name",
                json!("other"),
            );
        },
        "gateway ingress",
        &["FAIL", "leads to the Service 'other'"],
    ),
    (
        "a route that is refused",
        |cluster| {
            change(
                cluster,
                "httproutes/offhost-gateway",
                "/status/parents/0/conditions",
                json!([{ "type": "Accepted", "status": "False", "message": "hostnames do not match" }]),
            );
        },
        "gateway route",
        &["FAIL", "hostnames do not match"],
    ),
    (
        "a route that nobody takes",
        |cluster| change(cluster, "httproutes/offhost-gateway", "/status", json!({})),
        "gateway route",
        &["warn", "was taken by no Gateway yet"],
    ),
    (
        "missing permissions",
        |cluster| {
            cluster.world().forbidden.insert("patch pods".to_owned());
            cluster.world().forbidden.insert("update leases".to_owned());
        },
        "permissions",
        &["FAIL", "missing: patch pods; update leases"],
    ),
];

#[test]
fn every_fault_is_told_with_what_to_do() {
    for (what, break_it, name, words) in FAULTS {
        let cluster = cluster();
        break_it(&cluster);
        let outcome = doctor(&cluster, &[]);
        let line = line(&outcome, name);
        for word in *words {
            assert!(line.contains(word), "{what}: {line}");
        }
        assert_eq!(
            outcome.code,
            Some(i32::from(words[0] == "FAIL")),
            "{what}: {outcome:?}"
        );
        let has_remedy = outcome.stdout.contains(" → ") || line.contains("; ");
        assert!(has_remedy, "{what}: {outcome:?}");
    }
}

#[test]
fn settings_that_pod_mode_needs_are_told_where_they_are_missing() {
    let cluster = cluster();
    cluster.file("etc/offhost.gcfg", "[Applications]\nRunAs = nobody\n");
    let outcome = doctor(&cluster, &[]);
    assert_eq!(outcome.code, Some(1));
    for setting in [
        "Kubernetes.DataDirPVCName is not set",
        "Kubernetes.ExecImage is not set",
        "ExecutionEnvironments.ConfigFilePath",
    ] {
        assert!(outcome.stdout.contains(setting), "{setting}: {outcome:?}");
    }
}

#[test]
fn an_older_definition_and_one_that_can_not_be_read() {
    let cluster = cluster();
    let mut older = crd::definitions()[0].json();
    older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        .as_object_mut()
        .unwrap()
        .remove("retries");
    cluster
        .world()
        .objects
        .insert("cluster/contentjobs.offhost.dev".to_owned(), older);
    let outcome = doctor(&cluster, &[]);
    assert!(
        line(outcome.succeeded(), "definition").contains("of another version"),
        "{outcome:?}"
    );
    cluster
        .world()
        .forbidden
        .insert("get customresourcedefinitions".to_owned());
    let outcome = doctor(&cluster, &[]);
    assert!(
        line(outcome.succeeded(), "definition").starts_with("pass"),
        "{outcome:?}"
    );
}

#[test]
fn a_publisher_asks_for_less() {
    let cluster = cluster();
    let outcome = doctor(&cluster, &["--as-user"]);
    assert!(
        line(outcome.succeeded(), "uploads").contains("offhost-upload"),
        "{outcome:?}"
    );
    assert!(line(&outcome, "accounts").contains("no accounts"), "{outcome:?}");
    cluster
        .world()
        .forbidden
        .insert("update services/proxy".to_owned());
    cluster.world().objects.clear();
    let outcome = doctor(&cluster, &["--as-user"]);
    assert_eq!(outcome.code, Some(1));
    assert!(
        line(&outcome, "permissions").contains("missing: update services/proxy"),
        "{outcome:?}"
    );
    assert!(line(&outcome, "uploads").starts_with("FAIL"), "{outcome:?}");
    assert!(line(&outcome, "definition").starts_with("FAIL"), "{outcome:?}");
}

#[test]
fn without_an_answer_nothing_else_is_asked() {
    let cluster = cluster();
    let text = std::fs::read_to_string(cluster.path("kubeconfig")).unwrap();
    let closed = cluster.file(
        "closed",
        &text.replace("http://127.0.0.1:", "http://127.0.0.1:1/"),
    );
    let outcome = cluster.offhost_with(&closed, &["doctor", "--cluster"]);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.stdout.lines().count(), 2, "{outcome:?}");
    assert!(outcome.stdout.contains("FAIL  API server"), "{outcome:?}");
}

#[test]
fn the_permissions_of_the_controllers_account_can_be_asked_for() {
    let cluster = cluster();
    cluster.world().forbidden.insert("patch pods".to_owned());
    let outcome = doctor(&cluster, &["--service-account", "offhost"]);
    let found = line(outcome.succeeded(), "permissions");
    assert!(found.contains("service account 'offhost': all"), "{found}");
    let outcome = doctor(&cluster, &["--service-account", "other"]);
    assert_eq!(outcome.code, Some(1));
    let found = line(&outcome, "permissions");
    assert!(
        found.contains("service account 'other': not all") && found.contains("contentjobs"),
        "{found}"
    );
}

/// From elsewhere the configuration is read as the chart has installed it.
#[test]
fn the_configuration_of_the_chart_is_found() {
    let cluster = cluster();
    let map =
        |name: &str, key: &str, text: &str| json!({ "metadata": { "name": name }, "data": { key: text } });
    let connection = cluster.connection();
    assert_eq!(cluster.block_on(installed(&connection)), None);
    for (name, key, text) in [
        ("offhost-config", "rstudio-connect.gcfg", "[Kubernetes]\n"),
        ("offhost-runtimes", "runtimes.yaml", "images: []\n"),
    ] {
        let path = format!("configmaps/{name}");
        cluster.world().objects.insert(path, map(name, key, text));
    }
    let expected = Installed {
        place: "ConfigMap 'offhost-config'".to_owned(),
        gcfg: "[Kubernetes]\n".to_owned(),
        runtimes: Some("images: []\n".to_owned()),
    };
    assert_eq!(cluster.block_on(installed(&connection)), Some(expected));
    cluster.world().forbidden.insert("list configmaps".to_owned());
    assert_eq!(cluster.block_on(installed(&connection)), None);
}
