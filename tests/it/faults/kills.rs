//! `kill -9` of the server, of the helper and of the sandbox's first process, at every stage.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::place::{self, LIMIT, Place};
use super::{hold, may_run, processes, served, wait_for};

/// Kills of the server, spread over a run.
const KILLS: u32 = 64;
/// How long the kernel and the helper may take to end a killed server's processes (SB7).
const MOMENT: Duration = Duration::from_secs(2);
/// Starts a process that outlives its parent, its session and SIGTERM, if it can.
const STRAY: &str = "stray() { setsid sh -c 'trap \"\" TERM; sleep 300' </dev/null >/dev/null 2>&1 & }\n";

fn delay(total: Duration, kill: u32) -> Duration {
    total * (2 * kill + 1) / (2 * KILLS)
}

/// A run in which everything is done: deploy, install, copy, render, finish, activate, retain.
fn whole_run(place: &Place, number: u32) -> (Vec<String>, String) {
    let stamp = format!("stamp-{number}");
    let code = format!("{STRAY}before_install() {{ stray; }}\nbefore_render() {{ stray; }}");
    let bundle = place.notebook_with("report", &stamp, &format!("example==1.{number}"), &code);
    (vec!["run".to_owned(), bundle], stamp)
}

fn words(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// Asserts that the bundle in force is one that was deployed, whole. None is before the first.
fn assert_bundle_whole(place: &Place, stamps: &[&str]) {
    let app = place.data("apps/report");
    let Ok(active) = std::fs::read_link(app.join("active")) else {
        return;
    };
    let files = served::tree(&app.join(active));
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    let expected = [
        "code.sh",
        "manifest.json",
        "notebook.ipynb",
        "requirements.txt",
        "stamp.txt",
    ];
    assert_eq!(names, expected);
    assert!(
        stamps.contains(&files["stamp.txt"].as_str()),
        "{:?}",
        files["stamp.txt"]
    );
}

/// Kills every second run at its time, then lets a following run bring everything in order. Gives the kinds of
/// leftovers that were seen in between.
fn kill_again_and_again(kills: impl Iterator<Item = u32>) -> BTreeSet<&'static str> {
    let place = Place::with(
        "[Applications]\nRenderingSweepLimit = 3\nBundleRetentionLimit = 3\n[Sandbox]\nProcessLimit = 200",
    );
    let (arguments, first) = whole_run(&place, 1_000);
    let start = Instant::now();
    place.run(&words(&arguments)).succeeded();
    let total = start.elapsed();
    let (mut seen, mut stamps, mut last) = (BTreeSet::new(), vec![first], 0);
    for kill in kills {
        let (arguments, stamp) = whole_run(&place, kill);
        stamps.push(stamp.clone());
        let known: Vec<&str> = stamps.iter().map(String::as_str).collect();
        let mut child = place.start(&words(&arguments));
        std::thread::sleep(delay(total, kill));
        child.kill().expect("it is ours");
        let done = place::wait(child);
        place.assert_no_process(MOMENT);
        let (number, _) =
            served::assert_whole(&place.data(""), "report", &known).expect("one was served before");
        assert!(number >= last, "result {number} is served after {last}");
        served::assert_environments_whole(&place.data(""));
        assert_bundle_whole(&place, &known);
        seen.extend(kinds(&served::leftovers(&place.data(""), &place.path("temp"))));
        let after = place.run(&words(&arguments)).succeeded();
        let (number, now) = served::assert_whole(&place.data(""), "report", &known).expect("one is served");
        assert_eq!(
            now,
            stamp,
            "after a kill at {:?} of {total:?}",
            delay(total, kill)
        );
        let left = served::leftovers(&place.data(""), &place.path("temp"));
        assert!(
            left.is_empty(),
            "after a kill at {:?} of {total:?}: {left:#?}\nkilled: {}\nafter: {}",
            delay(total, kill),
            done.stderr,
            after.stderr
        );
        last = number;
    }
    seen
}

fn kinds(left: &[String]) -> BTreeSet<&'static str> {
    let kinds = [
        "connect-workspaces",
        "python-environments",
        "temp.render",
        "or its record",
        "a job",
    ];
    let is_seen = |kind: &&str| left.iter().any(|one| one.contains(kind));
    kinds.into_iter().filter(is_seen).collect()
}

