//! Requests of pages that speak SockJS.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::address::{Address, Asks, Transport};
use super::answers;
use super::bridge::Bridge;
use super::elsewhere::{Seeks, elsewhere};
use super::form;
use super::framing::{Close, Frame, Framing};
use super::json;
use super::line::{Line, Owner, Rules};
use super::lines::{Caller, Joined, Session};
use super::receive::{Receiving, only};
use super::{Fallbacks, socket};
use crate::gateway::body::Body;
use crate::gateway::origin;
use crate::gateway::plain;
use crate::gateway::route::{Entry, Processes};
use crate::gateway::seating;
use crate::gateway::service::{Answered, Visit};
use crate::gateway::tunnel::Limits;
use crate::gateway::websocket;
use crate::telemetry::gateway::Kind;

/// Largest message of a page, and largest body with messages.
pub(super) const LARGEST: usize = 32 * 1024 * 1024;
/// How long an answer waits for the cookie that keeps the visitor with a process.
const COOKIE: Duration = Duration::from_millis(250);
/// A page says this of sessions that it has begun before: another gateway must not take them for new ones.
const KNOWN: &str = "known";

/// A request and what it is about.
struct Asked<'a> {
    visit: &'a Visit<'a>,
    entry: &'a Arc<Entry>,
    processes: &'a Processes,
    fallbacks: Fallbacks,
    address: Address<'a>,
}

/// Answers.
pub(in crate::gateway) async fn serve(
    visit: &Visit<'_>,
    entry: &Arc<Entry>,
    processes: &Processes,
    fallbacks: Fallbacks,
    address: Address<'_>,
    request: Request<Incoming>,
) -> Answered {
    let asked = Asked {
        visit,
        entry,
        processes,
        fallbacks,
        address,
    };
    if let Err(foreign) = origin::check(request.headers(), &visit.public) {
        let answer = plain::sentence(StatusCode::FORBIDDEN, &foreign.to_string(), request.headers());
        return (Kind::Gateway, answer);
    }
    let method = request.method().clone();
    let answer = match asked.address.asks.clone() {
        Asks::Unknown => plain::nothing(request.headers()),
        Asks::Session { transport, .. } if !fallbacks.protocols.need(transport) => {
            plain::nothing(request.headers())
        }
        Asks::Session { transport, .. } if websocket::asked(&request).is_some() => {
            if transport == Transport::Websocket {
                return (Kind::Socket, asked.to_line(request, transport).await);
            }
            plain::nothing(request.headers())
        }
        asks => {
            let methods = methods(&asks);
            if method == Method::OPTIONS {
                return (Kind::Gateway, answers::options(methods));
            }
            if !methods.split(", ").any(|other| other == method.as_str()) {
                return (Kind::Gateway, answers::only(methods));
            }
            match asks {
                Asks::Greeting => answers::greeting(),
                Asks::Info => answers::info(fallbacks.protocols),
                Asks::Frame => answers::frame(entry),
                Asks::Session { transport, .. } => {
                    return (Kind::Socket, asked.to_line(request, transport).await);
                }
                Asks::Unknown => plain::nothing(request.headers()),
            }
        }
    };
    (Kind::Gateway, answer)
}

