//! The socket by which `offhost apps` asks a running server how it is. Only the server's account can reach it.

use std::future::Future;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::time::timeout;

use super::lock::{MOST, numbered};
use super::report::ServerReport;
use super::sockets::{opened, private, through};
use crate::data::{DataDir, IoFailure};

/// Below the data directory.
const DIRECTORY: &str = "run/control";
const SOCKET: &str = "server.sock";
/// Time to take an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a server did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is none.
    #[error("no server works in {0}; start one with: offhost serve")]
    NoServer(PathBuf),
    /// Another account's.
    #[error("the server of {data_dir} can not be asked: {source}; ask as the account that it runs as")]
    Refused {
        /// The data directory.
        data_dir: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// What it said is not understood.
    #[error("the server of {data_dir} can not be understood: {problem}; is it of another version?")]
    Answer {
        /// The data directory.
        data_dir: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

/// The socket, listening.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    /// Keeps the directory that its address leads through.
    _directory: OwnedFd,
}

impl Control {
    /// Makes the socket, in the place of what a killed server has left. The server's lock is held.
    ///
    /// # Errors
    /// It can not be made.
    pub fn open(data: &DataDir, server: usize) -> Result<Self, IoFailure> {
        let path = private(data, &numbered(DIRECTORY, server))?;
        crate::data::remove_contents(&path)?;
        let directory = opened(&path)?;
        let address = through(&directory, SOCKET);
        let fault = |source| IoFailure::new("listen at", path.join(SOCKET), source);
        let listener = UnixListener::bind(&address).map_err(fault)?;
        std::fs::set_permissions(&address, std::fs::Permissions::from_mode(0o600)).map_err(fault)?;
        Ok(Self {
            listener,
            _directory: directory,
        })
    }

    /// Answers for as long as it is polled, each asker with what `report` gives then.
    pub async fn answer<F: Future<Output = ServerReport>>(&self, report: impl Fn() -> F) {
        loop {
            let Ok((mut stream, _)) = self.listener.accept().await else {
                // Out of descriptors: in a moment there may be some.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let text = serde_json::to_vec(&report().await).unwrap_or_default();
            tokio::spawn(async move {
                let _ = timeout(PATIENCE, stream.write_all(&text)).await;
            });
        }
    }
}

/// The first server that listens. Where several share a data directory each has a socket of its own.
fn connect(data: &DataDir) -> std::io::Result<std::os::unix::net::UnixStream> {
    let one = |server: usize| {
        let path = data.path(numbered(DIRECTORY, server));
        let directory = opened(&path).map_err(|failure| failure.source)?;
        std::os::unix::net::UnixStream::connect(through(&directory, SOCKET))
    };
    let first = one(1);
    let others =
        (2..=MOST).map_while(|server| data.path(numbered(DIRECTORY, server)).exists().then_some(server));
    first.or_else(|error| {
        others
            .into_iter()
            .find_map(|server| one(server).ok())
            .ok_or(error)
    })
}

/// Asks the server of a data directory.
///
/// # Errors
/// [`AskError`].
pub fn ask(data: &DataDir) -> Result<ServerReport, AskError> {
    let data_dir = data.root().to_owned();
    let refused = |source: std::io::Error| {
        use std::io::ErrorKind::{ConnectionRefused, NotFound};
        match source.kind() {
            NotFound | ConnectionRefused => AskError::NoServer(data_dir.clone()),
            _ => AskError::Refused {
                data_dir: data_dir.clone(),
                source,
            },
        }
    };
    let mut stream = connect(data).map_err(refused)?;
    let mut text = String::new();
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.flush())
        .and_then(|()| stream.read_to_string(&mut text))
        .map_err(refused)?;
    serde_json::from_str(&text).map_err(|error| AskError::Answer {
        data_dir: data_dir.clone(),
        problem: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_says_how_it_is_and_a_dead_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open_or_make(&dir.path().join("d".repeat(150))).unwrap();
        assert!(matches!(ask(&data), Err(AskError::NoServer(_))));
        let control = Control::open(&data, 1).unwrap();
        let report = || async {
            ServerReport {
                pid: 7,
                ..ServerReport::default()
            }
        };
        let asked = {
            let data = data.clone();
            tokio::task::spawn_blocking(move || ask(&data))
        };
        tokio::select! {
            () = control.answer(report) => {}
            answer = asked => assert_eq!(answer.unwrap().unwrap().pid, 7),
        }
        drop(control);
        let error = ask(&data).unwrap_err().to_string();
        assert!(error.starts_with("no server works in "), "{error}");
        Control::open(&data, 1).unwrap();
    }
}
