//! The machine is as it was: no mount, no file, no directory is left or even made there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::support::{Rig, bind, in_each_mode, mask};

/// Everything below a directory: path → inode, mode, owner and time of change.
fn tree(root: &Path) -> BTreeMap<PathBuf, (u64, u32, u32, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            let Ok(meta) = fs::symlink_metadata(entry.path()) else {
                continue;
            };
            if meta.is_dir() {
                open.push(entry.path());
            }
            let facts = (
                meta.ino(),
                meta.mode(),
                meta.uid(),
                meta.ctime(),
                meta.ctime_nsec(),
            );
            // Made at each launch by this test itself.
            if entry.file_name() != "launch.sh" && entry.file_name() != "offhost-exec" {
                found.insert(entry.path(), facts);
            }
        }
    }
    found
}

fn demanding(rig: &Rig, script: &str) -> offhost::sandbox::SandboxSpec {
    let mut spec = rig.sh(script);
    let source = rig.own_directory("source");
    fs::create_dir_all(rig.path("other")).unwrap();
    spec.masks.push(mask(&rig.path("other")));
    spec.binds = vec![
        bind(&source, rig.data().join("apps/XX/YY"), false),
        bind(&source, "/opt/rstudio-connect/mnt/app", false),
        bind(&source, rig.path("new/target"), true),
    ];
    spec
}

/// Proves: FS3 (L), SB5 (L)
#[test]
fn fifty_launches_leave_the_machine_as_it_was() {
    in_each_mode("fifty_launches_leave_the_machine_as_it_was", |rig| {
        let spec = demanding(&rig, "true");
        // Ours alone: other tests and programs mount and unmount meanwhile.
        let ours = rig.path("");
        let mounts = || {
            let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
            let of_tests = |line: &&str| line.contains(&*ours.to_string_lossy()) || line.contains(" /opt");
            (
                table
                    .lines()
                    .filter(of_tests)
                    .map(str::to_owned)
                    .collect::<Vec<_>>(),
                table.lines().count(),
            )
        };
        let (opt, own, before) = (tree(Path::new("/opt")), tree(&ours), mounts());
        for _ in 0..50 {
            rig.run(&spec).good();
        }
        assert_eq!(mounts(), before);
        assert_eq!(tree(Path::new("/opt")), opt);
        assert_eq!(tree(&ours), own);
    });
}

/// Most machines share their mounts with every namespace that does not refuse.
///
/// Proves: SB1 (L), SB5 (L)
#[test]
fn nothing_leaks_where_the_machine_shares_its_mounts() {
    in_each_mode("nothing_leaks_where_the_machine_shares_its_mounts", |rig| {
        let seen = rig.path("seen");
        let rig = rig.around("unshare -m --propagation shared").before(&format!(
            "wc -l </proc/self/mountinfo >{0}.before\n\
                 grep -q shared: /proc/self/mountinfo && echo yes >{0}.shared\n\
                 (while sleep 0.002; do wc -l </proc/self/mountinfo; done >{0} 2>&1) &\n\
                 watcher=$!\n\
                 (tail --pid=$$ -f /dev/null; kill $watcher) &",
            seen.display()
        ));
        let spec = demanding(&rig, "sleep 0.1; wc -l </proc/self/mountinfo");
        let inside: usize = rig.run(&spec).good().trim().parse().unwrap();
        let read = |name: &str| fs::read_to_string(rig.path(name)).unwrap();
        assert_eq!(read("seen.shared"), "yes\n");
        let before = read("seen.before");
        assert!(inside > before.trim().parse().unwrap());
        let during = read("seen");
        assert!(during.lines().count() > 10, "not watched: {during}");
        for line in during.lines() {
            assert_eq!(line, before.trim(), "a mount of the sandbox appeared outside");
        }
    });
}

/// Proves: SB5 (L), SB7 (L)
#[test]
fn what_was_exposed_is_free_when_the_job_has_ended() {
    in_each_mode("what_was_exposed_is_free_when_the_job_has_ended", |rig| {
        let source = rig.own_directory("source");
        let result = rig.path("result");
        let around = rig.path("around.sh");
        super::tools::write_program(
            &around,
            &format!(
                "#!/bin/sh\nmount -t tmpfs -o mode=0777 none {0}\n\"$@\"\numount {0} >{1} 2>&1 && echo free >{1}\n",
                source.display(),
                result.display()
            ),
        );
        let rig = rig.around(&format!("unshare -m {}", around.display()));
        let mut spec = rig.sh("cd /; (sleep 60 >/dev/null 2>&1 </dev/null &) ; true");
        spec.binds = vec![bind(&source, rig.data().join("app"), false)];
        rig.run(&spec).good();
        assert_eq!(fs::read_to_string(&result).unwrap(), "free\n");
    });
}
