//! From the first request to a process that answers, or to the reason why none does.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::site::Site;
use super::{answers, may_run};
use crate::faults::place::LIMIT;
use crate::faults::wait_for;

/// Proves: SC1 (L), SC3 (L), PK10 (L)
#[test]
fn the_first_request_starts_a_process_that_ends_when_it_is_idle() {
    if !may_run() {
        return;
    }
    let site = Site::new("[Scheduler]\nIdleTimeout = 1s");
    site.app(
        "hello",
        "python-api",
        "print('begun', flush=True)\nserve(lambda path: 'at ' + path)",
        "",
    );
    let server = site.start();
    let answer = site.visit_until("hello", 200);
    assert_eq!(answer.body, "at /");
    let shown = site.show("hello");
    let key = shown["processes"][0]["key"].as_str().unwrap().to_owned();
    let log = site.run(&["logs", &format!("hello/{key}")]).succeeded();
    assert_eq!(log.stdout, "begun\n");
    site.reaches("hello", "Idle");
    let jobs = site.jobs("hello");
    let record = jobs.iter().find(|job| job["key"] == key.as_str()).unwrap();
    assert_eq!(record["record"]["state"], "succeeded");
    assert_eq!(record["record"]["tag"], "run_python_api");
    assert!(
        site.metrics().contains("offhost_process_starts_total 1"),
        "{}",
        site.metrics()
    );
    server.end();
    site.assert_gone();
}

/// Proves: SC1 (L)
#[test]
fn the_stages_of_a_start_are_one_trace_and_each_is_measured() {
    if !may_run() {
        return;
    }
    let mut site = Site::new("");
    site.levels = Some("info,offhost::start=debug");
    site.app(
        "hello",
        "python-api",
        &answers("hello"),
        "idleTimeoutSeconds: 600",
    );
    let server = site.start();
    site.reaches("hello", "Idle");
    assert_eq!(site.visit("hello").status, 200);
    let key = site.show("hello")["processes"][0]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let (log, trace) = (site.log(), format!("trace=\"{key}\""));
    let of_start = log.lines().filter(|line| line.contains(&trace));
    let stages: BTreeSet<&str> = of_start
        .filter_map(|line| line.split_once("stage=\"")?.1.split('"').next())
        .collect();
    let [own, visitor] = [
        ["plan", "prepare", "launch", "ready"].as_slice(),
        &["route", "seat", "connected", "first_byte", "total"],
    ];
    let all = own.iter().chain(visitor).copied().chain(["decided"]);
    assert_eq!(stages, all.collect(), "{log}");
    let metrics = site.metrics();
    let process = own
        .iter()
        .map(|step| format!("process_start_seconds_count{{step=\"{step}\"}} 1"));
    let gateway = visitor
        .iter()
        .map(|stage| format!("gateway_start_seconds_count{{stage=\"{stage}\"}} 1"));
    for line in process.chain(gateway) {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    server.end();
    site.assert_gone();
}

/// Proves: SC1 (L), SC2 (L)
#[test]
fn two_hundred_visitors_of_a_cold_application_are_all_answered() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    let code = "import time\ntime.sleep(0.5)\nserve(lambda path: 'hello')";
    site.app("cold", "python-api", code, "");
    let server = site.start();
    site.reaches("cold", "Idle");
    std::thread::scope(|scope| {
        let visits: Vec<_> = (0..200).map(|_| scope.spawn(|| site.visit("cold"))).collect();
        for visit in visits {
            let answer = visit.join().unwrap();
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (200, "hello"),
                "{}",
                answer.head
            );
        }
    });
    let starts = site.jobs("cold").len();
    assert!(
        starts <= 4,
        "an installation and at most three processes, not {starts}"
    );
    server.end();
    site.assert_gone();
}

