//! The forms of the sandbox, on machines that do not give every one (SB2, SB3), and what `offhost doctor` says.

use std::fs;

use serde_json::Value;

use super::place::{Call, NOBODY, Outcome, Place};
use crate::support::needs;

const ROOT: &str = "it takes rights and namespaces from itself";

/// Starts a program where no user namespace can be made any more: in one of its own that has all accounts and a limit
/// of 0. Its first argument is a path for a pipe.
const LAST_USER_NAMESPACE: &str = r#"#!/bin/sh
set -e
pipe=$1
shift
mkfifo "$pipe"
unshare -Um /bin/sh -c 'read go <"$0"; exec "$@"' "$pipe" \
    /bin/sh -c 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' sh "$@" &
pid=$!
own=$(readlink /proc/self/ns/user)
while [ "$(readlink /proc/$pid/ns/user)" = "$own" ]; do sleep 0.01; done
echo '0 0 4294967295' >/proc/$pid/uid_map
echo '0 0 4294967295' >/proc/$pid/gid_map
echo go >"$pipe"
rm "$pipe"
wait $pid
"#;

const WITHOUT_ADMIN: [&str; 3] = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];

impl Place {
    /// The program where no user namespace can be made, and `front` in front of it.
    fn without_user_namespace(&self, front: &[&str], words: &[&str]) -> Call {
        let script = self.program("bin/last-user-namespace", LAST_USER_NAMESPACE);
        let mut call = Call::new(script);
        call.arguments([self.path("pipe")]).arguments(front);
        call.arguments([super::place::OFFHOST, "--config", &self.text("etc/offhost.gcfg")]);
        call.arguments(words);
        call
    }
}

fn count(outcome: &Outcome, words: &str) -> usize {
    outcome.stderr.matches(words).count()
}

/// Proves: SB2 (L), FS1 (L)
#[test]
fn without_a_user_namespace_it_says_so_once_and_hides_as_much() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    let line = format!(
        "ls -A {data} {etc} 2>/dev/null | grep -vc ':$\\|^$'; id -un; cat {data}/apps/seed/1/seed.qmd || readlink /proc/self/ns/user",
        data = place.text("data"),
        etc = place.text("etc")
    );
    let job = place.shell_job(&line, "");
    let own = fs::read_link("/proc/self/ns/user").unwrap().display().to_string();
    let weaker = "the sandbox runs in a weaker form";
    let job = job.to_str().unwrap();
    let usual = place.offhost(["run", job]).go();
    usual.succeeded();
    assert_eq!(count(&usual, weaker), 0, "{usual:?}");
    assert!(!usual.stdout.contains(&own), "it has a user namespace of its own");
    let never = place
        .offhost(["run", job])
        .env("OFFHOST_SANDBOX_USERNAMESPACE", "never")
        .go();
    assert_eq!(never.succeeded().stdout, format!("0\nrstudio-connect\n{own}\n"));
    assert_eq!(count(&never, weaker), 1, "{never:?}");
    assert_eq!(count(&never, "Sandbox.UserNamespace = never"), 1, "{never:?}");
    let refused = place.without_user_namespace(&[], &["run", job]).go();
    assert!(
        refused.succeeded().stdout.starts_with("0\nrstudio-connect\n"),
        "{refused:?}"
    );
    assert_eq!(count(&refused, weaker), 1, "{refused:?}");
    assert_eq!(
        count(&refused, "raise user.max_user_namespaces"),
        1,
        "{refused:?}"
    );
    let doctor = place.without_user_namespace(&[], &["doctor"]).go();
    let said = &doctor.succeeded().stdout;
    assert!(
        said.contains("warn  sandbox            without a user namespace: "),
        "{said}"
    );
    assert!(said.contains("→ create namespaces: "), "{said}");
}

/// Proves: SB3 (L)
#[test]
fn without_the_capability_nothing_is_started_and_it_is_named() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    let job = place.canary_job();
    let call = place.without_user_namespace(&WITHOUT_ADMIN, &["run", job.to_str().unwrap()]);
    let words = [
        "no sandbox can be made on this machine, so nothing is started",
        "CAP_SYS_ADMIN",
        "add the capability SYS_ADMIN or run it privileged",
        "user.max_user_namespaces",
    ];
    place.refused(call, 71, &words);
    let doctor = place.without_user_namespace(&WITHOUT_ADMIN, &["doctor"]).go();
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.stdout.contains("FAIL  sandbox "), "{doctor:?}");
    assert!(
        doctor
            .stdout
            .contains("warn  capabilities       root without CAP_SYS_ADMIN"),
        "{doctor:?}"
    );
    assert!(doctor.stdout.ends_with("1 check failed.\n"), "{doctor:?}");
}

