//! Control groups, a file operation at a time: refused in five ways, and the launcher killed at it. Content never runs
//! without a limit that it is not told of, and no group stays.
//!
//! A share of them runs by default; with `OFFHOST_TEST_STEPS=all` every operation in every way.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use offhost::local::launcher::LaunchError;
use offhost::sandbox::{CgroupSpec, SandboxMode, SandboxSpec};

use super::steps::{Call, ERRORS, all_of_them, for_each, stepping};
use super::support::{Outcome, Rig, in_modes};

const MODES: [SandboxMode; 2] = [SandboxMode::RootUserns, SandboxMode::Root];
/// Controller, the file of its limit in version 1, and what is written to it.
const LIMITS: [(&str, &str, &str); 3] = [
    ("memory", "memory.limit_in_bytes", "268435456"),
    ("cpu", "cpu.cfs_quota_us", "150000"),
    ("pids", "pids.max", "50"),
];

fn name(rig: &Rig) -> String {
    format!("groups-{}", rig.uid)
}

fn groups(rig: &Rig) -> Vec<PathBuf> {
    let of = |(controller, _, _): (&str, &str, &str)| {
        Path::new("/sys/fs/cgroup")
            .join(controller)
            .join("offhost")
            .join(name(rig))
    };
    LIMITS.map(of).into()
}

fn left(rig: &Rig) -> Vec<PathBuf> {
    groups(rig).into_iter().filter(|group| group.exists()).collect()
}

/// A job with each limit, which says in which groups it is and what they allow.
fn limited(rig: &Rig) -> SandboxSpec {
    let canary = rig.own_directory("canary");
    let files = LIMITS
        .map(|(controller, file, _)| format!("/sys/fs/cgroup/{controller}/offhost/{}/{file}", name(rig)));
    let script = format!(
        "touch {}/ran; cat /proc/self/cgroup; for f in {}; do echo \"$f=$(cat $f 2>/dev/null)\"; done",
        canary.display(),
        files.join(" ")
    );
    let mut spec = rig.sh(&script);
    spec.cgroup = Some(CgroupSpec {
        name: name(rig),
        memory_bytes: Some(256 << 20),
        cpu_millis: Some(1_500),
        pids: Some(50),
    });
    spec
}

/// Controllers whose limit is in force, by what the job has found itself.
fn in_force(rig: &Rig, text: &str) -> Vec<&'static str> {
    let group = format!("/offhost/{}", name(rig));
    let is_in = |controller: &str| {
        text.lines().any(|line| {
            let mut words = line.splitn(3, ':').skip(1);
            words
                .next()
                .is_some_and(|all| all.split(',').any(|one| one == controller))
                && words.next() == Some(&group)
        })
    };
    let all = LIMITS.into_iter();
    all.filter(|(controller, file, value)| {
        is_in(controller) && text.contains(&format!("{group}/{file}={value}\n"))
    })
    .map(|(controller, _, _)| controller)
    .collect()
}

/// The launcher's operations on control groups, and what each is about.
fn operations(mode: SandboxMode) -> Vec<(Call, String)> {
    let rig = stepping(mode, None, "groups:none");
    let outcome = rig.run(&limited(&rig));
    assert_eq!(in_force(&rig, &outcome.text()).len(), 3, "{outcome:?}");
    let calls = fs::read_to_string(rig.path("calls")).unwrap();
    let found: Vec<(Call, String)> = calls
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let words: Vec<&str> = line.splitn(3, ' ').collect();
            let number = words[1].parse().unwrap();
            (Call { who: 0, at, number }, words[2].to_owned())
        })
        .collect();
    for (number, path) in [
        (libc::SYS_mkdir, "memory/offhost/groups-"),
        (libc::SYS_write, "cpu.cfs_quota_us"),
        (libc::SYS_read, "pids.max"),
        (libc::SYS_write, "cgroup.procs"),
        (libc::SYS_read, "memory.oom_control"),
        (libc::SYS_rmdir, "pids/offhost/groups-"),
    ] {
        let is_there = found
            .iter()
            .any(|(call, about)| call.number == number && about.contains(path));
        assert!(is_there, "{number} of {path} in {found:?}");
    }
    assert!(left(&rig).is_empty());
    found
}

