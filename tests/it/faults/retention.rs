//! What is kept and what is removed, also while jobs work with it (RD4, AP2).

use super::place::{self, Place};
use super::{may_run, served};

/// Proves: RD4 (L)
#[test]
fn results_beyond_the_limit_go_and_the_one_that_is_served_stays() {
    if !may_run() {
        return;
    }
    let place = Place::with("[Applications]\nRenderingSweepLimit = 2");
    let bundle = place.notebook("report", "stamp", "");
    let results = place.data("reports/v2/report/default");
    place.run(&["run", &bundle]).succeeded();
    for _ in 0..3 {
        place.run(&["run", &bundle, "--no-activate"]).succeeded();
    }
    assert_eq!(served::numbers(&results), [1, 3, 4]);
    assert_eq!(
        served::assert_whole(&place.data(""), "report", &["stamp"]),
        Some((1, "stamp"))
    );
    place.run(&["content", "activate", "report", "3"]).succeeded();
    place.run(&["run", &bundle, "--no-activate"]).succeeded();
    assert_eq!(served::numbers(&results), [3, 4, 5]);
    place.assert_nothing_left();
}

/// Proves: RD4 (L)
#[test]
fn old_results_go_and_the_one_that_is_served_stays() {
    if !may_run() {
        return;
    }
    let place = Place::with("[Applications]\nRenderingSweepAge = 1s");
    let bundle = place.notebook("report", "stamp", "");
    place.run(&["run", &bundle]).succeeded();
    place.run(&["run", &bundle, "--no-activate"]).succeeded();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    place.run(&["run", &bundle, "--no-activate"]).succeeded();
    assert_eq!(served::numbers(&place.data("reports/v2/report/default")), [1, 3]);
    place.assert_nothing_left();
}

/// Proves: AP2 (L), RD4 (L)
#[test]
fn a_bundle_stays_for_as_long_as_a_job_works_with_it() {
    if !may_run() {
        return;
    }
    let place = Place::with("[Applications]\nBundleRetentionLimit = 1\nRenderingSweepLimit = 1");
    let old = place.notebook("report", "old", "before_render() { meet old; }");
    let child = place.start(&["run", &old]);
    place.reached("old");
    // Deployments and whole jobs of newer bundles, each of which removes what is beyond the limit.
    for stamp in ["newer", "newest"] {
        let bundle = place.notebook("report", stamp, "");
        place.run(&["run", &bundle]).succeeded();
        assert_eq!(served::tree(&place.data("apps/report/1"))["stamp.txt"], "old");
    }
    let bundles = place.data("apps/report");
    assert_eq!(served::numbers(&bundles), [1, 3]);
    assert_eq!(
        std::fs::read_link(bundles.join("active"))
            .expect("one is in force")
            .to_str(),
        Some("3")
    );
    place.go("old");
    place::wait(child).succeeded();
    let stamps = ["old", "newer", "newest"];
    assert_eq!(
        served::assert_whole(&place.data(""), "report", &stamps),
        Some((1, "old"))
    );
    // The old one has ended: nothing holds its bundle any more, and the next job removes it.
    let bundle = place.notebook("report", "newest", "");
    place.run(&["run", &bundle]).succeeded();
    assert_eq!(served::numbers(&bundles), [3]);
    assert_eq!(served::numbers(&place.data("reports/v2/report/default")), [4]);
    place.assert_nothing_left();
}
