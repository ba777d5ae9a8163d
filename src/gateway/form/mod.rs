//! The parameters of a document, asked for below its address, and the results that are made with the answers (PK6). What the
//! document itself is served as stays as it is.

mod controls;
mod desk;
mod multipart;
mod page;
mod submit;
mod visitor;

use std::sync::Arc;
use std::time::Instant;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::backend::AppState;
use super::body::Body;
use super::pages::{self, Page, Place};
use super::plain;
use super::route::{Entry, Files};
use super::service::{Answered, Visit};
use super::watchers::STATE;
use crate::content::form::{Problem, Sent};
use crate::telemetry::gateway::Kind;

pub use crate::asked::{Line, LineState, Owner};
pub use desk::{Desk, Look, Refused};
pub use visitor::Browser;

/// Where the form is, below a document's path.
pub const PARAMETERS: &str = "/__offhost__/parameters";
/// Below it are the results of visitors, each by its id.
pub const VARIANTS: &str = "/__offhost__/variants";
/// What both lie below.
const RESERVED: &str = "/__offhost__";

/// Where a document's form is.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    /// The request.
    pub(super) visit: &'a Visit<'a>,
    /// The document.
    pub(super) entry: &'a Entry,
    /// Its form.
    pub(super) desk: &'a dyn Desk,
    /// Now, in seconds since 1970.
    pub(super) now: u64,
}

/// Answers a request for a form or for a result, if the path, below the document's, is one of theirs.
pub(super) async fn answer(
    visit: &Visit<'_>,
    entry: &Entry,
    files: &Arc<dyn Files>,
    request: Request<Incoming>,
) -> Result<Answered, Request<Incoming>> {
    let path = request.uri().path().to_owned();
    let below = &path[entry.route.path.len()..];
    let variant = below
        .strip_prefix(VARIANTS)
        .and_then(|rest| rest.strip_prefix('/'));
    if below != PARAMETERS && variant.is_none() {
        return Err(request);
    }
    let Some(desk) = files.desk() else {
        let sentence = "There is no form here: the document declares no parameters, or this server does not ask for them.";
        let headers = request.headers();
        return Ok((
            Kind::Gateway,
            plain::sentence(StatusCode::NOT_FOUND, sentence, headers),
        ));
    };
    let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0);
    let at = At {
        visit,
        entry,
        desk: &*desk,
        now,
    };
    Ok(match variant {
        Some(variant) => at.result(variant, request).await,
        None => match *request.method() {
            Method::GET | Method::HEAD => {
                let sent = Sent::untouched(at.desk.form(), &at.desk.today());
                (Kind::Gateway, at.shown(request.headers(), &sent, &[], None).await)
            }
            Method::POST => (Kind::Gateway, at.submit(request).await),
            _ => (Kind::Gateway, plain::only("GET, HEAD, POST", request.headers())),
        },
    })
}

