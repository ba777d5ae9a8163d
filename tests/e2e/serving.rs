//! Applications on a cluster, from the first request to the last (SC, PK5, PK7, AP2, OH1–OH4).

mod fallbacks;
mod forms;
mod kinds;
mod last_place;
mod log_in;
mod sockets;
mod visits;

use serde_json::{Value, json};

use crate::app::{apps, plain};

use crate::release::{Release, shared};
use crate::{api, cluster};

/// Proves: SC1 (P), SC3 (P), PK5 (P), OH1 (P), OH4 (P)
#[test]
fn the_first_request_starts_a_pod_and_idle_ends_it() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let app = release.app("first", &plain("hello"), &json!({"idleTimeoutSeconds": 3}));
    let said = app.says("Ready", "True", "Accepted");
    assert!(said.contains("content item 'first'"), "{said}");
    app.says("Active", "False", "Idle");
    assert!(app.pods().is_empty());
    let gateway = release.gateway();
    let answer = gateway.until("/content/first/a", |answer| answer.status == 200);
    assert!(answer.body.starts_with("hello "), "{answer:?}");
    assert!(answer.body.contains(" /a"), "the prefix is taken off: {answer:?}");
    let pods = app.pods();
    assert_eq!(pods.len(), 1, "{pods:?}");
    let spec = &pods[0]["spec"];
    assert_eq!(spec["automountServiceAccountToken"], false);
    assert_eq!(pods[0]["metadata"]["ownerReferences"][0]["kind"], "ContentApp");
    app.has_pods(0);
    app.says("Active", "False", "Idle");
    let status = app.wait("without processes", |app| app["status"]["processes"] == 0);
    assert!(status["status"]["lastUseTime"].is_string(), "{status}");
    assert!(status["status"].get("lastFailure").is_none(), "{status}");
}

/// Proves: SC2 (P), OH1 (P)
#[test]
fn kubectl_scales_waits_and_lists_as_with_other_workloads() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let app = release.app("scaled", &plain("hello"), &json!({"minProcesses": 1}));
    let kubectl = |arguments: &[&str]| cluster::run(release.kubectl().args(arguments));
    kubectl(&["wait", "--for=condition=Active", "capp/scaled", "--timeout=120s"]);
    kubectl(&["scale", "capp/scaled", "--replicas=2"]);
    app.has_pods(2);
    app.wait("two processes", |app| app["status"]["readyProcesses"] == 2);
    let scale = api::get(&format!("{}/scale", app.path()));
    assert_eq!(scale["spec"]["replicas"], 2);
    assert_eq!(scale["status"]["replicas"], 2);
    let selector = scale["status"]["selector"]
        .as_str()
        .unwrap()
        .replace('=', "%3D")
        .replace('/', "%2F");
    let pods = api::core(&release.namespace, "pods") + "?labelSelector=" + &selector;
    assert_eq!(api::list(&pods).len(), 2);
    let listed = kubectl(&["get", "capp", "scaled"]);
    assert!(listed.contains("/content/scaled/"), "{listed}");
    let refused = cluster::try_run(release.kubectl().args(["scale", "capp/scaled", "--replicas=4"]));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() || said.is_empty(), "{said}");
    let explained = kubectl(&["explain", "contentapp.spec.minProcesses"]);
    assert!(explained.contains("Processes that always run"), "{explained}");
}

/// Proves: AP2 (P), SC6 (P)
#[test]
fn a_new_bundle_takes_new_sessions_and_the_old_one_drains() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let spec = json!({"affinity": "Session", "idleTimeoutSeconds": 30, "minProcesses": 1});
    let app = release.app("replaced", &plain("old"), &spec);
    let gateway = release.gateway();
    let first = gateway.until("/content/replaced/", |answer| answer.status == 200);
    let cookie = first.cookie().expect("a session begins");
    // Another deployment of the same content item, by anybody.
    release.bundle(
        "replaced-2",
        &[
            ("app.py", &plain("new")),
            ("manifest.json", &crate::app::manifest()),
        ],
    );
    app.change(&json!({"bundle": {"path": "replaced-2"}}));
    gateway.until("/content/replaced/", |answer| answer.body.starts_with("new "));
    let again = gateway.ask("/content/replaced/", &cookie);
    assert!(
        again.body.starts_with("old "),
        "a session is never moved: {again:?}"
    );
    let status = app.get();
    assert_eq!(status["status"]["bundle"], "2", "{status}");
}

