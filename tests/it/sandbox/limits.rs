//! Resource limits, control groups, core dumps.

use std::fs;
use std::path::Path;

use offhost::sandbox::{CgroupSpec, EndCause, Rlimit, RlimitName, SandboxMode};

use super::support::{Rig, in_each_mode, in_modes};

const ROOT_MODES: [SandboxMode; 2] = [SandboxMode::RootUserns, SandboxMode::Root];

fn group(rig: &Rig) -> CgroupSpec {
    CgroupSpec {
        name: format!("test-{}", rig.uid),
        memory_bytes: None,
        cpu_millis: None,
        pids: None,
    }
}

/// Whether this machine has a controller, in either version.
fn has_controller(name: &str) -> bool {
    let unified = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    unified.split_whitespace().any(|controller| controller == name)
        || Path::new("/sys/fs/cgroup")
            .join(name)
            .join("cgroup.procs")
            .exists()
}

fn groups_left(rig: &Rig) -> Vec<String> {
    let name = format!("test-{}", rig.uid);
    ["", "memory", "pids", "cpu"]
        .iter()
        .map(|controller| {
            Path::new("/sys/fs/cgroup")
                .join(controller)
                .join("offhost")
                .join(&name)
        })
        .filter(|path| path.exists())
        .map(|path| path.display().to_string())
        .collect()
}

/// Proves: PK10 (L)
#[test]
fn a_process_that_takes_too_much_memory_is_told_so() {
    let test = "a_process_that_takes_too_much_memory_is_told_so";
    in_modes(test, &ROOT_MODES, |rig| {
        if !has_controller("memory") {
            println!("SKIPPED {test}: no memory controller here");
            return;
        }
        let mut spec = rig.python("x = b'x' * (200 << 20); print('had it')", &[]);
        spec.cgroup = Some(CgroupSpec {
            memory_bytes: Some(64 << 20),
            ..group(&rig)
        });
        let outcome = rig.run(&spec);
        assert_eq!(outcome.text(), "");
        let ended = outcome.ended.unwrap();
        assert_eq!(ended.cause, Some(EndCause::Memory));
        assert_eq!(ended.signal, Some(libc::SIGKILL));
        spec.argv[4] = "x = b'x' * (8 << 20); print('had it')".to_owned();
        assert_eq!(rig.run(&spec).good(), "had it\n");
        assert_eq!(groups_left(&rig), [""; 0]);
    });
}

/// Proves: SB7 (L)
#[test]
fn processes_can_be_limited_in_number() {
    let test = "processes_can_be_limited_in_number";
    in_modes(test, &ROOT_MODES, |rig| {
        if !has_controller("pids") {
            println!("SKIPPED {test}: no pids controller here");
            return;
        }
        let script = "import os, time\n\
            made = 0\n\
            try:\n\
            \x20   for made in range(100):\n\
            \x20       if os.fork() == 0: time.sleep(60); os._exit(0)\n\
            except OSError: print('refused after', made)";
        let mut spec = rig.python(script, &[]);
        spec.cgroup = Some(CgroupSpec {
            pids: Some(20),
            ..group(&rig)
        });
        // Two of the twenty are the first process and this one.
        let outcome = rig.run(&spec);
        assert_eq!(outcome.ended.as_ref().unwrap().met.refused_processes, 1);
        assert_eq!(outcome.good(), "refused after 18\n");
        assert_eq!(groups_left(&rig), [""; 0]);
    });
}

/// Proves: PK10 (L)
#[test]
fn a_process_that_waits_for_processors_is_told_how_long() {
    let test = "a_process_that_waits_for_processors_is_told_how_long";
    in_modes(test, &ROOT_MODES, |rig| {
        if !has_controller("cpu") {
            println!("SKIPPED {test}: no cpu controller here");
            return;
        }
        // A fifth of a second of work by a twentieth of a processor: less than its share of a machine that is busy.
        let script = "import time\nwhile time.process_time() < 0.2: pass\nprint('done')";
        let mut spec = rig.python(script, &[]);
        let free = rig.run(&spec).ended.unwrap();
        assert_eq!(free.met.throttled_ms, 0);
        spec.cgroup = Some(CgroupSpec {
            cpu_millis: Some(50),
            ..group(&rig)
        });
        let outcome = rig.run(&spec);
        // Most of four seconds, of which a busy machine takes a part away.
        let waited = outcome.ended.as_ref().unwrap().met.throttled_ms;
        assert!(waited > 300, "{outcome:?}");
        assert_eq!(outcome.good(), "done\n");
        assert_eq!(groups_left(&rig), [""; 0]);
    });
}

