//! `offhost audit` with the real programs: what it finds in a sound sandbox in each form, and in one that is not.

use std::fs;

use serde_json::Value;

use super::ordinary::Person;
use super::place::{Outcome, Place, tree};
use crate::support::needs;

const ROOT: &str = "it makes sandboxes as root";

fn report(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome:?}"))
}

/// What was found of a promise, with the verdict of each process.
fn verdicts<'a>(report: &'a Value, promise: &str) -> Vec<(&'a str, &'a str)> {
    let findings = report["findings"].as_array().unwrap();
    let of_it = findings.iter().filter(|one| one["promise"] == promise);
    of_it
        .map(|one| (one["verdict"].as_str().unwrap(), one["found"].as_str().unwrap()))
        .collect()
}

#[track_caller]
fn assert_kept(report: &Value, promises: &[&str]) {
    for promise in promises {
        let found = verdicts(report, promise);
        assert!(
            !found.is_empty() && found.iter().all(|(verdict, _)| *verdict == "kept"),
            "{promise}: {found:?}"
        );
    }
}

/// What every form keeps, whatever the settings are.
const ALWAYS: [&str; 16] = [
    "account",
    "namespaces",
    "masks",
    "no-way-round",
    "strangers",
    "capabilities",
    "no-new-privs",
    "system-calls",
    "descriptors",
    "terminal",
    "core-dumps",
    "variables",
    "exposures",
    "temporary-files",
    "exit-code",
    "survivors",
];

/// Proves: SB1 (L), SB2 (L), SB5 (L), SB6 (L), FS1 (L)
#[test]
fn as_root_every_promise_is_kept_in_both_forms_and_nothing_stays() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    let before = place.data();
    for (user_namespace, form) in [
        ("auto", "with a user namespace"),
        ("never", "without a user namespace"),
    ] {
        let outcome = place
            .offhost(["audit", "--output", "json"])
            .env("OFFHOST_SANDBOX_USERNAMESPACE", user_namespace)
            .go();
        outcome.succeeded();
        let report = report(&outcome);
        assert_eq!(report["form"], form);
        assert_kept(&report, &ALWAYS);
        assert_kept(&report, &["home"]);
        assert_eq!(report["score"]["notKept"], 0);
        // Five limits and a supervisor that are not set, and what no audit tries.
        assert_eq!(report["score"]["notTried"], 8);
    }
    assert!(tree(&place.path("tmp/connect-workspaces")).is_empty());
    assert_eq!(place.data(), before);
}

/// Proves: SB9 (L)
#[test]
fn an_ordinary_users_sandbox_keeps_as_much() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let person = Person::new();
    let outcome = person.offhost(&["audit", "--output", "json"]).go();
    outcome.succeeded();
    let report = report(&outcome);
    assert_kept(&report, &ALWAYS);
    assert!(tree(&person.home(".cache/offhost/connect-workspaces")).is_empty());
}

/// Proves: SV3 (L), PK10 (L)
#[test]
fn limits_supervisor_and_temporary_files_are_those_of_the_settings() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    // A program outside of what MaskTmp covers, that executes its target.
    place.configure(
        "[Applications]\nSupervisor = /usr/bin/nice\n[Sandbox]\nMaskTmp = true\nFileSizeLimit = 1 GiB\nOpenFilesLimit = 256",
    );
    let outcome = place.offhost(["audit", "--output", "json"]).go();
    outcome.succeeded();
    let report = report(&outcome);
    assert_kept(&report, &ALWAYS);
    assert_kept(&report, &["supervisor", "file-size-limit", "open-files-limit"]);
    let text = place.offhost(["audit"]).go();
    let said = &text.succeeded().stdout;
    assert!(
        said.contains("kept      supervisor        the probe ran under"),
        "{said}"
    );
    assert!(
        said.trim_end()
            .ends_with("20 promises kept, 0 not kept, 5 not tried."),
        "{said}"
    );
}

/// Proves: PK10 (L)
#[test]
fn a_promise_that_is_not_kept_is_told_with_its_setting_and_an_exit_code() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.configure("[Sandbox]\nMemoryLimit = 512 MiB");
    // A machine whose control groups nobody may change.
    let without = "mount -t tmpfs -o ro tmpfs /sys/fs/cgroup";
    let outcome = place.offhost(["audit"]).after(without).go();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let said = &outcome.stdout;
    assert!(
        said.contains("NOT KEPT  memory-limit      memory limit not in force")
            && said.contains("→ Sandbox.MemoryLimit: run the server as root")
            && said.contains("1 not kept"),
        "{said}"
    );
}

#[test]
fn what_keeps_content_from_running_keeps_the_audit_from_it() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    fs::remove_dir(place.path("data")).unwrap();
    let outcome = place.offhost(["audit"]).go();
    outcome.refused(65, &["Server.DataDir"]);
}
