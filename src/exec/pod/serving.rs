//! What a process that serves has beside any other in a Pod: the socket it inherits, the watch for its word that it can
//! answer, and the port at which that is told.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::PollFd;
use rustix::time::Timespec;

use super::listen;
use super::status::Status;
use crate::exec::StepError;
use crate::exec::ready::ReadyWatch;
use crate::sandbox::Report;

/// Time between SIGINT and SIGTERM.
const INTERRUPT: Duration = Duration::from_secs(5);

/// What the command line says of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServeOrder {
    /// The port that the process inherits a socket of; none where it listens by itself.
    pub(super) listen_port: Option<u16>,
    /// The port at which it is told how the process is.
    pub(super) status_port: u16,
    /// The file that the process makes when it can answer.
    pub(super) ready_file: PathBuf,
    /// Whether its end begins with SIGINT.
    pub(super) interrupts: bool,
}

impl ServeOrder {
    /// Time between SIGINT and SIGTERM, where its end begins with SIGINT.
    pub(super) fn interrupt(&self) -> Option<Duration> {
        self.interrupts.then_some(INTERRUPT)
    }

    /// The socket that the process inherits.
    pub(super) fn listener(&self) -> Result<Option<TcpListener>, StepError> {
        self.listen_port.map(listen::at_port).transpose()
    }
}

/// A process that serves.
#[derive(Debug)]
pub(super) struct Serving {
    status: Status,
    /// Until it is ready.
    ready: Option<ReadyWatch>,
}

impl Serving {
    /// Before the process is started: nothing that it does is missed.
    pub(super) fn begin(order: &ServeOrder) -> Result<Self, StepError> {
        Ok(Self {
            status: Status::listen(order.status_port)?,
            ready: Some(ReadyWatch::begin(&order.ready_file)?),
        })
    }

    /// What is waited for.
    pub(super) fn polled(&self) -> impl Iterator<Item = PollFd<'_>> {
        let ready = self.ready.as_ref().and_then(ReadyWatch::polled);
        self.status.polled().chain(ready)
    }

    /// How long at most.
    pub(super) fn pause(&self) -> Option<Timespec> {
        self.ready.as_ref().and_then(ReadyWatch::pause)
    }

    /// Looks whether the process is ready, and lets visitors in.
    pub(super) fn pump(&mut self) {
        if self.ready.as_mut().is_some_and(ReadyWatch::is_ready) {
            self.ready = None;
            self.status.say(&Report::Ready);
        }
        self.status.pump();
    }

    /// The process has ended.
    pub(super) fn end(&mut self, report: &Report) {
        // Whoever came at the last moment hears it too.
        self.status.pump();
        self.status.say(report);
    }
}