/// Proves: OH1 (P), OH3 (P)
#[test]
fn suspended_and_deleted_applications_leave_no_pods() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let app = release.app("paused", &plain("hello"), &json!({"minProcesses": 1}));
    app.says("Active", "True", "Running");
    app.change(&json!({"suspended": true}));
    app.says("Ready", "False", "Suspended");
    app.has_pods(0);
    let gateway = release.gateway();
    let answer = gateway.until("/content/paused/", |answer| answer.body.contains("suspended"));
    assert_eq!(answer.status, 503, "{answer:?}");
    app.change(&json!({"suspended": false}));
    app.says("Active", "True", "Running");
    api::delete(&app.path());
    app.has_pods(0);
    gateway.until("/content/paused/", |answer| answer.status == 404);
}

/// What a process that fails is told by: its source, what is asked for, the reason and words of the sentence.
type Failing = (
    &'static str,
    &'static str,
    fn() -> Value,
    &'static str,
    &'static str,
);

const FAILING: &[Failing] = &[
    (
        "exits",
        "import os\nprint('Nothing works', flush=True)\nos._exit(3)\n",
        || json!({}),
        "ProcessFailed",
        "exit code 3",
    ),
    (
        "never",
        "import time\ntime.sleep(1000)\n",
        || json!({"initTimeoutSeconds": 6}),
        "StartFailed",
        "6 s",
    ),
    (
        "grows",
        "data = []\nwhile True:\n    data.append(bytearray(16 << 20))\n",
        || json!({"resources": {"limits": {"memory": "96Mi"}}}),
        "OutOfMemory",
        "memory",
    ),
];

/// Proves: OH1 (P), SC3 (P)
#[test]
fn why_a_process_does_not_get_ready_is_told_in_the_status_and_to_the_visitor() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let gateway = release.gateway();
    for (name, source, spec, reason, words) in FAILING {
        let app = release.app(name, source, &spec());
        app.says("Ready", "True", "Accepted");
        let path = format!("/content/{name}/");
        // A visitor who came before the application could be visited has nothing started; they come again.
        let answer = gateway.until(&path, |_| app.get()["status"]["lastFailure"].is_object());
        assert!(matches!(answer.status, 502..=504), "{name}: {answer:?}");
        let status = app.get();
        let failure = &status["status"]["lastFailure"];
        assert_eq!(failure["reason"], *reason, "{status}");
        let message = failure["message"].as_str().unwrap();
        assert!(message.contains(words), "{name}: {message}");
        if *name == "exits" {
            assert!(shown_by(release, message).contains("Nothing works"), "{message}");
        }
    }
}

/// What the command between the quotes of a sentence prints.
fn shown_by(release: &Release, sentence: &str) -> String {
    let command = sentence.split('`').nth(1).unwrap();
    let arguments = command
        .strip_prefix("kubectl ")
        .unwrap_or_else(|| panic!("{sentence}"));
    cluster::run(release.kubectl().args(arguments.split(' ')))
}

