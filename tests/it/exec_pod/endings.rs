//! Exit codes, signals and time: what ends the process, and what is said of it.

use std::time::{Duration, Instant};

use offhost::sandbox::EndCause;

use super::support::{Rig, kill, wait_for_line};

/// Proves: SB8 (P), PK10 (P)
#[test]
fn every_exit_code_is_the_containers() {
    let rig = Rig::new();
    for code in [0, 1, 2, 7, 70, 124, 125, 126, 127, 128, 137, 143, 255] {
        let outcome = rig.sh(&format!("exit {code}"));
        assert_eq!(outcome.code, Some(code));
        assert_eq!(outcome.ended(), (Some(code), None, None));
    }
}

/// Proves: SB8 (P), PK10 (P)
#[test]
fn every_fatal_signal_is_reported() {
    let rig = Rig::new();
    let harmless = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
    let stops = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    // 32 and 33 belong to the C library.
    for signal in (1..=31).chain([34, 64]) {
        if harmless.contains(&signal) || stops.contains(&signal) {
            continue;
        }
        let outcome = rig.sh(&format!("kill -{signal} $$; exit 99"));
        assert_eq!(outcome.ended(), (None, Some(signal), None));
        assert_eq!(outcome.code, Some(128 + signal));
    }
}

/// Proves: PK10 (P)
#[test]
fn a_process_whose_time_is_over_is_told_then_killed() {
    let rig = Rig::new();
    let flags = ["--timeout-seconds", "1", "--grace-seconds", "1"];
    let listens = "trap 'echo told; exit 3' TERM; while :; do sleep 0.01; done";
    let outcome = rig.run_with(&flags, listens);
    assert_eq!((outcome.code, outcome.text().as_str()), (Some(124), "told\n"));
    assert_eq!(outcome.ended(), (Some(3), None, Some(EndCause::Timeout)));

    let start = Instant::now();
    let outcome = rig.run_with(&flags, "trap '' TERM; while :; do sleep 0.01; done");
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert_eq!(outcome.code, Some(124));
    assert_eq!(
        outcome.ended(),
        (None, Some(libc::SIGKILL), Some(EndCause::Timeout))
    );
    rig.assert_none_left();
}

/// Proves: SB7 (P), PK10 (P)
#[test]
fn a_request_to_end_reaches_the_process() {
    for signal in ["TERM", "INT", "HUP", "QUIT"] {
        let rig = Rig::new();
        let script = format!("trap 'exit 7' {signal}; echo ready; while :; do sleep 0.01; done");
        let mut child = rig.start(&mut rig.helper(&["pod", "--", "/bin/sh", "-c", &script]));
        assert_eq!(wait_for_line(&mut child), "ready\n");
        kill(child.id(), signal);
        let outcome = rig.finish(child);
        assert_eq!(outcome.ended(), (Some(7), None, Some(EndCause::Stopped)));
        assert_eq!(outcome.code, Some(7));
    }
}

/// Proves: SB7 (P)
#[test]
fn other_signals_are_passed_on_and_end_nothing() {
    let rig = Rig::new();
    let script =
        "trap 'echo usr1' USR1; trap 'echo winch; exit 0' WINCH; echo ready; while :; do sleep 0.01; done";
    let mut child = rig.start(&mut rig.helper(&["pod", "--", "/bin/sh", "-c", script]));
    assert_eq!(wait_for_line(&mut child), "ready\n");
    kill(child.id(), "USR1");
    assert_eq!(wait_for_line(&mut child), "usr1\n");
    kill(child.id(), "WINCH");
    assert_eq!(rig.finish(child).good(), "winch\n");
}

/// Proves: SB7 (P), PK10 (P)
#[test]
fn a_process_that_does_not_listen_is_killed_after_its_grace() {
    let rig = Rig::new();
    let script = "trap '' TERM INT; echo ready; while :; do sleep 0.01; done";
    let words = [
        "pod",
        "--grace-seconds",
        "1",
        "--",
        "/bin/sh",
        "-c",
        script,
        &rig.marker,
    ];
    let mut child = rig.start(&mut rig.helper(&words));
    assert_eq!(wait_for_line(&mut child), "ready\n");
    let (start, pid) = (Instant::now(), child.id());
    kill(pid, "TERM");
    std::thread::sleep(Duration::from_millis(600));
    // Asking again does not give it more time.
    kill(pid, "INT");
    let outcome = rig.finish(child);
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(990) && took < Duration::from_millis(1550),
        "{took:?}"
    );
    assert_eq!(outcome.code, Some(137));
    assert_eq!(
        outcome.ended(),
        (None, Some(libc::SIGKILL), Some(EndCause::Stopped))
    );
    rig.assert_none_left();
}

/// A Pod whose containers share their processes has another first process.
///
/// Proves: SB7 (P)
#[test]
fn what_was_left_behind_ends_with_the_process() {
    let rig = Rig::new();
    let stay = format!(
        "trap \"\" TERM HUP INT; : {}; while :; do sleep 600; done",
        rig.marker
    );
    let script = format!(
        "sh -c '{stay}' & setsid sh -c '{stay}' & setsid sh -c \"setsid sh -c '{}' & exit\" &\n\
         sh -c 'kill -STOP $$; : {}' & sleep 0.2; echo out",
        stay.replace('"', "\\\""),
        rig.marker
    );
    let outcome = rig.sh(&script);
    assert_eq!(outcome.text(), "out\n");
    assert_eq!(outcome.ended(), (Some(0), None, None));
    let left = rig.processes();
    assert!(left.is_empty(), "{left:?}");
}
