//! Pods of random jobs before the evaluator that the API server itself has (OH4).
//!
//! `OFFHOST_TEST_ORACLE=1` runs it; `OFFHOST_TEST_ORACLE_JOBS` changes how many jobs there are.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::random_jobs::pods_of;
use super::{last, place};
use crate::plan_fixture::script;
use crate::support::needs;

const WHY: &str =
    "it builds a Go program with k8s.io/pod-security-admission, for which it needs Go and its module proxy";

/// Proves: OH4 (P), SB4 (P)
#[test]
fn oh4_the_evaluator_of_pod_security_accepts_every_pod() {
    if !needs("OFFHOST_TEST_ORACLE", WHY) {
        return;
    }
    let jobs =
        std::env::var("OFFHOST_TEST_ORACLE_JOBS").map_or(5_000, |text| text.parse().expect("a number"));
    let pods = pods_of(jobs);
    let (_, mut privileged) = last(&script().in_pod(), &place());
    let spec = privileged.spec.as_mut().expect("a specification");
    spec.host_network = Some(true);
    spec.containers[0].security_context = None;
    let mut lines = Vec::new();
    for pod in pods.iter().chain([&privileged]) {
        serde_json::to_writer(&mut lines, pod).expect("a Pod is JSON");
        lines.push(b'\n');
    }
    let answers = ask(lines);
    assert_eq!(answers.len(), pods.len() + 1);
    let (control, answers) = answers.split_last().expect("there is one for each Pod");
    assert!(
        control.contains("hostNetwork") && control.contains("capabilities"),
        "it refuses nothing: {control}"
    );
    let refused: Vec<&String> = answers.iter().filter(|answer| *answer != "allowed").collect();
    println!("{} Pods of {jobs} jobs, {} refused", pods.len(), refused.len());
    assert!(refused.is_empty(), "{:?}", &refused[..refused.len().min(10)]);
}

fn ask(lines: Vec<u8>) -> Vec<String> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pod-security");
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pod-security"))
        .status()
        .expect("go can be started");
    assert!(status.success(), "go build: {status}");
    let mut oracle = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the evaluator starts");
    let mut stdin = oracle.stdin.take().expect("stdin is piped");
    let writer = std::thread::spawn(move || stdin.write_all(&lines).expect("the evaluator reads"));
    let output = oracle.wait_with_output().expect("the evaluator ends");
    writer.join().expect("all was written");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("answers are text");
    text.lines().map(str::to_owned).collect()
}
