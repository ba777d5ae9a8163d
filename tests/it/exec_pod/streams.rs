//! Bytes pass through as they were, as fast as they are read and no faster.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;
use std::time::Duration;

use super::support::Rig;

/// Bytes of every value in no order that buffering could hide.
fn noise(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

fn read_all(mut pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Proves: SB8 (P), SV4 (P)
#[test]
fn both_streams_pass_byte_for_byte_and_are_kept() {
    const SIZE: usize = 8 << 20;
    let rig = Rig::new();
    let (out, err) = (
        noise(SIZE, 0x9E37_79B9_7F4A_7C15),
        noise(SIZE, 0x1234_5678_9ABC_DEF1),
    );
    fs::write(rig.path("out"), &out).unwrap();
    fs::write(rig.path("err"), &err).unwrap();
    let log = rig.own_directory("logs").join("task.log");
    let script = format!(
        "cat {} & cat {} >&2; wait",
        rig.path("out").display(),
        rig.path("err").display()
    );
    let words = [
        "pod",
        "--log",
        log.to_str().unwrap(),
        "--",
        "/bin/sh",
        "-c",
        &script,
    ];
    let mut child = rig.start(&mut rig.helper(&words));
    let errors = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || read_all(errors));
    let outcome = rig.finish(child);
    assert!(
        outcome.stdout == out,
        "{} bytes of standard output",
        outcome.stdout.len()
    );
    let errors = errors.join().unwrap();
    assert!(errors == err, "{} bytes of standard error", errors.len());
    assert_eq!(fs::metadata(&log).unwrap().len(), 2 * SIZE as u64);
    assert_eq!(outcome.code, Some(0));
}

/// Proves: SB8 (P)
#[test]
fn a_log_of_one_stream_is_that_stream() {
    let rig = Rig::new();
    let bytes = noise(1 << 20, 77);
    fs::write(rig.path("out"), &bytes).unwrap();
    let log = rig.own_directory("logs").join("task.log");
    let script = format!("cat {}", rig.path("out").display());
    rig.run_with(&["--log", log.to_str().unwrap()], &script);
    assert!(fs::read(&log).unwrap() == bytes);
}

/// Proves: SB8 (P)
#[test]
fn a_slow_reader_holds_the_process_up_and_loses_nothing() {
    const SIZE: usize = 1 << 20;
    let rig = Rig::new();
    let bytes = noise(SIZE, 5);
    fs::write(rig.path("out"), &bytes).unwrap();
    let done = rig.own_directory("own").join("done");
    let script = format!("cat {}; : >{}", rig.path("out").display(), done.display());
    let mut child = rig.start(&mut rig.helper(&["pod", "--", "/bin/sh", "-c", &script]));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!done.exists(), "a megabyte went where nobody reads");
    let mut seen = Vec::new();
    let mut pipe = child.stdout.take().unwrap();
    let mut buffer = [0; 7000];
    while seen.len() < SIZE - 60_000 {
        let count = pipe.read(&mut buffer).unwrap();
        assert!(count > 0, "{} bytes", seen.len());
        seen.extend_from_slice(&buffer[..count]);
        std::thread::sleep(Duration::from_micros(200));
    }
    // The process has ended, and what it said last still waits.
    std::thread::sleep(Duration::from_millis(200));
    assert!(done.exists());
    seen.extend(read_all(pipe));
    assert!(seen == bytes, "{} bytes", seen.len());
    assert_eq!(rig.finish(child).code, Some(0));
}

/// Proves: SB8 (P)
#[test]
fn standard_input_is_the_containers_own() {
    let rig = Rig::new();
    let bytes = noise(1 << 20, 11);
    let (theirs, mut ours) = std::io::pipe().unwrap();
    let mut command = rig.helper(&["pod", "--", "/bin/cat"]);
    command.stdin(theirs).stdout(Stdio::piped());
    let child = command.spawn().unwrap();
    drop(command);
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || ours.write_all(&sent).unwrap());
    let outcome = rig.finish(child);
    writer.join().unwrap();
    assert!(outcome.stdout == bytes);
    assert_eq!(rig.sh("read line || echo end").good(), "end\n");
}

/// Proves: SB8 (P)
#[test]
fn both_streams_may_lead_into_one_pipe() {
    let rig = Rig::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let script = "head -c 500000 /dev/zero & head -c 500000 /dev/zero >&2; wait";
    let mut command = rig.helper(&["pod", "--", "/bin/sh", "-c", script]);
    command.stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut child = command.spawn().unwrap();
    drop(command);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(read_all(reader).len(), 1_000_000);
    assert!(child.wait().unwrap().success());
}

/// Proves: SB7 (P), SB8 (P)
#[test]
fn a_grandchild_that_holds_the_output_does_not_hold_up_the_end() {
    let rig = Rig::new();
    let outcome = rig.sh("(setsid sleep 600 &); echo out");
    assert_eq!(outcome.good(), "out\n");
}

/// Proves: SB8 (P)
#[test]
fn a_process_that_closes_its_output_goes_on() {
    let rig = Rig::new();
    let outcome = rig.sh("exec >&- 2>&-; sleep 0.2; exit 4");
    assert_eq!(outcome.ended(), (Some(4), None, None));
}

/// Proves: SB8 (P)
#[test]
fn a_reader_that_goes_is_not_felt() {
    let rig = Rig::new();
    let log = rig.own_directory("logs").join("task.log");
    let words = [
        "pod",
        "--log",
        log.to_str().unwrap(),
        "--",
        "/bin/sh",
        "-c",
        "sleep 0.2; head -c 300000 /dev/zero; exit 3",
    ];
    let mut child = rig.start(&mut rig.helper(&words));
    drop(child.stdout.take());
    assert_eq!(rig.finish(child).ended(), (Some(3), None, None));
    assert_eq!(fs::metadata(&log).unwrap().len(), 300_000);
}
