//! From a visitor's request to the answer of an application that has no process: a ContentApp beside bare Pods of the same
//! image with the same application, on the same nodes, taking turns. The application says itself when its process began
//! and when it was loaded; the clock is this machine's, so the nodes must run on it, as those of `tests/cluster` do.
//!
//! The bare Pods are what a visitor would wait for who made the Pod and then asked it without a pause. One has nothing but
//! a service account's token, as `kubectl run` makes it, the other the volumes that a process of ours has.
//!
//! The last line is `offhost/app-start-added-ms X`: the median of the ContentApp less that of the bare Pod.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]
#![allow(dead_code, reason = "the suite uses more of what it shares")]

#[path = "../tests/e2e/api.rs"]
mod api;
#[path = "../tests/e2e/app.rs"]
mod app;
#[path = "bare/mod.rs"]
mod bare;
#[path = "../tests/e2e/cluster.rs"]
mod cluster;
#[path = "../tests/e2e/job.rs"]
mod job;
#[path = "../tests/e2e/release.rs"]
mod release;
#[path = "../tests/it/support.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::core::WatchEvent;
use serde_json::json;
use tokio_util::task::AbortOnDropHandle;

use crate::app::{App, Way};
use crate::release::{Release, shared};

/// Rounds that are counted, and one before them that is not.
const ROUNDS: usize = 9;
const LIMIT: Duration = Duration::from_secs(60);
/// Where bare Pods and gateways listen.
const BARE_PORT: u16 = 8000;
const GATEWAY_PORT: u16 = 3939;

/// Says when its process began, to the clock tick, and when it was loaded.
const APP: &str = "\
import os
import time

LOADED = time.time()


def began():
    with open('/proc/self/stat', encoding='ascii') as stat:
        ticks = int(stat.read().rsplit(')', 1)[1].split()[19])
    with open('/proc/uptime', encoding='ascii') as uptime:
        up = float(uptime.read().split()[0])
    return time.time() - up + ticks / os.sysconf('SC_CLK_TCK')


BEGAN = began()


def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [f'{BEGAN} {LOADED}'.encode()]
";
/// The same with the server that comes with Python.
const SERVE: &str =
    "\nfrom wsgiref.simple_server import make_server\nmake_server('', 8000, app).serve_forever()\n";

/// What is measured, in milliseconds after the request: the Pod is there, it has a node, its process began, the
/// application is loaded, the visitor has the answer.
type Times = [f64; STAGES.len()];
const STAGES: [&str; 5] = ["Pod", "node", "process", "loaded", "answer"];

fn main() {
    if std::env::var_os("KUBECONFIG").is_none() {
        eprintln!("bench app_start: there is no cluster; set KUBECONFIG, or run it with tests/cluster/exec");
        return;
    }
    let release = shared();
    let app = release.app("cold", APP, &json!({"idleTimeoutSeconds": 1}));
    app.says("Ready", "True", "Accepted");
    release.bundle("bare", &[("serve.py", &format!("{APP}{SERVE}"))]);
    let names = ["ContentApp", "bare Pod", "Pod with the same volumes"];
    let mut rounds: [Vec<Times>; 3] = Default::default();
    for round in 0..=ROUNDS {
        let times = [
            content_app(&app),
            bare_pod(release, &format!("bare-{round}"), false),
            bare_pod(release, &format!("mounted-{round}"), true),
        ];
        if round > 0 {
            for (rounds, times) in rounds.iter_mut().zip(times) {
                rounds.push(times);
            }
        }
    }
    let medians = rounds.map(|rounds| medians(&rounds));
    for (name, times) in names.iter().zip(&medians) {
        let mut before = 0.0;
        let stages = STAGES.iter().zip(times).map(|(stage, time)| {
            let taken = time - std::mem::replace(&mut before, *time);
            format!("{stage} +{taken:.0}")
        });
        let stages: Vec<String> = stages.collect();
        println!(
            "{name}: {:.0} ms = {} (medians of {ROUNDS})",
            times[4],
            stages.join(", ")
        );
    }
    let added = |other: usize| medians[0][4] - medians[other][4];
    println!("offhost/app-start-added-to-mounted-ms {:.0}", added(2));
    println!("offhost/app-start-added-ms {:.0}", added(1));
}

