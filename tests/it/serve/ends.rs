//! How a server ends, and what there can not be two of.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::site::Site;
use super::{answers, may_run};

#[test]
fn a_second_server_of_a_data_directory_is_refused() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    let server = site.start();
    let before = site.log().len();
    assert_eq!(site.begin().wait(), Some(65));
    let said = site.log()[before..].to_owned();
    assert!(
        said.contains("another offhost serve works in") && said.contains("(process "),
        "{said}"
    );
    server.end();
    site.start().end();
    let said = site.run(&["apps", "list"]);
    assert!(said.error().contains("no server works in"), "{}", said.stderr);
}

/// Proves: SB7 (L)
#[test]
fn a_request_is_answered_before_the_server_ends_and_a_second_signal_ends_it_at_once() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    let code = "def answer(path):\n    time.sleep(1)\n    return 'late'\nserve(answer)";
    site.app("slow", "python-api", code, "minProcesses: 1");
    // It hears nobody, but for SIGKILL.
    let deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nserve(lambda path: 'deaf')";
    site.app("deaf", "python-api", deaf, "");
    let server = site.start();
    site.reaches("slow", "Ready");
    let answer = std::thread::scope(|scope| {
        let visit = scope.spawn(|| site.visit("slow"));
        std::thread::sleep(Duration::from_millis(300));
        server.signal(Signal::TERM);
        visit.join().unwrap()
    });
    assert_eq!((answer.status, answer.body.as_str()), (200, "late"));
    assert_eq!(server.wait(), Some(0));
    site.assert_gone();

    let server = site.start();
    assert_eq!(site.visit_until("deaf", 200).body, "deaf");
    server.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(server.wait(), Some(143));
    assert!(began.elapsed() < Duration::from_secs(5));
    site.place.assert_no_process(Duration::from_secs(10));
    site.start().end();
    site.assert_gone();
}

/// Proves: SC3 (L)
#[test]
fn a_process_that_does_not_hear_is_ended_by_force() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    let deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nserve(lambda path: 'deaf')";
    site.app("deaf", "python-api", deaf, "");
    let server = site.start();
    assert_eq!(site.visit_until("deaf", 200).body, "deaf");
    std::fs::remove_file(site.manifest_path("deaf")).unwrap();
    site.visit_until("deaf", 404);
    site.place.assert_no_process_but_server();
    server.end();
    site.assert_gone();
}

/// Proves: SC5 (L)
#[test]
fn a_session_of_before_a_restart_begins_anew() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    site.app(
        "state",
        "python-streamlit",
        &answers("state"),
        "idleTimeoutSeconds: 60",
    );
    let server = site.start();
    let cookie = site.visit_until("state", 200).cookie().expect("it has sessions");
    let head = format!("Cookie: {cookie}\r\n");
    assert_eq!(site.visit_with("state", &head).cookie(), None, "it is known");
    server.end();
    let server = site.start();
    site.reaches("state", "Idle");
    let answer = site.visit_with("state", &head);
    assert_eq!(answer.status, 200);
    assert!(answer.cookie().is_some(), "its process is gone");
    server.end();
    site.assert_gone();
}
