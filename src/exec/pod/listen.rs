//! Listening sockets of a Pod: a port of every address, of both families where the node has both.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::exec::error::{Step, StepError};

/// Connections that wait while an application starts or is busy; the kernel lowers it to its own limit.
const BACKLOG: i32 = 4096;

/// A socket that listens at a port of every address. It is closed by exec.
pub(super) fn at_port(port: u16) -> Result<TcpListener, StepError> {
    let made = match listen((Ipv6Addr::UNSPECIFIED, port).into()) {
        // A node without IPv6.
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => listen((Ipv4Addr::UNSPECIFIED, port).into()),
        made => made,
    };
    made.step("listen", format!("port {port}"))
}

fn listen(address: SocketAddr) -> Result<TcpListener, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    // Connections of a process before this one may still be remembered.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    /// Proves: PK5 (P)
    #[test]
    fn both_families_are_answered() {
        let listener = at_port(0).unwrap();
        let address = listener.local_addr().unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, address.port())).unwrap();
        if address.is_ipv6() && TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, address.port())).unwrap();
        }
    }
}
