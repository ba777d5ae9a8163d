//! `offhost run --cluster`.

use serde_json::{Value, json};

use super::fake::{Cluster, status};

fn attempt(number: i32, more: &Value) -> Value {
    let mut attempt = json!({ "number": number, "key": format!("0123456789abcdef-{number}"), "podName": format!("pod-{number}"), "podUid": "u" });
    for (name, value) in more.as_object().unwrap() {
        attempt[name] = value.clone();
    }
    attempt
}

fn ended(code: i32) -> Value {
    json!([{ "name": "content", "ready": false, "restartCount": 0, "image": "", "imageID": "",
        "state": { "terminated": { "exitCode": code } } }])
}

fn running() -> Value {
    let more = json!({ "content": "page", "attempts": [attempt(1, &json!({}))] });
    status("Unknown", "Running", "the process runs", &more)
}

/// Proves: SB8 (P), PK10 (P)
#[test]
fn the_output_is_shown_and_the_last_line_is_the_result() {
    let cluster = Cluster::new();
    cluster.pod("pod-1", "Succeeded", &ended(0), &json!([]));
    cluster
        .world()
        .logs
        .insert("pod-1/content".to_owned(), "rendering\nÜ\n".to_owned());
    let done = status(
        "True",
        "Succeeded",
        "done",
        &json!({
            "content": "page",
            "attempts": [attempt(1, &json!({ "completionTime": "2026-01-02T03:04:05Z" }))],
            "result": { "variant": "default", "number": 3, "activated": true, "path": "reports/v2/page/default/3/index.html" },
        }),
    );
    let awaiting = status(
        "Unknown",
        "AwaitingUpload",
        "the archive has not been sent yet",
        &json!({}),
    );
    cluster.world().statuses = vec![awaiting, running(), done];
    let job = cluster.file(
        "work/job.yaml",
        "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {name: nightly, labels: {team: data}}\n\
         spec: {bundle: {path: page}, task: Render, retries: 2}\n",
    );
    let outcome = cluster.offhost(&["run", job.to_str().unwrap(), "--cluster", "--no-activate"]);
    outcome.succeeded();
    assert_eq!(
        outcome.stdout,
        "rendering\nÜ\nreports/v2/page/default/3/index.html\n"
    );
    assert!(outcome.stderr.contains("result 3 is served now"), "{outcome:?}");
    let world = cluster.world();
    let made = &world.made[0];
    assert!(
        made["metadata"]["name"]
            .as_str()
            .unwrap()
            .starts_with("run-page-")
    );
    assert_eq!(made["metadata"]["labels"], json!({ "team": "data" }));
    assert_eq!(
        (&made["spec"]["retries"], &made["spec"]["activation"]),
        (&json!(2), &json!("Manual"))
    );
    assert_eq!(
        made["spec"]["bundle"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
        ["archive"]
    );
    assert_eq!(world.uploads.len(), 1);
}

#[test]
fn the_exit_code_is_that_of_the_process_or_of_the_reason() {
    for (reason, exit_code, code) in [
        ("ProcessFailed", json!(7), 7),
        ("OutOfMemory", json!(137), 137),
        ("ImageUnavailable", Value::Null, 71),
        ("DeadlineExceeded", json!(143), 124),
    ] {
        let cluster = Cluster::new();
        cluster.pod("pod-1", "Failed", &ended(7), &json!([]));
        cluster
            .world()
            .logs
            .insert("pod-1/content".to_owned(), "no\n".to_owned());
        let mut more = json!({ "content": "page", "attempts": [attempt(1, &json!({}))] });
        if !exit_code.is_null() {
            more["exitCode"] = exit_code;
        }
        cluster.world().statuses = vec![running(), status("False", reason, "it failed", &more)];
        cluster.world().uploads.push((String::new(), 0));
        let outcome = cluster.offhost(&["run", "page", "--cluster"]);
        outcome.refused(code, &[&format!("did not succeed ({reason}): it failed")]);
        assert_eq!(outcome.stdout, "no\n");
    }
}

#[test]
fn the_output_of_every_attempt_is_shown() {
    let cluster = Cluster::new();
    for number in [1, 2] {
        cluster.pod(&format!("pod-{number}"), "Failed", &ended(1), &json!([]));
        cluster
            .world()
            .logs
            .insert(format!("pod-{number}/content"), format!("attempt {number}\n"));
    }
    let both = json!({ "content": "page", "attempts": [attempt(1, &json!({})), attempt(2, &json!({}))] });
    cluster.world().statuses = vec![running(), running(), status("True", "Succeeded", "done", &both)];
    let outcome = cluster.offhost(&["run", "page", "--cluster"]);
    assert_eq!(outcome.succeeded().stdout, "attempt 1\nattempt 2\n");
}

#[test]
fn a_dry_run_prints_the_job_and_asks_nobody() {
    let cluster = Cluster::new();
    let outcome = cluster.offhost(&["run", "page", "--cluster", "--dry-run", "--param", "year=2024"]);
    let job: Value = serde_saphyr::from_str(&outcome.succeeded().stdout).unwrap();
    assert_eq!(job["kind"], "ContentJob");
    assert_eq!(
        job["spec"]["parameters"],
        json!([{ "name": "year", "value": "2024" }])
    );
    assert_eq!(
        job["spec"]["bundle"]["archive"]["sha256"].as_str().unwrap().len(),
        64
    );
    assert_eq!(cluster.world().requests, Vec::<String>::new());
}

#[test]
fn a_job_of_a_bundle_that_is_there_sends_nothing() {
    let cluster = Cluster::new();
    cluster.world().statuses = vec![status("True", "Succeeded", "done", &json!({ "content": "page" }))];
    let job = cluster.file(
        "work/job.yaml",
        "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {name: nightly}\nspec: {content: page, bundle: {id: \"2\"}}\n",
    );
    cluster
        .offhost(&["run", job.to_str().unwrap(), "--cluster"])
        .succeeded();
    assert_eq!(
        cluster.world().made[0]["spec"],
        json!({ "content": "page", "bundle": { "id": "2" } })
    );
    assert_eq!(cluster.world().uploads, []);
}

#[test]
fn flags_of_a_cluster_need_one() {
    let cluster = Cluster::new();
    for flags in [
        &["-n", "a"][..],
        &["--dry-run"],
        &["--context", "x"],
        &["--no-wait"],
    ] {
        let outcome = cluster.offhost(&[&["run", "page"], flags].concat());
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains("--cluster"), "{outcome:?}");
    }
}
