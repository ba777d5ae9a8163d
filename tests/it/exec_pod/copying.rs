//! The copy of the source that the process works on.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use offhost::sandbox::EndCause;

use super::support::{Rig, child_of, kill, wait_until};
use crate::support::needs;

/// A small bundle.
fn bundle(rig: &Rig) -> PathBuf {
    let source = rig.path("source");
    fs::create_dir_all(source.join("sub/empty")).unwrap();
    fs::write(source.join("report.Rmd"), "text").unwrap();
    fs::write(source.join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(source.join("run.sh"), fs::Permissions::from_mode(0o555)).unwrap();
    fs::write(source.join("sub/data.csv"), "1,2\n").unwrap();
    symlink("sub/data.csv", source.join("link")).unwrap();
    source
}

fn copying<'a>(from: &'a Path, to: &'a Path) -> [&'a str; 4] {
    [
        "--copy-from",
        from.to_str().unwrap(),
        "--copy-to",
        to.to_str().unwrap(),
    ]
}

/// Proves: RD1 (P)
#[test]
fn a_process_works_on_its_own_copy_of_the_source() {
    let rig = Rig::new();
    let (source, to) = (bundle(&rig), rig.own_directory("app"));
    let before = fs::metadata(&to).unwrap().ino();
    let script =
        "cat report.Rmd link; ./run.sh && echo runs; echo more >>run.sh && echo new >sub/new; ls sub; pwd -P";
    let words = [
        &["pod"],
        &copying(&source, &to)[..],
        &["--", "/bin/sh", "-c", script],
    ]
    .concat();
    let mut command = rig.helper(&words);
    command.current_dir(&to);
    let outcome = rig.finish(rig.start(&mut command));
    let expected = format!("text1,2\nruns\ndata.csv\nempty\nnew\n{}\n", to.display());
    assert_eq!(outcome.good(), expected);
    assert_eq!(
        fs::metadata(&to).unwrap().ino(),
        before,
        "it is mounted, so it must stay"
    );
    let copied = fs::metadata(to.join("report.Rmd")).unwrap();
    assert_eq!(copied.uid(), rig.uid);
    assert!(fs::symlink_metadata(to.join("link")).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(source.join("run.sh")).unwrap(), "#!/bin/sh\n");
    assert!(!source.join("sub/new").exists());
}

/// A container that is started again finds what it did the time before.
///
/// Proves: RD1 (P)
#[test]
fn a_second_start_begins_anew_also_in_a_directory_below() {
    let rig = Rig::new();
    let (source, to) = (bundle(&rig), rig.own_directory("app"));
    let script = "pwd -P; ls; echo left >left; mkdir -p ../deep/er; chmod 0 ../deep/er";
    let words = [
        &["pod"],
        &copying(&source, &to)[..],
        &["--", "/bin/sh", "-c", script],
    ]
    .concat();
    // The container's runtime makes a working directory that is not there yet.
    fs::create_dir(to.join("sub")).unwrap();
    rig.give(&to.join("sub"));
    for _ in 0..3 {
        let mut command = rig.helper(&words);
        command.current_dir(to.join("sub"));
        let outcome = rig.finish(rig.start(&mut command));
        let expected = format!("{}/sub\ndata.csv\nempty\n", to.display());
        assert_eq!(outcome.good(), expected);
        assert!(to.join("sub/left").exists());
    }
}

