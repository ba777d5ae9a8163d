//! Two applications want the last place of the installation (SC2, SC4).

use serde_json::json;

use crate::app::plain;
use crate::cluster;
use crate::release::{another, config, runtimes};

/// Proves: SC2 (P), SC4 (P), OH1 (P)
#[test]
fn who_comes_second_is_told_so_and_gets_the_place_when_the_first_ends() {
    if !cluster::there() {
        return;
    }
    let mut config = config();
    config["Scheduler"] = json!({"MaxProcessesTotal": 1});
    let release = another("last", &json!({"runtimes": runtimes(), "config": config}));
    // Sessions, which are shown a page at once, and not held until there is a place.
    let spec = json!({"affinity": "Session", "idleTimeoutSeconds": 30});
    let first = release.app(
        "first",
        &plain("first"),
        &json!({"minProcesses": 1, "idleTimeoutSeconds": 2}),
    );
    let second = release.app("second", &plain("second"), &spec);
    first.says("Active", "True", "Running");
    let gateway = release.gateway();
    let page = gateway.until("/content/second/", |answer| {
        answer.status == 503 && answer.body.contains("as the server has room for")
    });
    assert!(page.header("retry-after").next().is_some(), "{page:?}");
    let said = second.says("Active", "False", "Queued");
    assert!(said.contains("Scheduler.MaxProcessesTotal"), "{said}");
    assert!(second.pods().is_empty());
    let seen = gateway.get("/content/first/");
    assert!(
        seen.body.starts_with("first "),
        "the first one is left alone: {seen:?}"
    );
    first.change(&json!({"minProcesses": 0}));
    // Nobody asks for it now: whoever was told to come back has left a turn behind.
    second.says("Active", "True", "Running");
    let answer = gateway.until("/content/second/", |answer| answer.status == 200);
    assert!(answer.body.starts_with("second "), "{answer:?}");
    let pods = first.pods();
    assert!(pods.is_empty(), "one process in all: {pods:#?}");
}
