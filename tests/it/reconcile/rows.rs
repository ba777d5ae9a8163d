//! The world goes in, calls come out: one look at jobs a row.

use serde_json::{Value, json};

use super::fake_api::{Call, Fault};
use super::place::Place;

/// One row.
struct Row {
    name: &'static str,
    /// Jobs that are there, and their specs.
    jobs: Vec<(&'static str, Value)>,
    /// What else is there.
    given: fn(&Place),
    /// What becomes of a call.
    fault: fn(&Call) -> Fault,
    /// The calls that are made, in any order of jobs.
    calls: &'static [&'static str],
    /// Job, condition, its status, its reason, and a part of its message.
    conditions: &'static [(
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    )],
}

impl Default for Row {
    fn default() -> Self {
        Self {
            name: "",
            jobs: vec![("a", script())],
            given: |_| {},
            fault: |_| Fault::None,
            calls: &[],
            conditions: &[],
        }
    }
}

fn script() -> Value {
    json!({"content": "script", "bundle": {"path": "script"}, "task": "Run", "command": ["sh", "run.sh"]})
}

fn with(field: &str, value: Value) -> Value {
    let mut spec = script();
    spec[field] = value;
    spec
}

const BEGINS: [&str; 3] = [
    "update contentjobs/status a",
    "patch contentjobs a",
    "create pods",
];
const REFUSED: [&str; 4] = [BEGINS[0], BEGINS[1], BEGINS[2], BEGINS[0]];

fn refused(call: &Call, code: u16, message: &'static str) -> Fault {
    if call.0 == "create pods" {
        Fault::Refused(code, message)
    } else {
        Fault::None
    }
}

#[rustfmt::skip]
#[allow(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "a job becomes a Pod",
            calls: &BEGINS,
            conditions: &[
                ("a", "Accepted", "True", "Accepted", "bundle 1 of content item 'script'"),
                ("a", "EnvironmentReady", "True", "NotNeeded", ""),
                ("a", "Succeeded", "Unknown", "Starting", "attempt 1 begins in Pod 'a-"),
            ],
            ..Row::default()
        },
        Row {
            name: "a suspended job waits",
            jobs: vec![("a", with("suspended", json!(true)))],
            calls: &BEGINS[..1],
            conditions: &[("a", "Succeeded", "Unknown", "Suspended", "set spec.suspended to false")],
            ..Row::default()
        },
        Row {
            name: "a job that only deploys needs no Pod",
            jobs: vec![("a", json!({"content": "script", "bundle": {"path": "script"}, "task": "Deploy"}))],
            calls: &BEGINS[..1],
            conditions: &[("a", "Succeeded", "True", "Succeeded", "bundle 1 of content item 'script' is there")],
            ..Row::default()
        },
        Row {
            name: "a job of another version is told so, and left alone",
            jobs: vec![("a", with("futureField", json!(1)))],
            calls: &BEGINS[..1],
            conditions: &[("a", "Accepted", "False", "InvalidInput", "unknown field `futureField`")],
            ..Row::default()
        },
        Row {
            name: "a bundle that is not there may come",
            jobs: vec![("a", json!({"content": "x", "bundle": {"path": "nowhere"}}))],
            calls: &BEGINS[..1],
            conditions: &[("a", "Accepted", "False", "ReferenceNotFound", "nowhere")],
            ..Row::default()
        },
        Row {
            name: "an account that is not known is refused",
            jobs: vec![("a", with("runAs", json!("no-such-account")))],
            calls: &BEGINS[..1],
            conditions: &[("a", "Succeeded", "False", "AccountRefused", "no-such-account")],
            ..Row::default()
        },
        Row {
            name: "an image that is not listed may be",
            jobs: vec![("a", with("runtime", json!({"name": "registry.example.com/other:1"})))],
            calls: &BEGINS[..1],
            conditions: &[("a", "Accepted", "False", "RuntimeNotFound", "registry.example.com/other:1")],
            ..Row::default()
        },
        Row {
            name: "a quota that is used up is told, and the Pod tried again",
            fault: |call| refused(call, 403, "pods \"a\" is forbidden: exceeded quota: compute, requested: pods=1"),
            calls: &REFUSED,
            conditions: &[("a", "Succeeded", "Unknown", "PodRefused", "raise the quota")],
            ..Row::default()
        },
        Row {
            name: "a service account that is missing is named",
            jobs: vec![("a", with("serviceAccountName", json!("runner")))],
            fault: |call| refused(call, 403,
                "pods \"a\" is forbidden: error looking up service account content/runner: serviceaccount \"runner\" not found"),
            calls: &REFUSED,
            conditions: &[("a", "Succeeded", "Unknown", "ReferenceNotFound", "there is no service account 'runner'")],
            ..Row::default()
        },
        Row {
            name: "a permission that the controller lacks is named",
            fault: |call| refused(call, 403,
                "pods is forbidden: User \"u\" cannot create resource \"pods\" in API group \"\" in the namespace \"content\""),
            calls: &REFUSED,
            conditions: &[("a", "Succeeded", "Unknown", "PodRefused", "give its role the verb create on pods")],
            ..Row::default()
        },
        Row {
            name: "a Pod of somebody else is left alone",
            given: |place| place.api.put("pods", json!({"metadata": {"name": "a-00000100-1"}})),
            calls: &[BEGINS[0], BEGINS[1], BEGINS[2], "get pods a-00000100-1", BEGINS[0]],
            conditions: &[("a", "Succeeded", "Unknown", "PodRefused", "that does not belong to this job")],
            ..Row::default()
        },
        Row {
            name: "a package that is missing makes one job for two that need it",
            jobs: vec![("a", notebook()), ("b", notebook())],
            calls: &[
                "update contentjobs/status a", "create contentjobs",
                "update contentjobs/status b", "create contentjobs",
                "update contentjobs/status install-80c7fc4a247f960c",
                "patch contentjobs install-80c7fc4a247f960c", "create pods",
            ],
            conditions: &[
                ("a", "EnvironmentReady", "False", "Installing", "job 'install-80c7fc4a247f960c' is made to install them"),
                ("b", "EnvironmentReady", "False", "Installing", "job 'install-80c7fc4a247f960c'"),
            ],
            ..Row::default()
        },
    ]
}

fn notebook() -> Value {
    json!({"content": "book", "bundle": {"path": "notebook"}, "task": "Run", "command": ["python3", "book.py"]})
}

/// Proves: OH1 (P), PK2 (P)
#[tokio::test(start_paused = true)]
async fn one_look_makes_these_calls_and_says_this() {
    let mut wrong = Vec::new();
    for row in rows() {
        let place = Place::new();
        let mut controller = place.controller().await;
        for (name, spec) in &row.jobs {
            place.apply(name, spec.clone());
        }
        (row.given)(&place);
        let fault = row.fault;
        place.api.faults(move |_, call| fault(call));
        if !controller.settle().await {
            wrong.push(format!("{}: it does not come to rest", row.name));
        }
        let calls = place.api.calls();
        if calls != row.calls {
            wrong.push(format!("{}: {calls:#?}", row.name));
        }
        for (job, kind, status, reason, part) in row.conditions {
            let condition = place.condition(job, kind);
            let message = condition["message"].as_str().unwrap_or_default();
            if condition["status"] != *status || condition["reason"] != *reason || !message.contains(part) {
                wrong.push(format!("{}: {kind} of {job}: {condition:#}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
