//! What the gateway answers to probes and scrapes: `/livez`, `/readyz`, `/metrics`.

use std::convert::Infallible;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::body::Body;
use super::plain;
use super::shared::Shared;

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Answers probes and scrapes.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let ending = shared.stages.ending.clone();
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(shared.options.header_timeout);
    let service = service_fn(move |request| {
        let answer = answer(&shared, &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        _ = served => {}
        () = ending.cancelled() => {}
    }
}

fn answer(shared: &Shared, request: &Request<Incoming>) -> Response<Body> {
    match request.uri().path() {
        "/livez" => Response::new(Body::full("ok\n")),
        "/readyz" if shared.stages.leaving.is_cancelled() => {
            let mut response = Response::new(Body::full("the gateway ends\n"));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
        "/readyz" => Response::new(Body::full("ok\n")),
        "/metrics" => {
            let mut response = Response::new(Body::full(shared.metrics.text()));
            response.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
            response
        }
        _ => plain::nothing(request.headers()),
    }
}
