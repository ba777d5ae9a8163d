//! Pods of Git builds: made once, watched to their end and deleted, whatever the API server answers meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use kube::core::ObjectMeta;
use offhost::builds::cluster::life::{Patience, Pods};
use offhost::builds::cluster::outcome::{Verdict, is_of_the_cluster};
use offhost::controller::context::Clock;
use offhost::names::{LABEL_BUILD, LABEL_BUILDER};
use offhost::reason::Reason;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::fake_api::{FakeApi, Fault, NAMESPACE};

const NAME: &str = "build-praise-0a1b2c-source";
const PATIENCE: Patience = Patience {
    start: Duration::from_secs(60),
    run: Duration::from_secs(600),
    node_lost_seconds: 30,
};

struct Cluster {
    api: FakeApi,
    pods: Pods,
    is_over: Arc<AtomicBool>,
}

impl Cluster {
    fn new() -> Self {
        let begun = Instant::now();
        let now = Arc::new(move || {
            let start = Timestamp::from_second(1_767_225_600).unwrap();
            start
                .checked_add(SignedDuration::try_from(begun.elapsed()).unwrap())
                .unwrap()
        });
        let api = FakeApi::new(now.clone());
        let pods = Pods::new(&api.client(), NAMESPACE, Clock(now));
        Self {
            api,
            pods,
            is_over: Arc::default(),
        }
    }

    /// What the node does to a Pod, once it is there and a while later.
    fn node(&self, key: &'static str, status: Value) {
        let (api, is_over) = (self.api.clone(), self.is_over.clone());
        tokio::spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                sleep(Duration::from_secs(5)).await;
                let there = api.get("pods", NAME);
                let is_this = there.is_some_and(|pod| pod["metadata"]["labels"][LABEL_BUILD] == key);
                if is_this {
                    api.edit("pods", NAME, |pod| {
                        pod["spec"]["nodeName"] = json!("node1");
                        pod["status"] = status;
                    });
                    return;
                }
            }
        });
    }

    async fn run(&self) -> Verdict {
        let verdict = self.pods.run(&pod("mine", "ours"), PATIENCE, &|| false).await;
        self.is_over.store(true, Ordering::Relaxed);
        verdict
    }

    fn is_empty(&self) -> bool {
        self.api.all("pods").is_empty()
    }

    fn made(&self) -> usize {
        let calls = self.api.calls();
        calls
            .iter()
            .filter(|call| call.starts_with("create pods"))
            .count()
    }
}

fn pod(key: &str, builder: &str) -> Pod {
    let labels = [
        (LABEL_BUILD, key),
        (LABEL_BUILDER, builder),
        ("app.kubernetes.io/component", "build"),
    ];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Pod {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            labels: Some(BTreeMap::from(labels)),
            ..ObjectMeta::default()
        },
        spec: Some(PodSpec {
            containers: vec![Container {
                name: "content".to_owned(),
                image: Some("example.com/r:4".to_owned()),
                ..Container::default()
            }],
            ..PodSpec::default()
        }),
        status: None,
    }
}

fn state(phase: &str, state: Value) -> Value {
    json!({"phase": phase, "containerStatuses": [{
        "name": "content", "image": "example.com/r:4", "imageID": "", "ready": false, "restartCount": 0, "state": state,
    }]})
}

/// The process has ended, as the helper says.
fn ended(exit: i32, report: &Value) -> Value {
    let phase = if exit == 0 { "Succeeded" } else { "Failed" };
    state(
        phase,
        json!({"terminated": {
            "exitCode": exit, "message": report.to_string(),
            "startedAt": "2026-01-01T00:00:01Z", "finishedAt": "2026-01-01T00:00:02Z",
        }}),
    )
}

fn well() -> Value {
    ended(
        0,
        &json!({"event": "ended", "code": 0, "signal": null, "cause": null}),
    )
}

