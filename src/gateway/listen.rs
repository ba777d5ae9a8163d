//! Listening sockets, and the connections that come over them.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};

use super::connection::{self, Scheme};
use super::options::Options;
use super::shared::Worker;
use super::{admin, peers, redirect};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// After how long a silent connection is asked whether it lives, and how often until it counts as lost.
const ALIVE_AFTER: Duration = Duration::from_secs(60);
const ALIVE_EVERY: Duration = Duration::from_secs(15);
const ALIVE_TIMES: u32 = 4;
/// Pause where the system has no descriptor or memory for another connection.
const PAUSE: Duration = Duration::from_millis(50);

/// Why the gateway can not listen.
#[derive(Debug, Error)]
#[error(
    "can not listen on {address}: {source}; choose another address in '{setting}', or end what listens there"
)]
pub struct ListenError {
    address: SocketAddr,
    setting: &'static str,
    source: io::Error,
}

/// What a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Visitors(Scheme),
    Redirect,
    Admin,
    Peers,
}

impl Use {
    /// Whether it goes on while the gateway drains.
    pub(super) fn is_last(self) -> bool {
        matches!(self, Self::Admin | Self::Peers)
    }
}

/// A listening socket.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) socket: StdListener,
    pub(super) for_: Use,
    pub(super) address: SocketAddr,
}

/// Opens all that the options name.
pub(super) fn open(options: &Options) -> Result<Vec<Listener>, ListenError> {
    let https = options.https.iter().flat_map(|https| &https.listen);
    let all = [
        options
            .http
            .iter()
            .map(|at| (at, Use::Visitors(Scheme::Http), "HTTP.Listen"))
            .collect::<Vec<_>>(),
        https
            .map(|at| (at, Use::Visitors(Scheme::Https), "HTTPS.Listen"))
            .collect(),
        options
            .redirect
            .iter()
            .map(|at| (at, Use::Redirect, "HTTPRedirect.Listen"))
            .collect(),
        options
            .admin
            .iter()
            .map(|at| (at, Use::Admin, "Gateway.Admin"))
            .collect(),
    ];
    let open = |(address, for_, setting): (&SocketAddr, Use, &'static str)| {
        let failed = |source| ListenError {
            address: *address,
            setting,
            source,
        };
        let socket = bind(*address).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Listener {
            socket,
            for_,
            address,
        })
    };
    all.into_iter().flatten().map(open).collect()
}

fn bind(address: SocketAddr) -> io::Result<StdListener> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        // `:3939` means both, on a machine with IPv6.
        let only = !address.ip().is_unspecified();
        sockopt::set_ipv6_v6only(&socket, only)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Accepts connections until the gateway ends; those that wait by then are taken as well.
pub(super) async fn accept(worker: Arc<Worker>, listener: TcpListener, for_: Use) {
    let shared = worker.shared.clone();
    let stop = if for_.is_last() {
        shared.stages.ending.clone()
    } else {
        shared.stages.draining.clone()
    };
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => begin(&worker, stream, address, for_),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted; more open files may help (ulimit -n)");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    while let Some(Ok((stream, address))) = futures::FutureExt::now_or_never(listener.accept()) {
        begin(&worker, stream, address, for_);
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

fn begin(worker: &Arc<Worker>, stream: TcpStream, address: SocketAddr, for_: Use) {
    let shared = &worker.shared;
    if set_up(&stream, &shared.options).is_err() {
        // It is gone already.
        return;
    }
    let tasks = &shared.stages.tasks;
    match for_ {
        Use::Visitors(scheme) => {
            tasks.spawn(connection::serve(worker.clone(), stream, address, scheme));
        }
        Use::Redirect => {
            tasks.spawn(redirect::serve(shared.clone(), stream));
        }
        Use::Peers => {
            tasks.spawn(peers::serve(worker.clone(), stream));
        }
        Use::Admin => drop(tokio::spawn(admin::serve(shared.clone(), stream))),
    }
}

fn set_up(stream: &TcpStream, options: &Options) -> io::Result<()> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, ALIVE_AFTER)?;
    sockopt::set_tcp_keepintvl(stream, ALIVE_EVERY)?;
    sockopt::set_tcp_keepcnt(stream, ALIVE_TIMES)?;
    let lost = u32::try_from(options.write_timeout.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, lost)?;
    Ok(())
}
