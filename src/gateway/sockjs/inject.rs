//! Pages of Shiny get the client as the last of their head, as they pass through.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Bytes, Frame};

use super::Fallbacks;
use super::answers::element;
use super::insert::Insert;
use crate::gateway::body::{Body, Cut};
use crate::gateway::route::Entry;

/// Puts the client into an answer that is a page.
pub(in crate::gateway) fn inject(
    response: Response<Body>,
    entry: &Entry,
    fallbacks: Fallbacks,
    method: &Method,
) -> Response<Body> {
    if !is_page(response.status(), response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // It is longer now, and no part of it is at its place.
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(ACCEPT_RANGES);
    if *method == Method::HEAD {
        return Response::from_parts(parts, body);
    }
    let injected = Injected {
        body,
        insert: Some(Insert::new(element(entry, fallbacks))),
    };
    Response::from_parts(parts, Body::stream(injected.boxed_unsync()))
}

/// Whether a browser shows it as a page, and it can be read.
fn is_page(status: StatusCode, headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    let is_html = kind.is_some_and(|kind| {
        let name = kind.split(|byte| *byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"text/html")
    });
    let is_coded = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let is_download = headers.get(CONTENT_DISPOSITION).is_some_and(|disposition| {
        disposition
            .as_bytes()
            .to_ascii_lowercase()
            .starts_with(b"attachment")
    });
    status == StatusCode::OK && is_html && !is_coded && !is_download
}

struct Injected {
    body: Body,
    /// None once it is over.
    insert: Option<Insert>,
}

impl HttpBody for Injected {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(cut)) => return Poll::Ready(Some(Err(cut))),
                None => {
                    let rest = self
                        .insert
                        .take()
                        .map(Insert::end)
                        .filter(|rest| !rest.is_empty());
                    return Poll::Ready(rest.map(|rest| Ok(Frame::data(rest.into()))));
                }
            };
            let Some(insert) = &mut self.insert else {
                return Poll::Ready(Some(Ok(frame)));
            };
            let piece = match frame.into_data() {
                Ok(piece) => piece,
                Err(other) => return Poll::Ready(Some(Ok(other))),
            };
            if insert.is_done() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            let piece = insert.pass(&piece);
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.insert.is_none()
    }
}
