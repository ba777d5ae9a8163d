//! One request: who asks, what is meant, what answers.

use std::borrow::Cow;
use std::cell::Cell;
use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CACHE_CONTROL, STRICT_TRANSPORT_SECURITY, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::access::{Finish, Record};
use super::application;
use super::body::Body;
use super::form;
use super::headers::REQUEST_ID;
use super::login;
use super::notice::{Asked, Notice};
use super::pages::{self, Page, Place};
use super::peer::{Peer, Public, split};
use super::plain;
use super::route::{Entry, Serves};
use super::routes::Found;
use super::shared::{Shared, Worker};
use super::sockets;
use super::sockjs;
use super::state;
use super::websocket;
use crate::telemetry::gateway::{Kind, Stage};
use crate::telemetry::starts::Start;
use crate::visitors::{AccessRule, LoginId, Visitor};

/// Browsers come encrypted for 30 days from each answer on.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=2592000");

/// A request with all that is known of it.
#[derive(Debug)]
pub struct Visit<'a> {
    /// What its thread has.
    pub worker: &'a Arc<Worker>,
    /// The connection.
    pub peer: &'a Arc<Peer>,
    /// How the visitor sees the gateway.
    pub public: Public,
    /// When it came.
    pub begun: Instant,
    /// Its name.
    pub id: HeaderValue,
    /// Who asks; nobody who is known when empty.
    pub visitor: Option<Arc<Visitor>>,
    /// The log-in, where it was made here.
    pub login: Option<LoginId>,
}

/// What answered, and with what.
pub(super) type Answered = (Kind, Response<Body>);

impl Visit<'_> {
    /// What all threads share.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.worker.shared
    }

    /// Says something, as a page to a person and in a line to a program.
    pub(super) fn notice(
        &self,
        notice: &Notice,
        entry: Option<&Entry>,
        method: &Method,
        headers: &HeaderMap,
    ) -> Answered {
        let asked = Asked {
            entry,
            method,
            headers,
            id: &self.id,
        };
        (Kind::Gateway, self.shared().pages.page(notice, &asked))
    }

    /// A stage of a start that was waited for is over: it is measured, and told in its trace.
    pub(super) fn stage(&self, start: Option<&Start>, stage: Stage, spent: Duration) {
        if let Some(start) = start {
            self.shared().metrics.stage(stage, spent);
            start.stage(stage.word(), spent);
        }
    }

    /// Says in one sentence why a request to an application is not answered as it is.
    pub(super) fn refuse(
        &self,
        entry: &Entry,
        status: StatusCode,
        message: &str,
        headers: &HeaderMap,
    ) -> Answered {
        let place = Place {
            name: &entry.route.name,
            path: &entry.route.path,
            request_id: self.id.to_str().ok(),
        };
        let page = Page::Refused { status, message };
        (
            Kind::Gateway,
            pages::answer(headers, &place, &page).map(Body::from),
        )
    }
}

