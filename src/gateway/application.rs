//! A request that a process answers.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, SET_COOKIE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::backend::{Purpose, Seat};
use super::body::{Body, Cut, RequestBody};
use super::cookie_header;
use super::headers::{self, Telling};
use super::notice::{Notice, is_page};
use super::rewrite;
use super::route::{Entry, Processes};
use super::seating::{self, Connection};
use super::service::{Answered, Visit};
use super::sockjs;
use super::upstream::{self, Answer, Live, SendError};
use crate::telemetry::gateway::{Kind, Stage};
use crate::visitors::AccessRule;

/// Lets a process answer.
pub(super) async fn serve(
    visit: &Visit<'_>,
    entry: &Arc<Entry>,
    processes: &Processes,
    mut request: Request<Incoming>,
) -> Answered {
    let is_page = is_page(request.method(), request.headers());
    let purpose = if is_page { Purpose::Page } else { Purpose::Request };
    let session = seating::session(visit, entry, processes, request.headers());
    let seated = seating::seated(visit, entry, processes, purpose, session).await;
    let seated = match seated {
        Ok(seated) => seated,
        Err(notice) => return visit.notice(&notice, Some(entry), request.method(), request.headers()),
    };
    if is_page && processes.fallbacks.is_some() {
        // What is put into a page has to be put into its plain text.
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
    let cookie = seating::cookie(visit, entry, &seated.seat, seated.session.as_ref());
    let (method, asked) = (request.method().clone(), kept(request.headers()));
    let Some(request) = outgoing(visit, entry, processes, request) else {
        let sentence = "The address can not be understood.";
        return visit.refuse(entry, StatusCode::BAD_REQUEST, sentence, &asked);
    };
    let sent = Instant::now();
    let limit = processes.connection_timeout;
    match exchange(visit, &seated.seat, seated.connection, request, limit).await {
        Ok((response, live)) => {
            let start = seated.start.as_ref();
            visit.stage(start, Stage::FirstByte, sent.elapsed());
            visit.stage(start, Stage::Total, visit.begun.elapsed());
            let (mut parts, incoming) = response.into_parts();
            incoming_headers(visit, entry, processes, &mut parts.headers);
            if entry.route.access != AccessRule::All && !parts.headers.contains_key(CACHE_CONTROL) {
                parts
                    .headers
                    .insert(CACHE_CONTROL, HeaderValue::from_static("private"));
            }
            if let Some(cookie) = cookie {
                parts.headers.append(SET_COOKIE, cookie);
            }
            let idle = visit.worker.idle.clone();
            let answer = Answer::new(incoming, live, idle, seated.seat, limit);
            let response = Response::from_parts(parts, Body::process(Box::new(answer)));
            let response = match processes.fallbacks {
                Some(fallbacks) => sockjs::inject(response, entry, fallbacks, &method),
                None => response,
            };
            (Kind::Process, response)
        }
        Err(error) => failed(visit, entry, &seated.seat, &error, &method, &asked),
    }
}

/// The few fields that say in which form an answer of the gateway itself is wanted.
pub(super) fn kept(headers: &HeaderMap) -> HeaderMap {
    const NAMES: [HeaderName; 3] = [ACCEPT, ACCEPT_LANGUAGE, HeaderName::from_static("sec-fetch-mode")];
    let mut kept = HeaderMap::new();
    for name in &NAMES {
        if let Some(value) = headers.get(name) {
            kept.insert(name, value.clone());
        }
    }
    kept
}

/// The request as the process gets it; `None` where what is left of its address is none.
pub(super) fn outgoing(
    visit: &Visit<'_>,
    entry: &Entry,
    processes: &Processes,
    request: Request<Incoming>,
) -> Option<Request<RequestBody>> {
    let (mut parts, incoming) = request.into_parts();
    prepare(visit, entry, processes, &mut parts)?;
    let body = RequestBody::new(incoming, processes.read_timeout);
    Some(Request::from_parts(parts, body))
}

/// Makes the head of a request fit for the process; `None` as for [`outgoing`].
pub(super) fn prepare(
    visit: &Visit<'_>,
    entry: &Entry,
    processes: &Processes,
    parts: &mut Parts,
) -> Option<()> {
    let target = parts.uri.path_and_query()?.clone();
    let before = headers::way_before(visit.peer, &parts.headers);
    headers::clean(&mut parts.headers);
    visit.shared().door.hide(&mut parts.headers);
    cookie_header::forward(&mut parts.headers, |name| visit.shared().door.hides_cookie(name));
    let telling = Telling {
        peer: visit.peer,
        public: &visit.public,
        entry,
        target: target.as_str(),
        id: &visit.id,
        before,
        visitor: visit
            .visitor
            .as_deref()
            .map(|visitor| (visitor, processes.is_shiny)),
    };
    telling.put(&mut parts.headers);
    parts.uri = if processes.keeps_prefix {
        Uri::from(target)
    } else {
        let stripped = target.as_str().get(entry.route.path.len()..)?;
        Uri::from(PathAndQuery::try_from(stripped).ok()?)
    };
    parts.version = Version::HTTP_11;
    Some(())
}

/// Makes an answer's header fit for the visitor.
pub(super) fn incoming_headers(
    visit: &Visit<'_>,
    entry: &Entry,
    processes: &Processes,
    headers: &mut HeaderMap,
) {
    headers::clean_answer(headers);
    cookie_header::drop_set_cookie(headers, |name| visit.shared().door.hides_cookie(name));
    if !processes.keeps_prefix {
        rewrite::location(headers, entry, &visit.public, &visit.shared().routes);
    }
    if entry.route.host.is_none() {
        rewrite::cookies(headers, entry);
        headers::clean_shared(headers);
    }
}

/// Sends the request. One that went over a connection which the process had closed meanwhile is sent once more, if that
/// can do no harm.
pub(super) async fn exchange(
    visit: &Visit<'_>,
    seat: &Seat,
    connection: Connection,
    request: Request<RequestBody>,
    limit: Option<Duration>,
) -> Result<(Response<Incoming>, Box<Live>), SendError> {
    let (live, spare) = match connection {
        Connection::Rested(live) => (live, spare(&request)),
        Connection::New(stream) => (upstream::handshake(stream).await?, None),
    };
    let error = match upstream::send(live, request, limit).await {
        Ok(answered) => return Ok(answered),
        Err(error) => error,
    };
    let again = match (error, spare) {
        (SendError::Unsent(request), _) => *request,
        (SendError::Lost(_), Some(spare)) => spare,
        (error, _) => return Err(error),
    };
    visit.shared().metrics.retried.inc();
    let until = Instant::now() + Duration::from_secs(10);
    let stream = upstream::connect(&seat.address, until)
        .await
        .map_err(SendError::NotAgain)?;
    upstream::send(upstream::handshake(stream).await?, again, limit).await
}

/// The request once more, if sending it twice is the same as once.
fn spare(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    if !request.method().is_idempotent() || !request.body().is_empty() {
        return None;
    }
    let mut spare = Request::new(RequestBody::Empty);
    *spare.method_mut() = request.method().clone();
    *spare.uri_mut() = request.uri().clone();
    *spare.headers_mut() = request.headers().clone();
    Some(spare)
}

/// The answer where the process gave none.
pub(super) fn failed(
    visit: &Visit<'_>,
    entry: &Entry,
    seat: &Seat,
    error: &SendError,
    method: &Method,
    asked: &HeaderMap,
) -> Answered {
    let notice = match error {
        SendError::Silent(_) => Notice::Late,
        SendError::Lost(lost) => match lost.source().and_then(|source| source.downcast_ref::<Cut>()) {
            Some(Cut::VisitorSilent(_)) => {
                let sentence = "The request was not sent in time.";
                return visit.refuse(entry, StatusCode::REQUEST_TIMEOUT, sentence, asked);
            }
            Some(Cut::Visitor(_)) => {
                let sentence = "The request's body can not be read.";
                return visit.refuse(entry, StatusCode::BAD_REQUEST, sentence, asked);
            }
            _ => Notice::Broken,
        },
        _ => Notice::Broken,
    };
    tracing::warn!(app = %entry.route.name, process = %seat.process, %error, "a process did not answer");
    visit.notice(&notice, Some(entry), method, asked)
}
