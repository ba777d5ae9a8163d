//! Supervisors that do not keep their promises are found out before anything runs under them (SV5).

use super::place::{Outcome, Place};
use crate::support::needs;

const ROOT: &str = "it starts sandboxes for another account";

/// Runs a job under this supervisor, which must be refused.
#[track_caller]
fn refused(place: &mut Place, command: &str, words: &[&str]) -> Outcome {
    place.configure(&format!("[Applications]\nSupervisor = {command}"));
    let job = place.canary_job();
    place.refused(place.offhost(["run".as_ref(), job.as_os_str()]), 78, words)
}

/// Proves: SV5 (L)
#[test]
fn a_supervisor_that_breaks_a_promise_is_told_which() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.seed();
    for (name, script, words) in [
        (
            "prints",
            "echo hello; exec \"$@\"",
            &["prints on standard output", "hello", "standard error"][..],
        ),
        ("forks", "\"$@\"", &["child process", "exec \"$@\""]),
        ("forks-on", "\"$@\"; exit $?", &["child process", "exec \"$@\""]),
        ("code", "\"$@\"; exit 0", &["exit code 0", "43", "exec \"$@\""]),
        (
            "splits",
            "exec $@",
            &["pass on all arguments", "exec \"$@\"", "quotes"],
        ),
        ("joins", "exec /bin/sh -c \"$*\"", &["does not"]),
        ("drops", "exec \"$1\" \"$2\" \"$3\" \"$4\"", &["arguments"]),
        ("adds", "exec \"$@\" more", &["arguments"]),
        ("idle", "exit 43", &["does not run its target", "43"]),
        ("fails", "exit 1", &["does not run its target", "ended with 1"]),
        ("dies", "kill -9 $$", &["does not run its target", "signal 9"]),
    ] {
        let path = place.program(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
        let path = path.display().to_string();
        refused(&mut place, &path, words);
    }
}

/// Proves: SV5 (L)
#[test]
fn a_supervisor_must_be_there_for_every_account() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.seed();
    let script = "#!/bin/sh\nexec \"$@\"\n";
    let own = place.program("bin/own", script);
    std::fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    refused(
        &mut place,
        &own.display().to_string(),
        &["bin/own", "other accounts", "chmod 0755"],
    );
    let closed = place.program("closed/supervisor", script);
    let directory = closed.parent().unwrap();
    std::fs::set_permissions(directory, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    refused(
        &mut place,
        &closed.display().to_string(),
        &["closed", "other accounts", "chmod o+x"],
    );
    let masked = place.program("data/supervisor", script);
    refused(
        &mut place,
        &masked.display().to_string(),
        &["Server.DataDir", "hidden", "move it"],
    );
    std::fs::remove_file(&masked).unwrap();
    let beside = place.program("etc/supervisor", script);
    refused(
        &mut place,
        &beside.display().to_string(),
        &["configuration", "hidden", "move it"],
    );
    let link = place.path("bin/link");
    std::os::unix::fs::symlink(&beside, &link).unwrap();
    refused(&mut place, &link.display().to_string(), &["hidden", "move it"]);
}

/// Proves: FS6 (L), SV5 (L)
#[test]
fn a_supervisor_that_is_none_is_refused_as_a_setting() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.seed();
    let plain = place.file("bin/plain", "#!/bin/sh\nexec \"$@\"\n");
    for (command, words) in [
        (
            place.text("bin/gone"),
            &["Applications.Supervisor", "bin/gone", "does not exist", "correct"][..],
        ),
        (
            plain.display().to_string(),
            &["bin/plain", "not executable", "0755"],
        ),
        (place.text("bin"), &["not a file", "name a file"]),
        (
            "bin/relative".to_owned(),
            &["Applications.Supervisor", "bin/relative"],
        ),
    ] {
        place.configure(&format!("[Applications]\nSupervisor = {command}"));
        let job = place.canary_job();
        place.refused(place.offhost(["run".as_ref(), job.as_os_str()]), 65, words);
    }
}

/// Proves: SV1 (L), SV3 (L), SV4 (L)
#[test]
fn a_supervisor_that_keeps_its_promises_runs_inside_as_the_account() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    let path = place.program(
        "bin/supervisor",
        "#!/bin/sh\necho \"supervised: $(id -un) $(ls /etc/rstudio-connect 2>/dev/null | wc -l) $*\" >&2\nshift\nexec \"$@\"\n",
    );
    place.configure(&format!(
        "[Applications]\nSupervisor = {} 'one word'",
        path.display()
    ));
    let job = place.shell_job("cat; echo out; echo err >&2; exit 7", "");
    let outcome = place.offhost(["run".as_ref(), job.as_os_str()]).go();
    assert_eq!(outcome.code, Some(7), "{outcome:?}");
    assert_eq!(outcome.stdout, "out\n");
    let supervised = "supervised: rstudio-connect 0 one word /bin/sh -c cat; echo out";
    assert!(outcome.stderr.contains(supervised), "{outcome:?}");
    assert!(outcome.stderr.contains("\nerr\n"), "{outcome:?}");
}
