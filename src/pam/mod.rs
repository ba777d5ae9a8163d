//! `offhost-pam`: the one program that calls PAM. It runs for one check of a password or around one process, so that a
//! module that hangs, crashes or asks too much harms nothing else.
//!
//! The library itself is called in `src/bin/offhost-pam/`, behind [`Library`]; what is done with it, and in what order, is
//! here. The program has one thread, stays outside every sandbox, and is not dumpable.

mod check;
mod conversation;
mod environ;
mod library;
mod limit;
mod process;
mod session;
mod streams;
mod wire;

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{OwnedFd, RawFd};

pub use conversation::{Answer, Conversation, MOST_BYTES, Style};
pub use library::{Item, Kind, Library, Refusal, Step, Transaction};
pub use wire::{CheckAnswer, CheckRequest, SessionRequest, Word};
use zeroize::Zeroizing;

use crate::exec;

/// Exit code where no PAM session could be opened (PM2), `EX_SOFTWARE` of `sysexits.h`.
pub const NO_SESSION: u8 = 70;
/// Exit code where the program was not started by `offhost`, `EX_USAGE`.
const USAGE: u8 = 64;

/// Runs the program: `check` or `session`, and the numbers of the descriptors that it inherited. Gives the exit code.
pub fn run(library: &dyn Library, arguments: impl Iterator<Item = OsString>) -> u8 {
    let words: Vec<OsString> = arguments.collect();
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let code = match words.split_first() {
        Some((&"check", numbers)) => Descriptors::parse(numbers).and_then(|fds| check::run(library, &fds)),
        Some((&"session", numbers)) => {
            Descriptors::parse(numbers).and_then(|fds| session::run(library, &fds))
        }
        _ => None,
    };
    code.unwrap_or_else(|| {
        let _ = writeln!(
            std::io::stderr(),
            "this program is started by offhost, not by hand"
        );
        USAGE
    })
}

/// The descriptors that the program was started with, by number on its command line: `-` where there is none.
#[derive(Debug)]
struct Descriptors(Vec<Option<RawFd>>);

impl Descriptors {
    fn parse(words: &[&str]) -> Option<Self> {
        let number = |word: &&str| match *word {
            "-" => Some(None),
            number => Some(Some(number.parse().ok()?)),
        };
        words.iter().map(number).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Takes one over. Each is taken once.
    fn take(&self, at: usize) -> Option<OwnedFd> {
        exec::inherited((*self.0.get(at)?)?).ok()
    }

    /// Makes the process one that shows nothing of itself to others, has no descriptor but the standard ones and its own,
    /// and takes signals as any program does. Before anything is taken over.
    fn settle(&self) -> Option<()> {
        exec::hide_process().ok()?;
        exec::close_all_but(self.0.iter().flatten().copied()).ok()?;
        exec::reset_signals().ok()
    }
}

/// Reads a request from a memory file, which arrives positioned at its end.
fn read_request<T: serde::de::DeserializeOwned>(file: OwnedFd) -> Option<T> {
    let mut file = File::from(file);
    file.seek(SeekFrom::Start(0)).ok()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Reads a password from a pipe, to its end, into memory that is wiped.
fn read_password(pipe: OwnedFd) -> Option<Zeroizing<Vec<u8>>> {
    // Modules make copies wherever they like.
    exec::lock_all();
    // Of a size that is never outgrown: a vector that grows leaves copies behind.
    let mut password = Zeroizing::new(vec![0; MOST_BYTES + 1]);
    let mut pipe = File::from(pipe);
    let mut filled = 0;
    loop {
        match pipe.read(&mut password[filled..]).ok()? {
            0 => break,
            more => filled += more,
        }
    }
    if filled > MOST_BYTES || password[..filled].contains(&0) {
        return None;
    }
    password.truncate(filled);
    Some(password)
}

/// Writes one line of JSON. Nobody may be listening any more.
fn say(report: &mut File, what: &impl serde::Serialize) {
    let line = serde_json::to_string(what).unwrap_or_default() + "\n";
    let _ = report.write_all(line.as_bytes());
}
