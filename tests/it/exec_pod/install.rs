//! The helper and the starters put into a volume.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::support::{HELPER, Rig};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn it_can_be_installed_again_and_again() {
    let rig = Rig::new();
    let (to, runtime) = (rig.own_directory("opt"), rig.path("runtime"));
    fs::create_dir_all(runtime.join("sub")).unwrap();
    fs::write(runtime.join("sub/starter.R"), "1").unwrap();
    fs::set_permissions(runtime.join("sub"), fs::Permissions::from_mode(0o700)).unwrap();
    rig.give(&runtime.join("sub"));
    let words = [
        "install",
        "--runtime",
        runtime.to_str().unwrap(),
        to.to_str().unwrap(),
    ];
    for attempt in 0..3 {
        let outcome = rig.finish(rig.start(&mut rig.helper(&words)));
        outcome.good();
        let program = to.join("bin/offhost-exec");
        assert!(fs::read(&program).unwrap() == fs::read(HELPER).unwrap());
        assert_eq!(mode(&program), 0o555);
        // Another account may run the content.
        assert_eq!(mode(&to.join("runtime/sub")), 0o755);
        assert_eq!(mode(&to.join("runtime/sub/starter.R")), 0o644);
        for name in ["inputs", "source", "build/source", "build/output"] {
            assert_eq!(fs::read_dir(to.join(name)).unwrap().count(), 0);
        }
        let mut names: Vec<_> = fs::read_dir(&to)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["bin", "build", "inputs", "runtime", "source"]);
        assert_eq!(fs::read_dir(to.join("bin")).unwrap().count(), 1);
        if attempt == 0 {
            // What a try that was cut off leaves.
            for name in ["runtime/old", "bin/offhost-exec.new"] {
                fs::write(to.join(name), "old").unwrap();
                rig.give(&to.join(name));
            }
        }
    }
    // The installed one works.
    let mut installed = Command::new(to.join("bin/offhost-exec"));
    let status = installed.args(["pod", "--", "true"]).status().unwrap();
    let expected = if rustix::process::geteuid().is_root() {
        125
    } else {
        0
    };
    assert_eq!(status.code(), Some(expected));
}

#[test]
fn a_place_that_can_not_be_written_is_named() {
    let rig = Rig::new();
    let to = rig.own_directory("opt");
    fs::write(to.join("bin"), "a file").unwrap();
    let none = rig.path("none");
    for (to, what) in [
        (to.to_str().unwrap(), "bin'"),
        (none.to_str().unwrap(), "none/bin'"),
        ("/proc", "/proc/bin'"),
    ] {
        let words = ["install", "--runtime", "/etc/default", to];
        let (step, sentence) = rig.finish(rig.start(&mut rig.helper(&words))).failed();
        assert_eq!(step, "install");
        assert!(
            sentence.contains(what) && sentence.contains("mount a volume"),
            "{sentence}"
        );
    }
}