/// Answers a request.
///
/// # Errors
/// None: whatever goes wrong has an answer.
pub async fn answer(
    worker: Arc<Worker>,
    peer: Arc<Peer>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let begun = Instant::now();
    let shared = worker.shared.clone();
    let Ok(public) = Public::of(&peer, &request, &shared.options.trusted) else {
        let sentence = "The request does not name one host.";
        return Ok(plain::sentence(
            StatusCode::BAD_REQUEST,
            sentence,
            request.headers(),
        ));
    };
    let id = request_id(request.headers());
    // What is passed on was written down where it came in.
    let record = (shared.sink.is_on() && !peer.is_passed_on).then(|| Record {
        visitor: public.visitor,
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        version: request.version(),
        host: public.host.clone(),
        agent: request.headers().get(USER_AGENT).cloned(),
        id: id.clone(),
    });
    let (is_https, mut logged_in) = (public.is_https, None);
    let (entry, (kind, mut response)) =
        match login::identify(&shared, &peer, &public, request.headers()).await {
            Ok(known) => {
                let (visitor, login) = known.map(|known| (known.visitor, known.login)).unzip();
                logged_in = login.flatten();
                let visit = Visit {
                    worker: &worker,
                    peer: &peer,
                    public,
                    begun,
                    id: id.clone(),
                    visitor,
                    login: logged_in,
                };
                find(&visit, request).await
            }
            Err(answer) => (None, (Kind::Gateway, answer)),
        };
    response.headers_mut().insert(REQUEST_ID, id);
    if shared.options.is_https_only && is_https {
        response
            .headers_mut()
            .insert(STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
    let status = response.status().as_u16();
    let mut finish = Finish::new(begun, kind, status, shared.sink.clone(), shared.metrics.clone());
    if let Some(record) = record {
        finish.record(record, entry.map(|entry| entry.route.name.clone()));
    }
    response.body_mut().on_end(Box::new(finish));
    if let Some(login) = logged_in {
        let body = response.body_mut();
        body.cut_when(async move { shared.door.over_later(login).await });
    }
    Ok(response)
}

/// Finds what is meant.
async fn find(visit: &Visit<'_>, request: Request<Incoming>) -> (Option<Arc<Entry>>, Answered) {
    let headers = request.headers();
    let is_connect = *request.method() == Method::CONNECT && websocket::asked(&request).is_none();
    if is_connect || *request.method() == Method::TRACE {
        let methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
        return (None, (Kind::Gateway, plain::only(methods, headers)));
    }
    let request = match login::serve(visit, request).await {
        Ok(answer) => return (None, (Kind::Gateway, answer)),
        Err(request) => request,
    };
    let headers = request.headers();
    let host = split(visit.public.host()).0;
    let host: Cow<'_, str> = if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        host.to_ascii_lowercase().into()
    } else {
        host.into()
    };
    let path = request.uri().path();
    let elsewhere = |host: &str, path: &str| {
        let query = request
            .uri()
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        (
            Kind::Gateway,
            plain::elsewhere(&format!("{host}{path}{query}"), headers),
        )
    };
    match visit.shared().routes.find(&host, path) {
        Found::Route(entry) => {
            let answered = route(visit, &entry, request).await;
            (Some(entry), answered)
        }
        Found::Slash(entry) => {
            let answered = elsewhere("", &format!("{}/", entry.route.path));
            (Some(entry), answered)
        }
        Found::OtherHost(entry) => {
            let own = entry.route.host.as_deref().unwrap_or_default();
            let port = split(visit.public.host())
                .1
                .map_or(String::new(), |port| format!(":{port}"));
            let host = format!("{}://{own}{port}", visit.public.scheme());
            let path = if path == entry.route.path {
                format!("{path}/")
            } else {
                path.to_owned()
            };
            let answered = elsewhere(&host, &path);
            (Some(entry), answered)
        }
        Found::Nothing => (
            None,
            visit.notice(&Notice::NotFound, None, request.method(), headers),
        ),
    }
}

/// Lets the application answer.
async fn route(visit: &Visit<'_>, entry: &Arc<Entry>, request: Request<Incoming>) -> Answered {
    if let Some(refused) = login::refuse(visit, entry, &request) {
        return refused;
    }
    let below = &request.uri().path()[entry.route.path.len()..];
    let fallbacks = match &entry.route.serves {
        Serves::Processes(processes) => processes.fallbacks.map(|fallbacks| (processes, fallbacks)),
        _ => None,
    };
    if let Some((processes, fallbacks)) = fallbacks {
        if below == sockjs::CLIENT {
            return (Kind::Gateway, sockjs::client(&request));
        }
        let below = below.to_owned();
        if let Some(address) = sockjs::address::parse(&below) {
            return sockjs::serve(visit, entry, processes, fallbacks, address, request).await;
        }
    }
    if state::is_asked(below) {
        return reserved(visit, entry, request).await;
    }
    match &entry.route.serves {
        Serves::Held(failure) => {
            let notice = Notice::Held(failure.clone());
            visit.notice(&notice, Some(entry), request.method(), request.headers())
        }
        Serves::Files(files) => {
            let (mut parts, _) = request.into_parts();
            let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
            match target[entry.route.path.len()..].parse() {
                Ok(uri) => parts.uri = uri,
                Err(_) => return visit.notice(&Notice::NotFound, Some(entry), &parts.method, &parts.headers),
            }
            let mut answer = files.answer(Request::from_parts(parts, ())).await;
            if entry.route.access != AccessRule::All {
                // Caches between here and the visitor are not to keep it for others.
                answer
                    .headers_mut()
                    .insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
            }
            (Kind::File, answer)
        }
        Serves::Processes(processes) => match websocket::asked(&request) {
            Some(asked) => sockets::serve(visit, entry, processes, asked, request).await,
            None => application::serve(visit, entry, processes, request).await,
        },
    }
}

/// Answers below the part of an application's path that is the gateway's.
async fn reserved(visit: &Visit<'_>, entry: &Arc<Entry>, request: Request<Incoming>) -> Answered {
    let request = match &entry.route.serves {
        Serves::Files(files) => match form::answer(visit, entry, files, request).await {
            Ok(answered) => return answered,
            Err(request) => request,
        },
        Serves::Processes(_) | Serves::Held(_) => request,
    };
    (Kind::Gateway, state::answer(visit, entry, &request).await)
}

/// The name of a request: the visitor's own, if it is one that can stand in a log, or a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_fine = |value: &&HeaderValue| {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        (8..=64).contains(&value.len()) && value.as_bytes().iter().all(is_part)
    };
    if let Some(given) = headers.get(REQUEST_ID).filter(is_fine) {
        return given.clone();
    }
    let number = next_number();
    HeaderValue::from_str(&format!("{number:032x}")).expect("hexadecimal digits are fine")
}

thread_local! {
    /// Makes numbers that no other thread or gateway makes, without a call of the system for each. They are no secrets.
    static NUMBERS: (RandomState, RandomState, Cell<u64>) = (RandomState::new(), RandomState::new(), Cell::new(0));
}

fn next_number() -> u128 {
    NUMBERS.with(|(high, low, count)| {
        count.set(count.get() + 1);
        let (high, low) = (high.hash_one(count.get()), low.hash_one(count.get()));
        u128::from(high) << 64 | u128::from(low)
    })
}
