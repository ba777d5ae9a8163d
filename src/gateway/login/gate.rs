//! Before anything else answers: who is it, and may they see it?

use http::header::{CACHE_CONTROL, LOCATION, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use super::{Door, Known, NotKnown};
use crate::gateway::body::Body;
use crate::gateway::notice::is_page;
use crate::gateway::pages::{self, Page, Place};
use crate::gateway::peer::{Peer, Public};
use crate::gateway::plain;
use crate::gateway::route::Entry;
use crate::gateway::service::{Answered, Visit};
use crate::gateway::shared::Shared;
use crate::gateway::websocket;
use crate::telemetry::gateway::{ByWhy, Kind};
use crate::visitors::{Verdict, login_address};

/// Who asks; an answer where that can not be told.
pub(in crate::gateway) async fn identify(
    shared: &Shared,
    peer: &Peer,
    public: &Public,
    headers: &HeaderMap,
) -> Result<Option<Known>, Response<Body>> {
    if matches!(shared.door, Door::Open) {
        return Ok(None);
    }
    let keys = shared.keys.keys();
    shared
        .door
        .who(&keys, peer, public, headers)
        .await
        .map_err(|error| match error {
            NotKnown::Proxy(refused) => {
                tracing::warn!(address = %peer.address.ip(), "a request is refused: {refused}");
                plain::sentence(
                    StatusCode::BAD_REQUEST,
                    "The proxy does not say clearly who you are.",
                    headers,
                )
            }
            error @ (NotKnown::Store(_) | NotKnown::Account(_)) => {
                tracing::error!("{error}");
                plain::sentence(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "It can not be told at the moment whether you are logged in; try again in a while.",
                    headers,
                )
            }
        })
}

/// What is said to who may not see an application; none to who may.
pub(in crate::gateway) fn refuse<B>(
    visit: &Visit<'_>,
    entry: &Entry,
    request: &Request<B>,
) -> Option<Answered> {
    let verdict = entry.route.access.allows(visit.visitor.as_deref());
    let answer = match verdict {
        Verdict::Allowed => return None,
        Verdict::LogIn => log_in(visit, entry, request),
        Verdict::Forbidden => forbidden(visit, entry, request.headers()),
    };
    let why = if verdict == Verdict::LogIn {
        "not_logged_in"
    } else {
        "forbidden"
    };
    let refused = &visit.shared().metrics.access_refused;
    refused.get_or_create(&ByWhy { why }).inc();
    Some((Kind::Gateway, answer))
}

/// A browser is sent to the page to log in; a program is told.
fn log_in<B>(visit: &Visit<'_>, entry: &Entry, request: &Request<B>) -> Response<Body> {
    let has_page = matches!(visit.shared().door, Door::Page(_));
    let headers = request.headers();
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let is_person = is_page(request.method(), headers) && websocket::asked(request).is_none();
    if has_page && is_person {
        return see(&login_address(target));
    }
    // What was sent is lost, and the application's own page is where to begin again.
    let target = if *request.method() == Method::GET {
        target
    } else {
        entry.route.path.as_str()
    };
    let address = has_page.then(|| login_address(target));
    let page = Page::NotLoggedIn {
        log_in: address.as_deref(),
    };
    let mut answer = pages::answer(headers, &place(visit, entry), &page).map(Body::from);
    answer.headers_mut().insert(WWW_AUTHENTICATE, challenge(has_page));
    answer
}

/// How a program could log in: it could not, but an answer has to say something.
pub(super) fn challenge(has_page: bool) -> HeaderValue {
    HeaderValue::from_static(if has_page {
        "Cookie realm=\"offhost\", form-action=\"/__offhost__/login\", cookie-name=\"offhost-login\""
    } else {
        "Cookie realm=\"offhost\""
    })
}

fn forbidden(visit: &Visit<'_>, entry: &Entry, headers: &HeaderMap) -> Response<Body> {
    let user = visit.visitor.as_ref().map_or("", |visitor| &visitor.user);
    let page = Page::Forbidden {
        user,
        can_log_out: matches!(visit.shared().door, Door::Page(_)),
    };
    pages::answer(headers, &place(visit, entry), &page).map(Body::from)
}

fn place<'a>(visit: &'a Visit<'_>, entry: &'a Entry) -> Place<'a> {
    Place {
        // The name of what somebody may not see is none of their business.
        name: "",
        path: &entry.route.path,
        request_id: visit.id.to_str().ok(),
    }
}

/// Sends the visitor to another page, which is got and not posted to.
pub(super) fn see(address: &str) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let headers = answer.headers_mut();
    if let Ok(address) = HeaderValue::from_str(address) {
        headers.insert(LOCATION, address);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("Cookie"));
    answer
}
