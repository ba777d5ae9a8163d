//! What pages that speak SockJS are answered.

use std::time::Duration;

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Fallbacks;
use super::address::Transport;
use super::framing::Framing;
use super::protocols::Protocols;
use crate::gateway::body::Body;
use crate::gateway::cookie_keys::random_id;
use crate::gateway::route::Entry;
use crate::gateway::websocket::{self, Asked};

/// How long a body with messages may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Where the page's client is, below the application's path.
pub(in crate::gateway) const CLIENT: &str = "/__offhost__/shiny.js";

const NOTHING_KEPT: &str = "no-store, no-cache, no-transform, must-revalidate, max-age=0";
const TEXT: &str = "text/plain; charset=UTF-8";
const HTML: &str = "text/html; charset=UTF-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const KEPT: &str = "private, max-age=86400";

/// The page's client: the same file serves the page and the frames in it.
const SOURCE: &str = concat!(
    include_str!("client/transports.js"),
    include_str!("client/line.js"),
    include_str!("client/page.js")
);
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(SOURCE.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

fn answer(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut put =
        |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    put(CONTENT_TYPE, kind);
    put(CACHE_CONTROL, NOTHING_KEPT);
    put(X_CONTENT_TYPE_OPTIONS, "nosniff");
    // No page of another origin may read it, not as a script either.
    put(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    response
}

/// What went wrong.
pub(super) fn error(status: StatusCode, sentence: &str) -> Response<Body> {
    answer(status, TEXT, Body::full(sentence.to_owned()))
}

/// Somebody is here.
pub(super) fn greeting() -> Response<Body> {
    answer(StatusCode::OK, TEXT, Body::full("Welcome to SockJS!\n"))
}

/// What a client should know.
pub(super) fn info(protocols: Protocols) -> Response<Body> {
    let entropy = random_id().unwrap_or_default() & u128::from(u32::MAX);
    let websocket = protocols.has("websocket");
    let text = format!(
        "{{\"websocket\":{websocket},\"origins\":[\"*:*\"],\"cookie_needed\":true,\"entropy\":{entropy}}}"
    );
    answer(
        StatusCode::OK,
        "application/json; charset=UTF-8",
        Body::full(text),
    )
}

/// Which methods there are. Pages of other origins are told nothing, which is a refusal.
pub(super) fn options(methods: &'static str) -> Response<Body> {
    let mut response = answer(StatusCode::NO_CONTENT, TEXT, Body::empty());
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(methods));
    response.headers_mut().remove(CONTENT_TYPE);
    response
}

/// A method that is not answered here.
pub(super) fn only(methods: &'static str) -> Response<Body> {
    let mut response = options(methods);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

/// The address of the page's client.
fn client_address(entry: &Entry) -> String {
    format!("{}{CLIENT}?v={}", entry.route.path, *VERSION)
}

/// The page of a frame: it loads the client, which then does what the page around it asks.
pub(super) fn frame(entry: &Entry) -> Response<Body> {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"UTF-8\"><title>Connection</title>\n\
         <script src=\"{}\" data-frame></script></head><body></body></html>\n",
        client_address(entry)
    );
    let mut response = answer(StatusCode::OK, HTML, Body::full(page));
    framed(response.headers_mut());
    response
}

/// Only pages of this origin may have it as a frame.
fn framed(headers: &mut HeaderMap) {
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
}

/// An answer that a page receives by.
pub(super) fn received(framing: &Framing, body: Body) -> Response<Body> {
    let mut response = answer(StatusCode::OK, framing.content_type(), body);
    let headers = response.headers_mut();
    // Some reverse proxies collect an answer otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    if matches!(framing, Framing::Page(_)) {
        framed(headers);
        let policy = HeaderValue::from_static("default-src 'none'; script-src 'unsafe-inline'");
        headers.insert("content-security-policy", policy);
    }
    response
}

/// The messages have come.
pub(super) fn taken(transport: Transport) -> Response<Body> {
    if transport == Transport::JsonpSend {
        let mut response = answer(StatusCode::OK, TEXT, Body::full("ok"));
        framed(response.headers_mut());
        return response;
    }
    answer(StatusCode::NO_CONTENT, TEXT, Body::empty())
}

/// A WebSocket opens.
pub(super) fn upgraded(asked: Asked, key: Option<&HeaderValue>) -> Response<Body> {
    let mut headers = HeaderMap::new();
    let accept = key.map(|key| derive_accept_key(key.as_bytes()));
    if let Some(accept) = accept.and_then(|accept| HeaderValue::from_str(&accept).ok()) {
        headers.insert(http::header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    websocket::opened(headers, asked)
}

/// The page's client.
pub(in crate::gateway) fn client<B>(request: &Request<B>) -> Response<Body> {
    let tag = format!("\"{}\"", *VERSION);
    let is_known = request
        .headers()
        .get(IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let (status, body) = if is_known {
        (StatusCode::NOT_MODIFIED, Body::empty())
    } else {
        (StatusCode::OK, Body::full(SOURCE))
    };
    let mut response = answer(status, SCRIPT, body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(KEPT));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// What is put into a page so that it speaks with the gateway: a script and no code in the page itself, which a page's own
/// policy may forbid.
pub(super) fn element(entry: &Entry, fallbacks: Fallbacks) -> String {
    let protocols: Vec<_> = fallbacks.protocols.names().collect();
    format!(
        "<script src=\"{}\" data-protocols=\"{}\" data-reconnect=\"{}\"></script>\n",
        client_address(entry),
        protocols.join(" "),
        fallbacks.reconnect.as_millis()
    )
}
