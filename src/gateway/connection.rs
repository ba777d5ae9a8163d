//! One connection of a visitor: which protocol it speaks, and its requests until it ends.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::peer::Peer;
use super::service;
use super::shared::{Counted, Stages, Worker};

/// How HTTP/2 begins when nobody has asked for it.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Streams of one HTTP/2 connection.
const STREAMS: u32 = 200;
/// Bytes of a body that may be on their way on one stream, and on all of a connection.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How often an HTTP/2 connection is asked whether it lives.
const PING: Duration = Duration::from_secs(30);
/// A visitor who was turned away gets one line.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 10\r\n\
    Content-Length: 46\r\nConnection: close\r\n\r\nToo many connections; try again in 10 seconds.";

/// How a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// Serves a connection until it ends, or the gateway does.
pub(super) async fn serve(worker: Arc<Worker>, stream: TcpStream, address: SocketAddr, scheme: Scheme) {
    let shared = worker.shared.clone();
    let ending = shared.stages.ending.clone();
    let Some(_counted) = Counted::another(&shared) else {
        if scheme == Scheme::Http {
            turn_away(stream).await;
        }
        return;
    };
    let options = &shared.options;
    let peer = Arc::new(Peer::new(address, scheme == Scheme::Https, &options.trusted));
    let until = Instant::now() + options.header_timeout;
    let served = async {
        match scheme {
            Scheme::Http => match begun(&shared.stages, &stream, until).await {
                Some(true) => http2(&worker, &peer, TokioIo::new(stream)).await,
                Some(false) => http1(&worker, &peer, TokioIo::new(stream)).await,
                None => {}
            },
            Scheme::Https => {
                let Some(acceptor) = shared.tls.load_full() else {
                    return;
                };
                let Ok(Ok(stream)) = timeout_at(until, acceptor.0.accept(stream)).await else {
                    return;
                };
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let stream = TokioIo::new(stream);
                if is_http2 {
                    http2(&worker, &peer, stream).await;
                } else {
                    http1(&worker, &peer, stream).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = served => {}
        () = ending.cancelled() => {}
    }
}

/// Says why, and waits a moment, so that it is read before the connection ends.
async fn turn_away(mut stream: TcpStream) {
    let said = async {
        stream.write_all(FULL).await?;
        stream.shutdown().await
    };
    drop(timeout(Duration::from_secs(1), said).await);
}

/// As [`speaks_http2`]; a visitor who has said nothing yet is let go when the gateway drains.
async fn begun(stages: &Stages, stream: &TcpStream, until: Instant) -> Option<bool> {
    tokio::select! {
        biased;
        begun = speaks_http2(stream, until) => begun,
        () = stages.draining.cancelled() => None,
    }
}

/// Whether it begins as HTTP/2 does; `None` where nothing comes in time.
async fn speaks_http2(stream: &TcpStream, until: Instant) -> Option<bool> {
    let mut begin = [0; PREFACE.len()];
    loop {
        let peeked = timeout_at(until, stream.peek(&mut begin)).await;
        let seen = &begin[..peeked.ok()?.ok()?];
        if seen.is_empty() {
            return None;
        }
        if !PREFACE.starts_with(seen) {
            return Some(false);
        }
        if seen.len() == PREFACE.len() {
            return Some(true);
        }
        // What was peeked at stays, so that nothing tells when more has come.
        timeout_at(until, sleep(Duration::from_millis(5))).await.ok()?;
    }
}

async fn http1<I>(worker: &Arc<Worker>, peer: &Arc<Peer>, io: I)
where
    I: Read + Write + Unpin + Send + 'static,
{
    let options = &worker.shared.options;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_header_size(options.max_header_size)
        .max_buf_size(options.max_header_size.max(64 * 1024));
    let service = service_fn(|request| service::answer(worker.clone(), peer.clone(), request));
    let mut connection = pin!(builder.serve_connection(io, service).with_upgrades());
    let draining = worker.shared.stages.draining.cancelled();
    let served = until_drained(connection.as_mut(), draining).await;
    if !served {
        connection.as_mut().graceful_shutdown();
        drop(connection.await);
    }
}

async fn http2<I>(worker: &Arc<Worker>, peer: &Arc<Peer>, io: I)
where
    I: Read + Write + Unpin + Send + 'static,
{
    let options = &worker.shared.options;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let header = u32::try_from(options.max_header_size).unwrap_or(u32::MAX);
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(header)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING)
        .enable_connect_protocol();
    let (worker, peer) = (worker.clone(), peer.clone());
    let draining = worker.shared.clone();
    let draining = draining.stages.draining.cancelled();
    let service = service_fn(move |request| service::answer(worker.clone(), peer.clone(), request));
    let mut connection = pin!(builder.serve_connection(io, service));
    let served = until_drained(connection.as_mut(), draining).await;
    if !served {
        connection.as_mut().graceful_shutdown();
        drop(connection.await);
    }
}

/// Waits for the end of a connection, or the beginning of the gateway's; says whether it was the former.
async fn until_drained<T>(connection: impl Future<Output = T>, draining: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        _ = connection => true,
        () = draining => false,
    }
}
