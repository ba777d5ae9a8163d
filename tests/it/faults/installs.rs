//! Installations of the same packages at once, cut off and failing (PK1, PK2, RA4).

use std::collections::BTreeSet;
use std::time::Duration;

use super::place::{self, LIMIT, Place};
use super::{may_run, processes, served, wait_for};

/// Counts who installs.
const COUNT: &str = "before_install() { echo installed >>\"$FAULTS_SYNC/installs\"; }";
/// R packages of the report below, each with a directory of its own in the cache.
const PACKAGES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];

fn installs(place: &Place) -> usize {
    let text = std::fs::read_to_string(place.path("sync/installs")).unwrap_or_default();
    text.lines().count()
}

/// An R Markdown document with R packages of its own.
fn report(place: &Place, name: &str, stamp: &str, code: &str) -> String {
    let packages = PACKAGES.map(|name| {
        format!(
            r#""{name}": {{"Source": "CRAN", "Repository": "https://packages.example.com/cran",
            "description": {{"Package": "{name}", "Version": "1.0", "Repository": "CRAN"}}}}"#
        )
    });
    let manifest = format!(
        r#"{{"version": 1, "platform": "4.2.2",
            "metadata": {{"appmode": "rmd-static", "primary_rmd": "report.Rmd"}},
            "packages": {{{}}}, "files": {{}}}}"#,
        packages.join(", ")
    );
    place.content(
        name,
        &[
            ("manifest.json", &manifest),
            ("report.Rmd", "---\ntitle: report\n---\n"),
            ("stamp.txt", stamp),
            ("code.sh", code),
        ],
    )
}

/// Asserts that each R package of the cache is whole. Gives how many there are, and how many libraries.
#[track_caller]
fn assert_r_packages_whole(place: &Place) -> (usize, usize) {
    let cache = place.data("packrat/4.2.2/v2/library");
    let mut count = 0;
    for name in served::names(&cache) {
        for hash in served::names(&cache.join(&name)) {
            let package = cache.join(&name).join(hash).join(&name);
            if !package.exists() {
                continue;
            }
            let files = served::tree(&package);
            let description = format!("Package: {name}\n");
            assert_eq!(
                files.get("DESCRIPTION"),
                Some(&description),
                "{name}: {:?}",
                files.keys()
            );
            assert_eq!(files[&format!("R/{name}")].lines().count(), 400, "{name}");
            count += 1;
        }
    }
    let libraries = place.data("packrat/4.2.2/libraries");
    let keys: Vec<_> = served::names(&libraries)
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .collect();
    for key in &keys {
        let links: BTreeSet<String> = served::names(&libraries.join(key)).into_iter().collect();
        assert_eq!(links, PACKAGES.map(str::to_owned).into());
    }
    (count, keys.len())
}

/// Starts four jobs of different content that need the same, at once, as another account where there is one.
fn race(place: &Place, make: impl Fn(&str, &str) -> String) {
    let names = ["one", "two", "three", "four"];
    let bundles = names.map(|name| make(name, COUNT));
    let children = [0, 1, 2, 3].map(|job| {
        let account = if job % 2 == 0 { "nobody" } else { "rstudio-connect" };
        place.start(&["run", &bundles[job], "--run-as", account])
    });
    for child in children {
        place::wait(child).succeeded();
    }
    assert_eq!(installs(place), 1, "one installs, the others use it");
    for name in names {
        assert!(served::assert_whole(&place.data(""), name, &[name]).is_some());
    }
    place.assert_nothing_left();
}

/// Proves: PK2 (L), RA4 (L), RA3 (L)
#[test]
fn jobs_that_need_the_same_python_packages_install_them_once_as_the_default_account() {
    if !may_run() {
        return;
    }
    let place = Place::with("[Applications]\nSharedRunAsUnixGroup = nogroup");
    race(&place, |name, code| {
        let code = format!("{code}\nafter_render() {{ id -u >\"$FAULTS_SYNC/$(cat stamp.txt).uid\"; }}");
        place.notebook(name, name, &code)
    });
    assert_eq!(served::assert_environments_whole(&place.data("")), 1);
    let uid = |name: &str| std::fs::read_to_string(place.path("sync").join(name)).expect("it is written");
    let key = served::names(&place.data("python-environments/pip/3.11.2"));
    let key = key
        .iter()
        .find(|name| !name.starts_with('.'))
        .expect("one is in place");
    let installer =
        served::tree(&place.data("python-environments/pip/3.11.2").join(key))["installed-by"].clone();
    assert_eq!(installer, uid("two.uid"), "the default account installs");
    assert_ne!(installer, uid("one.uid"), "another account renders");
}

