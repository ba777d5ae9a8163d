//! Each system call of the set-up, one at a time: refused once in five ways, and the launcher killed at it.
//!
//! A share of them runs by default; with `OFFHOST_TEST_STEPS=all` every call of every process of the set-up does.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use offhost::local::launcher::LaunchError;
use offhost::sandbox::{SandboxMode, SandboxSpec};

use super::support::{Outcome, PYTHON, Rig, bind, in_each_mode, mask};

const STEP: &str = include_str!("attacks/step.py");
pub(super) const ERRORS: [i32; 5] = [libc::EPERM, libc::ENOSYS, libc::EINVAL, libc::ENOSPC, libc::EINTR];
/// Memory of the program itself, and its end: no step of the set-up.
const NO_STEPS: [libc::c_long; 8] = [
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_exit,
    libc::SYS_exit_group,
];
/// The kernel never refuses these; a program takes their answers as they come.
const NEVER_FAIL: [libc::c_long; 5] = [
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_umask,
    libc::SYS_prlimit64,
];
const WORKERS: usize = 3;

/// One call of the set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    /// 0 the launcher, 1 the first process, 2 the job's own.
    pub(super) who: u32,
    /// Which of its calls.
    pub(super) at: usize,
    pub(super) number: libc::c_long,
}

/// A launch in which something happens at one call.
pub(super) fn stepping(mode: SandboxMode, call: Option<Call>, what: &str) -> Rig {
    let rig = Rig::new(mode);
    let (script, log) = (rig.path("step.py"), rig.path("calls"));
    fs::write(&script, STEP).unwrap();
    fs::write(&log, "").unwrap();
    std::os::unix::fs::chown(&log, Some(rig.uid), Some(rig.uid)).unwrap();
    let (who, at) = call.map_or((9, 0), |call| (call.who, call.at));
    // Innermost: the tools that set the scene make the same calls.
    let words = format!(
        "{PYTHON} -I -S {} {who} {at} {what} {}",
        script.display(),
        log.display()
    );
    rig.innermost(&words)
}

/// A sandbox that needs every step, and a job that says what it finds.
fn demanding(rig: &Rig) -> SandboxSpec {
    let (canary, source) = (rig.own_directory("canary"), rig.own_directory("source"));
    fs::write(source.join("file"), "shown").unwrap();
    let outside = ["mnt", "pid", "ipc", "uts", "user"].map(|kind| {
        let name = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        format!(
            "[ $(readlink /proc/self/ns/{kind}) = {} ]; echo {kind} $?;",
            name.display()
        )
    });
    let script = format!(
        "echo /proc/self/fd/*; touch {canary}/ran; \
         grep -E '^(Cap|NoNewPrivs|Seccomp:|SigIgn|SigBlk)' /proc/self/status; id -u; id -g; umask; ulimit -c; pwd; {outside} cat {data}/app/file {data}/secret {file}; touch {data}/app/new; ls -A {data}; \
         echo /proc/[0-9]*; cut -d' ' -f7 /proc/self/stat; true",
        canary = canary.display(),
        outside = outside.concat(),
        data = rig.data().display(),
        file = rig.path("credentials").display(),
    );
    fs::write(rig.path("credentials"), &rig.secret).unwrap();
    let mut spec = rig.sh(&script);
    spec.masks.push(mask(&rig.path("credentials")));
    spec.binds = vec![
        bind(&source, rig.data().join("app"), true),
        offhost::sandbox::Bind {
            source: None,
            target: "/dev/shm".into(),
            read_only: false,
        },
    ];
    spec.rlimits = vec![offhost::sandbox::Rlimit {
        resource: offhost::sandbox::RlimitName::Core,
        limit: 0,
    }];
    spec
}

/// What a launch came to, without what differs from rig to rig.
#[derive(Debug, PartialEq, Eq)]
struct Findings {
    text: String,
    layers: Vec<String>,
}

