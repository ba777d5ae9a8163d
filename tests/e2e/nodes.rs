//! Two nodes with one volume, and the loss of one of them.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::plain;
use crate::job::{LATER, condition, shell};
use crate::release::{Release, another, runtimes};
use crate::{api, cluster, support};

/// The node that the controller is on, and stays.
const KEPT: &str = "node1";

fn names() -> Vec<String> {
    let nodes = api::list("/api/v1/nodes");
    let name = |node: &Value| node["metadata"]["name"].as_str().unwrap().to_owned();
    nodes.iter().map(name).collect()
}

/// The script that takes a node's power, or gives it back, where the cluster has one.
fn power(action: &str, node: &str) {
    let script = std::env::var("OFFHOST_TEST_NODE_STOP").unwrap();
    let script = script.replace("node-stop", action);
    cluster::run(Command::new(script).arg(node.trim_start_matches("node")));
}

/// Gives the node back, however the test ends.
struct Lost<'n>(&'n str);

impl Drop for Lost<'_> {
    fn drop(&mut self) {
        power("node-start", self.0);
    }
}

/// A node that takes no new Pods for a while.
struct Closed<'n>(&'n str);

impl<'n> Closed<'n> {
    fn new(node: &'n str) -> Self {
        api::patch(
            &format!("/api/v1/nodes/{node}"),
            &json!({"spec": {"unschedulable": true}}),
        );
        Self(node)
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        let _ = api::try_patch(
            &format!("/api/v1/nodes/{}", self.0),
            &json!({"spec": {"unschedulable": null}}),
        );
    }
}

fn node_of(release: &Release, pod: &Value) -> String {
    let pod = pod.as_str().unwrap();
    let pod = api::get(&format!("{}/{pod}", api::core(&release.namespace, "pods")));
    pod["spec"]["nodeName"].as_str().unwrap().to_owned()
}

/// While a node is closed or lost, no other test may count on it.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Proves: OH1 (P), OH2 (P), OH3 (P)
#[test]
fn jobs_run_on_every_node_and_outlive_the_loss_of_one() {
    if !cluster::there() || !has_two_nodes() {
        return;
    }
    let _alone = alone();
    let values = json!({
        "runtimes": runtimes(), "content": {"nodeLostSeconds": 1},
        "controller": {"nodeSelector": {"kubernetes.io/hostname": KEPT}},
    });
    let release = another("nodes", &values);
    let lost = names().into_iter().find(|name| name != KEPT).unwrap();
    for (wanted, closed) in [(lost.as_str(), KEPT), (KEPT, lost.as_str())] {
        let _closed = Closed::new(closed);
        let job = release.job(&format!("on-{wanted}"), shell("echo it runs"));
        let seen = job.succeeds_in(LATER);
        assert_eq!(node_of(&release, &seen["status"]["podName"]), wanted);
        assert_eq!(job.log(&seen, 0), "it runs\n");
    }

    let closed = Closed::new(KEPT);
    let job = release.job("outlives", shell("echo begins; sleep 15; echo ends"));
    let seen = job.runs();
    assert_eq!(node_of(&release, &seen["status"]["podName"]), lost);
    drop(closed);
    power("node-stop", &lost);
    let back = Lost(&lost);
    let told = job.wait(Duration::from_secs(120), "begun again", |job| {
        job["status"]["attempts"]
            .as_array()
            .is_some_and(|attempts| attempts.len() == 2)
    });
    assert_eq!(told["status"]["attempts"][0]["disrupted"], true, "{told:#}");
    let seen = job.succeeds_in(LATER);
    assert_eq!(node_of(&release, &seen["status"]["podName"]), KEPT);
    assert_eq!(job.log(&seen, 0), "begins\n");
    assert_eq!(job.log(&seen, 1), "begins\nends\n");
    drop(back);
}

/// Proves: OH1 (P), OH2 (P), SC2 (P)
#[test]
fn an_application_on_a_lost_node_answers_from_another() {
    if !cluster::there() || !has_two_nodes() {
        return;
    }
    let _alone = alone();
    let kept = json!({"nodeSelector": {"kubernetes.io/hostname": KEPT}});
    let values = json!({
        "runtimes": runtimes(), "content": {"nodeLostSeconds": 1}, "controller": kept, "gateway": kept,
    });
    let release = another("node-of-app", &values);
    let lost = names().into_iter().find(|name| name != KEPT).unwrap();
    let closed = Closed::new(KEPT);
    let app = release.app(
        "outlives",
        &plain("here"),
        &json!({"minProcesses": 1, "maxProcesses": 1}),
    );
    app.says("Active", "True", "Running");
    let pod = &app.pods()[0];
    assert_eq!(pod["spec"]["nodeName"], lost);
    drop(closed);
    let gateway = release.gateway();
    let process = |body: &str| body.split(' ').nth(2).map(str::to_owned);
    let before = process(&gateway.get("/content/outlives/").body);
    assert!(before.is_some());

    power("node-stop", &lost);
    let back = Lost(&lost);
    let begun = std::time::Instant::now();
    let status = app.wait("known to be lost", |app| app["status"]["lastFailure"].is_object());
    let failure = &status["status"]["lastFailure"];
    assert_eq!(failure["reason"], "NodeLost", "{status:#}");
    assert!(failure["message"].as_str().unwrap().contains(&lost), "{status:#}");
    assert_eq!(condition(&status, "Active").reason, "NodeLost", "{status:#}");
    println!("known to be lost after {:.0?}", begun.elapsed());
    let answer = gateway.until("/content/outlives/", |answer| answer.status == 200);
    println!("answered again after {:.0?}", begun.elapsed());
    assert_ne!(process(&answer.body), before, "another process");
    let status = app.wait("told to run again", |app| {
        condition(app, "Active").reason == "Running"
    });
    assert_eq!(status["status"]["processes"], 1, "{status:#}");
    let pods = app.has_pods(1);
    assert_eq!(pods[0]["spec"]["nodeName"], KEPT);
    drop(back);
}

#[track_caller]
fn has_two_nodes() -> bool {
    (names().len() > 1 && std::env::var_os("OFFHOST_TEST_NODE_STOP").is_some())
        || support::needs(
            "OFFHOST_TEST_NODES",
            "the cluster has one node, or OFFHOST_TEST_NODE_STOP names no script that stops one",
        )
}