/// By which something is asked for.
fn methods(asks: &Asks<'_>) -> &'static str {
    match asks {
        Asks::Session { transport, .. } => match transport {
            Transport::Websocket | Transport::Eventsource | Transport::Htmlfile | Transport::Jsonp => "GET",
            Transport::Xhr | Transport::XhrStreaming | Transport::XhrSend | Transport::JsonpSend => "POST",
        },
        _ => "GET, HEAD",
    }
}

/// What a page has put on a request to tell it from all others.
fn mark(query: &str) -> &str {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut marks = pairs.filter(|(key, mark)| *key == "m" && mark.len() <= 16);
    marks.next().map_or("", |(_, mark)| mark)
}

fn is_known(query: &str) -> bool {
    query.split('&').any(|pair| pair == KNOWN)
}

fn over() -> Response<Body> {
    answers::error(StatusCode::NOT_FOUND, "The session is over.")
}

impl<'a> Asked<'a> {
    fn caller(&'a self, headers: &HeaderMap, session: Option<&'a str>) -> Caller<'a> {
        let claim = seating::session(self.visit, self.entry, self.processes, headers);
        Caller {
            app: &self.entry.route.app,
            owner: Owner {
                // A number that was made for this request alone belongs to nobody.
                session: claim
                    .filter(|claim| claim.process.is_some())
                    .map(|claim| claim.id),
                visitor: seating::tag(self.visit),
            },
            line: self.address.line,
            session,
            rules: Rules {
                limits: Limits {
                    both: self.processes.connection_timeout,
                    visitor: self.processes.read_timeout,
                },
                reconnect: self.fallbacks.reconnect,
            },
        }
    }

    /// A session, found or made, and the cookie of a visitor who has none.
    async fn join(
        &self,
        caller: &Caller<'_>,
        headers: &HeaderMap,
    ) -> Result<(Session, Option<HeaderValue>), Close> {
        let shared = self.visit.shared();
        let Joined { session, is_new } = shared.lines.join(caller, shared.options.max_connections)?;
        let cookie = if is_new {
            self.bridge(&session.line, headers).await
        } else {
            None
        };
        Ok((session, cookie))
    }

    /// Lets a new line lead to a process.
    async fn bridge(&self, line: &Arc<Line>, headers: &HeaderMap) -> Option<HeaderValue> {
        let (sender, waiting) = oneshot::channel();
        let bridge = Bridge {
            worker: self.visit.worker.clone(),
            peer: self.visit.peer.clone(),
            public: self.visit.public.clone(),
            id: self.visit.id.clone(),
            visitor: self.visit.visitor.clone(),
            login: self.visit.login,
            entry: self.entry.clone(),
            processes: self.processes.clone(),
            headers: headers.clone(),
            path: format!("{}{}websocket/", self.entry.route.path, self.address.page),
            session: seating::session(self.visit, self.entry, self.processes, headers),
            cookie: Some(sender),
        };
        let tasks = &self.visit.shared().stages.tasks;
        tasks.spawn(Box::pin(bridge.run(line.clone())));
        timeout(COOKIE, waiting).await.ok()?.ok()
    }

    /// A request of a session, wherever that is.
    async fn to_line(&self, request: Request<Incoming>, transport: Transport) -> Response<Body> {
        let Asks::Session { session, .. } = self.address.asks else {
            return plain::nothing(request.headers());
        };
        let seeks = Seeks {
            app: &self.entry.route.app,
            line: self.address.line,
            session,
            transport,
            is_known: is_known(request.uri().query().unwrap_or_default()),
        };
        match elsewhere(self.visit, self.processes, seeks, request).await {
            Ok(answer) => answer,
            Err(request) if websocket::asked(&request).is_some() => self.socket(request).await,
            Err(request) => self.session(request, session, transport).await,
        }
    }

    /// One of the end points that are no WebSocket.
    async fn session(
        &self,
        request: Request<Incoming>,
        session: &str,
        transport: Transport,
    ) -> Response<Body> {
        match transport {
            Transport::Websocket => plain::sentence(
                StatusCode::BAD_REQUEST,
                "Can \"Upgrade\" only to \"WebSocket\".",
                request.headers(),
            ),
            Transport::XhrSend | Transport::JsonpSend => self.take(request, session, transport).await,
            _ => self.receive(&request, session, transport).await,
        }
    }

    /// The page receives.
    async fn receive(
        &self,
        request: &Request<Incoming>,
        session: &str,
        transport: Transport,
    ) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default();
        let framing = match Framing::of(transport, query) {
            Ok(framing) => framing,
            Err(error) => return answers::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        };
        let headers = request.headers();
        let caller = self.caller(headers, Some(session));
        let (joined, cookie) = match self.visit.shared().lines.session(&caller) {
            Some(known) => (Ok(known), None),
            None if is_known(query) => return plain::nothing(headers),
            None => match self.join(&caller, headers).await {
                Ok((session, cookie)) => (Ok(session), cookie),
                Err(close) => (Err(close), None),
            },
        };
        let begun = joined.and_then(|session| {
            let receiver = session.line.begin(session.ticket, mark(query))?;
            Ok(Receiving::new(session, receiver, framing.clone()))
        });
        let body = match begun {
            Ok(receiving) => Body::stream(receiving.boxed_unsync()),
            Err(close) => Body::full(only(&framing, &Frame::Close(close))),
        };
        let mut response = answers::received(&framing, body);
        if let Some(cookie) = cookie {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// The page sends.
    async fn take(&self, request: Request<Incoming>, session: &str, transport: Transport) -> Response<Body> {
        let caller = self.caller(request.headers(), Some(session));
        let Some(session) = self.visit.shared().lines.session(&caller) else {
            return plain::nothing(request.headers());
        };
        let is_form = transport == Transport::JsonpSend
            && (request.headers().get(CONTENT_TYPE))
                .is_some_and(|given| given.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        let again = session
            .line
            .open(session.ticket, mark(request.uri().query().unwrap_or_default()));
        if again.is_err() {
            return over();
        }
        let _turn = session.sending.lock().await;
        let body = Limited::new(request.into_body(), LARGEST).collect();
        let Ok(Ok(body)) = timeout(answers::PATIENCE, body).await else {
            return answers::error(StatusCode::BAD_REQUEST, "The messages can not be read.");
        };
        let body = body.to_bytes();
        let Ok(text) = std::str::from_utf8(&body) else {
            return answers::error(
                StatusCode::INTERNAL_SERVER_ERROR,
                &json::NoMessages::Broken.to_string(),
            );
        };
        let messages = if is_form {
            json::messages(&form::field(text, "d").unwrap_or_default())
        } else {
            json::messages(text)
        };
        let messages = match messages {
            Ok(messages) => messages,
            Err(error) => return answers::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        };
        for message in messages {
            if session.line.deliver(session.ticket, message).await.is_err() {
                return over();
            }
        }
        answers::taken(transport)
    }

    /// A WebSocket.
    async fn socket(&self, mut request: Request<Incoming>) -> Response<Body> {
        let Some(asked) = websocket::asked(&request) else {
            return plain::nothing(request.headers());
        };
        let key = request.headers().get("sec-websocket-key").cloned();
        let upgrade = hyper::upgrade::on(&mut request);
        let caller = self.caller(request.headers(), None);
        let joined = self.join(&caller, request.headers()).await;
        let begun = joined.and_then(|(session, cookie)| {
            let receiver = session.line.begin(session.ticket, "")?;
            Ok((session, receiver, cookie))
        });
        let tasks = &self.visit.shared().stages.tasks;
        let cookie = match begun {
            Ok((session, receiver, cookie)) => {
                tasks.spawn(Box::pin(socket::carry(upgrade, session, receiver)));
                cookie
            }
            Err(close) => {
                tasks.spawn(Box::pin(socket::refuse(upgrade, close)));
                None
            }
        };
        let mut response = answers::upgraded(asked, key.as_ref());
        if let Some(cookie) = cookie {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}
