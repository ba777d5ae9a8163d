//! Packages whose code runs away: into memory, into processes, into a huge file (GB1). An account has control groups only
//! where they were handed to it, which is tried in the first version alone: it hands each controller over by itself.
#![allow(clippy::print_stdout)]

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::place::{Place, around, good, names, refused, said, wait_for};
use crate::support::needs;

const ROOT: &str = "it becomes an account without rights";
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// Control groups that were handed to the account of a place, until this goes.
struct Handed(String);

impl Handed {
    fn to(place: &Place) -> Option<Self> {
        let handed = Self(format!("handed-{}", place.uid));
        if !CONTROLLERS
            .iter()
            .all(|controller| handed.top(controller).join("cgroup.procs").exists())
        {
            println!("SKIPPED: control groups of version 1 are not here");
            return None;
        }
        for controller in CONTROLLERS {
            let own = handed.own(controller);
            fs::create_dir(&own).unwrap();
            chown(own, Some(place.uid), Some(place.uid)).unwrap();
        }
        Some(handed)
    }

    fn top(&self, controller: &str) -> PathBuf {
        PathBuf::from("/sys/fs/cgroup").join(controller)
    }

    fn own(&self, controller: &str) -> PathBuf {
        self.top(controller).join(&self.0)
    }

    /// The command, begun in these groups.
    fn with(&self, command: &Command) -> Command {
        let groups =
            CONTROLLERS.map(|controller| self.own(controller).join("cgroup.procs").display().to_string());
        let script = format!(
            "for g in {}; do echo $$ >$g || exit 99; done; exec \"$@\"",
            groups.join(" ")
        );
        around(&["/bin/sh", "-c", &script, "sh"], command)
    }

    /// The groups of builds that are there.
    fn builds(&self) -> Vec<String> {
        let of = |controller| names(&self.own(controller).join("offhost"));
        let all = CONTROLLERS.into_iter().flat_map(of);
        // A directory among files: those of the kernel have a dot or are known by name.
        all.filter(|name| name.len() >= 16 && !name.contains(['.', '_']))
            .collect()
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        for controller in CONTROLLERS {
            let own = self.own(controller);
            drop(fs::remove_dir(own.join("offhost")));
            drop(fs::remove_dir(own));
        }
    }
}

fn build(place: &Place, package: &Path) -> Command {
    let (out, package) = (place.text("out"), package.display().to_string());
    place.offhost(&["build", "--binary", "--output", &out, &package])
}

/// Proves: GB1 (B)
#[test]
fn a_package_that_takes_too_much_memory_is_told_so() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let Some(handed) = Handed::to(&place) else { return };
    let greedy = "#!/bin/sh\nexec Rscript -e 'x <- numeric(1e8); x[] <- 1; cat(sum(x))'\n";
    let package = place.package("work/praise", "1.0", &[("cleanup", greedy)]);
    place.configure("[Sandbox]\nMemoryLimit = 256 MiB\nCPULimit = 2");
    let output = handed.with(&build(&place, &package)).output().unwrap();
    refused(
        &output,
        137,
        &[
            "R CMD build was ended for using more memory than its limit of 256 MiB",
            "Sandbox.MemoryLimit",
        ],
    );
    assert!(!said(&output).contains("not in force"), "{}", said(&output));
    assert_eq!(handed.builds(), [""; 0]);
    // Without such groups it is told that there is no limit, as it is of content.
    fs::remove_file(package.join("cleanup")).unwrap();
    let output = build(&place, &package).output().unwrap();
    good(&output);
    let told = said(&output);
    assert!(
        told.contains("memory limit not in force: no control group was handed to this account"),
        "{told}"
    );
    // The processes are counted in another way then.
    assert!(
        told.contains("cpu limit not in force") && !told.contains("pids limit"),
        "{told}"
    );
}

