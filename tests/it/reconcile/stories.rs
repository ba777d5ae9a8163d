//! What takes several looks: waiting, trying again, ending, being taken over.

use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode};
use offhost::controller::uploads::{Uploads, routes};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt;

use super::fake_api::Fault;
use super::place::{Controller, Place};

fn script() -> Value {
    json!({"content": "script", "bundle": {"path": "script"}, "task": "Run", "command": ["sh", "run.sh"]})
}

async fn rounds(place: &Place, controller: &mut Controller, count: usize, exit_code: i64) {
    for _ in 0..count {
        assert!(controller.settle().await, "{:#?}", place.api.calls());
        place.node(exit_code);
        place.wait(2);
    }
    assert!(controller.settle().await);
}

/// Proves: EX6 (P)
#[tokio::test(start_paused = true)]
async fn a_job_goes_on_when_its_image_is_listed() {
    let place = Place::new();
    let mut controller = place.controller().await;
    let mut spec = script();
    spec["runtime"] = json!({"name": "registry.example.com/content:2"});
    place.apply("a", spec);
    assert!(controller.settle().await);
    assert_eq!(place.succeeded("a").1, "RuntimeNotFound");
    let text = std::fs::read_to_string(place.runtimes_file()).unwrap();
    std::fs::write(place.runtimes_file(), "- name: broken\n  nonsense: 1\n").unwrap();
    controller.context.runtimes.look();
    std::fs::write(
        place.runtimes_file(),
        format!("{text}{}", text.replace("content:1", "content:2")),
    )
    .unwrap();
    assert!(controller.context.runtimes.look());
    let waiting = controller
        .context
        .view
        .index
        .waiting_for(&offhost::controller::index::Awaited::Runtime);
    assert_eq!(waiting.len(), 1, "the file's follower has it looked at");
    controller.context.view.ask(waiting[0].clone());
    assert!(controller.settle().await);
    assert_eq!(place.succeeded("a").1, "Starting");
}

/// Proves: OH1 (P)
#[tokio::test(start_paused = true)]
async fn a_pod_that_was_refused_is_made_when_it_is_taken() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.api.faults(|_, call| {
        if call.0 == "create pods" {
            Fault::Refused(403, "pods \"a\" is forbidden: exceeded quota: q")
        } else {
            Fault::None
        }
    });
    place.apply("a", script());
    for _ in 0..3 {
        assert!(controller.settle().await);
        assert_eq!(
            place.succeeded("a"),
            ("Unknown".to_owned(), "PodRefused".to_owned())
        );
        place.wait(60);
    }
    let writes = |calls: Vec<String>| calls.iter().filter(|call| call.starts_with("update")).count();
    assert_eq!(
        writes(place.api.calls()),
        2,
        "what stays the same is not written again"
    );
    place.api.faults(|_, _| Fault::None);
    rounds(&place, &mut controller, 3, 0).await;
    assert_eq!(place.succeeded("a").0, "True");
}