impl At<'_> {
    fn path(&self, below: &str) -> String {
        format!("{}{below}", self.entry.route.path)
    }

    fn browser(&self, headers: &HeaderMap) -> Option<Browser> {
        let keys = self.visit.shared().keys.keys();
        Browser::of(headers, &keys, &self.entry.route.app, self.now)
    }

    /// Who asks: by name where it is known, else by browser.
    fn owner(&self, browser: Option<Browser>) -> Option<Owner> {
        match &self.visit.visitor {
            Some(visitor) => Some(match visitor.uid {
                Some(uid) => Owner::account(&visitor.user, uid),
                None => Owner::user(&visitor.user),
            }),
            None => browser.map(Browser::owner),
        }
    }

    /// The form, with what is wrong with what was sent.
    async fn shown(
        &self,
        headers: &HeaderMap,
        sent: &Sent,
        problems: &[Problem],
        fault: Option<&str>,
    ) -> Response<Body> {
        let failed = || pages::answer(headers, &self.place(), &Page::Internal).map(Body::from);
        let keys = self.visit.shared().keys.keys();
        let (app, now) = (&self.entry.route.app, self.now);
        let known = self.browser(headers);
        let Some(browser) = known.or_else(|| Browser::new().ok()) else {
            return failed();
        };
        let is_https = self.visit.public.is_https;
        let cookie = browser.cookie(&keys, app, now, &self.path(RESERVED), is_https);
        let (Some(cookie), Some(token)) = (cookie, browser.token(&keys, app, now)) else {
            return failed();
        };
        let results = match self.owner(known) {
            Some(owner) => self.desk.results(&owner).await,
            None => Some(Vec::new()),
        };
        let page = page::Shown {
            name: &self.entry.route.name,
            path: &self.entry.route.path,
            action: &self.path(PARAMETERS),
            results_at: &self.path(VARIANTS),
            form: self.desk.form(),
            sent,
            problems,
            fault,
            token: &token,
            days: self.desk.days(),
            results: results.as_deref(),
        };
        let mut answer = Response::new(Body::full(page.page()));
        if !problems.is_empty() || fault.is_some() {
            *answer.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        }
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(HeaderName::from_static("content-security-policy"), page::policy());
        headers.insert(
            HeaderName::from_static("x-content-type-options"),
            HeaderValue::from_static("nosniff"),
        );
        headers.insert(
            HeaderName::from_static("referrer-policy"),
            HeaderValue::from_static("same-origin"),
        );
        headers.insert(SET_COOKIE, cookie);
        answer
    }

    fn place(&self) -> Place<'_> {
        Place {
            name: &self.entry.route.name,
            path: &self.entry.route.path,
            request_id: self.visit.id.to_str().ok(),
        }
    }

    /// A result of this visitor, or that it is still being made. Nobody learns whether another's is there.
    async fn result(&self, variant: &str, request: Request<Incoming>) -> Answered {
        let (mut parts, _) = request.into_parts();
        let headers = &parts.headers;
        let nothing = |headers| (Kind::Gateway, plain::nothing(headers));
        let Some((id, rest)) = variant.split_once('/').or(Some((variant, ""))) else {
            return nothing(headers);
        };
        let owner = self.owner(self.browser(headers));
        let look = match &owner {
            Some(owner) => self.desk.look(owner, id).await,
            None => None,
        };
        let Some(look) = look else {
            return nothing(headers);
        };
        let place = self.path(&format!("{VARIANTS}/{id}"));
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return (Kind::Gateway, plain::only("GET, HEAD", headers));
        }
        if !variant.contains('/') {
            return (Kind::Gateway, plain::elsewhere(&format!("{place}/"), headers));
        }
        if format!("/{rest}") == STATE {
            return (Kind::Gateway, self.state(headers, look));
        }
        let form = self.path(PARAMETERS);
        match look {
            Look::Done(files) => {
                let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
                match target[place.len()..].parse() {
                    Ok(uri) => parts.uri = uri,
                    Err(_) => return nothing(&parts.headers),
                }
                let mut answer = files.answer(Request::from_parts(parts, ())).await;
                // No cache on the way may keep it for others.
                let private = HeaderValue::from_static("private, no-cache");
                answer.headers_mut().insert(CACHE_CONTROL, private);
                answer
                    .headers_mut()
                    .append(VARY, HeaderValue::from_static("Cookie"));
                (Kind::File, answer)
            }
            Look::Failed(failure) => (
                Kind::Gateway,
                self.told(
                    headers,
                    &place,
                    &Page::NotMade {
                        failure: &failure,
                        form: &form,
                    },
                ),
            ),
            Look::Untold => (Kind::Gateway, self.told(headers, &place, &Page::Untold)),
            Look::Waiting(state) => {
                let seconds = match &*state.borrow() {
                    AppState::Starting { since } => since.elapsed().as_secs(),
                    _ => 0,
                };
                (
                    Kind::Gateway,
                    self.told(headers, &place, &Page::Rendering { seconds }),
                )
            }
        }
    }

    fn told(&self, headers: &HeaderMap, path: &str, page: &Page<'_>) -> Response<Body> {
        let place = Place { path, ..self.place() };
        pages::answer(headers, &place, page).map(Body::from)
    }

    /// How a result is, for the page that waits for it.
    fn state(&self, headers: &HeaderMap, look: Look) -> Response<Body> {
        let state = match look {
            Look::Waiting(state) => state,
            Look::Done(_) => tokio::sync::watch::channel(AppState::Ready).1,
            // A page that waits for it goes on waiting.
            Look::Untold => {
                let since = Instant::now();
                tokio::sync::watch::channel(AppState::Starting { since }).1
            }
            Look::Failed(failure) => tokio::sync::watch::channel(AppState::Failed(failure)).1,
        };
        let shared = self.visit.shared();
        let closing = shared.stages.draining.clone();
        let answer = shared
            .watchers
            .answer(headers, &self.entry.route.app, state, closing);
        answer.map(Body::from)
    }
}
