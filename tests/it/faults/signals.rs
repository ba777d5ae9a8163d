//! Signals to the server: it ends the job in order, and a second one does not wait.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::place::{self, Done, LIMIT, Place};
use super::{may_run, processes, served};

/// Signals at this many moments of a run.
const MOMENTS: u32 = 16;

fn signal(child: &std::process::Child, signal: Signal) {
    processes::send(i32::try_from(child.id()).expect("a process id"), signal);
}

/// Waits until a signal was taken: of two that wait the system hands over the one with the lower number first.
fn taken(child: &std::process::Child, signal: Signal) {
    let status = format!("/proc/{}/status", child.id());
    super::wait_for("a signal's end of waiting", LIMIT, || {
        let status = std::fs::read_to_string(&status).expect("a process has a status");
        let pending = status.lines().filter_map(|line| {
            let (name, bits) = line.split_once(':')?;
            matches!(name, "SigPnd" | "ShdPnd")
                .then(|| u64::from_str_radix(bits.trim(), 16).expect("hexadecimal digits"))
        });
        let bit = 1_u64 << (signal.as_raw() - 1);
        (pending.fold(0, |all, bits| all | bits) & bit == 0).then_some(())
    });
}

/// A place where something is served, and a bundle whose process waits at a stage.
fn waiting_at(stage: &str, code: &str) -> (Place, String) {
    let place = Place::with("[Sandbox]\nProcessLimit = 200");
    let bundle = place.notebook("report", "before", "");
    place.run(&["run", &bundle]).succeeded();
    let code = format!("before_{stage}() {{ {code} meet {stage}; }}");
    let bundle = place.notebook_with("report", "after", "example==2.0", &code);
    (place, bundle)
}

/// Nothing has changed and nothing is left, without any run after it.
#[track_caller]
fn assert_as_before(place: &Place, stage: &str) {
    place.assert_no_process(Duration::ZERO);
    place.assert_nothing_left();
    let served = served::assert_whole(&place.data(""), "report", &["before"]);
    assert_eq!(served, Some((1, "before")));
    // What was installed before the render stays: it is whole, and the next job will want it.
    let environments = if stage == "install" { 1 } else { 2 };
    assert_eq!(served::assert_environments_whole(&place.data("")), environments);
}

#[track_caller]
fn assert_told(place: &Place, done: &Done, code: i32) {
    assert_eq!(done.code, code, "{}", done.stderr);
    assert!(done.error().contains("stopped on request"), "{}", done.stderr);
    let job = served::jobs(&place.data(""), "report")
        .pop()
        .expect("it has a record");
    assert_eq!(
        (&job["state"], &job["reason"]),
        (&"failed".into(), &"Interrupted".into()),
        "{job}"
    );
}

/// Proves: SB7 (L), RD3 (L), PK10 (L), TD1 (L)
#[test]
fn a_stopped_job_ends_in_order_whatever_it_does() {
    if !may_run() {
        return;
    }
    for stage in ["install", "render"] {
        for (sent, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
            let (place, bundle) = waiting_at(stage, "");
            let child = place.start(&["run", &bundle]);
            place.reached(stage);
            signal(&child, sent);
            let done = place::wait(child);
            assert_told(&place, &done, code);
            assert_as_before(&place, stage);
            place.go(stage);
            place.run(&["run", &bundle]).succeeded();
        }
    }
}

/// Proves: SB7 (L), RD3 (L)
#[test]
fn a_second_signal_does_not_wait_for_a_process_that_does_not_listen() {
    if !may_run() {
        return;
    }
    for stage in ["install", "render"] {
        let (place, bundle) = waiting_at(stage, "trap '' TERM INT HUP QUIT;");
        let child = place.start(&["run", &bundle]);
        place.reached(stage);
        let start = Instant::now();
        signal(&child, Signal::TERM);
        taken(&child, Signal::TERM);
        std::thread::sleep(Duration::from_millis(50));
        signal(&child, Signal::INT);
        let done = place::wait(child);
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "it took {:?}",
            start.elapsed()
        );
        assert_told(&place, &done, 143);
        assert_as_before(&place, stage);
    }
}

/// Proves: PK2 (L), RD3 (L)
#[test]
fn a_job_that_waits_for_anothers_installation_can_be_stopped() {
    if !may_run() {
        return;
    }
    let (place, bundle) = waiting_at("install", "");
    let first = place.start(&["run", &bundle]);
    place.reached("install");
    let mut second = place.start(&["run", &bundle]);
    super::wait_for("the second job's record", LIMIT, || {
        (served::numbers(&place.data("reports/v2/report/default")).len() == 3).then_some(())
    });
    std::thread::sleep(Duration::from_millis(300));
    assert!(second.try_wait().expect("it is ours").is_none(), "it waits");
    signal(&second, Signal::TERM);
    let done = place::wait(second);
    assert_eq!(done.code, 143, "{}", done.stderr);
    assert!(done.stderr.contains("waiting for another job"), "{}", done.stderr);
    place.go("install");
    place::wait(first).succeeded();
    place.assert_nothing_left();
    let served = served::assert_whole(&place.data(""), "report", &["before", "after"]);
    assert_eq!(served, Some((2, "after")));
}

/// Proves: SB7 (L), RD3 (L), TD1 (L)
#[test]
fn a_signal_at_any_moment_leaves_all_or_nothing() {
    if !may_run() {
        return;
    }
    let place = Place::with("[Sandbox]\nProcessLimit = 200");
    let bundle = place.notebook_with("report", "0", "example==1.0", "");
    let start = Instant::now();
    place.run(&["run", &bundle]).succeeded();
    let total = start.elapsed();
    let mut last = String::from("0");
    for moment in 1..=MOMENTS {
        let stamp = moment.to_string();
        let bundle = place.notebook_with("report", &stamp, &format!("example==1.{moment}"), "");
        let child = place.start(&["run", &bundle]);
        std::thread::sleep(total * moment / MOMENTS);
        let sent = if moment % 2 == 0 {
            Signal::TERM
        } else {
            Signal::INT
        };
        signal(&child, sent);
        let done = place::wait(child);
        place.assert_no_process(Duration::ZERO);
        place.assert_nothing_left();
        let (_, now) =
            served::assert_whole(&place.data(""), "report", &[&last, &stamp]).expect("one is served");
        let stopped = done.code == 128 + sent.as_raw();
        assert!(
            if now == stamp { done.code == 0 } else { stopped },
            "{}: {}",
            done.code,
            done.stderr
        );
        served::assert_environments_whole(&place.data(""));
        last = now.to_owned();
    }
}