/// A verdict, or the reason and a part of the sentence that the cluster gave.
type Expected = Result<Verdict, (Reason, &'static str)>;

const WELL: Verdict = Verdict::Process {
    code: Some(0),
    signal: None,
};

fn cause(verdict: &Verdict) -> (Reason, &str) {
    match verdict {
        Verdict::Cluster(problem) => (problem.reason, &problem.message),
        other => panic!("{other:?}"),
    }
}

/// Proves: GB6 (P)
#[tokio::test(start_paused = true)]
async fn every_end_of_a_pod_is_a_reason_and_a_sentence() {
    let failed = json!({"event": "ended", "code": 1, "signal": null, "cause": null});
    let killed = json!({"event": "ended", "code": null, "signal": 11, "cause": null});
    let late = json!({"event": "ended", "code": null, "signal": 9, "cause": "timeout"});
    let memory = json!({"event": "ended", "code": null, "signal": 9, "cause": "memory"});
    let supervisor = json!({"event": "failed", "step": "supervisor", "message": "the supervisor is not there", "hint": ""});
    let waiting = |reason: &str, message: &str| {
        state(
            "Pending",
            json!({"waiting": {"reason": reason, "message": message}}),
        )
    };
    let whole =
        |reason: &str, message: &str| json!({"phase": "Failed", "reason": reason, "message": message});
    let process = |code, signal| Ok(Verdict::Process { code, signal });
    let cases: [(Value, Expected); 9] = [
        (well(), Ok(WELL)),
        (ended(1, &failed), process(Some(1), None)),
        (ended(139, &killed), process(None, Some(11))),
        (ended(124, &late), Ok(Verdict::TimedOut)),
        (whole("DeadlineExceeded", ""), Ok(Verdict::TimedOut)),
        (
            ended(137, &memory),
            Err((Reason::OutOfMemory, "Scheduler.Memory")),
        ),
        (
            ended(125, &supervisor),
            Err((Reason::SupervisorRefused, "is refused")),
        ),
        (
            whole("Evicted", "The node was low on resource: memory."),
            Err((Reason::Disrupted, "Scheduler.MemoryRequest")),
        ),
        (
            waiting("ImagePullBackOff", "Back-off pulling image \"example.com/r:4\""),
            Err((Reason::ImageUnavailable, "'example.com/r:4'")),
        ),
    ];
    for (status, expected) in cases {
        let cluster = Cluster::new();
        let shown = status.to_string();
        cluster.node("mine", status);
        let verdict = cluster.run().await;
        match expected {
            Ok(expected) => assert_eq!(verdict, expected, "{shown}"),
            Err((reason, part)) => {
                let (found, message) = cause(&verdict);
                assert_eq!(found, reason, "{shown}: {message}");
                assert!(message.contains(part), "{shown}: {message}");
            }
        }
        assert!(cluster.is_empty(), "{shown}");
    }
}

/// Proves: GB6 (P)
#[tokio::test(start_paused = true)]
async fn a_pod_that_fits_no_node_is_given_up_in_time() {
    let cluster = Cluster::new();
    let api = cluster.api.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(1)).await;
        api.edit("pods", NAME, |pod| {
            pod["status"]["conditions"] = json!([{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "0/1 nodes are available: 1 Insufficient cpu.",
            }]);
        });
    });
    let begun = Instant::now();
    let verdict = cluster.run().await;
    let (reason, message) = cause(&verdict);
    assert_eq!(reason, Reason::Unschedulable);
    assert!(
        message.contains("within 60 s") && message.contains("Kubernetes.StartTimeout"),
        "{message}"
    );
    assert!(
        message.contains("Insufficient cpu") && message.contains("Scheduler.CPURequest"),
        "{message}"
    );
    assert!(begun.elapsed() >= PATIENCE.start && cluster.is_empty());
    assert!(is_of_the_cluster(reason), "that says nothing about the package");
}

/// Proves: GB6 (P)
#[tokio::test(start_paused = true)]
async fn a_pod_that_somebody_deletes_is_no_success() {
    let cluster = Cluster::new();
    let api = cluster.api.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(10)).await;
        api.delete("pods", NAME);
    });
    let verdict = cluster.run().await;
    let (reason, message) = cause(&verdict);
    assert_eq!(reason, Reason::Disrupted);
    assert!(
        message.contains("deleted") && message.contains("is built again"),
        "{message}"
    );
}

/// Proves: GB6 (P)
#[tokio::test(start_paused = true)]
async fn lost_answers_faults_and_cut_watches_make_no_second_pod() {
    type Faults = Box<dyn FnMut(usize, &super::fake_api::Call) -> Fault + Send>;
    let cases: [(&str, Faults); 4] = [
        (
            "the answer to its making is lost",
            Box::new(|number, _| match number {
                0 => Fault::Lost,
                _ => Fault::None,
            }),
        ),
        (
            "it can not be made for a while",
            Box::new(|number, call| match call.0.starts_with("create") && number < 4 {
                true => Fault::Refused(500, "etcdserver: request timed out"),
                false => Fault::None,
            }),
        ),
        (
            "every other look fails",
            Box::new(
                |number, call| match call.0.starts_with("get") && number % 2 == 0 {
                    true => Fault::Refused(500, "leader changed"),
                    false => Fault::None,
                },
            ),
        ),
        (
            "it can not be deleted for a while",
            Box::new(|number, call| match call.0.starts_with("delete") && number < 8 {
                true => Fault::Refused(500, "leader changed"),
                false => Fault::None,
            }),
        ),
    ];
    for (what, faults) in cases {
        let cluster = Cluster::new();
        cluster.api.faults(faults);
        cluster.node("mine", well());
        let api = cluster.api.clone();
        tokio::spawn(async move {
            for _ in 0..4 {
                sleep(Duration::from_secs(1)).await;
                api.cut_watches(Some(
                    r#"{"type":"ERROR","object":{"code":410,"reason":"Expired"}}"#,
                ));
            }
        });
        assert_eq!(cluster.run().await, WELL, "{what}");
        assert!(cluster.is_empty(), "{what}");
    }
}