fn findings(rig: &Rig, outcome: &Outcome) -> Option<Findings> {
    let ended = outcome.ended.as_ref().ok()?;
    let text = outcome.text().replace(&rig.uid.to_string(), "UID");
    Some(Findings {
        text: text.replace(&rig.path("").display().to_string(), "DIR/"),
        layers: ended.layers.clone(),
    })
}

/// The calls of an undisturbed launch, and what its job found.
fn undisturbed(mode: SandboxMode) -> (Vec<Call>, Findings) {
    let rig = stepping(mode, None, "none");
    let outcome = rig.run(&demanding(&rig));
    let found = findings(&rig, &outcome).unwrap_or_else(|| panic!("{outcome:?}"));
    assert!(
        found.text.contains("shown") && found.text.contains("NoNewPrivs:\t1"),
        "{found:?}"
    );
    assert!(!found.text.contains(&rig.secret), "{found:?}");
    let mut counts = [0; 3];
    let text = fs::read_to_string(rig.path("calls")).unwrap();
    let calls = text.lines().map(|line| {
        let (who, number) = line.split_once(' ').unwrap();
        let who: u32 = who.parse().unwrap();
        let count = &mut counts[who as usize];
        *count += 1;
        Call {
            who,
            at: *count - 1,
            number: number.parse().unwrap(),
        }
    });
    // The very first asks for the descriptor that a refusal would be written to.
    let calls: Vec<Call> = calls
        .skip(1)
        .filter(|call| !NO_STEPS.contains(&call.number))
        .collect();
    assert!(
        calls.len() > 100 && calls.last().unwrap().number == libc::SYS_execve,
        "{calls:?}"
    );
    (calls, found)
}

pub(super) fn all_of_them() -> bool {
    std::env::var("OFFHOST_TEST_STEPS").is_ok_and(|value| value == "all")
}

/// Does something for each of these, several at a time; gives what was complained of.
pub(super) fn for_each<T: Copy + Sync>(
    items: &[T],
    body: impl Fn(T) -> Result<(), String> + Sync,
) -> Vec<String> {
    let (next, complaints) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(complaint) = body(*item) {
                        complaints.lock().unwrap().push(complaint);
                    }
                }
            });
        }
    });
    complaints.into_inner().unwrap()
}

/// The first call of each sort, with other errors in each mode; or all.
fn refusals(mode: SandboxMode, calls: &[Call]) -> Vec<(Call, i32)> {
    let mut seen = BTreeSet::new();
    let mut chosen = Vec::new();
    for call in calls {
        let first = seen.insert((call.who, call.number));
        for (turn, errno) in ERRORS.into_iter().enumerate() {
            if all_of_them() || (first && (turn + seen.len()) % 6 == mode as usize) {
                chosen.push((*call, errno));
            }
        }
    }
    chosen
}

/// Proves: SB3 (L), SB5 (L), SB6 (L)
#[test]
#[cfg(target_arch = "x86_64")]
fn a_step_that_is_refused_once_takes_no_wall_away() {
    in_each_mode("a_step_that_is_refused_once_takes_no_wall_away", |rig| {
        let (calls, found) = undisturbed(rig.mode);
        let refusals = refusals(rig.mode, &calls);
        let launched = AtomicUsize::new(0);
        let complaints = for_each(&refusals, |(call, errno)| {
            let rig = stepping(rig.mode, Some(call), &errno.to_string());
            let outcome = rig.run(&demanding(&rig));
            let what = format!("{call:?} answered {errno}");
            match findings(&rig, &outcome) {
                Some(now) if is_as_strong(call, errno, &now, &found) => {
                    launched.fetch_add(1, Ordering::Relaxed);
                }
                Some(now) => return Err(format!("{what}: the job found {now:?}\n{}", outcome.stderr)),
                None if rig.path("canary/ran").exists() => {
                    return Err(format!("{what}: content ran, {outcome:?}"));
                }
                None => return named(call, &outcome).map_err(|fault| format!("{what}: {fault}")),
            }
            Ok(())
        });
        println!(
            "{} calls, {} refusals, {launched:?} of them launched all the same",
            calls.len(),
            refusals.len()
        );
        assert!(
            complaints.is_empty(),
            "{}\n{}",
            complaints.len(),
            complaints.join("\n")
        );
    });
}