/// Proves: PK7 (P)
#[test]
fn static_content_is_served_without_a_process() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let manifest = json!({
        "version": 1, "metadata": {"appmode": "static", "primary_html": "index.html"}, "files": {},
    });
    release.bundle(
        "pages",
        &[
            ("index.html", "<p>A page</p>\n"),
            ("manifest.json", &manifest.to_string()),
        ],
    );
    let app = release
        .try_app("pages", &json!({"bundle": {"path": "pages"}}))
        .unwrap();
    app.says("Ready", "True", "Accepted");
    app.says("Active", "True", "NotNeeded");
    let gateway = release.gateway();
    let answer = gateway.until("/content/pages/", |answer| answer.status == 200);
    assert!(answer.body.contains("A page"), "{answer:?}");
    for path in ["/content/pages/manifest.json", "/content/pages/../../etc/passwd"] {
        let answer = gateway.get(path);
        assert!(!matches!(answer.status, 200 | 500), "{path}: {answer:?}");
    }
    assert!(app.pods().is_empty());
}

/// Proves: SC4 (P), SC5 (P)
#[test]
fn two_gateways_share_bounds_and_sessions() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let spec = json!({"affinity": "Session", "maxProcesses": 2, "maxConnectionsPerProcess": 1});
    let app = release.app("sticky", &plain("hello"), &spec);
    let ways = crate::app::Way::to_gateways(release);
    assert!(ways.len() > 1, "the chart runs two gateways");
    let first = ways[0].until("/content/sticky/", |answer| answer.status == 200);
    let cookie = first.cookie().expect("a session begins");
    let process = |body: &str| body.split(' ').take(3).collect::<Vec<_>>().join(" ");
    for _ in 0..5 {
        for way in &ways {
            let answer = way.ask("/content/sticky/", &cookie);
            assert_eq!(process(&answer.body), process(&first.body), "{answer:?}");
        }
    }
    for number in 0..12 {
        ways[number % ways.len()].get("/content/sticky/");
        assert!(app.pods().len() <= 2);
    }
}

/// Proves: OH2 (P)
#[test]
fn a_leader_lost_in_the_middle_of_a_start_starts_nothing_twice() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let source = format!("import time\ntime.sleep(4)\n{}", plain("slow"));
    let app = release.app(
        "takeover",
        &source,
        &json!({"minProcesses": 1, "maxProcesses": 1}),
    );
    let pods = app.has_pods(1);
    kill_leader(release);
    app.says("Active", "True", "Running");
    let after = app.pods();
    assert_eq!(after.len(), 1, "{after:?}");
    assert_eq!(after[0]["metadata"]["uid"], pods[0]["metadata"]["uid"]);
    let gateway = release.gateway();
    let answer = gateway.until("/content/takeover/", |answer| answer.status == 200);
    assert!(answer.body.starts_with("slow "), "{answer:?}");
}

fn kill_leader(release: &Release) {
    let lease = format!(
        "/apis/coordination.k8s.io/v1/namespaces/{}/leases/offhost-controller",
        release.namespace
    );
    let lease = api::get(&lease);
    let leader = lease["spec"]["holderIdentity"].as_str().unwrap();
    let address = lease["metadata"]["annotations"]["offhost.dev/hub"].as_str();
    assert!(
        address.is_some_and(|address| address.ends_with(":8082")),
        "{lease}"
    );
    cluster::run(
        release
            .kubectl()
            .args(["delete", "pod", leader, "--grace-period=0", "--force"]),
    );
}

/// Proves: OH1 (P)
#[test]
fn what_the_definition_of_applications_does_not_allow_is_refused_by_the_api_server() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let strict = format!("{}?fieldValidation=Strict&dryRun=All", apps(&release.namespace));
    let text = std::fs::read_to_string(cluster::repository("tests/fixtures/apps/refused.yaml")).unwrap();
    let cases: Vec<Value> = serde_yaml::from_str(&text).unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        let object = json!({
            "apiVersion": "offhost.dev/v1alpha1", "kind": "ContentApp",
            "metadata": {"name": "refused"}, "spec": case["spec"],
        });
        let refusal = api::try_create(&strict, &object).unwrap_err();
        assert!(matches!(refusal.code, 400 | 422), "{case}: {refusal:?}");
        assert!(
            refusal.message.contains(case["server"].as_str().unwrap()),
            "{case}: {refusal:?}"
        );
    }
}
