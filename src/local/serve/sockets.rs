//! The sockets at which applications answer: made by the server, in a directory that nobody else can enter.

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::lock::numbered;
use crate::data::{DataDir, IoFailure, remove_contents};

/// Where they lie, below the data directory.
const DIRECTORY: &str = "run/apps";

/// The directory of sockets.
#[derive(Debug)]
pub struct Sockets {
    path: PathBuf,
    directory: OwnedFd,
}

/// One socket; its name goes when this is dropped.
#[derive(Debug)]
pub struct AppSocket {
    path: PathBuf,
    /// Where a gateway in this program connects to.
    pub address: PathBuf,
    /// What the process inherits.
    pub listener: Option<UnixListener>,
}

impl Sockets {
    /// Makes the directory of the server of this number, and removes what a killed one has left in it.
    ///
    /// # Errors
    /// It can not be made or emptied.
    pub fn open(data: &DataDir, server: usize) -> Result<Self, IoFailure> {
        let path = private(data, &numbered(DIRECTORY, server))?;
        remove_contents(&path)?;
        let directory = opened(&path)?;
        Ok(Self { path, directory })
    }

    /// Makes a socket that listens.
    ///
    /// # Errors
    /// It can not be made.
    pub fn make(&self, key: &str) -> Result<AppSocket, IoFailure> {
        let name = format!("{key}.sock");
        let path = self.path.join(&name);
        let fault = |source| IoFailure::new("listen at", &path, source);
        // An address of a socket is short; the path of a data directory may be long.
        let address = through(&self.directory, &name);
        let listener = UnixListener::bind(&address).map_err(fault)?;
        Ok(AppSocket {
            path,
            address,
            listener: Some(listener),
        })
    }
}

impl Drop for AppSocket {
    fn drop(&mut self) {
        // What stays is removed when the next server starts.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Makes a directory below the data directory that only the server can enter.
pub(super) fn private(data: &DataDir, relative: &str) -> Result<PathBuf, IoFailure> {
    let path = data.ensure(relative)?;
    let closed = std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700));
    closed.map_err(|source| IoFailure::new("set mode of", &path, source))?;
    Ok(path)
}

/// Opens a directory to name what lies in it.
pub(super) fn opened(path: &Path) -> Result<OwnedFd, IoFailure> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|error| IoFailure::new("open", path, error))
}

/// A short path, within this program, of what lies in an opened directory.
pub(super) fn through(directory: &OwnedFd, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_made_however_long_the_path_is_and_goes_with_its_process() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("x".repeat(120));
        let data = DataDir::open_or_make(&deep).unwrap();
        let sockets = Sockets::open(&data, 1).unwrap();
        let socket = sockets.make("0123456789abcdef").unwrap();
        std::os::unix::net::UnixStream::connect(&socket.address).unwrap();
        let mode = std::fs::metadata(deep.join(DIRECTORY))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(sockets.make("0123456789abcdef").is_err());
        drop(socket);
        let another = sockets.make("0123456789abcdef").unwrap();
        // As if the server was killed.
        std::mem::forget(another);
        Sockets::open(&data, 1).unwrap();
        assert_eq!(std::fs::read_dir(deep.join(DIRECTORY)).unwrap().count(), 0);
    }
}