/// Proves: GB6 (P)
#[tokio::test(start_paused = true)]
async fn what_the_api_server_refuses_is_told_and_not_repeated() {
    let cases = [
        (
            r#"pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "n""#,
            "give its role the verb create on pods",
        ),
        (
            r#"pods "p" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1"#,
            "raise the quota",
        ),
    ];
    for (said, part) in cases {
        let cluster = Cluster::new();
        cluster
            .api
            .faults(move |_, call| match call.0.starts_with("create") {
                true => Fault::Refused(403, said),
                false => Fault::None,
            });
        let verdict = cluster.run().await;
        let (reason, message) = cause(&verdict);
        assert_eq!(reason, Reason::PodRefused);
        assert!(message.contains(part), "{message}");
        assert_eq!(cluster.made(), 1);
    }
}

/// Proves: GB6 (P)
#[tokio::test(start_paused = true)]
async fn a_pod_that_a_builder_before_has_left_is_ended_first() {
    let cluster = Cluster::new();
    let left = serde_json::to_value(pod("left", "ours")).unwrap();
    cluster.api.put("pods", left);
    cluster
        .api
        .edit("pods", NAME, |pod| pod["spec"]["nodeName"] = json!("lost"));
    cluster.node("mine", well());
    // Its node never says that it has ended: it is given up after its grace and NodeLostSeconds.
    let begun = Instant::now();
    assert_eq!(cluster.run().await, WELL);
    assert!(begun.elapsed() >= Duration::from_secs(60) && cluster.is_empty());
}

/// Proves: GB6 (P)
#[tokio::test(start_paused = true)]
async fn a_pod_of_somebody_else_is_left_alone() {
    let cluster = Cluster::new();
    cluster
        .api
        .put("pods", serde_json::to_value(pod("other", "theirs")).unwrap());
    let verdict = cluster.run().await;
    let (reason, message) = cause(&verdict);
    assert_eq!(reason, Reason::PodRefused);
    assert!(message.contains("kubectl delete pod"), "{message}");
    assert_eq!(cluster.api.all("pods").len(), 1);
}

/// Proves: GB6 (P)
#[tokio::test(start_paused = true)]
async fn the_end_of_the_builder_ends_its_pods() {
    let cluster = Cluster::new();
    cluster.node(
        "mine",
        state(
            "Running",
            json!({"running": {"startedAt": "2026-01-01T00:00:01Z"}}),
        ),
    );
    let begun = Instant::now();
    let stop = move || begun.elapsed() > Duration::from_secs(20);
    let (api, is_over) = (cluster.api.clone(), cluster.is_over.clone());
    tokio::spawn(async move {
        while !is_over.load(Ordering::Relaxed) {
            sleep(Duration::from_secs(1)).await;
            if api
                .get("pods", NAME)
                .is_some_and(|pod| !pod["metadata"]["deletionTimestamp"].is_null())
            {
                api.edit("pods", NAME, |pod| pod["status"]["phase"] = json!("Failed"));
                api.confirm(NAME);
                return;
            }
        }
    });
    let verdict = cluster.pods.run(&pod("mine", "ours"), PATIENCE, &stop).await;
    assert_eq!(verdict, Verdict::Stopped);
    assert!(cluster.is_empty());
}

/// Proves: GB6 (P)
#[tokio::test(start_paused = true)]
async fn a_start_ends_the_pods_of_this_builder_and_no_others() {
    let cluster = Cluster::new();
    for (name, builder) in [("a", "ours"), ("b", "ours"), ("c", "theirs")] {
        let mut left = serde_json::to_value(pod(name, builder)).unwrap();
        left["metadata"]["name"] = json!(name);
        cluster.api.put("pods", left);
    }
    cluster.api.faults(|number, _| match number {
        0 => Fault::Refused(500, "leader changed"),
        _ => Fault::None,
    });
    cluster.pods.end_all("ours", PATIENCE, &|| false).await.unwrap();
    let left: Vec<Value> = cluster.api.all("pods");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["metadata"]["name"], "c");
}