/// Proves: PK1 (L), RA4 (L)
#[test]
fn jobs_that_need_the_same_r_packages_install_them_once() {
    if !may_run() {
        return;
    }
    let place = Place::with("[Applications]\nSharedRunAsUnixGroup = nogroup");
    race(&place, |name, code| report(&place, name, name, code));
    assert_eq!(assert_r_packages_whole(&place), (PACKAGES.len(), 1));
}

/// A first job that is cut off in its installation while a second one waits for it.
fn taken_over(
    make: impl Fn(&Place, &str, &str) -> String,
    cut_off: impl Fn(&Place, &mut std::process::Child),
) -> (Place, place::Done) {
    let place = Place::new();
    let code = "before_install() { meet install; exit 33; }";
    let first = make(&place, "first", code);
    let mut child = place.start(&["run", &first]);
    place.reached("install");
    let second = make(&place, "second", COUNT);
    let waiter = place.start(&["run", &second]);
    wait_for("the second job", LIMIT, || {
        (served::numbers(&place.data("reports/v2/second/default")).len() == 1).then_some(())
    });
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(installs(&place), 0, "it waits");
    cut_off(&place, &mut child);
    let done = place::wait(child);
    let waited = place::wait(waiter).succeeded();
    assert!(
        waited.stderr.contains("waiting for another job that installs"),
        "{}",
        waited.stderr
    );
    assert_eq!(installs(&place), 1, "it takes over");
    assert!(served::assert_whole(&place.data(""), "second", &["second"]).is_some());
    (place, done)
}

/// Proves: PK2 (L), PK1 (L), SB7 (L)
#[test]
fn a_waiting_job_takes_over_from_a_killed_one() {
    if !may_run() {
        return;
    }
    let kill = |_: &Place, child: &mut std::process::Child| child.kill().expect("it is ours");
    let (place, _) = taken_over(|place, name, code| place.notebook(name, name, code), kill);
    assert_eq!(served::assert_environments_whole(&place.data("")), 1);
    place.assert_no_process(Duration::from_secs(2));
    let (place, _) = taken_over(|place, name, code| report(place, name, name, code), kill);
    assert_eq!(assert_r_packages_whole(&place), (PACKAGES.len(), 1));
    // What the killed one left goes with the next start.
    place
        .run(&["run", &report(&place, "second", "second", COUNT)])
        .succeeded();
    place.assert_nothing_left();
}

/// Proves: PK2 (L), PK1 (L), SB8 (L)
#[test]
fn a_waiting_job_takes_over_from_a_failing_one() {
    if !may_run() {
        return;
    }
    let fail = |place: &Place, _: &mut std::process::Child| place.go("install");
    let (place, done) = taken_over(|place, name, code| place.notebook(name, name, code), fail);
    assert_eq!(done.code, 33, "{}", done.stderr);
    assert_eq!(served::assert_environments_whole(&place.data("")), 1);
    place.assert_nothing_left();
    let (place, done) = taken_over(|place, name, code| report(place, name, name, code), fail);
    assert_eq!(done.code, 33, "{}", done.stderr);
    assert_eq!(assert_r_packages_whole(&place), (PACKAGES.len(), 1));
    place.assert_nothing_left();
}

/// Proves: PK1 (L), RD3 (L)
#[test]
fn a_killed_installation_of_r_packages_leaves_whole_packages_only() {
    if !may_run() {
        return;
    }
    let place = Place::new();
    for kill in 0..8 {
        let bundle = report(
            &place,
            "report",
            "stamp",
            &format!("before_install() {{ touch \"$FAULTS_SYNC/{kill}.reached\"; }}"),
        );
        let mut child = place.start(&["run", &bundle]);
        place.reached(&kill.to_string());
        std::thread::sleep(Duration::from_millis(25 * kill));
        child.kill().expect("it is ours");
        place::wait(child);
        place.assert_no_process(Duration::from_secs(2));
        assert_r_packages_whole(&place);
        place.run(&["run", &bundle]).succeeded();
        assert_eq!(assert_r_packages_whole(&place), (PACKAGES.len(), 1));
        assert!(served::assert_whole(&place.data(""), "report", &["stamp"]).is_some());
        place.assert_nothing_left();
        std::fs::remove_dir_all(place.data("packrat")).expect("nobody uses it");
    }
    assert!(processes::of(&place.path("")).is_empty());
}