/// Proves: RD3 (L), SB7 (L), RD1 (L), RD2 (L), TD1 (L), PK2 (L), AP2 (L)
#[test]
fn a_killed_server_leaves_a_whole_result_and_nothing_that_a_sweep_does_not_remove() {
    if !may_run() {
        return;
    }
    let seen: BTreeSet<_> = std::thread::scope(|scope| {
        let odd = scope.spawn(|| kill_again_and_again((0..KILLS).filter(|kill| kill % 2 == 1)));
        let even = kill_again_and_again((0..KILLS).filter(|kill| kill % 2 == 0));
        even.into_iter()
            .chain(odd.join().expect("its assertions hold"))
            .collect()
    });
    // Else the kills would have hit no stage in which there is something to lose.
    let expected = [
        "connect-workspaces",
        "python-environments",
        "temp.render",
        "or its record",
        "a job",
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// Proves: RD3 (L), RD4 (L)
#[test]
fn a_server_killed_between_success_and_activation_has_changed_nothing() {
    if !may_run() {
        return;
    }
    let place = Place::new();
    let bundle = place.notebook("report", "before", "");
    place.run(&["run", &bundle]).succeeded();
    let bundle = place.notebook("report", "after", "before_render() { meet render; }");
    let mut child = place.start(&["run", &bundle]);
    place.reached("render");
    let activation = hold(&place.data("reports/v2/report/.default.lock"));
    place.go("render");
    let record = place.data("reports/v2/report/default/2.json");
    wait_for("the record of the result", LIMIT, || {
        record.exists().then_some(())
    });
    child.kill().expect("it is ours");
    place::wait(child);
    drop(activation);
    place.assert_no_process(MOMENT);
    let data = place.data("");
    assert_eq!(
        served::assert_whole(&data, "report", &["before"]),
        Some((1, "before"))
    );
    // It is whole, so it is kept: somebody can still activate it.
    place.run(&["content", "activate", "report", "2"]).succeeded();
    assert_eq!(
        served::assert_whole(&data, "report", &["after"]),
        Some((2, "after"))
    );
    place.run(&["run", &bundle]).succeeded();
    assert_eq!(
        served::assert_whole(&data, "report", &["after"]),
        Some((3, "after"))
    );
    place.assert_nothing_left();
}

/// Kills the helper or the first process at a stage: the server tells it, and leaves nothing behind by itself.
fn kill_inside(stage: &str, after: Duration, choose: impl Fn((i32, i32)) -> i32) -> place::Done {
    let place = Place::with("[Sandbox]\nProcessLimit = 200");
    let bundle = place.notebook("report", "before", "");
    place.run(&["run", &bundle]).succeeded();
    let code =
        format!("{STRAY}before_{stage}() {{ stray; touch \"$FAULTS_SYNC/{stage}.reached\"; sleep 0.3; }}");
    let bundle = place.notebook_with("report", "after", "example==2.0", &code);
    let child = place.start(&["run", &bundle]);
    place.reached(stage);
    let pids = processes::helper_and_first(&place.path(""), child.id()).expect("its process runs");
    std::thread::sleep(after);
    processes::send(choose(pids), Signal::KILL);
    let done = place::wait(child);
    place.assert_no_process(Duration::ZERO);
    place.assert_nothing_left();
    let data = place.data("");
    assert_eq!(
        served::assert_whole(&data, "report", &["before"]),
        Some((1, "before"))
    );
    served::assert_environments_whole(&data);
    place.run(&["run", &bundle]).succeeded();
    assert_eq!(
        served::assert_whole(&data, "report", &["after"]).map(|(_, stamp)| stamp),
        Some("after")
    );
    place.assert_nothing_left();
    done
}

/// Proves: SB7 (L), RD3 (L), TD1 (L)
#[test]
fn a_killed_helper_takes_its_processes_along_and_nothing_stays() {
    if !may_run() {
        return;
    }
    for stage in ["install", "render"] {
        for after in [0, 20, 80] {
            let done = kill_inside(stage, Duration::from_millis(after), |(helper, _)| helper);
            assert_eq!(done.code, 71, "{}", done.stderr);
            assert!(done.error().contains("offhost-exec"), "{}", done.stderr);
        }
    }
}

/// Proves: SB7 (L), SB8 (L), RD3 (L)
#[test]
fn a_killed_first_process_takes_all_others_along_and_is_told_as_a_signal() {
    if !may_run() {
        return;
    }
    for stage in ["install", "render"] {
        for after in [0, 20, 80] {
            let done = kill_inside(stage, Duration::from_millis(after), |(_, first)| first);
            // Killed before it could say that the process runs, it is a sandbox that was not made.
            let early = done.code == 71 && done.error().contains("first process ended");
            let told = done.code == 137 && done.error().contains("signal 9");
            assert!(told || (early && after == 0), "{}: {}", done.code, done.stderr);
        }
    }
}