/// Whether this machine has what is looked at here.
fn has_first_version(test: &str) -> bool {
    let has = LIMITS.iter().all(|(controller, _, _)| {
        Path::new("/sys/fs/cgroup")
            .join(controller)
            .join("cgroup.procs")
            .exists()
    });
    if !has {
        println!("SKIPPED {test}: no control groups of version 1 here");
    }
    has
}

fn judge(rig: &Rig, outcome: &Outcome) -> Result<(), String> {
    let (ended, ran) = (&outcome.ended, rig.path("canary/ran").exists());
    match ended {
        Ok(ended) => {
            let have = in_force(rig, &outcome.text());
            for (controller, _, _) in LIMITS {
                let told = format!("{controller} limit not in force");
                let is_told = ended.layers.iter().any(|layer| layer.starts_with(&told));
                if !have.contains(&controller) && !is_told {
                    return Err(format!(
                        "{controller} has no limit, and it is not told: {outcome:?}"
                    ));
                }
            }
        }
        Err(LaunchError::Sandbox { step, message, .. }) => {
            if ran || step != "set control group limits" || message.contains('\n') {
                return Err(format!("ran: {ran}, {outcome:?}"));
            }
        }
        Err(other) => return Err(format!("ran: {ran}, {other:?}, {}", outcome.stderr)),
    }
    match left(rig) {
        groups if groups.is_empty() => Ok(()),
        groups => Err(format!("{groups:?} stay, {outcome:?}")),
    }
}

/// Proves: PK10 (L), SB7 (L), SB9 (L)
#[test]
#[cfg(target_arch = "x86_64")]
fn an_operation_on_a_control_group_that_is_refused_takes_no_limit_away_unsaid() {
    let test = "an_operation_on_a_control_group_that_is_refused_takes_no_limit_away_unsaid";
    in_modes(test, &MODES, |rig| {
        if !has_first_version(test) {
            return;
        }
        let mut tries = Vec::new();
        for (turn, (call, path)) in operations(rig.mode).iter().enumerate() {
            for (kind, errno) in ERRORS.into_iter().enumerate() {
                // A third of the operations in each mode, the next of them in the other.
                if all_of_them() || kind == turn / 3 % ERRORS.len() && turn % 3 == rig.mode as usize % 3 {
                    tries.push((*call, path.clone(), errno));
                }
            }
        }
        let numbers: Vec<usize> = (0..tries.len()).collect();
        let complaints = for_each(&numbers, |number| {
            let (call, path, errno) = &tries[number];
            let rig = stepping(rig.mode, Some(*call), &format!("groups:{errno}"));
            let outcome = rig.run(&limited(&rig));
            judge(&rig, &outcome).map_err(|fault| format!("{call:?} of {path} answered {errno}: {fault}"))
        });
        println!("{} operations refused", tries.len());
        assert!(
            complaints.is_empty(),
            "{}\n{}",
            complaints.len(),
            complaints.join("\n")
        );
    });
}

/// Proves: SB7 (L)
#[test]
#[cfg(target_arch = "x86_64")]
fn a_launcher_killed_at_an_operation_on_a_control_group_leaves_none() {
    let test = "a_launcher_killed_at_an_operation_on_a_control_group_leaves_none";
    in_modes(test, &MODES, |rig| {
        if !has_first_version(test) {
            return;
        }
        let all = operations(rig.mode);
        let share = if all_of_them() { 1 } else { 9 };
        let chosen: Vec<Call> = all.iter().map(|(call, _)| *call).step_by(share).collect();
        let complaints = for_each(&chosen, |call| {
            let rig = stepping(rig.mode, Some(call), "groups:kill");
            let outcome = rig.run(&limited(&rig));
            let end = Instant::now() + Duration::from_secs(30);
            while !left(&rig).is_empty() && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(2));
            }
            match left(&rig) {
                groups if groups.is_empty() => Ok(()),
                groups => Err(format!("{call:?}: {groups:?} stay, {outcome:?}")),
            }
        });
        println!("killed at {} of {} operations", chosen.len(), all.len());
        assert!(
            complaints.is_empty(),
            "{}\n{}",
            complaints.len(),
            complaints.join("\n")
        );
    });
}
