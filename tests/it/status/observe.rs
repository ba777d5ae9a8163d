//! Pods and events as real clusters show them, each with the sentence that a person reads.
//!
//! `pods/base.json` is a Pod as the controller makes it. A case is a merge patch (RFC 7386) of it, the events about it, and
//! what is seen: the stage, the reason, and the whole sentence.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Pod};
use offhost::status::{Ending, Observation, PodContext, Problem, Stage, observe};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::repository::text;

const UID: &str = "7f0c5f0e-6c1e-4a55-9d5b-0d2b6f3c9a11";

/// One case of a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    pod: Value,
    #[serde(default)]
    container: Value,
    #[serde(default)]
    init: Vec<Value>,
    #[serde(default)]
    condition: Value,
    #[serde(default)]
    events: Vec<Value>,
    /// Minutes after ten.
    #[serde(default)]
    minute: i64,
    #[serde(default)]
    runtime: Option<String>,
    expect: Value,
}

fn read(file: &str) -> Vec<Case> {
    serde_json::from_str(&text(&format!("tests/it/status/pods/{file}"))).unwrap()
}

/// Compares each case of a file.
fn check(file: &str) {
    let cases = read(file);
    let mut wrong = Vec::new();
    for case in &cases {
        let seen = shown(&look(case));
        if seen != case.expect {
            let seen = serde_json::to_string_pretty(&seen).unwrap();
            wrong.push(format!("{}: {seen}", case.name));
        }
    }
    assert!(wrong.is_empty(), "seen was\n{}", wrong.join("\n"));
}

fn look(case: &Case) -> Observation {
    let pod: Pod = serde_json::from_value(pod(case)).unwrap();
    let events: Vec<Event> = (0..)
        .zip(&case.events)
        .map(|(at, patch)| event(at, patch))
        .collect();
    let start: Timestamp = "2026-03-02T10:00:00Z".parse().unwrap();
    let context = PodContext {
        job: "sales".to_owned(),
        runtime: Some(case.runtime.clone().unwrap_or_else(|| "R 4.4".to_owned())),
        timeout_seconds: Some(1800),
        node_lost_seconds: 15,
        now: start + jiff::SignedDuration::from_mins(case.minute),
    };
    observe(&pod, &events, &context)
}

fn pod(case: &Case) -> Value {
    let mut pod: Value = serde_json::from_str(&text("tests/it/status/pods/base.json")).unwrap();
    merge(&mut pod, &case.pod);
    if let (false, Some(state)) = (
        case.container.is_null(),
        pod.pointer_mut("/status/containerStatuses/0/state"),
    ) {
        *state = case.container.clone();
    }
    if let (false, Some(conditions)) = (case.condition.is_null(), conditions(&mut pod)) {
        conditions.retain(|one| one["type"] != case.condition["type"]);
        conditions.push(case.condition.clone());
    }
    if !case.init.is_empty() {
        let (specs, states): (Vec<Value>, Vec<Value>) = case
            .init
            .iter()
            .map(|one| (one["spec"].clone(), one["status"].clone()))
            .unzip();
        pod["spec"]["initContainers"] = json!(specs);
        pod["status"]["initContainerStatuses"] = json!(states);
    }
    pod
}

fn conditions(pod: &mut Value) -> Option<&mut Vec<Value>> {
    pod.pointer_mut("/status/conditions")?.as_array_mut()
}

fn event(at: i64, patch: &Value) -> Event {
    let time = format!("2026-03-02T10:00:{:02}Z", 10 + at);
    let mut event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": format!("sales-1a2b3c4d-1.{at}"), "namespace": "content"},
        "involvedObject": {"kind": "Pod", "namespace": "content", "name": "sales-1a2b3c4d-1", "uid": UID},
        "type": "Warning",
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
        "source": {"component": "kubelet", "host": "worker-1"},
        "reportingComponent": "kubelet",
        "reportingInstance": "worker-1",
        "eventTime": null,
    });
    merge(&mut event, patch);
    serde_json::from_value(event).unwrap()
}

/// RFC 7386.
fn merge(into: &mut Value, patch: &Value) {
    match patch {
        Value::Object(fields) => {
            if !into.is_object() {
                *into = json!({});
            }
            for (name, value) in fields {
                if value.is_null() {
                    into.as_object_mut().unwrap().remove(name);
                } else {
                    merge(&mut into[name], value);
                }
            }
        }
        Value::Null => {}
        other => *into = other.clone(),
    }
}

