//! A process's output: shown as it comes, and kept in the content item's log directory (PK10).

use std::fs::File;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// The log of one process, written by the readers of both its streams.
#[derive(Clone, Debug)]
pub struct Log {
    file: Arc<Mutex<File>>,
}

impl Log {
    /// A log in this file.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self {
            file: Arc::new(Mutex::new(file)),
        }
    }

    /// Copies everything from a stream to the log and to `shown`, byte for byte, until its end.
    pub fn follow(&self, mut stream: impl Read, mut shown: impl Write) {
        let mut buffer = [0u8; 16 * 1024];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    // A full disk or a closed terminal must not stop the process: its output is read all the same.
                    let _ = self
                        .file
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .write_all(&buffer[..count]);
                    let _ = shown.write_all(&buffer[..count]).and_then(|()| shown.flush());
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    }
}

/// The first `limit` bytes of a stream; the rest is read and thrown away, so that the writer never waits.
#[must_use]
pub fn read_some(mut stream: impl Read, limit: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    let _ = stream.by_ref().take(limit).read_to_end(&mut kept);
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: SB8 (L), PK10 (L)
    #[test]
    fn output_is_shown_and_kept_byte_for_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let bytes: Vec<u8> = (0..100_000u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let mut shown = Vec::new();
        Log::new(File::create(&path).unwrap()).follow(&bytes[..], &mut shown);
        assert_eq!(shown, bytes);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn what_is_beyond_the_limit_is_read_and_dropped() {
        assert_eq!(read_some(&b"abcdef"[..], 3), b"abc");
    }
}
