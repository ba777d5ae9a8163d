//! A launch to its reaped exit, side by side with bubblewrap, runc, `unshare` and a bare spawn, in one run: every round
//! launches each of them once, in turning order, so that a busy machine slows all of them alike.
//!
//! The last lines are `offhost/NAME VALUE`. Names that end in `-ms` or `-us` are medians of differences or of times, the
//! others medians over all rounds of our time divided by theirs:
//!
//! - `launch-vs-bwrap`: bubblewrap with the same namespaces, account and masks; `launch-vs-bwrap-session`: with a
//!   session of its own besides, which keeps content from typing into the launcher's terminal and which ours always has.
//! - `launch-vs-unshare`, `launch-vs-runc`: fewer walls, and a whole container with the same masks.
//! - `launch-above-spawn-ms`, `unprivileged-above-spawn-ms`: what a launch takes longer than a bare spawn of the program.
//! - `launch-at-1000-mounts`: the launch in a mount namespace with 1,000 mounts against the one with 25.
//! - `parallel-vs-bwrap`: our launches a second, by eight threads, divided by bubblewrap's; here more is better.
//! - `filter-load-us`: loading the filter of system calls; `filter-load-above-one-instruction-us`: what that takes longer
//!   than loading the shortest filter there can be, which the kernel compiles and tries for each call number too.
//! - `mountinfo-reads`: how often a launch opens the table of mounts.
//! - `launch-in-pam-session`: a launch in a PAM session of the service `su`, opened for the account `nobody`, against one
//!   without.
//!
//! What a machine has no program, service or account for is left out, and that is said. `OFFHOST_BENCH_RUNC` names runc,
//! `OFFHOST_BENCH_EXEC` another helper than the one that was just built.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod apart;
mod contestants;
mod once;
mod parallel;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use apart::{Apart, Circumstance};
use contestants::{Scene, bubblewrap, program, spawn, unshare};

/// Rounds that are counted, and rounds before them that are not.
const ROUNDS: usize = 300;
const WARM_UP: usize = 20;

/// Takes the time of one launch.
type Launch<'a> = Box<dyn FnMut() -> Result<Duration, String> + 'a>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match (arguments.next().as_deref(), arguments.next()) {
        (Some(apart::OPTION), Some(circumstance)) => apart::serve(&circumstance, arguments),
        _ => run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("bench launch: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("needs root, as the sandbox of other accounts does; run it with sudo".to_owned());
    }
    let bwrap = program("bwrap").ok_or("bubblewrap is not installed; install the package bubblewrap")?;
    let below = tempfile::tempdir().map_err(|error| format!("make a directory: {error}"))?;
    let scene = Scene::make(below.path())?;
    let mut table = Table::default();
    let masked = &scene.masked;
    table.add("offhost", timed(|| scene.launch()));
    table.add("bwrap", timed(|| spawn(bubblewrap(&bwrap, masked, &[]))));
    table.add(
        "bwrap+session",
        timed(|| spawn(bubblewrap(&bwrap, masked, &["--new-session"]))),
    );
    table.add("bare spawn", timed(|| spawn(Command::new(contestants::PROGRAM))));
    if let Some(unshare_program) =
        or_say(program("unshare").ok_or_else(|| "unshare is not installed".to_owned()))
    {
        table.add("unshare", timed(move || spawn(unshare(&unshare_program))));
    }
    for circumstance in Circumstance::ALL {
        if let Some(mut apart) = or_say(Apart::start(circumstance, &scene)) {
            table.add(circumstance.name(), Box::new(move || apart.launch()));
        }
    }
    if let Some(in_session) = or_say(scene.in_session()) {
        table.add("in a session", timed(move || in_session.launch()));
    }
    let rounds = table.measure()?;
    table.print(&rounds);
    table.print_ratios(&rounds);
    parallel::report(&scene, &bwrap)?;
    once::report(&scene);
    Ok(())
}

/// What is there; says why where it is not.
fn or_say<T>(answer: Result<T, String>) -> Option<T> {
    answer
        .inspect_err(|error| eprintln!("bench launch: not measured: {error}"))
        .ok()
}

fn timed<'a>(launch: impl Fn() -> Result<(), String> + 'a) -> Launch<'a> {
    Box::new(move || {
        let start = Instant::now();
        launch()?;
        Ok(start.elapsed())
    })
}

/// Who takes part.
#[derive(Default)]
struct Table<'a> {
    names: Vec<&'static str>,
    launches: Vec<Launch<'a>>,
}

impl<'a> Table<'a> {
    fn add(&mut self, name: &'static str, launch: Launch<'a>) {
        self.names.push(name);
        self.launches.push(launch);
    }

    /// The milliseconds of every contestant in every counted round.
    fn measure(&mut self) -> Result<Vec<Vec<f64>>, String> {
        let mut rounds = Vec::new();
        for round in 0..WARM_UP + ROUNDS {
            let mut times = vec![0.0; self.launches.len()];
            for turn in 0..self.launches.len() {
                let which = (turn + round) % self.launches.len();
                times[which] = self.launches[which]()?.as_secs_f64() * 1000.0;
            }
            if round >= WARM_UP {
                rounds.push(times);
            }
        }
        Ok(rounds)
    }

    fn print(&self, rounds: &[Vec<f64>]) {
        println!("{ROUNDS} rounds, {} masks, milliseconds", contestants::MASKS);
        println!("{:16} {:>8} {:>8} {:>8}", "", "min", "median", "p95");
        for (index, name) in self.names.iter().enumerate() {
            let times = sorted(rounds.iter().map(|round| round[index]));
            let at = |share: usize| times[(times.len() - 1) * share / 100];
            println!("{name:16} {:8.2} {:8.2} {:8.2}", at(0), at(50), at(95));
        }
    }

    fn print_ratios(&self, rounds: &[Vec<f64>]) {
        let divided = |name: &str, one: &str, other: &str| {
            self.pairs(rounds, name, one, other, |one, other| one / other);
        };
        divided("launch-vs-bwrap-session", "offhost", "bwrap+session");
        divided("launch-vs-bwrap", "offhost", "bwrap");
        divided("launch-vs-unshare", "offhost", "unshare");
        divided("launch-vs-runc", "offhost", Circumstance::Runc.name());
        divided(
            "launch-at-1000-mounts",
            Circumstance::ManyMounts.name(),
            Circumstance::FewMounts.name(),
        );
        divided("launch-in-pam-session", "in a session", "offhost");
        let above = |name: &str, one: &str| {
            self.pairs(rounds, name, one, "bare spawn", |one, other| one - other);
        };
        above("launch-above-spawn-ms", "offhost");
        above("unprivileged-above-spawn-ms", Circumstance::Unprivileged.name());
    }

    /// Prints the median over the rounds of what two contestants' times come to, where both took part.
    fn pairs(
        &self,
        rounds: &[Vec<f64>],
        name: &str,
        one: &str,
        other: &str,
        come_to: impl Fn(f64, f64) -> f64,
    ) {
        let place = |name: &str| self.names.iter().position(|other| *other == name);
        if let (Some(one), Some(other)) = (place(one), place(other)) {
            let values = rounds.iter().map(|round| come_to(round[one], round[other]));
            println!("offhost/{name} {:.3}", median(values));
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let values = sorted(values);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The helper that is measured.
fn helper() -> PathBuf {
    std::env::var_os("OFFHOST_BENCH_EXEC")
        .map_or_else(|| env!("CARGO_BIN_EXE_offhost-exec").into(), PathBuf::from)
}