fn shown(seen: &Observation) -> Value {
    let mut out = match &seen.stage {
        Stage::Unscheduled { gated, problem } => {
            let mut out = about("Unscheduled", problem.as_ref());
            if *gated {
                out["gated"] = json!(true);
            }
            out
        }
        Stage::Starting { problem, .. } => about("Starting", problem.as_ref()),
        Stage::Running { since } => {
            let mut out = about("Running", None);
            out["since"] = json!(since.map(|since| since.to_string()));
            out
        }
        Stage::Leaving { until, problem } => {
            let mut out = about("Leaving", Some(problem));
            out["until"] = json!(until.to_string());
            out
        }
        Stage::Ended(ending) => ended(ending),
    };
    assert_eq!(seen.uid, UID);
    if seen.node.is_none() {
        out["node"] = json!("");
    }
    out
}

fn ended(ending: &Ending) -> Value {
    let mut out = about("Ended", ending.problem.as_ref());
    for (name, value) in [("code", ending.exit_code), ("signal", ending.signal)] {
        if let Some(value) = value {
            out[name] = json!(value);
        }
    }
    if ending.disrupted {
        out["disrupted"] = json!(true);
    }
    out
}

fn about(stage: &str, problem: Option<&Problem>) -> Value {
    let mut out = json!({"stage": stage});
    if let Some(problem) = problem {
        out["reason"] = json!(problem.reason.name());
        out["says"] = json!(problem.message);
    }
    out
}

/// Proves: OH1 (P)
#[test]
fn an_image_that_is_not_to_be_had_is_told_with_the_registrys_answer() {
    check("images.json");
}

/// Proves: OH1 (P), SC7 (P)
#[test]
fn a_pod_without_a_node_is_told_with_what_it_asked_for() {
    check("scheduling.json");
}

/// Proves: OH1 (P)
#[test]
fn what_keeps_a_pod_from_starting_is_told_by_name() {
    check("starting.json");
}

/// Proves: PK10 (P), SV2 (P), OH1 (P)
#[test]
fn every_end_of_a_process_has_its_reason() {
    check("endings.json");
}

/// Proves: OH2 (P), PK10 (P)
#[test]
fn what_the_cluster_does_to_a_pod_is_no_failure_of_the_content() {
    check("disruptions.json");
}

/// Proves: OH1 (P), EN4 (P)
#[test]
fn words_of_the_content_are_never_part_of_a_sentence() {
    let secret = "password=hunter2";
    let forged = json!({"event": "failed", "step": "copy", "message": secret, "hint": secret}).to_string();
    let cases = [
        (137, "OOMKilled", secret),
        (137, "Error", forged.as_str()),
        (1, "Error", secret),
        (255, "Unknown", forged.as_str()),
        (0, "Completed", secret),
    ];
    for (code, reason, message) in cases {
        let state = json!({"terminated": {"exitCode": code, "reason": reason, "message": message}});
        for phase in ["Failed", "Running"] {
            let case = Case {
                name: String::new(),
                pod: json!({"status": {"phase": phase}}),
                container: state.clone(),
                init: Vec::new(),
                condition: Value::Null,
                events: Vec::new(),
                minute: 5,
                runtime: None,
                expect: Value::Null,
            };
            let seen = shown(&look(&case)).to_string();
            assert!(!seen.contains("hunter2"), "{seen}");
        }
    }
}

/// The parts of all cases, to be put together anew.
fn everything() -> Vec<Case> {
    let files = ["images", "scheduling", "starting", "endings", "disruptions"];
    files
        .iter()
        .flat_map(|file| read(&format!("{file}.json")))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Proves: OH1 (P)
    #[test]
    fn whatever_a_pod_says_there_is_one_sentence_that_fits(
        picks in proptest::collection::vec((0_usize..1000, 0_usize..5), 1..8),
        minute in 0_i64..5,
    ) {
        let cases = everything();
        let mut mixed = Case { minute, ..cases[picks[0].0 % cases.len()].clone() };
        for (pick, part) in picks {
            let other = cases[pick % cases.len()].clone();
            match part {
                0 => merge(&mut mixed.pod, &other.pod),
                1 => mixed.container = other.container,
                2 => mixed.init = other.init,
                3 => mixed.condition = other.condition,
                _ => mixed.events = other.events,
            }
        }
        let seen = look(&mixed);
        let said = match &seen.stage {
            Stage::Unscheduled { problem, .. } | Stage::Starting { problem, .. } => problem.clone(),
            Stage::Leaving { problem, .. } => Some(problem.clone()),
            Stage::Ended(ending) => ending.problem.clone(),
            Stage::Running { .. } => None,
        };
        if let Some(Problem { message, .. }) = said {
            prop_assert!((10..1000).contains(&message.chars().count()), "{message}");
            prop_assert!(!message.contains('\n') && !message.contains("''"), "{message}");
        }
        // A process that is told to end has not succeeded, whatever it says itself.
        if let Stage::Ended(Ending { problem: None, exit_code, disrupted, .. }) = &seen.stage {
            prop_assert_eq!((*exit_code, *disrupted), (Some(0), false));
        }
    }
}
