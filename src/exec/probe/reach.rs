//! What can be reached: devices, sockets, the network, files that are nobody else's business.

use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Access;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Nobody on this machine takes longer to answer.
const TIME: Duration = Duration::from_secs(2);
/// Devices that every process may open.
const HARMLESS: [&str; 9] = [
    "null", "zero", "full", "random", "urandom", "tty", "ptmx", "console", "fuse",
];
/// Files and directories that are usually nobody else's business.
const PRIVATE: [&str; 10] = [
    "/root",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssl/private",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/ssh_host_rsa_key",
    "/var/spool/cron/crontabs",
    "/var/lib/kubelet",
];

/// Whether there is a terminal that could be typed into.
pub(super) fn terminal() -> bool {
    OpenOptions::new().read(true).write(true).open("/dev/tty").is_ok()
}

/// Devices that the account may open, by their rights alone: opening some of them does something to the machine.
pub(super) fn devices() -> Vec<String> {
    let mut open = vec![PathBuf::from("/dev")];
    let mut found = Vec::new();
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else {
                continue;
            };
            let may = |access| rustix::fs::access(&path, access).is_ok();
            let harmless = HARMLESS.iter().any(|name| entry.file_name() == *name);
            if kind.is_dir() && !path.ends_with("pts") {
                open.push(path);
            } else if kind.is_block_device() && may(Access::READ_OK)
                || kind.is_char_device() && !harmless && may(Access::WRITE_OK)
            {
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// Sockets that take a connection.
pub(super) fn answering(sockets: &[PathBuf]) -> Vec<PathBuf> {
    let answers =
        |path: &&PathBuf| SocketAddrUnix::new(path.as_path()).is_ok_and(|address| connects(&address));
    sockets.iter().filter(answers).cloned().collect()
}

pub(super) fn abstract_socket(name: &str) -> bool {
    SocketAddrUnix::new_abstract_name(name.as_bytes()).is_ok_and(|address| connects(&address))
}

/// Whether somebody takes the connection. Who has no room for one answers as well: it was the right that was asked for.
fn connects(address: &SocketAddrUnix) -> bool {
    [SocketType::STREAM, SocketType::SEQPACKET, SocketType::DGRAM]
        .into_iter()
        .any(|kind| {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None);
            let answer = socket.and_then(|socket| rustix::net::connect(&socket, address));
            matches!(answer, Ok(()) | Err(rustix::io::Errno::AGAIN))
        })
}

/// Whether a port of the machine's loopback answers.
pub(super) fn loopback(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, TIME).is_ok()
}

/// What of other people's can be read.
pub(super) fn readable(homes: &[PathBuf]) -> Vec<PathBuf> {
    let uid = rustix::process::geteuid().as_raw();
    let others = homes
        .iter()
        .filter(|home| fs::metadata(home).is_ok_and(|found| found.uid() != uid));
    let private = PRIVATE.iter().map(PathBuf::from);
    let all = private.chain(others.cloned());
    all.filter(|path| can_read(path)).collect()
}

fn can_read(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => fs::read_dir(path).is_ok(),
        Ok(_) => File::open(path).is_ok(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_is_told_from_who_does_not() {
        let place = tempfile::tempdir().unwrap();
        let (here, gone) = (place.path().join("here"), place.path().join("gone"));
        let listener = std::os::unix::net::UnixListener::bind(&here).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&gone).unwrap());
        assert_eq!(answering(&[here.clone(), gone]), [here]);
        drop(listener);
        let tcp = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        assert!(loopback(port));
        drop(tcp);
        assert!(!loopback(port));
    }
}