/// What is no wall but helps one may be missing where a kernel, or a container, ordinarily has none of it: Landlock; and
/// in a user namespace, which is a wall itself, a `/proc` of its own.
fn is_as_strong(call: Call, errno: i32, now: &Findings, undisturbed: &Findings) -> bool {
    let missing = match call.number {
        libc::SYS_landlock_create_ruleset => "landlock",
        libc::SYS_fsopen | libc::SYS_fsconfig | libc::SYS_fsmount if errno == libc::EPERM => "its own /proc",
        _ => "nothing",
    };
    let has_all = now.layers == undisturbed.layers;
    let wanted = undisturbed
        .layers
        .iter()
        .filter(|layer| has_all || !layer.starts_with(missing));
    // The machine's processes are listed there then.
    let without_processes = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| has_all || !line.starts_with("/proc/1 "));
        lines.map(str::to_owned).collect()
    };
    now.layers.iter().eq(wanted) && without_processes(&now.text) == without_processes(&undisturbed.text)
}

/// A refusal is one sentence that names the step, and what to do about it.
fn named(call: Call, outcome: &Outcome) -> Result<(), String> {
    let message = outcome.refusal();
    let has_remedy = match outcome.ended.as_ref().unwrap_err() {
        LaunchError::Sandbox { hint, .. } => !hint.is_empty(),
        _ => false,
    };
    let is_silent = message.contains("without a word") && !NEVER_FAIL.contains(&call.number);
    if message.contains('\n') || is_silent || !has_remedy {
        return Err(format!("refused with {message:?}"));
    }
    Ok(())
}

/// Proves: SB5 (L), SB7 (L), FS3 (L)
#[test]
#[cfg(target_arch = "x86_64")]
fn a_launcher_killed_at_any_step_leaves_nothing() {
    in_each_mode("a_launcher_killed_at_any_step_leaves_nothing", |rig| {
        let (calls, _) = undisturbed(rig.mode);
        let share = if all_of_them() { 1 } else { 9 };
        let chosen: Vec<Call> = calls.iter().copied().step_by(share).collect();
        let complaints = for_each(&chosen, |call| {
            let rig = stepping(rig.mode, Some(call), "kill");
            let spec = demanding(&rig);
            let before = left(&rig);
            // It comes back when no process of the launch makes calls any more; the last of them are then being reaped.
            let outcome = rig.run(&spec);
            let end = Instant::now() + Duration::from_secs(30);
            while left(&rig) != before && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(2));
            }
            let after = left(&rig);
            if outcome.ended.is_ok() || after != before {
                return Err(format!("{call:?}: {before:?} became {after:?}, {outcome:?}"));
            }
            Ok(())
        });
        println!("killed at {} of {} calls", chosen.len(), calls.len());
        assert!(
            complaints.is_empty(),
            "{}\n{}",
            complaints.len(),
            complaints.join("\n")
        );
    });
}

/// What of a rig could stay: its processes, its mounts, what lies in its directory.
fn left(rig: &Rig) -> (Vec<String>, Vec<String>, BTreeSet<String>) {
    let ours = rig.path("").display().to_string();
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts = table
        .lines()
        .filter(|line| line.contains(&ours))
        .map(str::to_owned);
    let files = fs::read_dir(&ours)
        .unwrap()
        .chain(fs::read_dir(rig.data()).unwrap());
    let mut names: BTreeSet<String> = files
        .map(|entry| entry.unwrap().file_name().display().to_string())
        .collect();
    // Made by the launch itself, the script of this test around it.
    for own in ["launch.sh", "offhost-exec"] {
        names.remove(own);
    }
    (super::tools::processes_of(rig.uid), mounts.collect(), names)
}
