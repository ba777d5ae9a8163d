//! Who may see what a server serves.

use super::site::Site;
use super::{answers, may_run};
use crate::faults::place::LIMIT;
use crate::faults::wait_for;

const PROXY: &str =
    "[Authentication]\nProvider = proxy\n[ProxyAuth]\nFrom = 127.0.0.1\nGroupsHeader = X-Auth-Groups\n";

#[test]
fn an_application_is_shown_to_those_whom_it_names() {
    if !may_run() {
        return;
    }
    let site = Site::new(PROXY);
    site.app(
        "sales",
        "python-api",
        &answers("figures"),
        "access: {type: Named, users: [ann], groups: [sales]}",
    );
    let server = site.start();
    site.reaches("sales", "Idle");
    let visit = |head: &str| site.visit_with("sales", head).status;
    assert_eq!(visit(""), 401);
    assert_eq!(visit("X-Auth-Username: bob\r\n"), 403);
    assert_eq!(visit("X-Auth-Username: ann\r\nX-Auth-Username: bob\r\n"), 400);
    site.place.assert_no_process_but_server();
    assert_eq!(
        site.visit_with("sales", "X-Auth-Username: ann\r\n").body,
        "figures"
    );
    assert_eq!(
        visit("X-Auth-Username: bob\r\nX-Auth-Groups: staff, sales\r\n"),
        200
    );
    // Who may see it changes at once.
    site.manifest("sales", "access: {type: Named, users: [bob]}");
    wait_for("the change", LIMIT, || {
        (visit("X-Auth-Username: ann\r\n") == 403).then_some(())
    });
    assert_eq!(visit("X-Auth-Username: bob\r\n"), 200);
    assert!(
        site.metrics()
            .contains("offhost_gateway_access_refused_total{why=\"forbidden\"}")
    );
    server.end();
    site.assert_gone();
}

#[test]
fn what_is_for_those_who_log_in_is_not_shown_where_nobody_can() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    site.app("sales", "python-api", &answers("figures"), "");
    let server = site.start();
    assert_eq!(site.visit_until("sales", 200).body, "figures");
    site.manifest("sales", "access: {type: LoggedIn}");
    let answer = site.visit_until("sales", 503);
    assert!(answer.body.contains("nobody can log in here"), "{}", answer.body);
    let shown = wait_for("the problem", LIMIT, || {
        let shown = site.show("sales");
        shown["problem"].is_string().then_some(shown)
    });
    let problem = shown["problem"].as_str().unwrap();
    assert!(problem.contains("Authentication.Provider is 'none'"), "{problem}");
    site.manifest("sales", "access: {type: All}");
    site.visit_until("sales", 200);
    server.end();
    site.assert_gone();
}

#[test]
fn a_way_to_log_in_that_is_not_there_serves_nothing() {
    if !may_run() {
        return;
    }
    for (settings, said) in [
        (
            "[Authentication]\nProvider = ldap\n",
            "Authentication.Provider is 'ldap', which this system does not have",
        ),
        (
            "[Authentication]\nProvider = proxy\n",
            "ProxyAuth.From names no proxy",
        ),
    ] {
        let site = Site::new(settings);
        assert_ne!(site.begin().wait(), Some(0));
        assert!(site.log().contains(said), "{}", site.log());
    }
}
