//! A session around every process: its environment, its ends, its refusals.

use super::machine::{Machine, USER};
use super::may_run;
use crate::faults::place::LIMIT;
use crate::faults::processes;

/// Proves: PM1 (L)
#[test]
fn a_session_is_opened_around_each_process_and_its_environment_reaches_it() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    machine.service(
        "recording",
        "auth sufficient pam_rootok.so\naccount required pam_permit.so\nsession required pam_exec.so quiet RECORD\n\
         session required pam_env.so conffile=/etc/security/offhost-test.conf\n",
    );
    let variables = "FROM_PAM DEFAULT=\"a value\"\nLD_PRELOAD DEFAULT=/nowhere.so\nPATH DEFAULT=/nowhere\n\
                     HOME DEFAULT=/nowhere\nCONTENT_OWN DEFAULT=pam\n";
    machine
        .sh(&format!(
            "printf '%s' '{variables}' >/etc/security/offhost-test.conf"
        ))
        .succeeded();
    let bundle = machine.notebook("env | sort >\"$output_dir/environment\"; id -u >\"$output_dir/uid\"");
    let job = machine.place.job(
        "report",
        &format!("bundle:\n  path: {bundle}\nenv:\n- name: CONTENT_OWN\n  value: content"),
    );
    machine.place.run(&["run", &job]).succeeded();
    let sessions = machine.record();
    let kinds: Vec<&str> = sessions.iter().map(|line| line.0.as_str()).collect();
    assert_eq!(
        kinds,
        ["open_session", "close_session", "open_session", "close_session"],
        "the installation's and the render's: {sessions:?}"
    );
    assert!(
        sessions.iter().all(|line| line.2 == format!("recording {USER}")),
        "{sessions:?}"
    );
    let output = machine.sh(&format!(
        "cat $(find {} -name environment)",
        machine.place.path("data").display()
    ));
    let environment: Vec<&str> = output.stdout.lines().collect();
    assert!(environment.contains(&"FROM_PAM=a value"), "{environment:?}");
    assert!(environment.contains(&"CONTENT_OWN=content"), "{environment:?}");
    assert!(!output.stdout.contains("/nowhere"), "{environment:?}");
}

/// Proves: PM1 (L), SB8 (L)
#[test]
fn exit_codes_are_the_process_s_own_and_the_session_is_closed() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    for (code, end) in [(7, "exit 7"), (137, "kill -KILL $$"), (143, "kill -TERM $$")] {
        let bundle = machine.notebook(end);
        let done = machine.place.run(&["run", &bundle]);
        assert_eq!(done.code, code, "{}", done.stderr);
        machine.assert_all_closed();
    }
    machine.place.assert_no_process(LIMIT);
}

/// Proves: PM2 (L)
#[test]
fn a_service_that_wants_a_password_fails_with_exit_code_70_and_says_what_it_lacks() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    machine.service("strict", "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_exec.so quiet RECORD\n");
    machine.use_service("strict", "");
    let bundle = machine.notebook("touch \"$FAULTS_SYNC/ran\"");
    let done = machine.place.run(&["run", &bundle]);
    assert_eq!(done.code, 70, "{}", done.stderr);
    let error = done.error();
    assert!(
        error.contains("the PAM service 'strict' does not let root open a session"),
        "{error}"
    );
    assert!(error.contains("`auth sufficient pam_rootok.so`"), "{error}");
    assert!(machine.record().is_empty());
    assert!(
        !machine.place.path("sync/ran").exists(),
        "nothing of the content ran"
    );
    machine.place.assert_no_process(LIMIT);
    let doctor = machine.place.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("service 'strict' does not let root in"),
        "{}",
        doctor.stdout
    );
    machine.use_service("recording", "");
    let doctor = machine.place.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("service 'recording' lets root in"),
        "{}",
        doctor.stdout
    );
    machine.use_service("absent", "");
    let doctor = machine.place.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("there is no service 'absent'"),
        "{}",
        doctor.stdout
    );
}

/// Proves: PM1 (L)
#[test]
fn a_session_that_can_not_be_opened_is_told_by_its_step() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    let start = "auth sufficient pam_rootok.so\n";
    let cases = [
        (
            "account required MISBEHAVE account=refuse\n",
            "refused a session for 'offhost-alice' at the account check",
        ),
        (
            "account required MISBEHAVE account=user:root\n",
            "has changed the user 'offhost-alice' to 'root'",
        ),
        (
            "account required pam_permit.so\nsession required MISBEHAVE open=user:root\n",
            "has changed the user 'offhost-alice' to 'root'",
        ),
        (
            "account required pam_permit.so\nsession required MISBEHAVE open=refuse\n",
            "at the opening the session",
        ),
        (
            "account required pam_permit.so\nsession required MISBEHAVE open=crash\n",
            "a module of the service 'recording' crashed (signal 11)",
        ),
        (
            "account required pam_permit.so\nsession required no-such-module.so\n",
            "at the opening the session",
        ),
    ];
    for (rest, expected) in cases {
        machine.service("recording", &format!("{start}{rest}"));
        let done = machine.place.run(&["run", &machine.notebook(":")]);
        assert_eq!(done.code, 70, "{rest}: {}", done.stderr);
        assert!(done.error().contains(expected), "{rest}: {}", done.stderr);
        machine.place.assert_no_process(LIMIT);
    }
}

/// Proves: PM1 (L)
#[test]
fn what_a_module_leaves_running_keeps_nobody_waiting() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("[PAM]\nLogging = true");
    machine.service(
        "recording",
        "auth sufficient pam_rootok.so\naccount required pam_permit.so\nsession required pam_exec.so quiet RECORD\n\
         session required MISBEHAVE open=leave-running open=talk open=environment close=refuse\n",
    );
    let bundle = machine.notebook("env >\"$output_dir/environment\"");
    machine.place.run(&["run", &bundle]).succeeded();
    let bin = machine.place.path("bin");
    let left = processes::of(bin.parent().expect("it lies in the place"));
    for process in &left {
        processes::send(process.pid, rustix::process::Signal::KILL);
    }
    assert_eq!(
        left.len(),
        2,
        "nobody waited for what the two sessions left: {left:?}"
    );
    machine.place.assert_no_process(LIMIT);
    machine.assert_all_closed();
    let output = machine.sh(&format!(
        "cat $(find {} -name environment)",
        machine.place.path("data").display()
    ));
    assert!(!output.stdout.contains("/nowhere"), "{}", output.stdout);
    let many = output
        .stdout
        .lines()
        .filter(|line| line.starts_with("MANY_"))
        .count();
    assert!((1..=256).contains(&many), "{many}");
}
