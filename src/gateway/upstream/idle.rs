//! Connections that wait for the next request to their process. Each thread has its own.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::exchange::Live;
use crate::apps::ProcessId;

/// Idle connections kept of one process.
const MOST_OF_A_PROCESS: usize = 64;
/// How long a connection is kept idle: below the keep-alive time of every server that content runs on is not possible
/// (uvicorn closes after 5 s), so a closed one is found out when it is taken.
const LONGEST: Duration = Duration::from_secs(60);

/// Connections that wait.
#[derive(Debug, Default)]
pub struct Idle {
    of: Mutex<HashMap<ProcessId, Vec<Resting>>>,
}

#[derive(Debug)]
struct Resting {
    live: Box<Live>,
    since: Instant,
}

impl Idle {
    /// A connection to this process that is still open.
    pub fn take(&self, process: &ProcessId) -> Option<Box<Live>> {
        loop {
            let mut rested = {
                let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
                of.get_mut(process)?.pop()?
            };
            if rested.live.is_open() {
                return Some(rested.live);
            }
        }
    }

    /// Keeps a connection for the next request.
    pub fn put(&self, process: &ProcessId, live: Box<Live>) {
        let resting = Resting {
            live,
            since: Instant::now(),
        };
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(resting_there) = of.get_mut(process) {
            if resting_there.len() < MOST_OF_A_PROCESS {
                resting_there.push(resting);
            }
            return;
        }
        of.insert(process.clone(), vec![resting]);
    }

    /// Closes what has rested too long or was closed by the other side.
    pub fn sweep(&self) {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.retain(|_, resting| {
            resting.retain_mut(|resting| resting.since.elapsed() < LONGEST && resting.live.is_open());
            !resting.is_empty()
        });
    }

    /// How many wait.
    #[must_use]
    pub fn count(&self) -> usize {
        let of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        of.values().map(Vec::len).sum()
    }
}
