//! Exit codes, signals and limits of commands: passed on, and kept in the record (PK8, PK10, SB8).

use serde_json::Value;

use super::place::{Done, Place};
use super::{may_run, served};

/// Codes with a meaning of their own somewhere: to the shell, to timeout(1), to this program.
const CODES: [i32; 14] = [0, 1, 2, 64, 65, 71, 74, 100, 124, 125, 126, 127, 137, 255];
const SIGNALS: [(&str, i32); 7] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("SEGV", 11),
    ("TERM", 15),
];

/// Runs a shell command as a job and gives its end and its record.
fn run(place: &Place, name: &str, script: &str, more: &str) -> (Done, Value) {
    let bundle = place.content(name, &[("script.sh", script)]);
    let spec =
        format!("task: Run\ncontent: {name}\nbundle:\n  path: {bundle}\ncommand: [sh, script.sh]\n{more}");
    let job = place.job(name, &spec);
    let done = place.run(&["run", &job]);
    let mut records = served::jobs(&place.data(""), name);
    assert_eq!(records.len(), 1, "{}", done.stderr);
    (done, records.remove(0))
}

#[track_caller]
fn assert_record(record: &Value, state: &str, code: Option<i32>, reason: Option<&str>) {
    assert_eq!(record["state"], state, "{record}");
    assert_eq!(record["exitCode"].as_i64(), code.map(i64::from), "{record}");
    assert_eq!(record["reason"].as_str(), reason, "{record}");
    let times = ["started", "finished"].map(|name| record[name].as_str().expect("a time").to_owned());
    let [started, finished] = times.map(|time| time.parse::<jiff::Timestamp>().expect("a time"));
    assert!(started < finished, "{record}");
}

/// Proves: SB8 (L), PK8 (L), PK10 (L)
#[test]
fn every_exit_code_is_passed_on_and_recorded() {
    if !may_run() {
        return;
    }
    let place = Place::new();
    std::thread::scope(|scope| {
        for half in CODES.chunks(CODES.len() / 2) {
            let place = &place;
            scope.spawn(move || {
                for &code in half {
                    let script = format!("echo out; echo err >&2; exit {code}");
                    let (done, record) = run(place, &format!("code-{code}"), &script, "");
                    assert_eq!(done.code, code, "{}", done.stderr);
                    assert!(done.stdout.starts_with("out\n"), "{}", done.stdout);
                    assert!(done.stderr.lines().any(|line| line == "err"), "{}", done.stderr);
                    if code == 0 {
                        assert_record(&record, "succeeded", Some(0), None);
                    } else {
                        assert!(
                            done.error().contains(&format!("exit code {code};")),
                            "{}",
                            done.stderr
                        );
                        assert_record(&record, "failed", Some(code), Some("ProcessFailed"));
                    }
                }
            });
        }
    });
    place.assert_nothing_left();
}

/// Proves: SB8 (L), PK10 (L)
#[test]
fn every_signal_is_told_as_a_shell_tells_it() {
    if !may_run() {
        return;
    }
    let place = Place::new();
    for (name, number) in SIGNALS {
        let script = format!("kill -{name} $$");
        let (done, record) = run(&place, &format!("signal-{number}"), &script, "");
        assert_eq!(done.code, 128 + number, "{}", done.stderr);
        assert!(
            done.error().contains(&format!("signal {number};")),
            "{}",
            done.stderr
        );
        assert_record(&record, "failed", Some(128 + number), Some("ProcessFailed"));
    }
    place.assert_nothing_left();
}

/// Proves: PK10 (L), SB7 (L)
#[test]
fn a_job_that_takes_too_long_is_ended_with_everything_it_started() {
    if !may_run() {
        return;
    }
    let place = Place::new();
    let script = "setsid sh -c 'trap \"\" TERM; sleep 300' & sleep 300";
    let (done, record) = run(&place, "slow", script, "timeoutSeconds: 1");
    assert_eq!(done.code, 124, "{}", done.stderr);
    assert!(
        done.error().contains("its time of 1 s was over"),
        "{}",
        done.stderr
    );
    assert_record(&record, "failed", Some(143), Some("DeadlineExceeded"));
    place.assert_no_process(std::time::Duration::ZERO);
    place.assert_nothing_left();
}

/// Whether this machine has the controller of memory; where it does not, limits of memory are not in force.
fn has_memory_controller() -> bool {
    let unified = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    unified.split_whitespace().any(|name| name == "memory")
        || std::path::Path::new("/sys/fs/cgroup/memory/cgroup.procs").exists()
}

/// Proves: PK10 (L)
#[test]
fn a_job_that_takes_too_much_memory_is_told_its_limit() {
    if !may_run() {
        return;
    }
    if !has_memory_controller() {
        crate::support::needs("OFFHOST_TEST_MEMORY_CONTROLLER", "the machine limits no memory");
        return;
    }
    let place = Place::new();
    // A shell variable of 128 MiB.
    let script = "x=$(head -c 134217728 /dev/zero | tr '\\0' x); sleep 5";
    let (done, record) = run(
        &place,
        "greedy",
        script,
        "resources:\n  limits:\n    memory: 32Mi",
    );
    assert_eq!(done.code, 137, "{}", done.stderr);
    assert!(
        done.error().contains("its limit of 32 MiB (raise"),
        "{}",
        done.stderr
    );
    assert_eq!(record["reason"], "OutOfMemory", "{record}");
    assert!(
        record["message"]
            .as_str()
            .is_some_and(|text| text.contains("32 MiB")),
        "{record}"
    );
    place.assert_no_process(std::time::Duration::ZERO);
    place.assert_nothing_left();
}

/// Proves: SB8 (L), RD3 (L), PK10 (L)
#[test]
fn a_failed_render_or_installation_passes_its_code_on_and_changes_nothing() {
    if !may_run() {
        return;
    }
    let place = Place::new();
    let bundle = place.notebook("report", "before", "");
    place.run(&["run", &bundle]).succeeded();
    for (stage, code, reason) in [("install", 41, "InstallFailed"), ("render", 42, "ProcessFailed")] {
        let script =
            format!("before_{stage}() {{ echo half >\"${{output_dir:-$env}}/half\"; exit {code}; }}");
        let bundle = place.notebook_with("report", "after", "example==2.0", &script);
        let done = place.run(&["run", &bundle]);
        assert_eq!(done.code, code, "{}", done.stderr);
        let record = served::jobs(&place.data(""), "report")
            .pop()
            .expect("it has a record");
        assert_record(&record, "failed", Some(code), Some(reason));
        assert!(
            record["message"]
                .as_str()
                .is_some_and(|text| done.stderr.contains(text)),
            "{record}"
        );
        assert_eq!(
            served::assert_whole(&place.data(""), "report", &["before"]),
            Some((1, "before"))
        );
        place.assert_nothing_left();
    }
}
