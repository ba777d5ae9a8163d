//! The output of a process that may run for months: its beginning and what came last are kept, the rest is not (PK10).
//!
//! `serve.log` is the beginning. What follows goes to `serve.newer.log`; when that is full it becomes `serve.older.log`, in
//! the place of the one before.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::data::IoFailure;

/// The beginning.
pub const FIRST: &str = "serve.log";
/// What came before [`NEWER`].
pub const OLDER: &str = "serve.older.log";
/// What came last.
pub const NEWER: &str = "serve.newer.log";

/// Stands at the end of the beginning, once something after it was given up.
const LEFT_OUT: &str =
    "\n[offhost: what came here was more than Applications.MaxLogSize; the last of it follows]\n";

/// A log of bounded size.
#[derive(Debug)]
pub struct BoundedLog {
    directory: PathBuf,
    /// Size of each part: two are kept whole of what came last, so this is a third.
    part: u64,
    file: Option<File>,
    written: u64,
    /// Parts that were begun after the first.
    parts: u64,
}

impl BoundedLog {
    /// A log in `directory` of at most about `size` bytes.
    ///
    /// # Errors
    /// It can not be made.
    pub fn make(directory: &Path, size: u64) -> Result<Self, IoFailure> {
        Ok(Self {
            directory: directory.to_owned(),
            part: (size / 3).max(4096),
            file: Some(make(&directory.join(FIRST))?),
            written: 0,
            parts: 0,
        })
    }

    /// Takes everything from a stream until its end, whatever becomes of the disk: the writer must not wait.
    pub fn follow(mut self, mut stream: impl Read) {
        let mut buffer = vec![0u8; 32 * 1024];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => self.write(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.written >= self.part {
                self.begin_part();
            }
            let room = usize::try_from(self.part - self.written).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at(bytes.len().min(room.max(1)));
            if let Some(file) = &mut self.file {
                // A disk that is full now may have room later.
                let _ = file.write_all(now);
            }
            self.written += now.len() as u64;
            bytes = rest;
        }
    }

    fn begin_part(&mut self) {
        let newer = self.directory.join(NEWER);
        self.parts += 1;
        if self.parts > 1 {
            // Who follows the log still reads what has this name now, under its other one.
            let _ = std::fs::rename(&newer, self.directory.join(OLDER));
        }
        if self.parts == 3 {
            self.tell_left_out();
        }
        self.file = make(&newer).ok();
        self.written = 0;
    }

    fn tell_left_out(&self) {
        let first = OpenOptions::new().append(true).open(self.directory.join(FIRST));
        let _ = first.and_then(|mut file| file.write_all(LEFT_OUT.as_bytes()));
    }
}

/// Content may print what is for nobody else on this machine.
fn make(path: &Path) -> Result<File, IoFailure> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.map_err(|source| IoFailure::new("make", path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(size: u64, output: &[u8]) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        BoundedLog::make(dir.path(), size).unwrap().follow(output);
        let mut text = String::new();
        for name in [FIRST, OLDER, NEWER] {
            text += &std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
        }
        (dir, text)
    }

    #[test]
    fn what_fits_is_kept_as_it_is() {
        let output: String = (0..2000).map(|n| format!("{n}\n")).collect();
        for size in [3 * 4096, 1 << 20] {
            let (_dir, text) = kept(size, output.as_bytes());
            assert!(text == output, "{size}");
        }
    }

    #[test]
    fn of_what_does_not_fit_the_beginning_and_the_end_are_kept() {
        let output: String = (0..200_000).map(|n| format!("{n:06}\n")).collect();
        let (dir, text) = kept(60_000, output.as_bytes());
        assert!(text.len() < 61_000, "{}", text.len());
        assert!(text.starts_with("000000\n000001\n"));
        assert!(text.ends_with("199998\n199999\n"));
        assert_eq!(text.matches("[offhost: ").count(), 1);
        // All of the last part before the end is there.
        let tail = &text[text.len() - 20_000..];
        assert!(output.ends_with(tail));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}
