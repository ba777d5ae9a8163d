//! Passes a request on to the gateway that has its session, and its answer back, piece by piece.

use http::header::{EXPECT, HOST};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use super::ask::Found;
use crate::gateway::body::{Body, Cut, RequestBody};
use crate::gateway::cookie_keys::random_id;
use crate::gateway::headers::{self, REQUEST_ID};
use crate::gateway::plain;
use crate::gateway::route::Processes;
use crate::gateway::service::Visit;
use crate::gateway::websocket::{self, Asked};

/// Answers with what the other gateway answers.
pub(in crate::gateway) async fn pass(
    visit: &Visit<'_>,
    processes: &Processes,
    found: Found,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let asked = websocket::asked(&request);
    let upgrade = asked.map(|asked| (asked, hyper::upgrade::on(&mut request)));
    let kept = request.headers().clone();
    let gateway = found.gateway.gateway.clone();
    match exchange(visit, processes, found, asked, request).await {
        Ok(response) => answer(visit, response, upgrade),
        Err(error) => {
            tracing::warn!(%gateway, %error, "another gateway did not answer a request of its session");
            let sentence = "The gateway of this session does not answer; try again.";
            plain::sentence(StatusCode::BAD_GATEWAY, sentence, &kept)
        }
    }
}

async fn exchange(
    visit: &Visit<'_>,
    processes: &Processes,
    found: Found,
    asked: Option<Asked>,
    request: Request<Incoming>,
) -> hyper::Result<Response<Incoming>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(found.stream)).await?;
    tokio::spawn(connection.with_upgrades());
    sender
        .send_request(outgoing(visit, processes, asked, request))
        .await
}

/// The request as the other gateway gets it: as it came, but for what is between the visitor and this one alone.
fn outgoing(
    visit: &Visit<'_>,
    processes: &Processes,
    asked: Option<Asked>,
    request: Request<Incoming>,
) -> Request<RequestBody> {
    let (mut parts, incoming) = request.into_parts();
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    if let Some(host) = authority.and_then(|host| HeaderValue::from_str(host).ok()) {
        parts.headers.insert(HOST, host);
    }
    let target = parts.uri.path_and_query().cloned();
    parts.uri = Uri::from(target.unwrap_or_else(|| PathAndQuery::from_static("/")));
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    headers::clean_answer(&mut parts.headers);
    parts.headers.remove(EXPECT);
    parts.headers.insert(REQUEST_ID, visit.id.clone());
    let body = match asked {
        Some(_) => RequestBody::Empty,
        None => RequestBody::new(incoming, processes.read_timeout),
    };
    let mut request = Request::from_parts(parts, body);
    if let Some(asked) = asked {
        websocket::ask(&mut request, asked, random_id().unwrap_or_default());
    }
    request
}

fn answer(
    visit: &Visit<'_>,
    mut response: Response<Incoming>,
    upgrade: Option<(Asked, OnUpgrade)>,
) -> Response<Body> {
    let opened = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let there = hyper::upgrade::on(&mut response);
    let (mut parts, incoming) = response.into_parts();
    headers::clean_answer(&mut parts.headers);
    match upgrade {
        Some((asked, here)) if opened => {
            let ending = visit.shared().stages.ending.clone();
            visit.shared().stages.tasks.spawn(async move {
                tokio::select! {
                    () = tunnel(here, there) => {}
                    () = ending.cancelled() => {}
                }
            });
            websocket::opened(parts.headers, asked)
        }
        _ => Response::from_parts(parts, Body::stream(incoming.map_err(Cut::Process).boxed_unsync())),
    }
}

async fn tunnel(here: OnUpgrade, there: OnUpgrade) {
    if let Ok((here, there)) = tokio::try_join!(here, there) {
        let (mut here, mut there) = (TokioIo::new(here), TokioIo::new(there));
        // Whichever side breaks, the other one sees it.
        drop(copy_bidirectional(&mut here, &mut there).await);
    }
}
