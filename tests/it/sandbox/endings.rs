//! A job's processes all end with it, whatever they do and whatever happens to the launcher.

use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::{Duration, Instant};

use offhost::sandbox::{EndCause, Rlimit, RlimitName};

use super::support::{Rig, in_each_mode};
use super::tools::{processes_of, wait_until};

/// Starts processes that do all to stay: in sessions of their own, orphaned, stopped, deaf to every signal.
const STAYERS: &str = "
import os, signal, sys, time
def stay(prepare):
    if os.fork() == 0:
        prepare()
        for n in range(1, 65):
            try: signal.signal(n, signal.SIG_IGN)
            except (OSError, ValueError): pass
        time.sleep(600)
def daemon():
    os.setsid()
    if os.fork(): os._exit(0)
stay(lambda: None)
stay(os.setsid)
stay(daemon)
stay(lambda: os.kill(os.getpid(), signal.SIGSTOP))
time.sleep(0.2)
print('ready', flush=True)
";

/// The time within which everything must be gone.
const SOON: Duration = Duration::from_millis(100);

fn assert_none_left(rig: &Rig) {
    wait_until(
        SOON,
        &format!("all ended, but {:?}", processes_of(rig.uid)),
        || processes_of(rig.uid).is_empty(),
    );
}

/// Proves: SB7 (L)
#[test]
fn what_was_left_behind_ends_with_the_process() {
    in_each_mode("what_was_left_behind_ends_with_the_process", |rig| {
        let counted = format!("{STAYERS}\nprint(len([p for p in os.listdir('/proc') if p.isdigit()]))");
        let text = rig.run(&rig.python(&counted, &[])).good();
        // The first process of the sandbox, this one, its four, and the one that made the daemon and died.
        assert_eq!(text, "ready\n7\n");
        assert_none_left(&rig);
    });
}

/// Proves: SB7 (L)
#[test]
fn a_fork_bomb_ends_with_its_first_process() {
    in_each_mode("a_fork_bomb_ends_with_its_first_process", |rig| {
        let bomb = "import os, time\n\
            first = os.getpid()\n\
            end = time.time() + 1\n\
            while time.time() < end or os.getpid() != first:\n\
            \x20   try: os.fork()\n\
            \x20   except OSError: time.sleep(0.01)\n";
        let mut spec = rig.python(bomb, &[]);
        spec.rlimits = vec![Rlimit {
            resource: RlimitName::Nproc,
            limit: 200,
        }];
        let (running, layers) = rig.start(&spec);
        wait_until(Duration::from_secs(10), "many processes", || {
            processes_of(rig.uid).len() > 100
        });
        let most = processes_of(rig.uid).len();
        assert!(most <= 201, "{most} processes, where 200 were allowed");
        let ended = running.wait(layers).unwrap();
        assert_eq!(ended.code, Some(0));
        assert_none_left(&rig);
    });
}

/// Proves: SB7 (L)
#[test]
fn a_killed_launcher_takes_everything_with_it() {
    in_each_mode("a_killed_launcher_takes_everything_with_it", |rig| {
        let forever = format!("{STAYERS}\ntime.sleep(600)");
        let (mut running, _) = rig.start(&rig.python(&forever, &[]));
        wait_for_line(&mut running);
        assert!(processes_of(rig.uid).len() >= 5);
        kill(running.helper_pid(), "KILL");
        assert_none_left(&rig);
    });
}

/// The server's end of the lifeline is closed by its death, however it died.
///
/// Proves: SB7 (L)
#[test]
fn a_dead_server_takes_everything_with_it() {
    in_each_mode("a_dead_server_takes_everything_with_it", |rig| {
        let forever = format!("{STAYERS}\ntime.sleep(600)");
        let (mut running, _) = rig.start(&rig.python(&forever, &[]));
        wait_for_line(&mut running);
        drop(running);
        assert_none_left(&rig);
    });
}

