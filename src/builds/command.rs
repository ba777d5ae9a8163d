//! A command outside any sandbox, with a time limit: `git`, and builds where there can be no sandbox.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::local::signals;

/// Between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// How a command ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// By itself.
    Status(ExitStatus),
    /// Its time was over.
    TimedOut,
    /// The end of this program was asked for.
    Stopped,
}

/// Starts a command in a process group of its own.
pub(super) fn start(command: &mut Command) -> std::io::Result<Child> {
    command.process_group(0).spawn()
}

/// Waits for its end; ends its whole group where it takes too long, or where this program is to end. Nothing of the group is
/// left afterwards.
pub(super) fn wait(child: &mut Child, limit: Duration) -> std::io::Result<End> {
    let until = Instant::now() + limit;
    let group = Pid::from_child(child);
    let cut_off = loop {
        // Not reaped yet: until it is, nobody else gets the number of the group.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        if rustix::process::waitid(WaitId::Pid(group), options)?.is_some() {
            break None;
        }
        if signals::ends() {
            break Some(End::Stopped);
        }
        if Instant::now() >= until {
            break Some(End::TimedOut);
        }
        std::thread::sleep(PAUSE);
    };
    let _ = rustix::process::kill_process_group(group, Signal::KILL);
    let status = child.wait()?;
    Ok(cut_off.unwrap_or(End::Status(status)))
}

/// `exit code 1`, or `signal 9`.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, signal) => format!("was ended by signal {}", signal.unwrap_or_default()),
    }
}

/// The output of a build: the beginning in a file, its last lines in memory, all of it shown where somebody looks on.
#[derive(Clone, Debug)]
pub(super) struct Output {
    kept: Arc<Mutex<Kept>>,
    is_shown: bool,
}

#[derive(Debug)]
struct Kept {
    file: std::fs::File,
    left: usize,
    last: Vec<u8>,
}

/// A build that says more is not kept from saying it, but it is not written down.
const MOST: usize = 16 << 20;
/// Of these the last lines are told in errors.
const LAST: usize = 4096;

impl Output {
    /// Into this file, and on standard error if it `is_shown`.
    pub(super) fn new(file: std::fs::File, is_shown: bool) -> Self {
        let kept = Kept {
            file,
            left: MOST,
            last: Vec::new(),
        };
        Self {
            kept: Arc::new(Mutex::new(kept)),
            is_shown,
        }
    }

    /// Takes everything from a stream until its end.
    pub(super) fn follow(&self, mut stream: impl Read) {
        let mut buffer = [0u8; 16 * 1024];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => self.take(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    }

    fn take(&self, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let count = bytes.len().min(kept.left);
        kept.left -= count;
        // A full disk must not stop the build: its output is read all the same.
        let _ = kept.file.write_all(&bytes[..count]);
        kept.last.extend_from_slice(bytes);
        let surplus = kept.last.len().saturating_sub(LAST);
        kept.last.drain(..surplus);
        if self.is_shown {
            let _ = std::io::stderr().write_all(&tame(bytes));
        }
    }

    /// The last lines, as one line for people.
    pub(super) fn said(&self) -> String {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        last_lines(&kept.last)
    }
}

/// Without what a terminal would obey: a package may print anything.
fn tame(bytes: &[u8]) -> Vec<u8> {
    let is_plain = |byte: u8| byte >= b' ' && byte != 0x7f || matches!(byte, b'\n' | b'\t');
    bytes
        .iter()
        .map(|&byte| if is_plain(byte) { byte } else { b'?' })
        .collect()
}

/// The last lines of a text, as one line of plain characters.
pub(super) fn last_lines(bytes: &[u8]) -> String {
    const LINES: usize = 4;
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join(" / ");
    last.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: GB1 (B)
    #[test]
    fn what_does_not_end_is_ended_with_everything_it_started() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 600 & sleep 600"]);
        let mut child = start(&mut command).unwrap();
        let group = i32::try_from(child.id()).unwrap();
        assert!(matches!(
            wait(&mut child, Duration::from_millis(50)).unwrap(),
            End::TimedOut
        ));
        let until = Instant::now() + Duration::from_secs(60);
        // What was its child is reaped by whoever adopts it.
        while std::fs::read_to_string(format!("/proc/{group}/stat")).is_ok() && Instant::now() < until {
            std::thread::sleep(PAUSE);
        }
        assert!(!std::path::Path::new(&format!("/proc/{group}")).exists());
    }

    /// Proves: GB1 (B)
    #[test]
    fn what_is_said_is_told_in_plain_characters() {
        let output = Output::new(tempfile::tempfile().unwrap(), false);
        output.follow(&b"one\n\x1b]0;evil\x07\ntwo\n\n three \n"[..]);
        assert_eq!(output.said(), "one / ?]0;evil? / two / three");
        assert_eq!(tame(b"a\x1b[2J\n"), b"a?[2J\n");
    }
}
