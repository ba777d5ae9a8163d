//! `offhost logs`.

use serde_json::{Value, json};

use super::fake::{Cluster, status};

fn container(name: &str, state: &Value) -> Value {
    json!({ "name": name, "ready": false, "restartCount": 0, "image": "", "imageID": "", "state": state })
}

fn attempts(numbers: &[i32]) -> Value {
    let attempts: Vec<Value> = numbers
        .iter()
        .map(|number| json!({ "number": number, "key": format!("k-{number}"), "podName": format!("pod-{number}"), "podUid": "u" }))
        .collect();
    json!({ "content": "page", "attempts": attempts })
}

/// Proves: OH1 (P)
#[test]
fn the_output_of_an_attempt_is_shown() {
    let cluster = Cluster::new();
    for number in [1, 2] {
        cluster.pod(
            &format!("pod-{number}"),
            "Failed",
            &json!([container("content", &json!({ "terminated": { "exitCode": 1 } }))]),
            &json!([]),
        );
        cluster
            .world()
            .logs
            .insert(format!("pod-{number}/content"), format!("attempt {number}\n"));
    }
    cluster.world().statuses = vec![status("False", "ProcessFailed", "it failed", &attempts(&[1, 2]))];
    assert_eq!(
        cluster.offhost(&["logs", "a-job"]).succeeded().stdout,
        "attempt 2\n"
    );
    assert_eq!(
        cluster
            .offhost(&["logs", "a-job", "--attempt", "1", "-f"])
            .succeeded()
            .stdout,
        "attempt 1\n"
    );
    cluster
        .offhost(&["logs", "a-job", "--attempt", "3"])
        .refused(65, &["has no attempt 3; there are 1, 2"]);
    cluster
        .offhost(&["logs", "missing"])
        .refused(65, &["there is no job 'missing' in namespace 'reports'"]);
}

#[test]
fn an_init_container_that_failed_is_what_is_shown() {
    let cluster = Cluster::new();
    cluster.pod(
        "pod-1",
        "Failed",
        &json!([container(
            "content",
            &json!({ "waiting": { "reason": "PodInitializing" } })
        )]),
        &json!([
            container("install", &json!({ "terminated": { "exitCode": 0 } })),
            container("copy", &json!({ "terminated": { "exitCode": 1 } }))
        ]),
    );
    cluster
        .world()
        .logs
        .insert("pod-1/copy".to_owned(), "no space\n".to_owned());
    cluster.world().statuses = vec![status("False", "StartFailed", "it failed", &attempts(&[1]))];
    let outcome = cluster.offhost(&["logs", "a-job"]);
    assert_eq!(outcome.succeeded().stdout, "no space\n");
    assert!(outcome.stderr.contains("container 'copy'"), "{outcome:?}");
}

#[test]
fn why_there_is_no_output_is_told() {
    let cluster = Cluster::new();
    cluster.world().statuses = vec![status(
        "Unknown",
        "Installing",
        "job install-1 installs Python packages",
        &json!({}),
    )];
    cluster
        .offhost(&["logs", "a-job"])
        .refused(65, &["has run no process (Installing: job install-1 installs"]);
    cluster.world().statuses = vec![json!({})];
    cluster
        .offhost(&["logs", "a-job"])
        .refused(65, &["no controller has looked at it yet"]);
    cluster.world().statuses = vec![status(
        "Unknown",
        "Unschedulable",
        "no node has 64 GiB",
        &attempts(&[1]),
    )];
    cluster.pod("pod-1", "Pending", &json!([]), &json!([]));
    cluster
        .offhost(&["logs", "a-job"])
        .refused(65, &["has not started: no node has 64 GiB"]);
    cluster.world().objects.clear();
    cluster.offhost(&["logs", "a-job"]).refused(
        65,
        &[
            "Pod 'pod-1' of attempt 1 is gone",
            "jobs/page/k-1/log",
            "offhost logs page/k-1",
        ],
    );
    cluster.world().forbidden.insert("get contentjobs".to_owned());
    cluster
        .offhost(&["logs", "a-job"])
        .refused(77, &["permission to get contentjobs"]);
}

#[test]
fn what_is_followed_is_waited_for() {
    let cluster = Cluster::new();
    cluster.pod(
        "pod-1",
        "Succeeded",
        &json!([container("content", &json!({ "terminated": { "exitCode": 0 } }))]),
        &json!([]),
    );
    cluster
        .world()
        .logs
        .insert("pod-1/content".to_owned(), "done\n".to_owned());
    cluster.world().statuses = vec![
        json!({}),
        status(
            "Unknown",
            "Installing",
            "job install-1 installs Python packages",
            &json!({}),
        ),
        status("Unknown", "Running", "the process runs", &attempts(&[1])),
    ];
    let outcome = cluster.offhost(&["logs", "a-job", "-f"]);
    assert_eq!(outcome.succeeded().stdout, "done\n");
    assert!(outcome.stderr.contains("job install-1 installs"), "{outcome:?}");
}

/// Proves: PK10 (L, P)
#[test]
fn jobs_of_the_data_directory_are_shown_without_a_cluster() {
    let cluster = Cluster::new();
    cluster.file("data/jobs/page/0123456789abcdef-1/log/task.log", "kept\n");
    cluster.file("data/jobs/page/fedcba9876543210/task.log", "local\n");
    for (word, text) in [
        ("page/0123456789abcdef-1", "kept\n"),
        ("0123456789abcdef-1", "kept\n"),
        ("fedcba9876543210", "local\n"),
    ] {
        assert_eq!(cluster.offhost(&["logs", word]).succeeded().stdout, text);
    }
    cluster
        .offhost(&["logs", "page/other"])
        .refused(65, &["the data directory has no job 'page/other'"]);
    assert_eq!(cluster.world().requests, Vec::<String>::new());
}
