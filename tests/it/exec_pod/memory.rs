//! A process that the kernel ends for want of memory.

use std::fs;
use std::path::{Path, PathBuf};

use offhost::sandbox::EndCause;

use super::support::{Rig, through};
use crate::support::needs;

/// A control group with 64 MiB of memory, removed when dropped.
struct Group(PathBuf);

impl Group {
    fn new(name: &str) -> Self {
        let root = Path::new("/sys/fs/cgroup");
        let unified = root.join("cgroup.controllers").exists();
        let base = if unified {
            root.to_owned()
        } else {
            root.join("memory")
        };
        if unified {
            fs::write(base.join("cgroup.subtree_control"), "+memory").unwrap();
        }
        let group = Self(base.join(name));
        fs::create_dir(&group.0).unwrap();
        let limit = if unified {
            "memory.max"
        } else {
            "memory.limit_in_bytes"
        };
        fs::write(group.0.join(limit), "67108864").unwrap();
        if unified {
            fs::write(group.0.join("memory.swap.max"), "0").unwrap();
        }
        group
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// Proves: PK10 (P)
#[test]
fn want_of_memory_is_told_from_any_other_kill() {
    if !needs("OFFHOST_TEST_ROOT", "it makes a control group") {
        return;
    }
    let rig = Rig::new();
    let group = Group::new(&format!("offhost-{}", rig.marker));
    let run = |script: &str| {
        let helper = rig.helper(&["pod", "--", "/bin/sh", "-c", script]);
        let enter = format!(
            "echo $$ >{}/cgroup.procs; exec {} \"$@\"",
            group.0.display(),
            rig.setpriv()
        );
        let mut command = through(&["/bin/sh", "-c", &enter, "sh"], &helper);
        rig.finish(rig.start(&mut command))
    };
    // Without an end of line it keeps all it reads.
    let outcome = run("exec tail /dev/zero");
    assert_eq!(
        outcome.ended(),
        (None, Some(libc::SIGKILL), Some(EndCause::Memory))
    );
    assert_eq!(outcome.code, Some(137));
    // A process that waits for the one that was killed.
    let outcome = run("tail /dev/zero; exit $?");
    assert_eq!(outcome.ended(), (Some(137), None, Some(EndCause::Memory)));
    // One that copes is not what failed; what was counted before it started is not its own.
    assert_eq!(run("tail /dev/zero; exit 3").ended(), (Some(3), None, None));
    let outcome = run("kill -KILL $$");
    assert_eq!(outcome.ended(), (None, Some(libc::SIGKILL), None));
}
