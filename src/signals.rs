//! The signals that a program takes which serves until it is told to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The end.
    End,
    /// Files are to be read again: manifests, certificates, keys.
    Reload,
}

/// The signals.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    /// From now on they do not end the program by themselves.
    ///
    /// # Errors
    /// The system does not let them be taken.
    pub fn take() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until somebody asks for something.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::End,
            _ = self.interrupt.recv() => Asked::End,
            _ = self.reload.recv() => Asked::Reload,
        }
    }

    /// Waits until the end is asked for.
    pub async fn end(&mut self) {
        while self.next().await == Asked::Reload {}
    }
}