/// Proves: GB1 (B)
#[test]
fn a_package_that_starts_too_many_processes_is_kept_from_it_with_and_without_control_groups() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let bomb = "#!/bin/sh\nfor n in $(seq 300); do sleep 100 & done\n";
    let package = place.package("work/praise", "1.0", &[("configure", bomb)]);
    place.configure("[Sandbox]\nProcessLimit = 60\nOpenFilesLimit = 200");
    let refused_with = |output: &Output, word: &str| {
        refused(
            output,
            1,
            &[
                "R CMD INSTALL --build ended with exit code",
                word,
                "(raise limits.processes",
            ],
        );
        assert_eq!(place.out(), [""; 0]);
    };
    let output = build(&place, &package).output().unwrap();
    refused_with(&output, "may have 60 processes and threads");
    if let Some(handed) = Handed::to(&place) {
        let output = handed.with(&build(&place, &package)).output().unwrap();
        refused_with(&output, "it met its limit of 60 processes and threads, so that");
        assert_eq!(handed.builds(), [""; 0]);
    }
    // A package that does with less is built, and another account's count is its own.
    let modest = "#!/bin/sh\nfor n in $(seq 20); do sleep 0.1 & done; wait; test $(ulimit -n) = 200\n";
    let package = place.package("work/modest", "1.0", &[("configure", modest)]);
    good(&build(&place, &package).output().unwrap());
}

/// Proves: GB1 (B)
#[test]
fn a_package_that_writes_a_huge_file_is_told_so() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let huge = "#!/bin/sh\nhead -c 32M /dev/zero >big || { ls -s big; exit 1; }\n";
    let package = place.package("work/praise", "1.0", &[("configure", huge)]);
    place.configure("[Sandbox]\nFileSizeLimit = 16 MiB");
    let output = build(&place, &package).output().unwrap();
    refused(
        &output,
        74,
        &[
            "R CMD INSTALL --build failed with 'File",
            "larger than 16 MiB (raise limits.fileSize",
        ],
    );
    assert_eq!(place.out(), [""; 0]);
    place.configure("");
    good(&build(&place, &package).output().unwrap());
}

/// Proves: GB1 (B)
#[test]
fn the_groups_of_killed_builds_are_swept() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let Some(handed) = Handed::to(&place) else { return };
    let package = place.package(
        "work/praise",
        "1.0",
        &[("cleanup", "#!/bin/sh\necho at work; exec sleep 600\n")],
    );
    let mut command = handed.with(&build(&place, &package));
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let of_account = || {
        let uid = place.uid.to_string();
        let output = Command::new("ps")
            .args(["-o", "pid=,args=", "-U", &uid])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    wait_for("the build", || of_account().contains("sleep 600"));
    assert_eq!(
        handed.builds().len(),
        1,
        "only that of processes has a limit: {:?}",
        handed.builds()
    );
    let key = handed.builds().remove(0);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("the end of all its processes", || of_account().trim().is_empty());
    // The directory of the build is left; its group is too where the helper was killed as well.
    assert!(names(&place.path("temp/rspm-workspaces")).contains(&key));
    let group = handed.own("pids").join("offhost").join(&key);
    fs::create_dir_all(&group).unwrap();
    chown(group, Some(place.uid), Some(place.uid)).unwrap();
    fs::remove_file(package.join("cleanup")).unwrap();
    good(&handed.with(&build(&place, &package)).output().unwrap());
    assert_eq!(handed.builds(), [""; 0]);
}

/// Proves: GB1 (B)
#[test]
fn doctor_tries_the_limits_of_settings_and_builders() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.write_own(
        "hidden/-etc/builders.yaml",
        "builders:\n  - name: a\n    url: file:///nonexistent\n    limits: {memory: 2 GiB, processes: 50}\n",
    );
    let doctor = place.offhost(&["doctor", "--builder"]);
    let limits = |output: Output| {
        let text = said(&output);
        let line = text.lines().find(|line| line.contains("of memory"));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    let without = limits(around(&["/usr/bin/env"], &doctor).output().unwrap());
    for word in [
        "2 GiB of memory",
        "1024 processes",
        "files of 8 GiB",
        "memory limit not in force",
    ] {
        assert!(without.contains(word), "{word}: {without}");
    }
    if let Some(handed) = Handed::to(&place) {
        let with = limits(handed.with(&doctor).output().unwrap());
        assert!(!with.contains("not in force"), "{with}");
    }
    place.write_own(
        "hidden/-etc/builders.yaml",
        "builders:\n  - name: a\n    url: file:///nonexistent\n    limits: {memroy: 2 GiB}\n",
    );
    let wrong = said(&around(&["/usr/bin/env"], &doctor).output().unwrap());
    assert!(wrong.contains("did you mean 'memory'?"), "{wrong}");
}
