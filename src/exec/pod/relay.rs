//! The output of the process, shown and kept byte for byte (SB8). Nothing is read that has not been passed on before:
//! a slow reader slows the process down, as if there were nobody between them.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::time::Timespec;

/// Bytes read at once: what a pipe holds.
const READ: usize = 64 * 1024;
/// Bytes written at once: a pipe that can be written takes so many without waiting. The pipe may belong to others
/// too, so it can not be told not to wait.
const WRITE: usize = 4096;
/// After the end of the process its last output is waited for as long as some of it moves within this time.
const STANDSTILL: Duration = Duration::from_secs(30);

/// Both streams of output.
#[derive(Debug)]
pub(super) struct Relay<'a> {
    streams: [Stream<'a>; 2],
    log: Option<Log>,
}

impl<'a> Relay<'a> {
    /// From each of these to each of those, standard output before standard error.
    pub(super) fn new(from: [OwnedFd; 2], to: [BorrowedFd<'a>; 2]) -> Self {
        let [stdout, stderr] = from;
        Self {
            streams: [Stream::new(stdout, to[0]), Stream::new(stderr, to[1])],
            log: None,
        }
    }

    /// Keeps all output in a log too. It can neither stop the process nor change what is shown, but for one line that
    /// says that it is not kept.
    pub(super) fn keep(&mut self, path: &Path, opened: std::io::Result<File>) {
        match opened {
            Ok(file) => {
                self.log = Some(Log {
                    path: path.to_owned(),
                    file,
                });
            }
            Err(error) => self.note(&without_log(path, &error)),
        }
    }

    /// What is waited for.
    pub(super) fn polled(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.streams.iter().filter_map(Stream::polled)
    }

    /// Passes on what can be without waiting.
    pub(super) fn pump(&mut self) {
        for at in 0..self.streams.len() {
            if !self.streams[at].pump() {
                continue;
            }
            let fresh = self.streams[at].waiting();
            if let Some(Err(error)) = self.log.as_mut().map(|log| log.file.write_all(fresh)) {
                // A log with a gap would tell less than one that ends.
                let path = self.log.take().map(|log| log.path).unwrap_or_default();
                self.note(&without_log(&path, &error));
            }
            self.streams[at].forget_if_unread();
        }
    }

    /// Passes on what is left, until there is nothing more or nobody takes it.
    pub(super) fn drain(&mut self) {
        self.drain_within(STANDSTILL);
    }

    fn drain_within(&mut self, standstill: Duration) {
        let limit = Timespec::try_from(standstill).ok();
        loop {
            let mut polled: Vec<_> = self.polled().collect();
            if polled.is_empty() {
                return;
            }
            match rustix::event::poll(&mut polled, limit.as_ref()) {
                Ok(0) => return,
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            self.pump();
        }
    }

    /// Says something of our own on standard error, after what waits there.
    fn note(&mut self, sentence: &str) {
        self.streams[1].add(format!("offhost-exec: {sentence}\n").as_bytes());
    }
}

fn without_log(path: &Path, error: &std::io::Error) -> String {
    let remedy = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the data volume",
        _ => "check the log directory on the data volume",
    };
    format!(
        "the log '{}' can not be written ({error}), so from here on output is shown and not kept; {remedy}",
        path.display()
    )
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
}

/// One stream of output.
#[derive(Debug)]
struct Stream<'a> {
    /// Until its end.
    from: Option<OwnedFd>,
    /// Until nobody reads it any more.
    to: Option<BorrowedFd<'a>>,
    buffer: Vec<u8>,
    /// How much of the buffer has been read,
    filled: usize,
    /// and how much of that has been written.
    written: usize,
}

impl<'a> Stream<'a> {
    fn new(from: OwnedFd, to: BorrowedFd<'a>) -> Self {
        Self {
            from: Some(from),
            to: Some(to),
            buffer: vec![0; READ],
            filled: 0,
            written: 0,
        }
    }

    /// What was read and not yet written.
    fn waiting(&self) -> &[u8] {
        &self.buffer[self.written..self.filled]
    }

    fn polled(&self) -> Option<PollFd<'_>> {
        match (&self.to, &self.from) {
            (Some(to), _) if !self.waiting().is_empty() => Some(PollFd::new(to, PollFlags::OUT)),
            (_, Some(from)) => Some(PollFd::new(from, PollFlags::IN)),
            _ => None,
        }
    }

    /// One step: writes what waits, or else reads. Whether something was read.
    fn pump(&mut self) -> bool {
        let ready = self.polled().is_some_and(is_ready);
        match (ready, self.waiting().is_empty()) {
            (false, _) => false,
            (true, true) => self.read(),
            (true, false) => {
                self.write();
                false
            }
        }
    }

    fn read(&mut self) -> bool {
        let Some(from) = &self.from else { return false };
        self.buffer.resize(READ, 0);
        match rustix::io::read(from, &mut self.buffer[..]) {
            Err(Errno::INTR | Errno::AGAIN) => {}
            Ok(0) | Err(_) => self.from = None,
            Ok(count) => (self.written, self.filled) = (0, count),
        }
        !self.waiting().is_empty()
    }

    fn write(&mut self) {
        let Some(to) = self.to else { return };
        let waiting = self.waiting();
        match rustix::io::write(to, &waiting[..waiting.len().min(WRITE)]) {
            Ok(count) => self.written += count,
            Err(Errno::INTR | Errno::AGAIN) => {}
            // The process is not to feel that, and its log goes on.
            Err(_) => self.to = None,
        }
        self.forget_if_unread();
    }

    fn forget_if_unread(&mut self) {
        if self.to.is_none() {
            self.written = self.filled;
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.buffer.truncate(self.filled);
        self.buffer.extend_from_slice(bytes);
        self.filled = self.buffer.len();
    }
}

