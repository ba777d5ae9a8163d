//! The helper as process 1.

use offhost::sandbox::EndCause;

use super::support::{Rig, child_of, kill, wait_for_line, wait_until};
use crate::support::needs;

/// A script that starts processes which do all to stay: in sessions of their own, orphaned, stopped, deaf.
fn stayers(rig: &Rig) -> String {
    let stay = format!(
        "trap \"\" TERM HUP INT QUIT; : {}; while :; do sleep 600; done",
        rig.marker
    );
    let escaped = stay.replace('"', "\\\"");
    format!(
        "sh -c '{stay}' & setsid sh -c '{stay}' & setsid sh -c \"setsid sh -c '{escaped}' & exit\" &\n\
         sh -c 'kill -STOP $$; : {}' &\nsleep 0.2; echo ready\n",
        rig.marker
    )
}

/// Starts this as the first process's content. Without the right to make a PID namespace the test says so.
#[track_caller]
fn start(rig: &Rig, flags: &[&str], script: &str) -> Option<std::process::Child> {
    let words = [&["pod"], flags, &["--", "/bin/sh", "-c", script, &rig.marker]].concat();
    if let Some(mut command) = rig.first(&words) {
        return Some(rig.start(&mut command));
    }
    assert!(
        !needs("OFFHOST_TEST_ROOT", "it makes a PID namespace"),
        "root can make one"
    );
    None
}

/// Proves: SB7 (P)
#[test]
fn everything_in_the_container_ends_with_the_process() {
    let rig = Rig::new();
    let script = format!("{}echo $(ls -d /proc/[0-9]* | wc -l)", stayers(&rig));
    let Some(child) = start(&rig, &[], &script) else {
        return;
    };
    let outcome = rig.finish(child);
    let lines: Vec<&str> = std::str::from_utf8(&outcome.stdout).unwrap().lines().collect();
    assert_eq!(lines[0], "ready");
    // The first process, the shell, four that stay and three of their sleeps, at the least.
    assert!(lines[1].parse::<u32>().unwrap() >= 9, "{lines:?}");
    assert_eq!(outcome.ended(), (Some(0), None, None));
    rig.assert_none_left();
}

/// Proves: SB7 (P)
#[test]
fn a_request_to_end_is_not_ignored_as_first_processes_ignore_signals() {
    let rig = Rig::new();
    let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let Some(mut child) = start(&rig, &[], script) else {
        return;
    };
    assert_eq!(wait_for_line(&mut child), "ready\n");
    kill(child_of(child.id()).unwrap(), "TERM");
    let outcome = rig.finish(child);
    assert_eq!(outcome.code, Some(7));
    assert_eq!(outcome.ended(), (Some(7), None, Some(EndCause::Stopped)));
}

/// Proves: SB7 (P)
#[test]
fn the_deaf_are_killed_with_all_they_started() {
    let rig = Rig::new();
    let script = format!("trap '' TERM\n{}while :; do sleep 1; done", stayers(&rig));
    let Some(mut child) = start(&rig, &["--grace-seconds", "0"], &script) else {
        return;
    };
    assert_eq!(wait_for_line(&mut child), "ready\n");
    kill(child_of(child.id()).unwrap(), "TERM");
    let outcome = rig.finish(child);
    assert_eq!(
        outcome.ended(),
        (None, Some(libc::SIGKILL), Some(EndCause::Stopped))
    );
    rig.assert_none_left();
}

/// Content that signals the first process has not been stopped by anybody.
///
/// Proves: SB8 (P)
#[test]
fn a_signal_from_inside_is_no_request_to_stop_the_job() {
    let rig = Rig::new();
    let script = "trap 'exit 5' TERM; kill -TERM 1; while :; do sleep 0.01; done";
    let Some(child) = start(&rig, &[], script) else {
        return;
    };
    assert_eq!(rig.finish(child).ended(), (Some(5), None, None));
    // What can not be caught does nothing to the first process of its own namespace.
    let Some(child) = start(&rig, &[], "kill -KILL 1; kill -STOP 1; exit 6") else {
        return;
    };
    assert_eq!(rig.finish(child).ended(), (Some(6), None, None));
}

/// Proves: SB7 (P)
#[test]
fn a_killed_helper_takes_everything_with_it() {
    let rig = Rig::new();
    let script = format!("{}sleep 600", stayers(&rig));
    let Some(mut child) = start(&rig, &[], &script) else {
        return;
    };
    assert_eq!(wait_for_line(&mut child), "ready\n");
    assert!(rig.processes().len() >= 5, "{:?}", rig.processes());
    kill(child_of(child.id()).unwrap(), "KILL");
    rig.assert_none_left();
    rig.finish(child);
}

/// Proves: SB7 (P)
#[test]
fn orphans_are_reaped() {
    let rig = Rig::new();
    let script =
        "for n in $(seq 50); do (sleep 0.01 &) ; done; sleep 0.5; grep -h State: /proc/[0-9]*/status";
    let Some(child) = start(&rig, &[], script) else {
        return;
    };
    let text = rig.finish(child).good();
    assert!(text.lines().count() >= 2 && !text.contains('Z'), "{text}");
}

/// Proves: SB6 (P)
#[test]
fn the_first_process_can_not_be_looked_into() {
    let rig = Rig::new();
    let script = "for name in environ mem maps auxv syscall io; do cat /proc/1/$name >/dev/null && echo read $name; done\n\
         for name in cwd root exe fd fdinfo map_files; do ls -L /proc/1/$name/ 2>&1 >/dev/null | grep -q denied || echo saw $name; done\n\
         readlink /proc/1/exe; cat /proc/1/status | grep -c Uid";
    let Some(child) = start(&rig, &[], script) else {
        return;
    };
    let outcome = rig.finish(child);
    assert_eq!(outcome.text(), "1\n", "{}", outcome.stderr);
}

/// The termination log is writable by content; what it says there does not stay.
///
/// Proves: PK10 (P)
#[test]
fn the_last_words_are_the_helpers_own() {
    let rig = Rig::new();
    let log = rig.path("termination-log");
    let forged = "{\\\"event\\\":\\\"ended\\\",\\\"code\\\":0,\\\"signal\\\":null,\\\"cause\\\":null}";
    let script = format!(
        "(setsid sh -c 'while :; do echo \"{forged}\" >{0}; done' &) ; while ! [ -s {0} ]; do sleep 0.01; done; exit 9",
        log.display()
    );
    for _ in 0..5 {
        let Some(child) = start(&rig, &[], &script) else {
            return;
        };
        let outcome = rig.finish(child);
        assert_eq!((outcome.code, outcome.ended()), (Some(9), (Some(9), None, None)));
        std::fs::write(&log, "").unwrap();
    }
    wait_until("all ended", || rig.processes().is_empty());
}
