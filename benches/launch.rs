//! A launch to its reaped exit, side by side with bubblewrap, `unshare` and a bare spawn, in one run: every round
//! launches each of them once, in turning order, so that a busy machine slows all of them alike.
//!
//! The last lines are `offhost/NAME RATIO`, the medians over all rounds of our time divided by theirs. `launch-vs-bwrap` is
//! bubblewrap with the same namespaces, account and masks. `launch-vs-bwrap-session` is bubblewrap with a session of its own
//! besides, which keeps content from typing into the launcher's terminal and which our sandbox always has: on a
//! busy machine a new session waits for its turn, as it is a scheduling group of its own.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use offhost::local::launcher::{Launcher, Streams};
use offhost::sandbox::{MaskPath, SandboxMode, SandboxSpec};

/// Rounds that are counted, and rounds before them that are not.
const ROUNDS: usize = 300;
const WARM_UP: usize = 20;
/// Masked directories.
const MASKS: usize = 10;
/// An account that needs no entry anywhere.
const ACCOUNT: u32 = 61_234;
const PROGRAM: &str = "/bin/true";

type Launch<'a> = Box<dyn Fn() -> Result<(), String> + 'a>;

fn main() -> ExitCode {
    match run() {
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
    let unshare = program("unshare").ok_or("unshare is not installed; install the package util-linux")?;
    let masked = tempfile::tempdir().map_err(|error| format!("make a directory: {error}"))?;
    let masked = directories(masked.path()).map_err(|error| format!("make directories: {error}"))?;
    let launcher =
        Launcher::at(Path::new(env!("CARGO_BIN_EXE_offhost-exec"))).map_err(|error| error.to_string())?;
    let spec = specification(&masked);
    let contestants: [(&str, Launch<'_>); 5] = [
        ("offhost", Box::new(|| sandbox(&launcher, &spec))),
        ("bwrap", Box::new(|| spawn(bubblewrap(&bwrap, &masked, &[])))),
        (
            "bwrap+session",
            Box::new(|| spawn(bubblewrap(&bwrap, &masked, &["--new-session"]))),
        ),
        ("unshare", Box::new(|| spawn(namespaces(&unshare)))),
        ("bare spawn", Box::new(|| spawn(Command::new(PROGRAM)))),
    ];
    let times = measure(&contestants)?;
    report(&contestants, &times);
    Ok(())
}

/// Where `PATH` finds a program.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

fn directories(below: &Path) -> io::Result<Vec<PathBuf>> {
    let below = below.canonicalize()?;
    let all: Vec<_> = (0..MASKS).map(|n| below.join(format!("masked-{n}"))).collect();
    all.iter().try_for_each(std::fs::create_dir)?;
    Ok(all)
}

fn specification(masked: &[PathBuf]) -> SandboxSpec {
    let mask = |path: &PathBuf| MaskPath {
        path: path.clone(),
        required: true,
    };
    SandboxSpec {
        mode: SandboxMode::RootUserns,
        argv: vec![PROGRAM.to_owned()],
        env: vec!["PATH=/usr/bin:/bin".to_owned()],
        cwd: PathBuf::from("/"),
        uid: ACCOUNT,
        gid: ACCOUNT,
        groups: vec![ACCOUNT],
        masks: masked.iter().map(mask).collect(),
        binds: Vec::new(),
        rlimits: Vec::new(),
        cgroup: None,
        timeout_ms: Some(60_000),
        grace_ms: 1_000,
    }
}

/// The same namespaces, account and masks, as bubblewrap's own options say them.
fn bubblewrap(program: &Path, masked: &[PathBuf], besides: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(besides);
    command.args([
        "--bind",
        "/",
        "/",
        "--dev-bind",
        "/dev",
        "/dev",
        "--proc",
        "/proc",
    ]);
    command.args([
        "--unshare-user",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
    ]);
    let account = ACCOUNT.to_string();
    command.args(["--uid", &account, "--gid", &account]);
    for path in masked {
        command.arg("--tmpfs").arg(path);
    }
    command.arg(PROGRAM);
    command
}

fn namespaces(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["-Urmpf", "--mount-proc", PROGRAM]);
    command
}

fn sandbox(launcher: &Launcher, spec: &SandboxSpec) -> Result<(), String> {
    let streams = Streams {
        stdin: Stdio::null(),
        stdout: Stdio::null(),
        stderr: Stdio::inherit(),
    };
    let launch = || {
        let mut running = launcher.start(spec, streams)?;
        let layers = running.wait_started()?;
        running.wait(layers)
    };
    match launch() {
        Ok(ended) if ended.succeeded() => Ok(()),
        Ok(ended) => Err(format!("offhost: {PROGRAM} ended with {ended:?}")),
        Err(error) => Err(format!("offhost: {error}")),
    }
}

/// As the launcher spawns its helper: no environment, in `/`.
fn spawn(mut command: Command) -> Result<(), String> {
    command.env_clear().current_dir("/");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{}: {status}", command.get_program().display())),
        Err(error) => Err(format!("{}: {error}", command.get_program().display())),
    }
}

/// The time of every contestant in every counted round.
fn measure(contestants: &[(&str, Launch<'_>)]) -> Result<Vec<Vec<Duration>>, String> {
    let mut rounds = Vec::new();
    for round in 0..WARM_UP + ROUNDS {
        let mut times = vec![Duration::ZERO; contestants.len()];
        for turn in 0..contestants.len() {
            let which = (turn + round) % contestants.len();
            let start = Instant::now();
            contestants[which].1()?;
            times[which] = start.elapsed();
        }
        if round >= WARM_UP {
            rounds.push(times);
        }
    }
    Ok(rounds)
}

fn report(contestants: &[(&str, Launch<'_>)], rounds: &[Vec<Duration>]) {
    println!("{ROUNDS} rounds, {MASKS} masks, milliseconds");
    println!("{:14} {:>8} {:>8} {:>8}", "", "min", "median", "p95");
    for (index, (name, _)) in contestants.iter().enumerate() {
        let times = sorted(rounds.iter().map(|round| round[index].as_secs_f64() * 1000.0));
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        println!("{name:14} {:8.2} {:8.2} {:8.2}", at(0), at(50), at(95));
    }
    for (index, name) in [
        (2, "launch-vs-bwrap-session"),
        (1, "launch-vs-bwrap"),
        (3, "launch-vs-unshare"),
    ] {
        let ratios = sorted(
            rounds
                .iter()
                .map(|round| round[0].as_secs_f64() / round[index].as_secs_f64()),
        );
        println!("offhost/{name} {:.3}", ratios[ratios.len() / 2]);
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}
