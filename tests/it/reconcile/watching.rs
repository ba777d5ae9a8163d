//! What the watches survive, and what they tell.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use offhost::controller::view::View;
use offhost::controller::watch::{Watches, watch};
use offhost::controller::worker::triggers;
use offhost::telemetry::metrics::Metrics;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::fake_api::{FakeApi, NAMESPACE, status};

struct Watching {
    api: FakeApi,
    view: Arc<View>,
    stop: CancellationToken,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Watching {
    fn start() -> Self {
        let api = FakeApi::new(Arc::new(|| Timestamp::from_second(1_767_225_600).unwrap()));
        let (view, stop) = (Arc::new(View::new()), CancellationToken::new());
        tokio::spawn(watch(Watches {
            client: api.client(),
            namespace: NAMESPACE.to_owned(),
            view: view.clone(),
            metrics: Arc::new(Metrics::new()),
            stop: stop.clone(),
        }));
        Self { api, view, stop }
    }

    fn apply(&self, name: &str, spec: Value) {
        self.api
            .put("contentjobs", json!({"metadata": {"name": name}, "spec": spec}));
    }

    async fn until(&self, what: &str, holds: impl Fn(&View) -> bool) {
        let waited = timeout(Duration::from_secs(30), async {
            while !holds(&self.view) {
                sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(waited.await.is_ok(), "{what}");
    }
}

fn has(name: &'static str) -> impl Fn(&View) -> bool {
    move |view| view.jobs.get(name).is_some()
}

fn render() -> Value {
    json!({"content": "a", "task": "Render"})
}

#[tokio::test(start_paused = true)]
async fn what_is_there_and_what_comes_is_seen() {
    let watching = Watching::start();
    watching.apply("early", render());
    watching.view.health.ready().await;
    watching.until("it is listed", has("early")).await;
    watching.apply("late", render());
    watching.until("it is told", has("late")).await;
    watching.api.delete("contentjobs", "early");
    watching
        .until("it is gone", |view| view.jobs.get("early").is_none())
        .await;
}

/// Proves: OH1 (P)
#[tokio::test(start_paused = true)]
async fn a_job_that_can_not_be_read_hides_no_other() {
    let watching = Watching::start();
    watching.apply("listed", json!({"task": ["no", "task"]}));
    watching.apply("whole", render());
    watching.view.health.ready().await;
    watching.apply("told", json!({"retries": "many"}));
    watching.apply("last", render());
    for name in ["listed", "whole", "told", "last"] {
        watching.until(name, has(name)).await;
    }
    let fault = |name: &str| watching.view.jobs.get(name).unwrap().fault.clone();
    assert!(fault("listed").is_some() && fault("told").is_some());
    assert_eq!((fault("whole"), fault("last")), (None, None));
}

/// Proves: OH2 (P)
#[tokio::test(start_paused = true)]
async fn a_cut_connection_and_an_expired_version_are_no_loss() {
    let watching = Watching::start();
    watching.view.health.ready().await;
    watching.apply("a", render());
    watching.until("a", has("a")).await;
    let gone = json!({"type": "ERROR", "object": status(410, "Expired", "too old resource version")});
    for (name, last_words) in [
        ("b", None),
        ("c", Some(gone.to_string())),
        ("d", Some("{\"type\": \"MODI".to_owned())),
    ] {
        sleep(Duration::from_secs(1)).await;
        watching.api.cut_watches(last_words.as_deref());
        // While nobody watches: this is only seen by who lists again or goes on from the last version.
        watching.api.delete("contentjobs", "a");
        watching.apply(name, render());
        watching.apply("a", render());
        watching.until(name, has(name)).await;
    }
}

/// Proves: OH2 (P)
#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_gone_for_minutes_is_followed_again_soon() {
    let watching = Watching::start();
    watching.view.health.ready().await;
    watching.api.set_down(true);
    sleep(Duration::from_secs(600)).await;
    watching.apply("a", render());
    watching.api.set_down(false);
    timeout(Duration::from_secs(6), watching.until("a", has("a")))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_sees_nothing_says_why() {
    let watching = Watching::start();
    watching.api.set_down(true);
    sleep(Duration::from_secs(5)).await;
    let waits = watching.view.health.waits_for();
    let kinds = ["contentapps", "contentjobs", "events", "pods"];
    assert_eq!(waits.len(), kinds.len(), "{waits:?}");
    for (kind, said) in kinds.iter().zip(&waits) {
        assert!(said.contains(&format!("{kind} can not be listed")), "{waits:?}");
    }
}

/// Proves: OH1 (P)
#[tokio::test(start_paused = true)]
async fn a_pod_and_what_is_said_of_it_have_its_job_looked_at() {
    let watching = Watching::start();
    watching.view.health.ready().await;
    let (sender, mut asked) = triggers();
    watching.view.look_from_now_on(sender);
    let mut told = async |what: &str| {
        for _ in 0..100 {
            sleep(Duration::from_millis(50)).await;
            if asked.now().iter().any(|key| &**key == "sales") {
                return;
            }
        }
        panic!("{what}");
    };
    let owner = json!([{
        "apiVersion": "offhost.dev/v1alpha1", "kind": "ContentJob", "name": "sales", "uid": "u", "controller": true,
    }]);
    let labels =
        json!({"app.kubernetes.io/managed-by": "offhost", "app.kubernetes.io/name": "offhost-content"});
    watching.api.put(
        "pods",
        json!({"metadata": {"name": "p", "ownerReferences": owner, "labels": labels}}),
    );
    told("a new Pod").await;
    watching
        .api
        .edit("pods", "p", |pod| pod["status"]["phase"] = json!("Running"));
    told("its status").await;
    let uid = watching.api.get("pods", "p").unwrap()["metadata"]["uid"].clone();
    watching.api.put(
        "events",
        json!({
            "metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p", "uid": uid},
            "type": "Warning", "reason": "FailedMount", "message": "no such claim",
        }),
    );
    told("a warning").await;
    assert_eq!(watching.view.events.of(uid.as_str().unwrap()).len(), 1);
    watching.api.delete("pods", "p");
    told("its end").await;
    assert!(watching.view.events.of(uid.as_str().unwrap()).is_empty());
}
