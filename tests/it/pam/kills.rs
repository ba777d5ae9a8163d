//! `kill -9` at random moments: every session that was opened is closed.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::machine::Machine;
use super::may_run;
use super::processes::Kin;

/// Runs of a usual test; the variable asks for more.
const RUNS: u32 = 60;
const RUNS_VARIABLE: &str = "OFFHOST_TEST_PAM_RUNS";
/// How long the kernel and the programs may take to end everything, on a busy machine.
const MOMENT: Duration = Duration::from_secs(60);

/// Numbers that are the same in every run of the test, and as good as random.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Proves: PM1 (L), SB7 (L)
#[test]
fn every_opened_session_is_closed_whoever_is_killed() {
    if !may_run() {
        return;
    }
    let runs = std::env::var(RUNS_VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(RUNS);
    let machine = Machine::new("");
    let bundle = machine.notebook("sleep 0.2");
    let start = Instant::now();
    machine.place.run(&["run", &bundle]).succeeded();
    let mut whole = u64::try_from(start.elapsed().as_millis()).expect("it is short") + 1;
    let mut opened = 0;
    let mut chance = Chance(20_261_122);
    let mut killed = std::collections::BTreeMap::<&str, u32>::new();
    for run in 0..runs {
        let mut child = machine.place.start(&["run", &bundle]);
        let server = i32::try_from(child.id()).expect("a process id is small");
        std::thread::sleep(Duration::from_millis(chance.below(whole)));
        let kin = Kin::of(&machine.place, server);
        // The server, the launcher, the first process of the sandbox, the content.
        let victims = [
            ("server", Some(server)),
            ("launcher", kin.launcher),
            ("first", kin.first),
            ("content", kin.content),
        ];
        let (name, victim) = victims[usize::try_from(chance.below(4)).expect("it is small")];
        let (name, victim) = victim.map_or(("server", server), |victim| (name, victim));
        crate::faults::processes::send(victim, Signal::KILL);
        *killed.entry(name).or_default() += 1;
        let status = child.wait().expect("it was started");
        machine.place.assert_no_process(MOMENT);
        let record = machine.record();
        let count = |kind: &str| record.iter().filter(|line| line.0 == kind).count();
        assert_eq!(
            count("open_session"),
            count("close_session"),
            "run {run}, {name} killed: {record:?}"
        );
        // A machine that is busier or idler than at the beginning: neither always too early nor always too late.
        if count("open_session") == opened {
            whole += whole / 8;
        } else if status.success() {
            whole -= whole / 8;
        }
        opened = count("open_session");
    }
    let sessions = machine.assert_all_closed();
    eprintln!("{runs} runs, {sessions} sessions, killed: {killed:?}");
    assert!(
        sessions > usize::try_from(runs / 4).expect("it is small"),
        "{sessions} sessions in {runs} runs"
    );
}

/// Proves: PM1 (L), SB7 (L)
#[test]
fn a_server_s_end_by_any_signal_closes_the_session() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    let bundle = machine.notebook("meet inside; sleep 60");
    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        machine.place.forget();
        let mut child = machine.place.start(&["run", &bundle]);
        machine.place.reached("inside");
        machine.place.go("inside");
        crate::faults::processes::send(i32::try_from(child.id()).expect("it is small"), signal);
        child.wait().expect("it was started");
        machine.place.assert_no_process(MOMENT);
        machine.assert_all_closed();
    }
}

/// What had the session is killed: its process must not live on without.
#[test]
fn the_process_ends_with_the_program_that_has_its_session() {
    if !may_run() {
        return;
    }
    let machine = Machine::new("");
    let bundle = machine.notebook("meet inside; sleep 60");
    let child = machine.place.start(&["run", &bundle]);
    machine.place.reached("inside");
    let server = i32::try_from(child.id()).expect("it is small");
    let monitor = Kin::of(&machine.place, server).monitor.expect("it runs");
    crate::faults::processes::send(monitor, Signal::KILL);
    let done = crate::faults::place::wait(child);
    assert_eq!(done.code, 70, "{}", done.stderr);
    assert!(done.error().contains("was ended from outside"), "{}", done.stderr);
    machine.place.assert_no_process(MOMENT);
}