/// Proves: ST1 (P)
#[test]
fn a_copy_alone_is_the_same_copy() {
    let rig = Rig::new();
    let (source, to) = (bundle(&rig), rig.own_directory("report"));
    fs::write(to.join("old"), "").unwrap();
    rig.give(&to.join("old"));
    let words = ["copy", source.to_str().unwrap(), to.to_str().unwrap()];
    assert_eq!(rig.finish(rig.start(&mut rig.helper(&words))).good(), "");
    let listed = |root: &Path| {
        let find = Command::new("find")
            .args([".", "-printf", "%p %y %#m %s %l\\n"])
            .current_dir(root)
            .output();
        let mut lines: Vec<String> = String::from_utf8(find.unwrap().stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort_unstable();
        lines
    };
    let (from, copy) = (listed(&source), listed(&to));
    // The account can always write in its copy.
    let from: Vec<String> = from
        .iter()
        .map(|line| line.replace("run.sh f 0555", "run.sh f 0755"))
        .collect();
    assert_eq!(copy, from);
}

/// Proves: RD1 (P)
#[test]
fn a_copy_that_can_not_be_made_is_a_sentence() {
    let rig = Rig::new();
    let (source, to) = (bundle(&rig), rig.own_directory("app"));
    let none = rig.path("none");
    fs::create_dir(rig.path("closed")).unwrap();
    fs::write(rig.path("file"), "").unwrap();
    let inside = source.join("sub");
    let cases = [
        (none.as_path(), to.as_path(), "none"),
        (&source, &none, "none"),
        (&source, &source, "lie in each other"),
        (&source, &inside, "lie in each other"),
        (&inside, &source, "lie in each other"),
    ];
    for (from, to, what) in cases {
        let outcome = rig.run_with(&copying(from, to), "echo ran");
        let (step, sentence) = outcome.failed();
        assert_eq!((step.as_str(), outcome.text().as_str()), ("copy the source", ""));
        assert!(sentence.contains(what), "{sentence}");
    }
    assert!(source.join("sub/data.csv").exists());
    let made = Command::new("mkfifo").arg(source.join("pipe")).status();
    assert!(made.unwrap().success());
    let (_, sentence) = rig.run_with(&copying(&source, &to), "echo ran").failed();
    assert!(sentence.contains("pipe' is a FIFO"), "{sentence}");
    assert_eq!(
        fs::read_dir(&to).unwrap().count(),
        0,
        "nothing is left of the copy"
    );
}

/// Proves: RD1 (P)
#[test]
fn a_full_volume_is_a_sentence_with_the_free_space() {
    if !needs("OFFHOST_TEST_ROOT", "it mounts a small file system") {
        return;
    }
    let rig = Rig::new();
    let (source, to) = (bundle(&rig), rig.own_directory("app"));
    fs::write(source.join("large"), vec![1; 2 << 20]).unwrap();
    let options = format!("size=1m,mode=0700,uid={0},gid={0}", rig.uid);
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", &options, "none"])
        .arg(&to)
        .status();
    assert!(mounted.unwrap().success());
    let outcome = rig.run_with(&copying(&source, &to), "echo ran");
    let unmounted = Command::new("umount").arg(&to).status();
    assert!(unmounted.unwrap().success());
    let (step, sentence) = outcome.failed();
    assert_eq!((step.as_str(), outcome.text().as_str()), ("copy the source", ""));
    assert!(
        sentence.contains("no space is left in") && sentence.contains("free of"),
        "{sentence}"
    );
}

/// Proves: SB7 (P)
#[test]
fn a_request_to_end_does_not_wait_for_the_copy() {
    let rig = Rig::new();
    let (source, to) = (bundle(&rig), rig.own_directory("app"));
    for n in 0..5000 {
        fs::write(source.join(format!("file-{n}")), "x").unwrap();
    }
    let words = [&["pod"], &copying(&source, &to)[..], &["--", "/bin/echo", "ran"]].concat();
    let child = rig.start(&mut rig.helper(&words));
    let helper = child.id();
    wait_until("it copies", || child_of(helper).is_some());
    // It would be done before it is told.
    kill(child_of(helper).unwrap(), "STOP");
    kill(helper, "TERM");
    let outcome = rig.finish(child);
    assert_eq!((outcome.code, outcome.text().as_str()), (Some(143), ""));
    assert_eq!(
        outcome.ended(),
        (None, Some(libc::SIGTERM), Some(EndCause::Stopped))
    );
}
