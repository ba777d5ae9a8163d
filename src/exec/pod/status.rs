//! The status port: whoever connects is told when the application is ready and when it has ended, one JSON line an event,
//! and never has to ask again. Nothing here waits for a reader.

use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::net::{SendFlags, SocketFlags};

use super::listen;
use crate::exec::error::{Step, StepError};
use crate::sandbox::Report;

/// More connections than any number of controllers needs; content could open them too.
const MOST: usize = 64;

/// The port and its connections.
#[derive(Debug)]
pub(super) struct Status {
    listener: TcpListener,
    connections: Vec<OwnedFd>,
    /// What was said already: a late visitor hears it first.
    said: String,
}

impl Status {
    /// Listens at a port of every address.
    pub(super) fn listen(port: u16) -> Result<Self, StepError> {
        let listener = listen::at_port(port)?;
        listener
            .set_nonblocking(true)
            .step("listen", format!("port {port}"))?;
        Ok(Self {
            listener,
            connections: Vec::new(),
            said: String::new(),
        })
    }

    /// What is waited for.
    pub(super) fn polled(&self) -> impl Iterator<Item = PollFd<'_>> {
        let all = std::iter::once(self.listener.as_fd()).chain(self.connections.iter().map(AsFd::as_fd));
        all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
    }

    /// Takes new connections and forgets those that are gone.
    pub(super) fn pump(&mut self) {
        self.connections.retain(is_open);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        loop {
            match rustix::net::accept_with(&self.listener, flags) {
                // One too many is told by being closed.
                Ok(_) if self.connections.len() >= MOST => {}
                Ok(connection) => {
                    if tell(&connection, &self.said) {
                        self.connections.push(connection);
                    }
                }
                // It was gone before it was taken.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                // Nobody else, or no descriptors: the next turn tries again.
                Err(_) => return,
            }
        }
    }

    /// Tells everybody, now and later.
    pub(super) fn say(&mut self, event: &Report) {
        let line = serde_json::to_string(event).unwrap_or_default() + "\n";
        self.connections.retain(|connection| tell(connection, &line));
        self.said.push_str(&line);
    }
}

/// Whether all of it was taken at once. A reader that does not keep up with a few lines is none.
fn tell(connection: &OwnedFd, line: &str) -> bool {
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    line.is_empty() || rustix::net::send(connection, line.as_bytes(), flags) == Ok(line.len())
}

/// What a visitor says is read and forgotten.
fn is_open(connection: &OwnedFd) -> bool {
    let mut buffer = [0u8; 512];
    match rustix::io::read(connection, &mut buffer) {
        Ok(count) => count > 0,
        Err(error) => matches!(error, Errno::AGAIN | Errno::INTR),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpStream;

    use super::*;

    fn ended() -> Report {
        Report::Ended {
            code: Some(0),
            signal: None,
            cause: None,
        }
    }

    fn rig() -> (Status, u16) {
        let status = Status::listen(0).unwrap();
        let port = status.listener.local_addr().unwrap().port();
        (status, port)
    }

    /// Proves: PK5 (P)
    #[test]
    fn early_and_late_visitors_hear_the_same() {
        let (mut status, port) = rig();
        let visit = || BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
        let early = visit();
        status.pump();
        status.say(&Report::Ready);
        let late = visit();
        status.pump();
        status.say(&ended());
        drop(status);
        for visitor in [early, late] {
            let lines: Vec<String> = visitor.lines().map(Result::unwrap).collect();
            assert_eq!(lines[0], "{\"event\":\"ready\"}");
            assert!(
                lines[1].starts_with("{\"event\":\"ended\",\"code\":0"),
                "{lines:?}"
            );
        }
    }

    /// Proves: PK5 (P)
    #[test]
    fn those_that_are_gone_make_room_and_one_too_many_is_closed() {
        let (mut status, port) = rig();
        let visit = || TcpStream::connect(("127.0.0.1", port)).unwrap();
        let visitors: Vec<TcpStream> = (0..MOST + 1).map(|_| visit()).collect();
        status.pump();
        assert_eq!(status.connections.len(), MOST);
        let mut line = String::new();
        let last = BufReader::new(visitors.last().unwrap()).read_line(&mut line);
        assert_eq!(last.unwrap(), 0);
        drop(visitors);
        status.pump();
        assert_eq!(status.connections.len(), 0);
    }
}