/// Proves: OH2 (P)
#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_as_often_as_the_job_says() {
    let place = Place::new();
    let mut controller = place.controller().await;
    let mut spec = script();
    spec["retries"] = json!(1);
    place.apply("a", spec);
    for _ in 0..4 {
        rounds(&place, &mut controller, 3, 1).await;
        place.wait(30);
    }
    assert_eq!(place.succeeded("a").0, "False");
    let job = place.job("a").unwrap();
    assert_eq!(job["status"]["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(place.api.all("pods").len(), 2);
}

/// Proves: OH3 (P)
#[tokio::test(start_paused = true)]
async fn a_finished_job_goes_after_its_time_to_live() {
    let place = Place::new();
    let mut controller = place.controller().await;
    let mut spec = script();
    spec["ttlSecondsAfterFinished"] = json!(60);
    place.apply("a", spec);
    rounds(&place, &mut controller, 3, 0).await;
    assert_eq!(place.succeeded("a").0, "True");
    place.wait(30);
    assert!(controller.settle().await);
    assert!(place.job("a").is_some());
    place.wait(31);
    assert!(controller.settle().await);
    assert_eq!((place.job("a"), place.api.all("pods").len()), (None, 0));
}

/// Proves: OH3 (P)
#[tokio::test(start_paused = true)]
async fn a_deletion_does_not_wait_for_a_node_that_is_gone() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply("a", script());
    assert!(controller.settle().await);
    place.node(0);
    assert!(controller.settle().await);
    assert_eq!(place.succeeded("a").1, "Running");
    place.api.delete("contentjobs", "a");
    // 30 s of grace, and Kubernetes.NodeLostSeconds: nobody says that the process has ended.
    for waited in [0, 29, 30] {
        assert!(controller.settle().await);
        assert!(place.job("a").is_some(), "{waited}");
        place.wait(waited);
    }
    place.wait(2);
    assert!(controller.settle().await);
    assert_eq!((place.job("a"), place.api.all("pods").len()), (None, 0));
}

/// Proves: OH3 (P)
#[tokio::test(start_paused = true)]
async fn a_job_whose_finalizer_was_taken_off_by_hand_leaves_no_pod() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply("a", script());
    assert!(controller.settle().await);
    place.node(0);
    assert!(controller.settle().await);
    place.api.edit("contentjobs", "a", |job| {
        job["metadata"]["finalizers"] = json!([])
    });
    place.api.delete("contentjobs", "a");
    assert_eq!(place.job("a"), None);
    assert_eq!(place.api.all("pods").len(), 1, "our finalizer holds it");
    for _ in 0..3 {
        assert!(controller.settle().await);
        place.node(0);
        place.wait(2);
    }
    assert_eq!(place.api.all("pods").len(), 0);
}

/// Proves: OH2 (P)
#[tokio::test(start_paused = true)]
async fn who_may_not_lead_any_more_changes_nothing() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply("a", script());
    controller.context.tenure.set(None);
    place.api.faults(|_, _| Fault::None);
    controller.settle().await;
    assert_eq!(place.api.calls(), Vec::<String>::new());
}

/// Proves: PK1 (P)
#[tokio::test(start_paused = true)]
async fn an_installation_that_failed_before_a_job_was_made_is_made_anew() {
    let place = Place::new();
    let mut controller = place.controller().await;
    let book = json!({"content": "book", "bundle": {"path": "notebook"}, "task": "Run", "command": ["python3", "book.py"]});
    place.apply("first", book.clone());
    rounds(&place, &mut controller, 3, 1).await;
    assert_eq!(place.succeeded("first").1, "InstallFailed");
    place.wait(10);
    place.apply("second", book);
    rounds(&place, &mut controller, 6, 0).await;
    assert_eq!(place.succeeded("second").0, "True");
    assert_eq!(place.succeeded("first").0, "False", "what has ended has ended");
}

/// Proves: PK2 (P)
#[tokio::test(start_paused = true)]
async fn a_person_s_installation_is_done_by_the_shared_one() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply(
        "own",
        json!({"content": "book", "bundle": {"path": "notebook"}, "task": "Install"}),
    );
    rounds(&place, &mut controller, 4, 0).await;
    assert_eq!(place.succeeded("own").0, "True");
    let names: Vec<Value> = place
        .api
        .all("contentjobs")
        .iter()
        .map(|job| job["metadata"]["name"].clone())
        .collect();
    assert_eq!(names, ["install-80c7fc4a247f960c", "own"]);
    assert_eq!(place.api.all("pods").len(), 1);
}

