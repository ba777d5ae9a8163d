//! The log that is kept of the output, and what becomes of it where it can not be.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::support::Rig;

/// Proves: PK10 (P), SB8 (P)
#[test]
fn a_log_is_gone_on_with_and_is_not_for_everybody() {
    let rig = Rig::new();
    let log = rig.own_directory("logs").join("task.log");
    for attempt in ["one", "two"] {
        let outcome = rig.run_with(&["--log", log.to_str().unwrap()], &format!("echo {attempt}"));
        assert_eq!(outcome.good(), format!("{attempt}\n"));
    }
    assert_eq!(fs::read_to_string(&log).unwrap(), "one\ntwo\n");
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o640);
}

/// Proves: PK10 (P), SB8 (P)
#[test]
fn a_log_that_can_not_be_written_changes_nothing_and_is_said_once() {
    let rig = Rig::new();
    let logs = rig.own_directory("logs");
    std::os::unix::fs::symlink("/dev/null", logs.join("link")).unwrap();
    let missing = logs.join("none/task.log");
    for log in [
        "/dev/full",
        missing.to_str().unwrap(),
        logs.join("link").to_str().unwrap(),
    ] {
        let outcome = rig.run_with(
            &["--log", log],
            "head -c 200000 /dev/zero; sleep 0.1; echo again; echo error >&2; exit 6",
        );
        assert_eq!(outcome.ended(), (Some(6), None, None));
        assert_eq!(outcome.stdout.len(), 200_006);
        let (ours, theirs): (Vec<&str>, Vec<&str>) = outcome
            .stderr
            .lines()
            .partition(|line| line.starts_with("offhost-exec: "));
        assert_eq!(theirs, ["error"]);
        assert_eq!(ours.len(), 1, "{ours:?}");
        assert!(
            ours[0].contains(&format!("the log '{log}' can not be written")),
            "{ours:?}"
        );
    }
}

/// Proves: PK10 (P)
#[test]
fn a_limit_of_the_process_is_not_one_of_its_log() {
    let rig = Rig::new();
    let log = rig.own_directory("logs").join("task.log");
    let own = rig.own_directory("own").join("file");
    let script = format!(
        "head -c 5000 /dev/zero; trap '' XFSZ; head -c 5000 /dev/zero >{} || echo refused; ulimit -n",
        own.display()
    );
    let flags = [
        "--file-size",
        "4096",
        "--open-files",
        "77",
        "--log",
        log.to_str().unwrap(),
    ];
    let outcome = rig.run_with(&flags, &script);
    assert!(outcome.text().ends_with("refused\n77\n"), "{:?}", outcome.stderr);
    assert_eq!(fs::metadata(&own).unwrap().len(), 4096);
    assert_eq!(
        fs::metadata(&log).unwrap().len(),
        outcome.stdout.len() as u64 + outcome.stderr.len() as u64
    );
}
