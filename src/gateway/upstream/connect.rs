//! A new connection to a process.

use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags};
use thiserror::Error;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout_at};

use super::stream::Stream;
use crate::apps::Address;

/// Pause before a process that takes no more connections at present is asked again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Why there is no connection to a process.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Nothing listens, or not yet, or no more.
    #[error("no connection to {address}: {source}")]
    Refused {
        /// Where.
        address: String,
        /// The system's word.
        source: io::Error,
    },
    /// It took too long.
    #[error("no connection to {0} within the time there was")]
    Late(String),
    /// What lies in the process's directory is not its socket.
    #[error("{path} is not a socket of the account {uid}: {found}")]
    Foreign {
        /// The socket.
        path: String,
        /// Who should listen.
        uid: u32,
        /// What was found.
        found: String,
    },
}

/// Connects to a process, and waits while it has no room for another connection.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(address: &Address, until: Instant) -> Result<Stream, ConnectError> {
    let late = |_| ConnectError::Late(name(address));
    let refused = |source| ConnectError::Refused {
        address: name(address),
        source,
    };
    let connected = async {
        match address {
            Address::Tcp(to) => {
                let stream = TcpStream::connect(to).await.map_err(refused)?;
                stream.set_nodelay(true).map_err(refused)?;
                Ok(Stream::Tcp(stream))
            }
            Address::Unix(path) => unix(path).await.map(Stream::Unix).map_err(refused),
            Address::UnixOf { directory, name, uid } => {
                unix_of(directory, name, *uid).await.map(Stream::Unix)
            }
        }
    };
    timeout_at(until, connected).await.map_err(late)?
}

fn name(address: &Address) -> String {
    match address {
        Address::Tcp(to) => to.to_string(),
        Address::Unix(path) => path.display().to_string(),
        Address::UnixOf { directory, name, .. } => directory.join(name).display().to_string(),
    }
}

/// A Unix socket with a full backlog says so at once instead of letting the caller wait, as TCP does.
async fn unix(path: &Path) -> io::Result<UnixStream> {
    let mut pause = FIRST_PAUSE;
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            other => return other,
        }
    }
}

/// Connects to the socket with this name in a directory that content can write: neither through a link that lies there,
/// nor to a listener of another account.
async fn unix_of(directory: &Path, name: &str, uid: u32) -> Result<UnixStream, ConnectError> {
    let path = directory.join(name).display().to_string();
    let refused = |source| ConnectError::Refused {
        address: path.clone(),
        source,
    };
    let foreign = |found: String| ConnectError::Foreign {
        path: path.clone(),
        uid,
        found,
    };
    if name.is_empty() || name.contains('/') {
        return Err(foreign("a name with a slash".to_owned()));
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory, flags | OFlags::DIRECTORY, Mode::empty());
    let directory = directory.map_err(|error| refused(error.into()))?;
    let socket = rustix::fs::openat(&directory, name, flags, Mode::empty());
    let socket = socket.map_err(|error| refused(error.into()))?;
    let kind = rustix::fs::fstat(&socket).map_err(|error| refused(error.into()))?;
    if FileType::from_raw_mode(kind.st_mode) != FileType::Socket {
        return Err(foreign("it is no socket".to_owned()));
    }
    let opened = format!("/proc/self/fd/{}", socket.as_raw_fd());
    let stream = unix(Path::new(&opened)).await.map_err(refused)?;
    let peer = stream.peer_cred().map_err(refused)?;
    if peer.uid() != uid {
        return Err(foreign(format!("the account {} listens", peer.uid())));
    }
    Ok(stream)
}