/// Proves: SB2 (L)
#[test]
fn a_user_namespace_makes_up_for_the_capability() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let job = place.shell_job("id -un", "");
    let mut call = Call::new(WITHOUT_ADMIN[0]);
    call.arguments(&WITHOUT_ADMIN[1..]);
    call.arguments([
        super::place::OFFHOST,
        "--config",
        &place.text("etc/offhost.gcfg"),
        "run",
    ]);
    call.arguments([&job]);
    assert_eq!(call.go().succeeded().stdout, "rstudio-connect\n");
}

fn checks(outcome: &Outcome) -> Vec<(String, String, String)> {
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    report["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| (text(check, "name"), text(check, "status"), text(check, "found")))
        .collect()
}

#[test]
fn doctor_passes_a_machine_that_is_ready() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    let supervisor = place.program("bin/supervisor", "#!/bin/sh\nexec \"$@\"\n");
    place.configure(&format!("[Applications]\nSupervisor = {}", supervisor.display()));
    let text = place.offhost(["doctor"]).go();
    assert!(
        text.succeeded().stdout.ends_with("This machine is ready.\n"),
        "{text:?}"
    );
    let json = place.offhost(["doctor", "-o", "json"]).go();
    let found = checks(json.succeeded());
    for name in [
        "configuration",
        "data directory",
        "temporary files",
        "account",
        "shared group",
        "capabilities",
        "landlock",
        "control groups",
        "sandbox",
        "supervisor",
        "interpreters",
    ] {
        assert!(
            found.iter().any(|(check, ..)| check == name),
            "{name} is not looked at: {found:?}"
        );
    }
    assert!(!found.iter().any(|(_, status, _)| status == "fail"), "{found:?}");
    assert!(place.data().is_empty(), "doctor makes nothing");
}

/// Proves: TD3 (L), FS6 (L), SV5 (L), RA1 (L), RA3 (L)
#[test]
fn doctor_finds_every_fault_at_once_and_says_what_to_do() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    fs::set_permissions(
        place.path("tmp"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    place.configure(&format!(
        "[Server]\nDataDir = {gone}\n[Applications]\nSharedRunAsUnixGroup = no-such-group\nRunAs = root\n[SQLite]\nDir = {gone}",
        gone = place.text("gone")
    ));
    let outcome = place.offhost(["doctor", "-o", "json"]).go();
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("\"ready\": false"), "{outcome:?}");
    let failed: Vec<(String, String)> = checks(&outcome)
        .into_iter()
        .filter_map(|(name, status, found)| (status == "fail").then_some((name, found)))
        .collect();
    for (name, words) in [
        ("setting", &["Server.DataDir", "does not exist", "create"][..]),
        ("setting", &["SQLite.Dir", "create"]),
        ("data directory", &["does not exist", "make it"]),
        ("temporary files", &["0755", "chmod 1777"]),
        ("account", &["Applications.RunAs 'root'", "name an account"]),
        ("shared group", &["no-such-group", "groupadd"]),
    ] {
        let hit = failed
            .iter()
            .any(|(check, found)| check == name && words.iter().all(|word| found.contains(word)));
        assert!(hit, "{name} with {words:?} is not in {failed:#?}");
    }
    let text = place.offhost(["doctor"]).go();
    assert_eq!(text.code, Some(1));
    assert_eq!(text.stdout.matches("\nFAIL ").count(), failed.len(), "{text:?}");
    assert!(
        text.stdout
            .ends_with(&format!("{} checks failed.\n", failed.len())),
        "{text:?}"
    );
}

/// Proves: SV5 (L)
#[test]
fn doctor_tries_the_supervisor() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    let supervisor = place.program("bin/supervisor", "#!/bin/sh\necho hello\nexec \"$@\"\n");
    place.configure(&format!("[Applications]\nSupervisor = {}", supervisor.display()));
    let outcome = place.offhost(["doctor"]).go();
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.contains("FAIL  supervisor "), "{outcome:?}");
    assert!(
        outcome.stdout.contains("prints on standard output"),
        "{outcome:?}"
    );
}

/// Proves: SB9 (L)
#[test]
fn doctor_tells_an_ordinary_user_what_they_can_do() {
    if !needs("OFFHOST_TEST_ROOT", "it becomes an account without rights") {
        return;
    }
    let person = super::ordinary::Person::new();
    let outcome = person.offhost(&["doctor"]).go();
    let said = &outcome.succeeded().stdout;
    for words in [
        "warn  capabilities       not root: content runs as your own account",
        "pass  sandbox            unprivileged, as your own account",
        &format!(
            "{} (made when it is first needed)",
            person.home(".local/share/offhost").display()
        ),
        &format!("(uid {NOBODY}, groups {NOBODY})"),
        "This machine is ready.",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}