/// Proves: PK10 (L)
#[test]
fn a_file_that_grows_too_large_ends_its_process() {
    in_each_mode("a_file_that_grows_too_large_ends_its_process", |rig| {
        let cwd = rig.own_directory("cwd");
        let mut spec = rig.sh("dd if=/dev/zero of=big bs=1024 count=4096 2>/dev/null");
        spec.cwd.clone_from(&cwd);
        spec.rlimits = vec![Rlimit {
            resource: RlimitName::Fsize,
            limit: 1 << 20,
        }];
        let ended = rig.run(&spec).ended.unwrap();
        let by_signal = ended.signal == Some(libc::SIGXFSZ) || ended.code == Some(128 + libc::SIGXFSZ);
        assert!(by_signal, "{ended:?}");
        assert_eq!(fs::metadata(cwd.join("big")).unwrap().len(), 1 << 20);
    });
}

/// Proves: PK10 (L)
#[test]
fn a_limit_above_that_of_the_machine_is_lowered_to_it_and_told() {
    in_each_mode(
        "a_limit_above_that_of_the_machine_is_lowered_to_it_and_told",
        |rig| {
            // As a service manager does that lets nothing be raised.
            let rig = rig.with(
                "prlimit --nofile=256:256 setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource",
            );
            let mut spec = rig.sh("ulimit -n");
            spec.rlimits = vec![Rlimit {
                resource: RlimitName::Nofile,
                limit: 100_000,
            }];
            let outcome = rig.run(&spec);
            let layers = outcome.ended.as_ref().unwrap().layers.join("\n");
            assert!(
                layers.contains("nofile limit not in force: this machine allows 256 at most"),
                "{layers}"
            );
            assert_eq!(outcome.good(), "256\n");
        },
    );
}

/// Proves: SB9 (L)
#[test]
fn a_limit_that_can_not_be_had_is_said() {
    let test = "a_limit_that_can_not_be_had_is_said";
    in_modes(test, &[SandboxMode::Unprivileged], |rig| {
        let mut spec = rig.sh("true");
        spec.cgroup = Some(CgroupSpec {
            memory_bytes: Some(64 << 20),
            ..group(&rig)
        });
        let ended = rig.run(&spec).ended.unwrap();
        assert!(ended.succeeded());
        assert!(
            ended
                .layers
                .iter()
                .any(|layer| layer.starts_with("memory limit not in force")),
            "{ended:?}"
        );
    });
}

/// Proves: SB6 (L)
#[test]
fn a_crash_leaves_no_core_file() {
    in_each_mode("a_crash_leaves_no_core_file", |rig| {
        let cwd = rig.own_directory("cwd");
        let mut spec = rig.sh("ulimit -c; ulimit -c unlimited 2>/dev/null; kill -SEGV $$");
        spec.cwd.clone_from(&cwd);
        spec.rlimits = vec![Rlimit {
            resource: RlimitName::Core,
            limit: 0,
        }];
        let outcome = rig.run(&spec);
        assert_eq!(outcome.text(), "0\n");
        assert_eq!(outcome.ended.unwrap().signal, Some(libc::SIGSEGV));
        assert_eq!(fs::read_dir(&cwd).unwrap().count(), 0);
    });
}

/// Proves: SB6 (L)
#[test]
fn limits_can_not_be_raised_again() {
    in_each_mode("limits_can_not_be_raised_again", |rig| {
        let mut spec = rig.sh("ulimit -n; ulimit -f; ulimit -n 1000 2>/dev/null || echo refused");
        spec.rlimits = vec![
            Rlimit {
                resource: RlimitName::Nofile,
                limit: 64,
            },
            Rlimit {
                resource: RlimitName::Fsize,
                limit: 1 << 20,
            },
        ];
        assert_eq!(rig.run(&spec).good(), "64\n2048\nrefused\n");
    });
}
