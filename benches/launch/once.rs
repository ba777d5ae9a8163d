//! Figures that need no other program beside them: how long the filter takes to load, how often the table of mounts is read.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::contestants::Scene;
use crate::{apart, or_say};

const LOADER: &str = include_str!("filter.py");

/// Prints both, or why not.
pub(crate) fn report(scene: &Scene) {
    if let Some((ours, least)) = or_say(filter_load()) {
        println!("offhost/filter-load-us {ours:.1}");
        println!("offhost/filter-load-above-one-instruction-us {:.1}", ours - least);
    }
    if let Some(count) = or_say(mountinfo_reads(scene)) {
        println!("offhost/mountinfo-reads {count}");
    }
}

/// Our filter and one of a single instruction, loaded by another program: in ours a load can not be told from the process
/// around it.
fn filter_load() -> Result<(f64, f64), String> {
    let mut python = Command::new("python3");
    python.args(["-I", "-c", LOADER]);
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = python.spawn().map_err(|error| format!("python3: {error}"))?;
    let mut input = process.stdin.take().ok_or("python3 has no standard input")?;
    let written = input.write_all(&offhost::exec::syscall_filter());
    drop(input);
    let output = process
        .wait_with_output()
        .map_err(|error| format!("python3: {error}"))?;
    written.map_err(|error| format!("python3: {error}"))?;
    let text = text(&output);
    let times = text.trim().split_once(' ');
    times
        .and_then(|(ours, least)| Some((ours.parse().ok()?, least.parse().ok()?)))
        .ok_or_else(|| format!("python3 gave no times but {text:?}"))
}

/// `strace` sees every process of a launch that this program, started again, makes.
fn mountinfo_reads(scene: &Scene) -> Result<usize, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-e", "trace=open,openat,openat2"])
        .args(apart::OWN_MOUNTS)
        .arg(own);
    strace
        .args([apart::OPTION, apart::Circumstance::FewMounts.name()])
        .arg(&scene.helper)
        .args(&scene.masked);
    strace
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = strace
        .spawn()
        .map_err(|error| format!("strace: {error}; install the package strace"))?;
    if let Some(mut orders) = process.stdin.take() {
        orders.write_all(b"\n").map_err(|error| error.to_string())?;
    }
    let output = process.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("strace: {}", output.status));
    }
    let calls = String::from_utf8_lossy(&output.stderr);
    // The first is that of the program itself, which counts the mounts of its circumstance.
    Ok(calls.matches("/mountinfo\"").count().saturating_sub(1))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
