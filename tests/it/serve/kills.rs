//! A server that is killed: its processes end with it, and the next one removes what is left.

use std::time::Duration;

use super::site::Site;
use super::{answers, may_run};

/// Proves: SB7 (L), TD1 (L)
#[test]
fn nothing_is_left_of_a_server_that_is_killed_at_any_moment() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    for name in ["one", "two"] {
        site.app(name, "python-api", &answers(name), "minProcesses: 2");
    }
    // What is installed once is there from then on.
    let server = site.start();
    site.visit_until("one", 200);
    site.visit_until("two", 200);
    server.kill();
    site.place.assert_no_process(Duration::from_secs(10));
    for round in 0..20u64 {
        let server = site.begin();
        // From before it has the lock until all processes run.
        std::thread::sleep(Duration::from_millis(round * 71 % 1400));
        server.kill();
    }
    let server = site.start();
    assert_eq!(site.visit_until("one", 200).body, "one");
    assert_eq!(site.visit_until("two", 200).body, "two");
    let running = |name: &str| {
        let jobs = site.jobs(name);
        jobs.iter()
            .filter(|job| job["record"]["state"] == "running")
            .count()
    };
    assert!(
        running("one") <= 2 && running("two") <= 2,
        "no process of an earlier server is called running"
    );
    assert!(
        site.place.data("apps/one").read_dir().unwrap().count() <= 4,
        "no bundle was deployed again"
    );
    server.end();
    site.assert_gone();
}
