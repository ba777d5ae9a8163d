//! New bundles of applications that are in use.

use super::site::Site;
use super::{answers, may_run};
use crate::faults::place::LIMIT;
use crate::faults::wait_for;

/// Proves: AP1 (L), AP2 (L), SC5 (L), SC6 (L)
#[test]
fn a_new_bundle_takes_new_sessions_while_the_old_one_keeps_its_own() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    let first = "open('written-by-itself', 'w').close()\nserve(lambda path: 'one')";
    site.app("app", "python-streamlit", first, "idleTimeoutSeconds: 60");
    let server = site.start();
    let cookie = site.visit_until("app", 200).cookie().expect("it has sessions");
    let head = format!("Cookie: {cookie}\r\n");
    site.bundle("app", "python-streamlit", &answers("two"));
    // Written again, the manifest has the source looked at now.
    site.manifest("app", "idleTimeoutSeconds: 61");
    wait_for("the new bundle", LIMIT, || {
        (site.visit("app").body == "two").then_some(())
    });
    assert_eq!(
        site.visit_with("app", &head).body,
        "one",
        "a session stays with its process"
    );
    let shown = site.show("app");
    let drains: Vec<bool> = shown["processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|process| process["drains"] == true)
        .collect();
    assert!(drains.contains(&true) && drains.contains(&false), "{shown}");
    assert_eq!(shown["bundle"], 2);
    let data = |path: &str| site.place.data(format!("apps/app/{path}")).exists();
    assert!(data("1/written-by-itself") && !data("2/written-by-itself"));
    server.end();
    site.assert_gone();
    // The same files are no new bundle, whatever the application has written since.
    let server = site.start();
    assert_eq!(site.visit_until("app", 200).body, "two");
    assert!(!data("3"));
    server.end();
}

/// Proves: AP2 (L)
#[test]
fn a_bundle_that_can_not_be_used_leaves_the_old_one_in_force() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    site.app("app", "python-api", &answers("one"), "");
    let server = site.start();
    assert_eq!(site.visit_until("app", 200).body, "one");
    site.bundle("app", "no-such-kind", &answers("two"));
    site.manifest("app", "maxProcesses: 2");
    let shown = wait_for("the problem", LIMIT, || {
        let shown = site.show("app");
        shown["problem"].is_string().then_some(shown)
    });
    assert!(
        shown["problem"].as_str().unwrap().contains("no-such-kind"),
        "{shown}"
    );
    assert_eq!(site.visit("app").body, "one");
    server.end();
    site.assert_gone();
}