/// Proves: PK5 (P)
#[tokio::test(start_paused = true)]
async fn packages_of_node_are_installed_by_a_job_of_their_own() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply(
        "seed",
        json!({"content": "site", "bundle": {"path": "node"}, "task": "Run", "command": ["node", "app.js"]}),
    );
    rounds(&place, &mut controller, 6, 0).await;
    assert_eq!(place.succeeded("seed").0, "True");
    let jobs = place.api.all("contentjobs");
    let install = jobs
        .iter()
        .find(|job| job["metadata"]["name"] != "seed")
        .expect("a job installs");
    assert_eq!(install["spec"]["language"], "Node");
    assert_eq!(install["spec"]["runtime"]["nodejs"], "18.20.4");
    assert_eq!(place.api.all("pods").len(), 2);
}

/// An archive with one file.
fn archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::fast(),
    ));
    let mut header = tar::Header::new_gnu();
    let text = b"echo sent\n";
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "run.sh", &text[..]).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Proves: PK8 (P)
#[tokio::test(start_paused = true)]
async fn an_archive_is_taken_when_a_job_waits_for_it_and_no_other() {
    let place = Place::new();
    let mut controller = place.controller().await;
    let bytes = archive();
    let uploads = Uploads {
        view: controller.context.view.clone(),
        disk: controller.context.disk.clone(),
        metrics: controller.context.metrics.clone(),
    };
    let send = |method: &'static str, digest: String, bytes: Vec<u8>| {
        let routes = routes(uploads.clone());
        async move {
            let request = Request::builder()
                .method(method)
                .uri(format!("/v1/uploads/{digest}"))
                .header("content-length", bytes.len())
                .body(Body::from(bytes))
                .unwrap();
            let answer = routes.oneshot(request).await.unwrap();
            let status = answer.status();
            let text = axum::body::to_bytes(answer.into_body(), 4096).await.unwrap();
            (status, String::from_utf8_lossy(&text).into_owned())
        }
    };
    let (status, said) = send("PUT", digest(&bytes), bytes.clone()).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{said}");
    assert!(said.contains("no ContentJob waits for archive"), "{said}");
    place.apply(
        "a",
        json!({
            "content": "sent", "task": "Run", "command": ["sh", "run.sh"],
            "bundle": {"archive": {"sha256": digest(&bytes), "bytes": bytes.len()}},
        }),
    );
    assert!(controller.settle().await);
    assert_eq!(place.succeeded("a").1, "AwaitingUpload");
    assert_eq!(
        send("HEAD", digest(&bytes), Vec::new()).await.0,
        StatusCode::NOT_FOUND
    );
    let mut longer = bytes.clone();
    longer.push(0);
    let (status, said) = send("PUT", digest(&bytes), longer).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    let mut other = bytes.clone();
    other[10] ^= 1;
    let (status, said) = send("PUT", digest(&bytes), other).await;
    assert!(status.is_client_error() && !said.is_empty(), "{status} {said}");
    assert_eq!(
        send("PUT", "../../etc".to_owned(), Vec::new()).await.0,
        StatusCode::NOT_FOUND
    );
    let (status, said) = send("PUT", digest(&bytes), bytes.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    assert_eq!(send("HEAD", digest(&bytes), Vec::new()).await.0, StatusCode::OK);
    assert_eq!(send("PUT", digest(&bytes), bytes.clone()).await.0, StatusCode::OK);
    rounds(&place, &mut controller, 3, 0).await;
    assert_eq!(place.succeeded("a").0, "True");
    let (status, _) = send("PUT", digest(&bytes), bytes).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "nobody waits for it any more");
}

/// Proves: OH1 (P)
#[tokio::test(start_paused = true)]
async fn events_tell_what_happens() {
    let place = Place::new();
    let mut controller = place.controller().await;
    place.apply("a", script());
    rounds(&place, &mut controller, 3, 0).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut told: Vec<(String, String)> = place
        .api
        .all("events.events.k8s.io")
        .iter()
        .map(|event| {
            (
                event["reason"].to_string(),
                event["regarding"]["name"].to_string(),
            )
        })
        .collect();
    told.sort();
    let about = |reason: &str| (format!("\"{reason}\""), "\"a\"".to_owned());
    assert_eq!(told, [about("Running"), about("Starting"), about("Succeeded")]);
}
