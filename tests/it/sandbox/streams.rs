//! Exit codes, signals and bytes pass through as they were.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::Stdio;

use offhost::local::launcher::Streams;

use super::support::in_each_mode;

/// Proves: SB8 (L), PK10 (L)
#[test]
fn every_exit_code_is_reported() {
    in_each_mode("every_exit_code_is_reported", |rig| {
        for code in (0..=255)
            .step_by(5)
            .chain([1, 2, 70, 124, 125, 126, 127, 128, 129, 137, 254])
        {
            let ended = rig.run(&rig.sh(&format!("exit {code}"))).ended.unwrap();
            assert_eq!((ended.code, ended.signal, ended.cause), (Some(code), None, None));
        }
    });
}

/// Proves: SB8 (L), PK10 (L)
#[test]
fn every_fatal_signal_is_reported() {
    in_each_mode("every_fatal_signal_is_reported", |rig| {
        let harmless = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
        let stops = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
        // 32 and 33 belong to the C library.
        for signal in (1..=31).chain([34, 50, 64]) {
            if harmless.contains(&signal) || stops.contains(&signal) {
                continue;
            }
            let mut spec = rig.sh(&format!("ulimit -c 0; kill -{signal} $$; exit 99"));
            spec.cwd = "/tmp".into();
            let ended = rig.run(&spec).ended.unwrap();
            assert_eq!(
                (ended.code, ended.signal, ended.cause),
                (None, Some(signal), None)
            );
        }
    });
}

/// Proves: SB8 (L)
#[test]
fn bytes_pass_in_and_out_as_they_are() {
    const SIZE: usize = 64 << 20;
    in_each_mode("bytes_pass_in_and_out_as_they_are", |rig| {
        let (theirs, ours) = std::io::pipe().unwrap();
        let streams = Streams {
            stdin: theirs.into(),
            stdout: Stdio::piped(),
            stderr: Stdio::null(),
        };
        let mut running = rig.launch(&rig.spec(&["/bin/cat"]), streams).unwrap();
        let writer = std::thread::spawn(move || {
            let mut ours = ours;
            for block in blocks(SIZE) {
                ours.write_all(&block).unwrap();
            }
        });
        let mut stdout = running.take_stdout().unwrap();
        let layers = running.wait_started().unwrap();
        let mut seen = 0;
        let mut buffer = vec![0; BLOCK];
        for block in blocks(SIZE) {
            stdout.read_exact(&mut buffer).unwrap();
            assert!(buffer == block, "bytes {seen} and following differ");
            seen += BLOCK;
        }
        assert_eq!(stdout.read(&mut buffer).unwrap(), 0, "more came out than went in");
        writer.join().unwrap();
        assert!(running.wait(layers).unwrap().succeeded());
    });
}

const BLOCK: usize = 1 << 16;

/// Bytes of every value in no order that buffering could hide.
fn blocks(size: usize) -> impl Iterator<Item = Vec<u8>> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..size / BLOCK).map(move |_| {
        let mut block = Vec::with_capacity(BLOCK);
        while block.len() < BLOCK {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.extend_from_slice(&state.to_le_bytes());
        }
        block
    })
}

/// Proves: SB8 (L)
#[test]
fn the_streams_stay_apart_and_are_the_ones_given() {
    in_each_mode("the_streams_stay_apart_and_are_the_ones_given", |rig| {
        let outcome = rig.run(&rig.sh("echo out; echo err >&2; read line || echo end"));
        assert_eq!(outcome.text(), "out\nend\n");
        assert_eq!(outcome.stderr, "err\n");
        // A file stays the very file, with its position.
        let file = tempfile::tempfile().unwrap();
        let mut copy = file.try_clone().unwrap();
        copy.write_all(b"before ").unwrap();
        let streams = Streams {
            stdin: Stdio::null(),
            stdout: file.as_fd().try_clone_to_owned().unwrap().into(),
            stderr: Stdio::null(),
        };
        let mut running = rig.launch(&rig.sh("printf after"), streams).unwrap();
        let layers = running.wait_started().unwrap();
        running.wait(layers).unwrap();
        std::io::Seek::rewind(&mut copy).unwrap();
        let mut text = String::new();
        copy.read_to_string(&mut text).unwrap();
        assert_eq!(text, "before after");
    });
}

/// Proves: SB8 (L), PK8 (L)
#[test]
fn a_program_that_can_not_be_executed_is_named() {
    in_each_mode("a_program_that_can_not_be_executed_is_named", |rig| {
        let none = rig.run(&rig.spec(&["no-such-program"]));
        assert!(none.refusal().contains("no-such-program"), "{none:?}");
        let directory = rig.run(&rig.spec(&["/etc"]));
        assert!(directory.refusal().contains("/etc"), "{directory:?}");
        let data = rig.data().join("secret");
        let masked = rig.run(&rig.spec(&[data.to_str().unwrap()]));
        assert!(masked.refusal().contains("secret"), "{masked:?}");
    });
}
