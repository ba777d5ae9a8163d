//! Requests that other gateways pass on.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::words::{self, Question, Reply};
use super::{Peers, Sought};
use crate::gateway::peer::Peer;
use crate::gateway::service;
use crate::gateway::shared::Worker;

/// Time for the other side to show that it knows the secret, and to ask.
const GREETING: Duration = Duration::from_secs(5);

/// Answers one gateway that asks, and the request that it passes on then.
pub(in crate::gateway) async fn serve(worker: Arc<Worker>, stream: TcpStream) {
    let shared = worker.shared.clone();
    let Some(peers) = &shared.peers else { return };
    // Who is turned away is asked again with the next request.
    let Ok(permit) = peers.strangers.try_acquire() else {
        return;
    };
    let greeted = timeout(GREETING, greet(peers, &worker, stream)).await;
    drop(permit);
    match greeted {
        Ok(Ok(Some((stream, peer)))) => tokio::select! {
            biased;
            () = http(&worker, Arc::new(peer), stream) => {}
            () = shared.stages.ending.cancelled() => {}
        },
        Ok(Ok(None)) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection of another gateway was refused"),
        Err(_) => tracing::debug!("another gateway asked for nothing in time"),
    }
}

async fn greet(
    peers: &Peers,
    worker: &Worker,
    stream: TcpStream,
) -> io::Result<Option<(TlsStream<TcpStream>, Peer)>> {
    let mut stream = peers.channel.accept(stream).await?;
    let question: Question = words::read(&mut stream).await?;
    let shared = &worker.shared;
    let sought = Sought {
        app: &question.app,
        session: question.session.as_deref(),
        line: question.line.as_deref(),
    };
    let has = question.to == peers.own && shared.lines.has(sought);
    words::write(&mut stream, &Reply { has }).await?;
    let mut peer = Peer::new(question.address, question.is_tls, &shared.options.trusted);
    peer.is_passed_on = true;
    Ok(has.then_some((stream, peer)))
}

/// One request, as if the visitor's connection ended here. It is answered while this gateway drains, too.
async fn http(worker: &Arc<Worker>, peer: Arc<Peer>, stream: TlsStream<TcpStream>) {
    let options = &worker.shared.options;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(options.header_timeout)
        .max_header_size(options.max_header_size)
        .max_buf_size(options.max_header_size.max(64 * 1024));
    let service = service_fn(|request| service::answer(worker.clone(), peer.clone(), request));
    // What goes wrong here, the other gateway sees.
    drop(
        builder
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
            .await,
    );
}
