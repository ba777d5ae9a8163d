//! The listener that only sends visitors to HTTPS.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::body::Body;
use super::peer::split;
use super::plain;
use super::shared::Shared;

/// Answers each request with its address at HTTPS.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let https = shared.options.https.as_ref();
    let port = https
        .and_then(|https| https.listen.first())
        .map_or(443, std::net::SocketAddr::port);
    let service = service_fn(move |request| async move { Ok::<_, Infallible>(answer(&request, port)) });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(shared.options.header_timeout)
        .max_header_size(shared.options.max_header_size)
        .keep_alive(false);
    let served = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        _ = served => {}
        () = shared.stages.ending.cancelled() => {}
    }
}

fn answer(request: &Request<Incoming>, port: u16) -> Response<Body> {
    let headers = request.headers();
    let host = headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok());
    let Some(host) = host.map(|host| split(host).0).filter(|host| !host.is_empty()) else {
        return plain::nothing(headers);
    };
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let port = if port == 443 {
        String::new()
    } else {
        format!(":{port}")
    };
    plain::elsewhere(&format!("https://{host}{port}{target}"), headers)
}
