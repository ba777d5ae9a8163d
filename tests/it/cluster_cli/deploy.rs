//! `offhost content deploy --cluster`.

use serde_json::json;

use super::fake::{Cluster, status};

fn awaiting() -> serde_json::Value {
    status(
        "Unknown",
        "AwaitingUpload",
        "the archive has not been sent yet",
        &json!({}),
    )
}

fn deployed() -> serde_json::Value {
    status(
        "True",
        "Succeeded",
        "deployed",
        &json!({ "content": "page", "bundle": "4" }),
    )
}

/// Proves: AP2 (P)
#[test]
fn a_directory_is_sent_and_becomes_a_bundle() {
    let cluster = Cluster::new();
    cluster.world().statuses = vec![json!({}), awaiting(), deployed()];
    let outcome = cluster.offhost(&["content", "deploy", "page", "--cluster"]);
    outcome.succeeded();
    assert_eq!(
        outcome.stdout,
        "content/page deployed as bundle 4 (Quarto document)\n"
    );
    let world = cluster.world();
    let (job, (digest, bytes)) = (&world.made[0], &world.uploads[0]);
    let name = job["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("deploy-page-") && name.len() == 20, "{name}");
    assert_eq!(
        job["spec"],
        json!({
            "content": "page",
            "task": "Deploy",
            "bundle": { "archive": { "sha256": digest, "bytes": bytes } },
        })
    );
    assert_eq!(world.deleted, Vec::<String>::new());
}

#[test]
fn the_same_content_again_has_another_job_and_the_same_digest() {
    let cluster = Cluster::new();
    for _ in 0..2 {
        cluster.world().statuses = vec![awaiting(), deployed()];
        cluster.world().uploads.clear();
        cluster
            .offhost(&["content", "deploy", "page", "--cluster", "--content", "other"])
            .succeeded();
    }
    let world = cluster.world();
    let digest = |index: usize| &world.made[index]["spec"]["bundle"]["archive"]["sha256"];
    assert_eq!(digest(0), digest(1));
    assert_ne!(
        world.made[0]["metadata"]["name"],
        world.made[1]["metadata"]["name"]
    );
    assert_eq!(world.made[0]["spec"]["content"], "other");
}

#[test]
fn an_archive_goes_as_it_is_and_is_not_sent_where_it_is_there_already() {
    let cluster = Cluster::new();
    cluster.world().statuses = vec![deployed()];
    let page = cluster.path("work/page");
    let archive = cluster.path("work/page.tar.gz");
    let tar = std::process::Command::new("tar")
        .arg("-czf")
        .arg(&archive)
        .arg("-C")
        .arg(&page)
        .arg(".")
        .status();
    assert!(tar.unwrap().success());
    cluster
        .offhost(&["content", "deploy", "page.tar.gz", "--cluster"])
        .succeeded();
    let world = cluster.world();
    assert_eq!(world.made[0]["spec"]["content"], "page");
    assert_eq!(
        world.made[0]["spec"]["bundle"]["archive"]["bytes"],
        std::fs::metadata(archive).unwrap().len()
    );
    assert_eq!(world.uploads, []);
}

#[test]
fn without_waiting_the_job_is_named() {
    let cluster = Cluster::new();
    cluster.world().statuses = vec![awaiting()];
    let outcome = cluster.offhost(&["content", "deploy", "page", "--cluster", "--no-wait"]);
    assert!(
        outcome.succeeded().stdout.starts_with("contentjob/deploy-page-"),
        "{outcome:?}"
    );
    assert_eq!(cluster.world().uploads.len(), 1);
}

/// Whatever stops it, no job is left that waits for an archive.
#[test]
fn what_the_cluster_refuses_is_told_with_the_missing_permission() {
    for (forbidden, words) in [
        (
            "create contentjobs",
            &[
                "cannot create resource",
                "permission to create contentjobs in namespace 'reports'",
            ][..],
        ),
        (
            "update services/proxy",
            &[
                "you may not send content",
                "services/proxy 'offhost-upload:8081' in namespace 'reports'",
            ],
        ),
    ] {
        let cluster = Cluster::new();
        cluster.world().statuses = vec![awaiting()];
        cluster.world().forbidden.insert(forbidden.to_owned());
        cluster
            .offhost(&["content", "deploy", "page", "--cluster"])
            .refused(77, words);
        assert_eq!(cluster.world().made.len(), 0, "{forbidden}");
    }
    for (code, said, words) in [
        (
            413,
            "the archive is larger than 1 GiB",
            &["larger than 1 GiB; leave out"][..],
        ),
        (
            400,
            "the digest is another",
            &["the archive was not taken: the digest is another"],
        ),
        (
            507,
            "no space is left on the data volume",
            &["no space is left on the data volume"],
        ),
    ] {
        let cluster = Cluster::new();
        cluster.world().statuses = vec![awaiting()];
        cluster.world().upload_answers = vec![(code, said.to_owned())];
        cluster
            .offhost(&["content", "deploy", "page", "--cluster"])
            .refused(75, words);
        let world = cluster.world();
        assert_eq!(
            world.deleted,
            [world.made[0]["metadata"]["name"].as_str().unwrap()]
        );
    }
}

#[test]
fn a_controller_that_starts_just_now_is_waited_for() {
    let cluster = Cluster::new();
    cluster.world().statuses = vec![awaiting(), deployed()];
    cluster.world().upload_answers = vec![
        (503, "no endpoints available".to_owned()),
        (404, "not waiting".to_owned()),
    ];
    cluster
        .offhost(&["content", "deploy", "page", "--cluster"])
        .succeeded();
    assert_eq!(cluster.world().uploads.len(), 1);
}

#[test]
fn the_service_is_found_or_named() {
    let cluster = Cluster::new();
    cluster.world().statuses = vec![awaiting(), deployed()];
    cluster.world().forbidden.insert("list services".to_owned());
    cluster
        .offhost(&["content", "deploy", "page", "--cluster"])
        .succeeded();
    cluster.world().forbidden.clear();
    cluster.world().objects.clear();
    cluster
        .offhost(&["content", "deploy", "page", "--cluster"])
        .refused(65, &["offhost is not installed there", "--service"]);
    for name in ["a-upload", "b-upload"] {
        cluster.world().objects.insert(
            format!("services/{name}"),
            json!({ "metadata": { "name": name } }),
        );
    }
    cluster
        .offhost(&["content", "deploy", "page", "--cluster"])
        .refused(65, &["(a-upload, b-upload)", "--service"]);
    cluster.world().statuses = vec![awaiting(), deployed()];
    cluster
        .offhost(&[
            "content",
            "deploy",
            "page",
            "--cluster",
            "--service",
            "offhost-upload",
        ])
        .succeeded();
}

#[test]
fn a_deployment_that_fails_says_why() {
    let cluster = Cluster::new();
    let failed = status(
        "False",
        "RuntimeNotFound",
        "no image has R 9.9; add one to runtimes.yaml",
        &json!({}),
    );
    cluster.world().statuses = vec![awaiting(), failed];
    cluster
        .offhost(&["content", "deploy", "page", "--cluster"])
        .refused(65, &["did not succeed (RuntimeNotFound)", "no image has R 9.9"]);
}

#[test]
fn no_cluster_and_other_credentials_are_told() {
    let cluster = Cluster::new();
    let missing = cluster.path("none");
    cluster
        .offhost_with(&missing, &["content", "deploy", "page", "--cluster"])
        .refused(75, &["KUBECONFIG", "--context"]);
    let text = std::fs::read_to_string(cluster.path("kubeconfig")).unwrap();
    let stranger = cluster.file("stranger", &text.replace("secret-token", "other"));
    cluster
        .offhost_with(&stranger, &["content", "deploy", "page", "--cluster"])
        .refused(77, &["log in again"]);
    let closed = cluster.file(
        "closed",
        &text.replace("http://127.0.0.1:", "http://127.0.0.1:1/"),
    );
    cluster
        .offhost_with(&closed, &["content", "deploy", "page", "--cluster"])
        .refused(75, &["the API server gives no answer"]);
    cluster
        .offhost(&["content", "deploy", "page", "--cluster", "--context", "y"])
        .refused(75, &["--context"]);
}

#[test]
fn content_that_could_not_be_used_is_not_sent() {
    let cluster = Cluster::new();
    cluster.file("work/empty/manifest.json", "{");
    let outcome = cluster.offhost(&["content", "deploy", "empty", "--cluster"]);
    assert_eq!(outcome.code, Some(65), "{outcome:?}");
    assert_eq!(cluster.world().requests, Vec::<String>::new());
}