/// In a container the launcher may lack `CAP_KILL`, and content runs as another account.
///
/// Proves: SB7 (L)
#[test]
fn a_launcher_without_the_right_to_kill_ends_everything_all_the_same() {
    let test = "a_launcher_without_the_right_to_kill_ends_everything_all_the_same";
    in_each_mode(test, |rig| {
        let rig = rig.with("setpriv --bounding-set -kill --inh-caps -kill");
        let forever = format!("{STAYERS}\ntime.sleep(600)");
        let (mut running, _) = rig.start(&rig.python(&forever, &[]));
        wait_for_line(&mut running);
        kill(running.helper_pid(), "KILL");
        assert_none_left(&rig);

        let mut spec = rig.python(&forever, &[]);
        spec.timeout_ms = Some(300);
        spec.grace_ms = 100;
        let outcome = rig.run(&spec);
        assert_eq!(outcome.ended.unwrap().cause, Some(EndCause::Timeout));
        assert_none_left(&rig);

        let (mut running, layers) =
            rig.start(&rig.sh("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"));
        wait_for_line(&mut running);
        kill(running.helper_pid(), "TERM");
        let ended = running.wait(layers).unwrap();
        assert_eq!((ended.code, ended.cause), (Some(7), Some(EndCause::Stopped)));
    });
}

/// Proves: SB7 (L), PK10 (L)
#[test]
fn a_request_to_end_reaches_the_process_at_once() {
    in_each_mode("a_request_to_end_reaches_the_process_at_once", |rig| {
        let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.001; done";
        let took = (0..5).map(|_| {
            let (mut running, layers) = rig.start(&rig.sh(script));
            wait_for_line(&mut running);
            let start = Instant::now();
            kill(running.helper_pid(), "TERM");
            let ended = running.wait(layers).unwrap();
            assert_eq!(ended.code, Some(7));
            assert_eq!(ended.cause, Some(EndCause::Stopped));
            start.elapsed()
        });
        // The machine may be busy; what counts is that nothing waits on purpose.
        let best = took.min().unwrap();
        assert!(best <= Duration::from_millis(50), "{best:?}");
        assert_none_left(&rig);
    });
}

/// Proves: SB7 (L), PK10 (L)
#[test]
fn a_process_that_does_not_listen_is_killed_after_its_grace() {
    in_each_mode(
        "a_process_that_does_not_listen_is_killed_after_its_grace",
        |rig| {
            let script = "trap '' TERM; echo ready; while :; do sleep 1; done";
            let (mut running, layers) = rig.start(&rig.sh(script));
            wait_for_line(&mut running);
            let start = Instant::now();
            let pid = running.helper_pid();
            kill(pid, "TERM");
            // Asking again does not give it more time.
            let asking = std::thread::spawn(move || {
                for _ in 0..5 {
                    std::thread::sleep(Duration::from_millis(200));
                    let _ = Command::new("kill").arg(pid.to_string()).output();
                }
            });
            let ended = running.wait(layers).unwrap();
            let took = start.elapsed();
            asking.join().unwrap();
            assert_eq!(ended.signal, Some(libc::SIGKILL));
            assert_eq!(ended.cause, Some(EndCause::Stopped));
            assert!(
                took >= Duration::from_millis(480) && took < Duration::from_millis(900),
                "{took:?}"
            );
            assert_none_left(&rig);
        },
    );
}

/// Proves: PK10 (L)
#[test]
fn a_process_whose_time_is_over_is_told_then_killed() {
    in_each_mode("a_process_whose_time_is_over_is_told_then_killed", |rig| {
        let mut listens = rig.sh("trap 'echo told; exit 3' TERM; while :; do sleep 0.01; done");
        listens.timeout_ms = Some(300);
        let outcome = rig.run(&listens);
        assert_eq!(outcome.text(), "told\n");
        let ended = outcome.ended.unwrap();
        assert_eq!((ended.code, ended.cause), (Some(3), Some(EndCause::Timeout)));

        let mut deaf = rig.python(STAYERS, &[]);
        deaf.argv[4].push_str("\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(600)");
        deaf.timeout_ms = Some(400);
        deaf.grace_ms = 200;
        let start = Instant::now();
        let ended = rig.run(&deaf).ended.unwrap();
        assert!(
            start.elapsed() >= Duration::from_millis(600),
            "{:?}",
            start.elapsed()
        );
        assert_eq!(
            (ended.signal, ended.cause),
            (Some(libc::SIGKILL), Some(EndCause::Timeout))
        );
        assert_none_left(&rig);
    });
}

fn wait_for_line(running: &mut offhost::local::launcher::Running) {
    let mut line = String::new();
    BufReader::new(running.take_stdout().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "ready\n");
}

fn kill(pid: i32, signal: &str) {
    let status = Command::new("kill")
        .args([format!("-{signal}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}