/// Whether this can be done at once. Asked right before it is: both streams may lead into the same pipe.
fn is_ready(fd: PollFd<'_>) -> bool {
    const NOW: Timespec = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    rustix::event::poll(&mut [fd], Some(&NOW)) == Ok(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsFd;

    /// Two pipes in, two pipes out.
    struct Rig {
        writers: Vec<std::io::PipeWriter>,
        readers: Vec<std::io::PipeReader>,
        from: Option<[OwnedFd; 2]>,
        to: [OwnedFd; 2],
    }

    fn rig() -> Rig {
        let [(out, write_out), (err, write_err)] = [(); 2].map(|()| std::io::pipe().unwrap());
        let [(read_out, to_out), (read_err, to_err)] = [(); 2].map(|()| std::io::pipe().unwrap());
        Rig {
            writers: vec![write_out, write_err],
            readers: vec![read_out, read_err],
            from: Some([out.into(), err.into()]),
            to: [to_out.into(), to_err.into()],
        }
    }

    fn read_all(mut pipe: impl Read) -> Vec<u8> {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Proves: SB8 (P), PK10 (P)
    #[test]
    fn output_is_shown_and_kept_byte_for_byte() {
        let mut rig = rig();
        let log = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..300_000u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let (sent, mut writer) = (bytes.clone(), rig.writers.remove(0));
        let writing = std::thread::spawn(move || writer.write_all(&sent).unwrap());
        rig.writers.remove(0).write_all(b"error").unwrap();
        let (out, err) = (rig.readers.remove(0), rig.readers.remove(0));
        let reading = std::thread::spawn(move || read_all(out));
        let mut relay = Relay::new(rig.from.take().unwrap(), [rig.to[0].as_fd(), rig.to[1].as_fd()]);
        relay.keep(log.path(), File::options().append(true).open(log.path()));
        relay.drain();
        writing.join().unwrap();
        drop(rig.to);
        assert_eq!(reading.join().unwrap(), bytes);
        assert_eq!(read_all(err), b"error");
        let kept = std::fs::read(log.path()).unwrap();
        assert_eq!(kept.len(), bytes.len() + 5);
    }

    /// Proves: SB8 (P)
    #[test]
    fn a_full_log_is_said_once_and_changes_nothing_else() {
        let mut rig = rig();
        for writer in &mut rig.writers {
            writer.write_all(&[b'x'; 10_000]).unwrap();
        }
        rig.writers.clear();
        let mut relay = Relay::new(rig.from.take().unwrap(), [rig.to[0].as_fd(), rig.to[1].as_fd()]);
        let full = Path::new("/dev/full");
        relay.keep(full, File::options().append(true).open(full));
        relay.drain();
        drop(rig.to);
        let [out, err] = [(); 2].map(|()| read_all(rig.readers.remove(0)));
        assert_eq!(out, [b'x'; 10_000]);
        let text = String::from_utf8(err).unwrap();
        let at = text.find("offhost-exec: the log '/dev/full' can not").unwrap();
        let (before, from) = text.split_at(at);
        let (note, after) = from.split_once('\n').unwrap();
        assert!(note.ends_with("make room on the data volume"), "{note}");
        assert_eq!([before, after].concat(), "x".repeat(10_000));
    }

    /// Proves: SB8 (P)
    #[test]
    fn a_reader_that_goes_leaves_the_process_and_its_log_alone() {
        let mut rig = rig();
        rig.readers.clear();
        rig.writers[0].write_all(&[b'x'; 10_000]).unwrap();
        rig.writers.clear();
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut relay = Relay::new(rig.from.take().unwrap(), [rig.to[0].as_fd(), rig.to[1].as_fd()]);
        relay.keep(log.path(), File::options().append(true).open(log.path()));
        relay.drain();
        assert_eq!(std::fs::read(log.path()).unwrap(), [b'x'; 10_000]);
    }

    #[test]
    fn nobody_is_waited_for_for_ever() {
        let mut rig = rig();
        let mut relay = Relay::new(rig.from.take().unwrap(), [rig.to[0].as_fd(), rig.to[1].as_fd()]);
        let start = std::time::Instant::now();
        relay.drain_within(Duration::from_millis(50));
        assert!(start.elapsed() < Duration::from_secs(5));
        drop(rig.writers);
    }
}
