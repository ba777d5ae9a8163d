//! Accounts that may not run content (RA1, RA3). Each test puts its own `passwd` and `group` over the machine's, in a
//! mount namespace of its own, so that no account is made on the machine.

use super::place::{Call, Place};
use crate::support::needs;

const ROOT: &str = "it mounts files over /etc/passwd in a namespace of its own";

/// Accounts and groups as a machine may have them: `run` is the server's, `ana` and `team` are people.
const PASSWD: &str = "\
root:x:0:0::/root:/bin/sh
toor:x:0:0::/root:/bin/sh
rootgroup:x:61001:0::/:/bin/sh
wheel:x:61002:61002::/:/bin/sh
run:x:61000:61000::/:/bin/sh
ana:x:61003:61003::/:/bin/sh
ben:x:61004:61004::/:/bin/sh
";
const GROUP: &str = "\
root:x:0:wheel
run:x:61000:ana
wheel:x:61002:run
ana:x:61003:
ben:x:61004:
team:x:61010:ben
";

/// The call in a mount namespace where these are the accounts.
pub(super) fn with_accounts(place: &Place, call: Call, passwd: &str, group: &str) -> Call {
    let passwd = place.file("accounts/passwd", passwd);
    let group = place.file("accounts/group", group);
    call.after(&format!(
        "mount --bind {} /etc/passwd\nmount --bind {} /etc/group",
        passwd.display(),
        group.display()
    ))
}

fn run_as(place: &Place, account: &str) -> Call {
    let job = place.canary_job();
    let call = place.offhost([
        "run".as_ref(),
        job.as_os_str(),
        "--run-as".as_ref(),
        account.as_ref(),
    ]);
    with_accounts(place, call, PASSWD, GROUP)
}

fn place() -> Place {
    let mut place = Place::new();
    place.seed();
    place.configure("[Applications]\nRunAs = run");
    place
}

/// Proves: RA1 (L)
#[test]
fn root_never_runs_content_by_any_spelling() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = place();
    for (account, word) in [
        ("root", "root (by name)"),
        ("0", "user id 0"),
        ("00", "user id 0"),
        ("0000000000", "user id 0"),
        ("toor", "user id 0"),
        ("rootgroup", "primary group id 0"),
        ("61001", "primary group id 0"),
        ("wheel", "group id 0 among its groups"),
    ] {
        let words = [account, word, "root never runs content", "name an account"];
        place.refused(run_as(&place, account), 77, &words);
    }
}

/// Proves: RA1 (L)
#[test]
fn the_configured_account_is_held_to_the_same() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = place();
    let job = place.canary_job();
    for (account, words) in [
        ("root", &["Applications.RunAs", "root never runs content"][..]),
        ("0", &["Applications.RunAs", "root never runs content"]),
        ("toor", &["Applications.RunAs", "root never runs content"]),
        (
            "nobody-here",
            &["Applications.RunAs 'nobody-here'", "create the account"],
        ),
        (
            "-1",
            &[
                "Applications.RunAs '-1'",
                "names no account",
                "give an account's name",
            ],
        ),
    ] {
        let call = place
            .offhost(["run".as_ref(), job.as_os_str()])
            .env("OFFHOST_APPLICATIONS_RUNAS", account);
        place.refused(with_accounts(&place, call, PASSWD, GROUP), 77, words);
    }
}

/// Proves: RA2 (L)
#[test]
fn an_account_must_exist() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = place();
    for (account, words) in [
        (
            "nobody-here",
            &["spec.runAs 'nobody-here'", "create the account or name another"][..],
        ),
        ("4294967295", &["'4294967295'", "from 1 to 4294967294"]),
        ("4294967296", &["'4294967296'", "from 1 to 4294967294"]),
        (
            "+0",
            &["'+0'", "names no account", "give an account's name or number"],
        ),
        (" root", &["' root'", "names no account"]),
        ("", &["''", "it is empty", "give an account's name or number"]),
    ] {
        place.refused(run_as(&place, account), 77, words);
    }
}

/// Proves: RA3 (L)
#[test]
fn another_account_must_be_in_the_shared_group() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = place();
    let words = [
        "'ben'",
        "primary group of Applications.RunAs 'run'",
        "add it to the group",
    ];
    place.refused(run_as(&place, "ben"), 77, &words);
    place.refused(run_as(&place, "61004"), 77, &words);
    place.configure("[Applications]\nSharedRunAsUnixGroup = team");
    place.refused(
        run_as(&place, "ana"),
        77,
        &[
            "'ana'",
            "Applications.SharedRunAsUnixGroup 'team'",
            "add it to the group",
        ],
    );
    place.configure("[Applications]\nSharedRunAsUnixGroup = gone");
    place.refused(
        run_as(&place, "ben"),
        77,
        &["Applications.SharedRunAsUnixGroup 'gone'", "create the group"],
    );
}

/// Proves: RA2 (L), RA3 (L), RA6 (L)
#[test]
fn members_of_the_shared_group_run_content_with_all_their_groups() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = place();
    let job = place.shell_job("id -u; id -g; id -G; echo $USER", "");
    let run = |place: &Place, account: &str| {
        let call = place.offhost([
            "run".as_ref(),
            job.as_os_str(),
            "--run-as".as_ref(),
            account.as_ref(),
        ]);
        with_accounts(place, call, PASSWD, GROUP).go()
    };
    let outcome = run(&place, "ana");
    outcome.succeeded();
    assert_eq!(outcome.stdout, "61003\n61003\n61003 61000\nana\n");
    place.configure("[Applications]\nSharedRunAsUnixGroup = team");
    let outcome = run(&place, "61004");
    outcome.succeeded();
    assert_eq!(outcome.stdout, "61004\n61004\n61004 61010\nben\n");
}
