//! The data directory full, read-only or missing, at every stage: one sentence, exit code 74, and what is served stays.

use super::mount::SmallDisk;
use super::place::{self, Done, Place};
use super::{may_run, served};

/// Writes 2 MiB and fails like any program whose write is refused.
const BIG: &str = "head -c 2097152 /dev/zero";

/// A disk of 16 MiB on which a result is served, and `code` for what comes after it.
fn disk(code: &str) -> (SmallDisk, String) {
    let disk = SmallDisk::new(16);
    let bundle = disk.place.notebook("report", "before", "");
    disk.place.run(&["run", &bundle]).succeeded();
    let bundle = disk.place.notebook_with("report", "after", "example==2.0", code);
    (disk, bundle)
}

/// One sentence that names the directory and what to do; nothing has changed, nothing is left.
#[track_caller]
fn assert_refused(disk: &SmallDisk, done: &Done) {
    assert_eq!(done.code, 74, "{}", done.stderr);
    let error = done.error();
    let data = disk.place.path("data").display().to_string();
    assert!(error.contains(&format!("no space is left in '{data}")), "{error}");
    assert!(
        error.contains("remove old results or enlarge the file system"),
        "{error}"
    );
    assert_as_before(disk);
}

#[track_caller]
fn assert_as_before(disk: &SmallDisk) {
    let served = served::assert_whole(&disk.place.data(""), "report", &["before"]);
    assert_eq!(served, Some((1, "before")));
    served::assert_environments_whole(&disk.place.data(""));
    disk.place.assert_no_process(std::time::Duration::ZERO);
}

#[track_caller]
fn assert_works_again(disk: &SmallDisk, bundle: &str) {
    disk.make_room();
    disk.place.run(&["run", bundle]).succeeded();
    let served = served::assert_whole(&disk.place.data(""), "report", &["after"]);
    assert!(served.is_some());
    disk.place.assert_nothing_left();
}

/// Adds a file of 2 MiB to a bundle.
fn fatten(bundle: &str) {
    let path = std::path::Path::new(bundle).join("data.bin");
    std::fs::write(path, vec![7; 2 << 20]).expect("it can be written");
}

/// Proves: RD3 (L), AP2 (L)
#[test]
fn a_disk_that_fills_up_while_a_bundle_is_deployed() {
    if !may_run() {
        return;
    }
    let (disk, bundle) = disk("");
    fatten(&bundle);
    disk.leave(1024);
    for arguments in [["run", &bundle].as_slice(), &["content", "deploy", &bundle]] {
        assert_refused(&disk, &disk.place.run(arguments));
        let apps = disk.place.data("apps/report");
        assert_eq!(served::numbers(&apps), [1]);
        assert_eq!(
            std::fs::read_link(apps.join("active")).expect("a link").to_str(),
            Some("1")
        );
        disk.place.assert_nothing_left();
    }
    assert_works_again(&disk, &bundle);
}

/// Proves: RD3 (L), PK9 (L)
#[test]
fn a_disk_that_fills_up_while_an_archive_is_unpacked() {
    if !may_run() {
        return;
    }
    let (disk, bundle) = disk("");
    fatten(&bundle);
    let archive = format!("{bundle}.tar.gz");
    let made = std::process::Command::new("tar")
        .args(["czf", &archive, "-C", &bundle, "."])
        .status();
    assert!(made.expect("tar is there").success());
    disk.leave(1024);
    let done = disk.place.run(&["run", &archive, "--content", "report"]);
    assert_eq!(done.code, 74, "{}", done.stderr);
    assert!(done.error().contains("free space"), "{}", done.stderr);
    assert_as_before(&disk);
    disk.place.assert_nothing_left();
    disk.make_room();
    disk.place
        .run(&["run", &archive, "--content", "report"])
        .succeeded();
    disk.place.assert_nothing_left();
}

/// Proves: RD1 (L), RD3 (L)
#[test]
fn a_disk_that_fills_up_while_the_source_is_copied() {
    if !may_run() {
        return;
    }
    let (disk, bundle) = disk("");
    fatten(&bundle);
    // Without an environment to install: that is not what is tried here.
    std::fs::write(format!("{bundle}/requirements.txt"), "example==1.0\n").expect("it can be written");
    disk.place.run(&["content", "deploy", &bundle]).succeeded();
    let job = disk.place.job("again", "content: report\ntask: Render");
    disk.leave(1024);
    let done = disk.place.run(&["run", &job]);
    assert_refused(&disk, &done);
    assert!(done.error().contains("temp.render."), "{}", done.stderr);
    disk.place.assert_nothing_left();
    assert_works_again(&disk, &bundle);
}

/// Proves: PK2 (L), RD3 (L), PK10 (L)
#[test]
fn a_disk_that_fills_up_while_packages_are_installed() {
    if !may_run() {
        return;
    }
    // Once with an installer that tells it, once with one that does not notice.
    for notices in [true, false] {
        let shrug = if notices { "" } else { "|| true" };
        let code = format!("before_install() {{ {BIG} >\"$env/big\" {shrug}; }}");
        let (disk, bundle) = disk(&code);
        disk.leave(1024);
        let done = disk.place.run(&["run", &bundle]);
        assert_refused(&disk, &done);
        assert!(
            done.error().starts_with("packages could not be installed: "),
            "{}",
            done.stderr
        );
        let job = served::jobs(&disk.place.data(""), "report")
            .pop()
            .expect("it has a record");
        assert_eq!(job["reason"], "DataUnavailable", "{job}");
        assert_eq!(served::assert_environments_whole(&disk.place.data("")), 1);
        disk.place.assert_nothing_left();
        assert_works_again(&disk, &bundle);
    }
}

