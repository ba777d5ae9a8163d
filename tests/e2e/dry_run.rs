//! The Pods of thousands of random jobs and applications, as the API server and its Pod Security admission see them.

use std::process::Command;

use futures::StreamExt;
use serde_json::{Value, json};

use crate::release::another_namespace;
use crate::{api, cluster};

/// How many are asked about at once.
const AT_ONCE: usize = 16;
/// Name of what the random jobs refer to.
const NAME: &str = "offhost-random";

fn count() -> usize {
    std::env::var("OFFHOST_TEST_RANDOM_PODS").map_or(5_000, |number| number.parse().unwrap())
}

/// The classes that random jobs name have no namespace; they may be there from before.
fn make_classes(namespace: &str) {
    let class = json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": NAME}, "value": 1,
    });
    let _ = api::try_create("/apis/scheduling.k8s.io/v1/priorityclasses", &class);
    let class = json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": NAME}, "handler": "runc",
    });
    let _ = api::try_create("/apis/node.k8s.io/v1/runtimeclasses", &class);
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}});
    api::create(&api::core(namespace, "serviceaccounts"), &account);
}

/// The namespace takes Pods of the level `restricted` only.
///
/// Proves: OH4 (P)
#[test]
fn every_pod_of_random_jobs_is_taken_by_the_api_server() {
    if !cluster::there() {
        return;
    }
    let release = another_namespace("dry-run");
    make_classes(&release.namespace);
    let mut generator = Command::new(env!("CARGO"));
    generator
        .args([
            "run",
            "--quiet",
            "--example",
            "random-pods",
            "--",
            &count().to_string(),
            &release.namespace,
        ])
        .current_dir(cluster::repository(""));
    let printed = cluster::run(&mut generator);
    let pods: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // Most jobs have more than one process, and so more than one Pod; every third is an application.
    assert!(pods.len() >= count(), "{}", pods.len());
    let owner = |pod: &&Value| pod["metadata"]["ownerReferences"][0]["kind"] == "ContentApp";
    let serving = pods.iter().filter(owner).count();
    assert!(serving >= count() / 4, "{serving}");
    let path = api::core(&release.namespace, "pods") + "?dryRun=All&fieldValidation=Strict";
    let refused: Vec<String> = api::API.runtime.block_on(
        futures::stream::iter(&pods)
            .map(|pod| {
                let path = &path;
                async move {
                    let answer = api::send("POST", path, "application/json", Some(pod)).await;
                    answer.err().map(|refusal| format!("{refusal:?}\n{pod}"))
                }
            })
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect(),
    );
    assert!(
        refused.is_empty(),
        "{} are refused, as {}",
        refused.len(),
        refused[0]
    );
    println!("offhost/pods-taken {}", pods.len());
}
