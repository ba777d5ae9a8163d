//! Exit codes, signals and bytes pass through as they were.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};

use offhost::local::launcher::{Ended, Streams};

use super::support::{PYTHON, Rig, in_each_mode};

/// What a job writes to: its end is told alike.
#[derive(Clone, Copy, Debug)]
enum Output {
    Pipe,
    Terminal,
    File,
}

/// A terminal that nobody reads, held open by a process of its own until this is dropped.
struct Terminal {
    holder: Child,
    path: String,
}

impl Terminal {
    fn open() -> Self {
        let code = "import os, pty, sys\nmaster, slave = pty.openpty()\n\
                    print(os.ttyname(slave), flush=True)\nsys.stdin.read()";
        let mut holder = Command::new(PYTHON)
            .args(["-I", "-S", "-c", code])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut path = String::new();
        BufReader::new(holder.stdout.take().unwrap())
            .read_line(&mut path)
            .unwrap();
        let path = path.trim().to_owned();
        Self { holder, path }
    }

    fn stream(&self) -> File {
        let mut options = File::options();
        options.read(true).write(true).custom_flags(libc::O_NOCTTY);
        options.open(&self.path).unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// Runs this with that as standard streams; its end.
fn end_of(rig: &Rig, script: &str, output: Output, terminal: &Terminal) -> Ended {
    let file = match output {
        Output::Pipe => return rig.run(&rig.sh(script)).ended.unwrap(),
        Output::Terminal => terminal.stream(),
        Output::File => tempfile::tempfile().unwrap(),
    };
    let streams = Streams {
        stdin: file.try_clone().unwrap().into(),
        stdout: file.try_clone().unwrap().into(),
        stderr: file.into(),
    };
    let mut running = rig.launch(&rig.sh(script), streams).unwrap();
    let layers = running.wait_started().unwrap();
    running.wait(layers).unwrap()
}

/// Proves: SB8 (L), PK10 (L)
#[test]
fn every_exit_code_is_reported() {
    in_each_mode("every_exit_code_is_reported", |rig| {
        let terminal = Terminal::open();
        for code in 0..=255_u8 {
            // Each code through one of them, and in every mode through another.
            let outputs = [Output::Pipe, Output::Terminal, Output::File];
            let output = outputs[(usize::from(code) + rig.mode as usize) % 3];
            let ended = end_of(&rig, &format!("exit {code}"), output, &terminal);
            let wanted = (Some(i32::from(code)), None, None);
            assert_eq!((ended.code, ended.signal, ended.cause), wanted, "{output:?}");
        }
    });
}

/// Proves: SB8 (L), PK10 (L)
#[test]
fn every_signal_is_reported_if_it_ends() {
    in_each_mode("every_signal_is_reported_if_it_ends", |rig| {
        let harmless = [libc::SIGCHLD, libc::SIGCONT, libc::SIGURG, libc::SIGWINCH];
        let terminal = Terminal::open();
        let stops = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
        for signal in 1..=64 {
            for output in [Output::Pipe, Output::Terminal, Output::File] {
                // What stops is woken up; in a session without a terminal, all stops but the first are not taken.
                let woken = if stops.contains(&signal) {
                    "(sleep 0.05; kill -CONT $$) & "
                } else {
                    ""
                };
                let script = format!("cd /tmp; ulimit -c 0; {woken}kill -{signal} $$; exit 99");
                let ended = end_of(&rig, &script, output, &terminal);
                let goes_on = harmless.contains(&signal) || stops.contains(&signal);
                let wanted = if goes_on {
                    (Some(99), None, None)
                } else {
                    (None, Some(signal), None)
                };
                let got = (ended.code, ended.signal, ended.cause);
                assert_eq!(got, wanted, "signal {signal} with {output:?}");
            }
        }
    });
}

/// Proves: SB8 (L)
#[test]
fn bytes_pass_in_and_out_as_they_are() {
    let size = std::env::var("OFFHOST_TEST_BYTES").map_or(64 << 20, |text| text.parse().unwrap());
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
            for block in blocks(size) {
                ours.write_all(&block).unwrap();
            }
        });
        let mut stdout = running.take_stdout().unwrap();
        let layers = running.wait_started().unwrap();
        let mut seen = 0;
        let mut buffer = vec![0; BLOCK];
        for block in blocks(size) {
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
