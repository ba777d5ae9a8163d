//! Renders of one content item at once, and results that wait for their activation (RD1–RD3).

use std::collections::BTreeSet;
use std::time::Duration;

use super::place::{self, Place};
use super::{may_run, served};

/// Writes a marker everywhere it may, waits until all others have, then tells what it sees.
const LOOK: &str = r#"
before_render() {
    id=$(cat /proc/sys/kernel/random/uuid)
    for place in . "$output_dir" "$TMPDIR" /opt/rstudio-connect/mnt/log; do echo "$id" >"$place/mark-$id"; done
    touch "$FAULTS_SYNC/$id.reached"
    while [ ! -e "$FAULTS_SYNC/all.go" ]; do sleep 0.01; done
}
after_render() {
    {
        echo "id $id"
        for place in . "$output_dir" "$TMPDIR" /opt/rstudio-connect/mnt/log; do
            for mark in "$place"/mark-*; do echo "mark ${mark##*/mark-}"; done
        done
        # shellcheck disable=SC2012
        ls /opt/rstudio-connect/mnt | sed 's/^/mount /'
        find "$FAULTS_PLACE/data" "$FAULTS_PLACE/temp/connect-workspaces" -mindepth 1 2>/dev/null |
            grep -v "^$TMPDIR" | sed 's/^/found /'
        ls -d "$FAULTS_PLACE"/data/reports/v2/report/*/temp.render.* 2>/dev/null | sed 's/^/found /'
    } >"$output_dir/seen.txt"
}
"#;

fn at_once(count: usize) {
    let place = Place::new();
    let bundle = place.notebook("report", "stamp", LOOK);
    // The environment first: the renders are to meet, not to wait for one that installs.
    place.go("all");
    place.run(&["run", &bundle]).succeeded();
    place.forget();
    let children: Vec<_> = (0..count).map(|_| place.start(&["run", &bundle])).collect();
    super::wait_for("all renders", place::LIMIT, || {
        (served::names(&place.path("sync")).len() == count).then_some(())
    });
    place.go("all");
    let results: BTreeSet<String> = children
        .into_iter()
        .map(|child| {
            let done = place::wait(child).succeeded();
            done.stdout.lines().last().expect("the result's path").to_owned()
        })
        .collect();
    assert_eq!(results.len(), count, "each has a result of its own: {results:?}");
    let mut ids = BTreeSet::new();
    for index in &results {
        let directory = std::path::Path::new(index)
            .parent()
            .expect("an index lies in its result");
        let mut files = served::tree(directory);
        let seen = files.remove("seen.txt").expect("each tells what it sees");
        let of = |what: &str| -> Vec<String> {
            let lines = seen
                .lines()
                .filter_map(|line| line.strip_prefix(what)?.strip_prefix(' '));
            lines.map(str::to_owned).collect()
        };
        let id = of("id").remove(0);
        assert_eq!(of("mark"), vec![id.clone(); 4], "each sees its own marks only");
        assert!(of("found").is_empty(), "{seen}");
        assert_eq!(files.remove(&format!("mark-{id}")), Some(format!("{id}\n")));
        assert_eq!(files, served::whole_result("stamp"));
        ids.insert(id);
    }
    assert_eq!(ids.len(), count);
    let (number, _) = served::served(&place.data(""), "report").expect("one is served");
    assert!((2..=count as u64 + 1).contains(&number));
    place.assert_no_process(Duration::ZERO);
    place.assert_nothing_left();
}

/// Proves: RD1 (L), RD2 (L), FS4 (L), TD1 (L)
#[test]
fn two_renders_at_once_never_see_each_other() {
    if may_run() {
        at_once(2);
    }
}

/// Proves: RD1 (L), RD2 (L), FS4 (L), TD1 (L)
#[test]
fn eight_renders_at_once_never_see_each_other() {
    if may_run() {
        at_once(8);
    }
}

/// Eight servers of an empty data directory: each lays out, sweeps, deploys and installs while the others do.
///
/// Proves: RD2 (L), PK2 (L), AP2 (L)
#[test]
fn servers_that_start_at_once_do_not_sweep_each_others_work_away() {
    if !may_run() {
        return;
    }
    let place = Place::new();
    let bundles: Vec<_> = (0..8)
        .map(|number| place.notebook(&format!("report-{}", number % 4), &(number % 4).to_string(), ""))
        .collect();
    let children: Vec<_> = bundles
        .iter()
        .map(|bundle| place.start(&["run", bundle]))
        .collect();
    for child in children {
        place::wait(child).succeeded();
    }
    for number in 0..4 {
        let stamp = number.to_string();
        let served = served::assert_whole(&place.data(""), &format!("report-{number}"), &[&stamp]);
        assert!(served.is_some());
        assert_eq!(served::numbers(&place.data(format!("apps/report-{number}"))), [1]);
    }
    assert_eq!(served::assert_environments_whole(&place.data("")), 1);
    place.assert_nothing_left();
}

/// Proves: RD3 (L), RD4 (L)
#[test]
fn a_result_is_served_only_when_that_was_asked_for() {
    if !may_run() {
        return;
    }
    let place = Place::new();
    let first = place.notebook("report", "first", "");
    let done = place.run(&["run", &first, "--no-activate"]).succeeded();
    assert!(
        done.stderr.contains("offhost content activate report 1"),
        "{}",
        done.stderr
    );
    assert!(served::served(&place.data(""), "report").is_none());
    place.run(&["content", "activate", "report", "1"]).succeeded();
    let second = place.notebook("report", "second", "");
    place.run(&["run", &second, "--no-activate"]).succeeded();
    let data = place.data("");
    let both = ["first", "second"];
    assert_eq!(served::assert_whole(&data, "report", &both), Some((1, "first")));
    place.run(&["content", "activate", "report", "2"]).succeeded();
    assert_eq!(served::assert_whole(&data, "report", &both), Some((2, "second")));
    let done = place.run(&["content", "activate", "report", "3"]);
    assert_eq!(served::assert_whole(&data, "report", &both), Some((2, "second")));
    assert!(
        done.code != 0 && done.error().contains("has no result 3"),
        "{}",
        done.stderr
    );
    place.assert_nothing_left();
}
