//! From a request to the API server to the content's process: a ContentJob beside bare Pods of the same image, on the
//! same nodes, taking turns. The process says itself when it began; the clock is this machine's, so the nodes must run
//! on it, as those of `tests/cluster` do.
//!
//! The last line is `offhost/pod-start-added-ms X`: the median of the ContentJobs less that of Pods with nothing but a service
//! account's token, as `kubectl run` makes them.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]
#![allow(dead_code, reason = "the suite uses more of what it shares")]

#[path = "../tests/e2e/api.rs"]
mod api;
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

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::job::shell;
use crate::release::{Release, shared};

/// Rounds that are counted, and one before them that is not.
const ROUNDS: usize = 11;
/// What the process does: say when it began.
const CLOCK: &str = "date +%s%N";

fn main() {
    if std::env::var_os("KUBECONFIG").is_none() {
        eprintln!("bench pod_start: there is no cluster; set KUBECONFIG, or run it with tests/cluster/exec");
        return;
    }
    let release = shared();
    let mut times: [Vec<f64>; 3] = Default::default();
    for round in 0..=ROUNDS {
        let taken = [
            content_job(release, round),
            bare_pod(release, &format!("bare-{round}"), false),
            bare_pod(release, &format!("mounted-{round}"), true),
        ];
        if round > 0 {
            for (times, time) in times.iter_mut().zip(taken) {
                times.push(time);
            }
        }
    }
    let medians = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    let names = ["ContentJob", "bare Pod", "Pod with a volume and directories"];
    for (name, median) in names.iter().zip(medians) {
        println!("{name}: {median:.0} ms (median of {ROUNDS})");
    }
    println!(
        "offhost/pod-start-added-to-mounted-ms {:.0}",
        medians[0] - medians[2]
    );
    println!("offhost/pod-start-added-ms {:.0}", medians[0] - medians[1]);
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
        * 1e3
}

/// What the process said, in milliseconds after `begun`.
fn since(begun: f64, said: &str) -> f64 {
    let nanoseconds: f64 = said
        .trim()
        .parse()
        .unwrap_or_else(|_| panic!("no time: '{said}'"));
    nanoseconds / 1e6 - begun
}

fn content_job(release: &Release, round: usize) -> f64 {
    let begun = now();
    let job = release.job(&format!("timed-{round}"), shell(CLOCK));
    let seen = job.succeeds();
    let taken = since(begun, &job.log(&seen, 0));
    job.delete();
    job.is_gone();
    taken
}

fn bare_pod(release: &Release, name: &str, mounted: bool) -> f64 {
    let path = format!("{}/{name}", api::core(&release.namespace, "pods"));
    let begun = now();
    api::create(
        &api::core(&release.namespace, "pods"),
        &bare::pod(name, &["/bin/sh", "-c", CLOCK], mounted.then_some("incoming")),
    );
    let end = Instant::now() + Duration::from_secs(60);
    while api::get(&path)["status"]["phase"] != "Succeeded" {
        assert!(
            Instant::now() < end,
            "Pod '{name}' does not succeed\n{}",
            release.told()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let said = cluster::run(release.kubectl().args(["logs", name]));
    api::delete(&path);
    since(begun, &said)
}