/// Proves: SC3 (L)
#[test]
fn who_waits_is_told_why_a_process_does_not_get_ready() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    site.app("silent", "python-api", "time.sleep(600)", "initTimeoutSeconds: 1");
    site.app(
        "crashes",
        "python-api",
        "print('no such table', flush=True)\nsys.exit(3)",
        "",
    );
    let elsewhere = "s = socket.create_server(('127.0.0.1', 0))\ntime.sleep(600)";
    site.app("elsewhere", "python-api", elsewhere, "initTimeoutSeconds: 1");
    let server = site.start();
    for (name, expected) in [
        ("silent", "within 1 s"),
        ("crashes", "exit code 3"),
        ("elsewhere", "listens at 127.0.0.1:"),
    ] {
        let shown = site.reaches(name, "Idle");
        assert!(shown["problem"].is_null(), "{shown}");
        let answer = site.visit(name);
        assert_eq!(answer.status, 503, "{name}: {}", answer.body);
        // Where it listens is known once it was looked for.
        let told = || {
            let said = site.show(name)["lastFailure"]["message"].as_str()?.to_owned();
            said.contains(expected).then_some(said)
        };
        wait_for(&format!("{name}: {expected}"), LIMIT, told);
    }
    // It is not tried again and again.
    let before = site.jobs("crashes").len();
    for _ in 0..20 {
        assert_eq!(site.visit("crashes").status, 503);
    }
    assert!(site.jobs("crashes").len() <= before + 2);
    let jobs = site.jobs("crashes");
    let failed = jobs.iter().find(|job| job["record"]["exitCode"] == 3).unwrap();
    let key = failed["key"].as_str().unwrap();
    let log = site.run(&["logs", &format!("crashes/{key}")]).succeeded();
    assert_eq!(log.stdout, "no such table\n");
    server.end();
    site.assert_gone();
}

/// Proves: PK10 (L)
#[test]
fn what_prints_for_ever_is_bounded_and_not_held_up() {
    if !may_run() {
        return;
    }
    let site = Site::new("[Applications]\nMaxLogSize = 1 MiB");
    let code = "def chat():\n    while True: os.write(1, b'x' * 65536)\n\
                threading.Thread(target=chat, daemon=True).start()\nserve(lambda path: 'still here')";
    site.app("chatty", "python-api", code, "idleTimeoutSeconds: 60");
    let server = site.start();
    assert_eq!(site.visit_until("chatty", 200).body, "still here");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(site.visit("chatty").body, "still here");
    let key = site.show("chatty")["processes"][0]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let directory = site.place.path("data/jobs/chatty").join(key);
    let logs = std::fs::read_dir(directory).unwrap().flatten();
    let sizes = logs.filter(|entry| entry.file_name().to_string_lossy().starts_with("serve."));
    let size: u64 = sizes
        .map(|entry| entry.metadata().map_or(0, |metadata| metadata.len()))
        .sum();
    assert!((500_000..=1_200_000).contains(&size), "{size}");
    server.end();
    site.assert_gone();
}

/// Proves: SC4 (L)
#[test]
fn two_applications_share_the_last_place() {
    if !may_run() {
        return;
    }
    let site = Site::new("[Scheduler]\nMaxProcessesTotal = 1\nIdleTimeout = 1s");
    site.app("one", "python-api", &answers("one"), "");
    site.app("two", "python-api", &answers("two"), "");
    let server = site.start();
    site.reaches("one", "Idle");
    site.reaches("two", "Idle");
    std::thread::scope(|scope| {
        let site = &site;
        let visits = ["one", "two"].map(|name| scope.spawn(move || (site.visit(name), name)));
        for visit in visits {
            let (answer, name) = visit.join().unwrap();
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (200, name),
                "{}",
                answer.head
            );
        }
    });
    server.end();
    site.assert_gone();
}

/// Proves: SC1 (L)
#[test]
fn an_answer_that_is_none_is_told_as_such() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    let code = "s = socket.socket(fileno=3)\nsay_ready()\nwhile True:\n    c, _ = s.accept()\n    c.recv(4096)\n    c.sendall(b'\\x00garbage')\n    c.close()";
    site.app("garbage", "python-api", code, "");
    let server = site.start();
    let began = Instant::now();
    let answer = site.visit_until("garbage", 502);
    assert!(began.elapsed() < Duration::from_secs(60), "{}", answer.body);
    server.end();
    site.assert_gone();
}
