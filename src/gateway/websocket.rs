//! The handshake of a WebSocket, as the visitor's and the process's versions of HTTP want it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::ext::Protocol;

use super::body::Body;

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// How a visitor asks for a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `Upgrade` of HTTP/1.1.
    Upgrade,
    /// `CONNECT` of HTTP/2 (RFC 8441).
    Connect,
}

/// Whether a request asks for a WebSocket, and how.
#[must_use]
pub fn asked<B>(request: &Request<B>) -> Option<Asked> {
    if request.version() == Version::HTTP_2 {
        let protocol = request.extensions().get::<Protocol>()?;
        let is_socket = *request.method() == Method::CONNECT && protocol.as_str() == "websocket";
        return is_socket.then_some(Asked::Connect);
    }
    let headers = request.headers();
    let is_socket = *request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && has_word(headers, &CONNECTION, "upgrade")
        && has_word(headers, &UPGRADE, "websocket");
    is_socket.then_some(Asked::Upgrade)
}

fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).into_iter();
    let words = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    words.map(str::trim).any(|other| other.eq_ignore_ascii_case(word))
}

/// Makes a cleaned request the handshake of HTTP/1.1 that a process understands.
pub fn ask<B>(request: &mut Request<B>, asked: Asked, key: u128) {
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
    if asked == Asked::Connect {
        // HTTP/2 has no key: it needs no proof that the other side understood.
        let key = STANDARD.encode(key.to_be_bytes());
        if let Ok(key) = HeaderValue::from_str(&key) {
            headers.insert(SEC_WEBSOCKET_KEY, key);
        }
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        headers.remove(CONTENT_LENGTH);
    }
}

/// The answer that opens the tunnel, from that of the process.
#[must_use]
pub fn opened(mut headers: HeaderMap, asked: Asked) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    match asked {
        Asked::Upgrade => {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(UPGRADE, WEBSOCKET);
        }
        Asked::Connect => {
            headers.remove(SEC_WEBSOCKET_ACCEPT);
            headers.remove(CONTENT_LENGTH);
        }
    }
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, method: Method, headers: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::builder().version(version).method(method).uri("/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    /// Proves: PR1 (L, P)
    #[test]
    fn a_websocket_is_told_from_what_is_none() {
        let both = [("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")];
        let old = Version::HTTP_11;
        assert_eq!(asked(&request(old, Method::GET, &both)), Some(Asked::Upgrade));
        assert_eq!(asked(&request(old, Method::POST, &both)), None);
        assert_eq!(asked(&request(Version::HTTP_10, Method::GET, &both)), None);
        assert_eq!(asked(&request(old, Method::GET, &both[1..])), None);
        assert_eq!(asked(&request(old, Method::GET, &both[..1])), None);
        let other = [("connection", "upgrade"), ("upgrade", "h2c")];
        assert_eq!(asked(&request(old, Method::GET, &other)), None);
        let mut connect = request(Version::HTTP_2, Method::CONNECT, &[]);
        assert_eq!(asked(&connect), None);
        connect
            .extensions_mut()
            .insert(Protocol::from_static("websocket"));
        assert_eq!(asked(&connect), Some(Asked::Connect));
    }
}
