//! A WebSocket to a process.

use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use http::header::SET_COOKIE;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::application::{exchange, failed, incoming_headers, kept, outgoing};
use super::backend::Purpose;
use super::body::{Body, RequestBody};
use super::cookie_keys::random_id;
use super::origin;
use super::route::{Entry, Processes};
use super::seating;
use super::service::{Answered, Visit};
use super::tunnel::{self, Limits};
use super::upstream::Answer;
use super::websocket::{self, Asked};
use crate::telemetry::gateway::{ByWhy, Kind, Stage};

/// Opens a WebSocket, if a page of this host or a program asks for it.
pub(super) async fn serve(
    visit: &Visit<'_>,
    entry: &Arc<Entry>,
    processes: &Processes,
    asked: Asked,
    mut request: Request<Incoming>,
) -> Answered {
    if let Err(foreign) = origin::check(request.headers(), &visit.public) {
        let why = foreign.to_string();
        return visit.refuse(entry, StatusCode::FORBIDDEN, &why, request.headers());
    }
    let session = seating::session(visit, entry, processes, request.headers());
    let seated = seating::seated(visit, entry, processes, Purpose::Socket, session).await;
    let seated = match seated {
        Ok(seated) => seated,
        Err(notice) => return visit.notice(&notice, Some(entry), request.method(), request.headers()),
    };
    let cookie = seating::cookie(visit, entry, &seated.seat, seated.session.as_ref());
    let upgrade = hyper::upgrade::on(&mut request);
    let (method, kept) = (request.method().clone(), kept(request.headers()));
    let Some(mut request) = outgoing(visit, entry, processes, request) else {
        let sentence = "The address can not be understood.";
        return visit.refuse(entry, StatusCode::BAD_REQUEST, sentence, &kept);
    };
    *request.body_mut() = RequestBody::Empty;
    websocket::ask(&mut request, asked, random_id().unwrap_or_default());
    let limit = processes.connection_timeout;
    let asked_at = Instant::now();
    let sent = exchange(visit, &seated.seat, seated.connection, request, limit).await;
    let (response, live) = match sent {
        Ok(answered) => answered,
        Err(error) => return failed(visit, entry, &seated.seat, &error, &method, &kept),
    };
    let start = seated.start.as_ref();
    visit.stage(start, Stage::FirstByte, asked_at.elapsed());
    visit.stage(start, Stage::Total, visit.begun.elapsed());
    let (mut parts, incoming) = response.into_parts();
    incoming_headers(visit, entry, processes, &mut parts.headers);
    if let Some(cookie) = cookie {
        parts.headers.append(SET_COOKIE, cookie);
    }
    if parts.status != StatusCode::SWITCHING_PROTOCOLS {
        let answer = Answer::new(incoming, live, visit.worker.idle.clone(), seated.seat, limit);
        return (
            Kind::Process,
            Response::from_parts(parts, Body::process(Box::new(answer))),
        );
    }
    drop(incoming);
    let (stream, first) = live.into_stream();
    let limits = Limits {
        both: processes.connection_timeout,
        visitor: processes.read_timeout,
    };
    let shared = visit.shared().clone();
    let (ending, login) = (shared.stages.ending.child_token(), visit.login);
    let seat = seated.seat;
    let tracker = shared.stages.tasks.clone();
    tracker.spawn(async move {
        // A visitor who went away before the answer gets none.
        let Ok(upgraded) = upgrade.await else {
            return;
        };
        shared.metrics.tunnels.inc();
        let mut running = pin!(tunnel::run(upgraded, stream, first, limits, ending.clone()));
        let end = tokio::select! {
            end = &mut running => end,
            // Who has logged out is not served any more, wherever they are.
            () = shared.door.over(login) => {
                ending.cancel();
                running.await
            }
        };
        shared.metrics.tunnels.dec();
        shared
            .metrics
            .tunnel_ends
            .get_or_create(&ByWhy { why: end.word() })
            .inc();
        drop(seat);
    });
    (Kind::Socket, websocket::opened(parts.headers, asked))
}