/// Proves: RD3 (L), RD2 (L), PK10 (L)
#[test]
fn a_disk_that_fills_up_while_a_report_is_rendered() {
    if !may_run() {
        return;
    }
    for notices in [true, false] {
        let shrug = if notices { "" } else { "|| true" };
        let code = format!("after_render() {{ {BIG} >\"$output_dir/big\" {shrug}; }}");
        let (disk, bundle) = disk(&code);
        disk.leave(1024);
        let done = disk.place.run(&["run", &bundle]);
        assert_refused(&disk, &done);
        let job = served::jobs(&disk.place.data(""), "report")
            .pop()
            .expect("it has a record");
        assert_eq!(job["reason"], "DataUnavailable", "{job}");
        disk.place.assert_nothing_left();
        disk.make_room();
        disk.place.run(&["run", &bundle]).succeeded();
        let (number, files) = served::served(&disk.place.data(""), "report").expect("one is served");
        assert!(number > 1 && files["big"].len() == 2 << 20, "{number}");
    }
}

/// Proves: RD3 (L)
#[test]
fn a_disk_without_inodes_when_the_result_is_finished() {
    if !may_run() {
        return;
    }
    let (disk, bundle) = disk("after_render() { meet end; }");
    let child = disk.place.start(&["run", &bundle]);
    disk.place.reached("end");
    disk.leave_no_inode();
    disk.place.go("end");
    let done = place::wait(child);
    assert_refused(&disk, &done);
    assert!(done.error().contains("inodes"), "{}", done.stderr);
    disk.remount("nr_inodes=100000");
    assert_works_again(&disk, &bundle);
}

/// Proves: RD3 (L), RD4 (L)
#[test]
fn a_disk_that_is_full_when_a_result_is_activated() {
    if !may_run() {
        return;
    }
    let (disk, bundle) = disk("");
    disk.place.run(&["run", &bundle, "--no-activate"]).succeeded();
    disk.leave_no_inode();
    let done = disk.place.run(&["content", "activate", "report", "2"]);
    assert_refused(&disk, &done);
    disk.remount("nr_inodes=100000");
    disk.place
        .run(&["content", "activate", "report", "2"])
        .succeeded();
    assert!(served::assert_whole(&disk.place.data(""), "report", &["after"]).is_some());
    disk.place.assert_nothing_left();
}

/// Proves: RD3 (L), PK10 (L)
#[test]
fn a_disk_that_fills_up_between_success_and_activation() {
    if !may_run() {
        return;
    }
    let (disk, bundle) = disk("after_render() { meet end; }");
    let child = disk.place.start(&["run", &bundle]);
    disk.place.reached("end");
    let activation = super::hold(&disk.place.data("reports/v2/report/.default.lock"));
    disk.place.go("end");
    let record = disk.place.data("reports/v2/report/default/2.json");
    super::wait_for("the record of the result", place::LIMIT, || {
        record.exists().then_some(())
    });
    // The job's own record is written next, and then the job waits for the lock: let it come there.
    std::thread::sleep(std::time::Duration::from_millis(100));
    disk.leave_no_inode();
    drop(activation);
    let done = place::wait(child);
    assert_refused(&disk, &done);
    disk.remount("nr_inodes=100000");
    // Not even its record could be closed; it is when the next server starts.
    assert_works_again(&disk, &bundle);
    let jobs = served::jobs(&disk.place.data(""), "report");
    let states: Vec<_> = jobs
        .iter()
        .map(|job| job["state"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(states, ["succeeded", "cutOff", "succeeded"]);
}

/// Proves: FS6 (L), RD3 (L)
#[test]
fn a_disk_that_is_mounted_read_only() {
    if !may_run() {
        return;
    }
    let (disk, bundle) = disk("");
    disk.remount("ro");
    let data = disk.place.path("data").display().to_string();
    for arguments in [
        ["run", &bundle].as_slice(),
        &["content", "deploy", &bundle],
        &["content", "activate", "report", "1"],
    ] {
        let done = disk.place.run(arguments);
        assert_eq!(done.code, 74, "{}", done.stderr);
        let error = done.error();
        assert!(
            error.contains(&data) && error.contains("is mounted read-only, so mount it read-write"),
            "{error}"
        );
        assert_as_before(&disk);
    }
    disk.remount("rw");
    assert_works_again(&disk, &bundle);
}

/// Proves: FS6 (L)
#[test]
fn a_data_directory_that_is_not_there() {
    if !may_run() {
        return;
    }
    let place = Place::new();
    let bundle = place.notebook("report", "stamp", "");
    std::fs::remove_dir(place.path("data")).expect("it is empty");
    let data = place.path("data").display().to_string();
    for arguments in [["run", &bundle].as_slice(), &["content", "deploy", &bundle]] {
        let done = place.run(arguments);
        assert!(matches!(done.code, 65 | 74), "{}: {}", done.code, done.stderr);
        let error = done.error();
        assert!(
            error.contains("DataDir") && error.contains(&data) && error.contains("does not exist"),
            "{error}"
        );
        assert!(!place.path("data").exists(), "nothing is made in its place");
    }
    assert!(served::names(&place.path("temp")).is_empty());
}
