//! One server for a data directory, and nothing left of the one before.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};

use crate::data::{DataDir, IoFailure};

/// Name of the lock in the data directory.
const NAME: &str = ".serve.lock";
/// Servers that may share a data directory.
pub const MOST: usize = 64;
/// The processes of a server that was killed end with it, but not in the same moment.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(10);

/// Why this server can not work.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another one does.
    #[error(
        "another offhost serve works in {data_dir}{pid}; end that one first, give this one another Server.DataDir, or let both share their state by Database.Provider = postgres",
        data_dir = .data_dir.display(),
        pid = .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Taken {
        /// The data directory.
        data_dir: PathBuf,
        /// The other server.
        pid: Option<i32>,
    },
    /// The lock can not be made.
    #[error(transparent)]
    Io(#[from] IoFailure),
}

/// The lock. Each helper inherits it, so that it is free when the server and all its processes are gone.
#[derive(Clone, Debug)]
pub struct ServerLock {
    fd: Arc<OwnedFd>,
    /// Which of the servers of its data directory this is.
    pub number: usize,
}

impl ServerLock {
    /// Takes the lock, and waits where only processes of a server that was killed have it.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(data: &DataDir) -> Result<Self, LockError> {
        let path = data.path(NAME);
        let fault = |source: std::io::Error| IoFailure::new("lock", &path, source);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let fd =
            rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| fault(error.into()))?;
        let mut file = File::from(fd);
        let until = Instant::now() + PATIENCE;
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(fault(error.into()).into()),
            }
            let pid = written(&mut file);
            let lives = pid.is_some_and(is_alive);
            if lives || Instant::now() > until {
                let data_dir = data.root().to_owned();
                return Err(LockError::Taken { data_dir, pid });
            }
            std::thread::sleep(PAUSE);
        }
        write_own(&mut file).map_err(fault)?;
        Ok(Self {
            fd: Arc::new(file.into()),
            number: 1,
        })
    }

    /// Takes the first lock that is free, where several servers share the data directory.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take_one(data: &DataDir) -> Result<Self, LockError> {
        for number in 1..=MOST {
            let path = data.path(numbered(NAME, number));
            if let Some(mut file) = try_take(&path)? {
                write_own(&mut file).map_err(|source| IoFailure::new("write", &path, source))?;
                let fd = Arc::new(file.into());
                return Ok(Self { fd, number });
            }
        }
        let data_dir = data.root().to_owned();
        Err(LockError::Taken { data_dir, pid: None })
    }
}

/// The name of something of which each server of a data directory has its own.
#[must_use]
pub fn numbered(name: &str, number: usize) -> String {
    if number == 1 {
        return name.to_owned();
    }
    format!("{name}.{number}")
}

fn try_take(path: &std::path::Path) -> Result<Option<File>, LockError> {
    let fault = |source: std::io::Error| IoFailure::new("lock", path, source);
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let fd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|error| fault(error.into()))?;
    match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(File::from(fd))),
        Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(None),
        Err(error) => Err(fault(error.into()).into()),
    }
}

fn write_own(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

impl ServerLock {
    /// For the helpers, which hold it as well.
    #[must_use]
    pub fn fd(&self) -> Arc<OwnedFd> {
        self.fd.clone()
    }
}

/// The process that the lock's file names.
fn written(file: &mut File) -> Option<i32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Whether there is such a process; one that has ended and waits to be seen is none.
fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> (tempfile::TempDir, DataDir) {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open_or_make(&dir.path().join("data")).unwrap();
        (dir, data)
    }

    #[test]
    fn a_second_server_is_told_of_the_first() {
        let (_dir, data) = data();
        let first = ServerLock::take(&data).unwrap();
        let error = ServerLock::take(&data).unwrap_err().to_string();
        let own = format!("(process {})", std::process::id());
        assert!(
            error.contains(&own) && error.contains("Server.DataDir"),
            "{error}"
        );
        drop(first);
        ServerLock::take(&data).unwrap();
    }

    #[test]
    fn what_a_killed_server_left_running_is_waited_for() {
        let (_dir, data) = data();
        let first = ServerLock::take(&data).unwrap();
        // As if its server was gone and only a helper held the lock.
        std::fs::write(data.path(NAME), "2147483647\n").unwrap();
        let helper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            drop(first);
        });
        let began = Instant::now();
        ServerLock::take(&data).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(80));
        helper.join().unwrap();
    }
}
