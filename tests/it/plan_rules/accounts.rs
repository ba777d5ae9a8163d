//! Who runs what (RA).

use offhost::reason::Reason;
use offhost::sandbox::build;

use super::{task_of, value};
use crate::plan_fixture::{account, notebook, place, report, script};

/// Proves: RA1 (L, P)
#[test]
fn root_never_runs_content_by_any_spelling() {
    for (name, expected) in [
        ("root", "by name"),
        ("0", "user id 0"),
        ("00", "user id 0"),
        ("0000000000", "user id 0"),
        ("toor", "user id 0"),
        ("wheel", "primary group id 0"),
        ("sneaky", "group id 0 among its groups"),
        ("-1", "names no account"),
        ("+0", "names no account"),
        (" 0", "names no account"),
        ("0\n", "names no account"),
        ("4294967295", "names no account"),
        ("4294967296", "names no account"),
        ("", "names no account"),
        ("0x0", "not known"),
        ("nobody-here", "not known"),
    ] {
        for own in [false, true] {
            for mut world in [script(), script().in_pod()] {
                if own {
                    world.task.spec.run_as = Some(name.to_owned());
                } else {
                    world.settings.applications.run_as = name.to_owned();
                }
                let error = world.plan().unwrap_err();
                assert!(error.to_string().contains(expected), "{name:?}: {error}");
                assert_eq!(error.reason(), Reason::AccountRefused);
                let setting = if own { "spec.runAs" } else { "Applications.RunAs" };
                assert!(error.to_string().contains(setting), "{error}");
            }
        }
    }
}

/// Proves: RA2 (L, P)
#[test]
fn another_account_runs_the_content_and_the_plan_says_so() {
    for name in ["hadley", "1001"] {
        let mut world = script();
        world.task.spec.run_as = Some(name.to_owned());
        let plan = world.plan().unwrap();
        assert_eq!(plan.processes[0].identity.uid, 1001);
        assert_eq!(value(&plan.processes[0], "USER"), Some("hadley"));
        assert!(
            plan.notes
                .iter()
                .any(|note| note.contains("only an administrator")),
            "{:?}",
            plan.notes
        );
    }
}

/// Proves: RA3 (L, P)
#[test]
fn other_accounts_must_be_in_the_shared_group() {
    let mut world = script();
    world.task.spec.run_as = Some("outsider".to_owned());
    assert!(
        world
            .refusal()
            .contains("'outsider' is not a member of group 998, the primary group of Applications.RunAs")
    );
    // With a group of the settings, membership of the primary group of RunAs is not enough, and the group counts
    // where it is the account's primary one.
    world.settings.applications.shared_run_as_unix_group = Some("data-scientists".to_owned());
    assert_eq!(task_of(&world).identity.uid, 1002);
    world.task.spec.run_as = Some("svc".to_owned());
    assert!(
        world
            .refusal()
            .contains("Applications.SharedRunAsUnixGroup 'data-scientists'")
    );
    world.settings.applications.shared_run_as_unix_group = Some("gone".to_owned());
    assert!(world.refusal().contains("'gone' is not known"));
    // The default account needs no membership, also where the content names it.
    world.task.spec.run_as = Some("rstudio-connect".to_owned());
    assert_eq!(task_of(&world).identity.uid, 999);
}

/// Proves: RA4 (L, P)
#[test]
fn packages_are_installed_as_the_default_account() {
    for mut world in [notebook(), report(), notebook().in_pod()] {
        world.task.spec.run_as = Some("hadley".to_owned());
        let plan = world.plan().unwrap();
        assert_eq!(
            plan.processes
                .iter()
                .map(|process| process.identity.uid)
                .collect::<Vec<_>>(),
            [999, 1001]
        );
    }
}

/// Proves: RA6 (L, P)
#[test]
fn the_primary_group_is_always_among_the_groups() {
    let mut world = script();
    world.accounts.accounts.insert(
        "rstudio-connect".to_owned(),
        account("rstudio-connect", 999, 998, &[50, 7], None),
    );
    assert_eq!(task_of(&world).identity.groups, [7, 50, 998]);
    assert_eq!(build(&task_of(&world), &place()).groups, [7, 50, 998]);
}

/// Proves: SB9 (L)
#[test]
fn an_ordinary_user_runs_content_as_themselves_only() {
    let mut world = script();
    world.accounts.ordinary_user = Some(account("ana", 1500, 1500, &[1500], Some("/home/ana")));
    let plan = world.plan().unwrap();
    assert_eq!(plan.processes[0].identity.user, "ana");
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("only root can change accounts")),
        "{:?}",
        plan.notes
    );
    world.task.spec.run_as = Some("hadley".to_owned());
    assert!(world.refusal().contains("is another account than yours ('ana')"));
    world.task.spec.run_as = None;
    world.accounts.ordinary_user = Some(account("ana", 1500, 0, &[0], None));
    assert!(world.refusal().contains("primary group id 0"));
}

/// Proves: RA5 (P)
#[test]
fn a_pod_gets_the_ids_known_here() {
    let world = script().in_pod();
    let process = task_of(&world);
    assert_eq!((process.identity.uid, process.identity.gid), (999, 998));
    for (name, expected) in [
        ("USER", "rstudio-connect"),
        ("LOGNAME", "rstudio-connect"),
        ("HOME", "/home/rstudio-connect"),
    ] {
        assert_eq!(value(&process, name), Some(expected));
    }
}