fn medians(rounds: &[Times]) -> Times {
    std::array::from_fn(|stage| {
        let mut times: Vec<f64> = rounds.iter().map(|times| times[stage]).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
        * 1e3
}

/// One visit of an application without a process, through the gateway.
fn content_app(app: &App<'_>) -> Times {
    app.has_pods(0);
    app.wait("idle", |app| app["status"]["processes"] == 0);
    let gateways = api::list(&Way::gateway_pods(app.release));
    let gateway = gateways[0]["status"]["podIP"].as_str().unwrap();
    let gateway = SocketAddr::new(gateway.parse().unwrap(), GATEWAY_PORT);
    let seen = Seen::watch(
        &app.release.namespace,
        &format!("offhost.dev/app-name%3D{}", app.name),
    );
    let begun = now();
    let said =
        ask(gateway, "/content/cold/").unwrap_or_else(|error| panic!("no answer: {error}\n{}", app.told()));
    seen.times(begun, now(), &said)
}

/// A Pod that does the same without us.
fn bare_pod(release: &Release, name: &str, mounted: bool) -> Times {
    let pods = api::core(&release.namespace, "pods");
    let seen = Seen::watch(&release.namespace, &format!("bench%3D{name}"));
    let begun = now();
    let inline = format!("{APP}{SERVE}");
    let bare = match mounted {
        true => bare::pod(
            name,
            &["/usr/bin/python3", "-u", "/mnt/serve.py"],
            Some("incoming/bare"),
        ),
        false => bare::pod(name, &["/usr/bin/python3", "-u", "-c", &inline], None),
    };
    api::create(&pods, &bare);
    let end = Instant::now() + LIMIT;
    let said = loop {
        let said = seen
            .address()
            .and_then(|address| ask(SocketAddr::new(address, BARE_PORT), "/").ok());
        if let Some(said) = said {
            break said;
        }
        assert!(Instant::now() < end, "no answer of '{name}'\n{}", release.told());
        std::thread::sleep(Duration::from_millis(2));
    };
    let times = seen.times(begun, now(), &said);
    let path = format!("{pods}/{name}");
    cluster::run(
        release
            .kubectl()
            .args(["delete", "pod", name, "--grace-period=0", "--force"]),
    );
    while api::find(&path).is_some() {
        std::thread::sleep(Duration::from_millis(50));
    }
    times
}

/// The body of an answer with status 200.
fn ask(at: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&at, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: bench.test\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    if head.split(' ').nth(1) == Some("200") {
        return Ok(body.to_owned());
    }
    Err(std::io::Error::other(answer))
}

/// When a Pod was made, when it got its node, and its address.
#[derive(Default)]
struct Told {
    made: Option<f64>,
    placed: Option<f64>,
    address: Option<IpAddr>,
}

impl Told {
    fn see(&mut self, pod: &Pod) {
        self.made.get_or_insert_with(now);
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        if node.is_some() {
            self.placed.get_or_insert_with(now);
        }
        let status = pod.status.as_ref();
        let address = status.and_then(|status| status.pod_ip.as_ref()?.parse().ok());
        self.address = self.address.or(address);
    }
}

/// What the API server tells of the Pods with a label.
struct Seen {
    told: Arc<Mutex<Told>>,
    _watch: AbortOnDropHandle<()>,
}

impl Seen {
    fn watch(namespace: &str, label: &str) -> Self {
        let pods = format!("{}?labelSelector={label}", api::core(namespace, "pods"));
        let version = api::get(&pods)["metadata"]["resourceVersion"]
            .as_str()
            .unwrap()
            .to_owned();
        let told: Arc<Mutex<Told>> = Arc::default();
        let noted = told.clone();
        let watch = api::API.runtime.spawn(async move {
            let path = format!("{pods}&watch=1&resourceVersion={version}");
            let request = http::Request::get(path).body(Vec::new()).unwrap();
            let events = api::API.client.request_events::<Pod>(request).await.unwrap();
            let mut events = std::pin::pin!(events);
            while let Ok(Some(event)) = events.try_next().await {
                if let WatchEvent::Added(pod) | WatchEvent::Modified(pod) = event {
                    noted.lock().unwrap().see(&pod);
                }
            }
        });
        Self {
            told,
            _watch: AbortOnDropHandle::new(watch),
        }
    }

    fn address(&self) -> Option<IpAddr> {
        self.told.lock().unwrap().address
    }

    fn times(&self, begun: f64, answered: f64, said: &str) -> Times {
        let told = self.told.lock().unwrap();
        let mut own = said.split(' ').map(|time| {
            let seconds: f64 = time
                .trim()
                .parse()
                .unwrap_or_else(|_| panic!("no time: '{said}'"));
            seconds * 1e3
        });
        let mut own = || own.next().unwrap();
        let (process, loaded) = (own(), own());
        let all = [
            told.made.unwrap(),
            told.placed.unwrap(),
            process,
            loaded,
            answered,
        ];
        all.map(|time| time - begun)
    }
}
