//! A small data directory in a mount namespace of its own: nothing is mounted on the machine, and the namespace ends
//! with its holder, also when the test is killed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::place::{Done, Place};

/// Runs a script in a mount namespace of its own. It says `ready` at its end and then stays for as long as its standard
/// input is open.
#[track_caller]
pub(crate) fn hold(script: &str) -> Child {
    let mut holder = Command::new("unshare")
        .args([
            "--mount",
            "sh",
            "-c",
            &format!("{script} && echo ready && exec cat"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("unshare is there");
    let mut line = String::new();
    let stdout = holder.stdout.take().expect("it is a pipe");
    BufReader::new(stdout)
        .read_line(&mut line)
        .expect("it tells when it is ready");
    assert_eq!(line, "ready\n", "this was done: {script}");
    holder
}

/// A place whose data directory is a file system of its own.
pub(super) struct SmallDisk {
    pub(super) place: Place,
    holder: Child,
}

impl SmallDisk {
    /// A data directory of `mib` MiB.
    pub(super) fn new(mib: u32) -> Self {
        let place = Place::new();
        let data = place.path("data");
        let script = format!(
            "mount -t tmpfs -o size={mib}m,mode=0711 tmpfs '{}'",
            data.display()
        );
        let holder = hold(&script);
        let place = place.within(holder.id());
        Self { place, holder }
    }

    /// Mounts it again with these options.
    pub(super) fn remount(&self, options: &str) {
        let data = self.place.path("data");
        let done = Command::new("nsenter")
            .arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id()))
            .args(["mount", "-o", &format!("remount,{options}")])
            .arg(data)
            .output()
            .expect("nsenter is there");
        Done::of(done).succeeded();
    }

    fn ballast(&self) -> PathBuf {
        self.place.data("ballast")
    }

    fn free(&self) -> u64 {
        let stat = rustix::fs::statvfs(self.place.data("")).expect("it is mounted");
        stat.f_bavail * stat.f_frsize
    }

    /// Leaves this much space.
    pub(super) fn leave(&self, kib: u64) {
        self.make_room();
        let size = self.free().saturating_sub(kib * 1024);
        fs::write(
            self.ballast(),
            vec![0; usize::try_from(size).expect("it is small")],
        )
        .expect("it fits");
    }

    pub(super) fn make_room(&self) {
        let _ = fs::remove_file(self.ballast());
    }

    /// Leaves no inode; gives it back when told to make room.
    pub(super) fn leave_no_inode(&self) {
        let stat = rustix::fs::statvfs(self.place.data("")).expect("it is mounted");
        self.remount(&format!("nr_inodes={}", stat.f_files - stat.f_ffree));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Its input ends, and so does it.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
