//! The way from a line to the process: an ordinary WebSocket, at a seat as any other.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, PRAGMA, RANGE,
};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::protocol::{Message as Wire, Role};

use super::framing::Close;
use super::line::{Ended, Line};
use super::numbered::Message;
use super::wire;
use crate::gateway::application::{exchange, prepare};
use crate::gateway::backend::{Purpose, Seat, SessionClaim};
use crate::gateway::body::RequestBody;
use crate::gateway::cookie_keys::random_id;
use crate::gateway::notice::Notice;
use crate::gateway::peer::{Peer, Public};
use crate::gateway::route::{Entry, Processes};
use crate::gateway::seating;
use crate::gateway::service::Visit;
use crate::gateway::shared::{Shared, Worker};
use crate::gateway::tunnel::End;
use crate::gateway::upstream::Stream;
use crate::gateway::websocket::{self, Asked};
use crate::telemetry::gateway::ByWhy;
use crate::visitors::{LoginId, Visitor};

/// How long an ended line is kept at least, for a page that asks why.
const LINGER: Duration = Duration::from_secs(5);
/// How long a last word may take.
const LAST_WORD: Duration = Duration::from_secs(2);
/// Largest message of a process.
const LARGEST: usize = 64 * 1024 * 1024;

/// Whom a line belongs to, and to what.
#[derive(Debug)]
pub(super) struct Bridge {
    pub(super) worker: Arc<Worker>,
    pub(super) peer: Arc<Peer>,
    pub(super) public: Public,
    pub(super) id: HeaderValue,
    pub(super) visitor: Option<Arc<Visitor>>,
    pub(super) login: Option<LoginId>,
    pub(super) entry: Arc<Entry>,
    pub(super) processes: Processes,
    /// The headers that the page came with.
    pub(super) headers: HeaderMap,
    /// The path of the process's WebSocket, as the visitor would see it.
    pub(super) path: String,
    pub(super) session: Option<SessionClaim>,
    /// The cookie that keeps the visitor with the process, as soon as there is one or none.
    pub(super) cookie: Option<oneshot::Sender<HeaderValue>>,
}

type Socket = WebSocketStream<Stream>;

impl Bridge {
    /// Works until the line is over and forgets it then.
    pub(super) async fn run(self, line: Arc<Line>) {
        let shared = self.worker.shared.clone();
        shared.metrics.tunnels.inc();
        let end = self.pass(&line).await;
        shared.metrics.tunnels.dec();
        let by = ByWhy { why: end.word() };
        shared.metrics.tunnel_ends.get_or_create(&by).inc();
        // A page that is on its way back is told why, unless it can not come.
        let stages = &shared.stages;
        tokio::select! {
            () = sleep(LINGER.max(line.rules.reconnect)) => {}
            () = async {
                stages.draining.cancelled().await;
                until_unreached(&shared).await;
                drop(timeout(LAST_WORD, line.until_unheard()).await);
            } => {}
        }
        shared.lines.forget(&line);
    }

    /// Passes messages on until either side ends.
    async fn pass(self, line: &Arc<Line>) -> End {
        let shared = self.worker.shared.clone();
        let stages = &shared.stages;
        let login = self.login;
        let mut talking = Box::pin(self.talk(line));
        let drained = async {
            stages.draining.cancelled().await;
            // Without new connections only a WebSocket goes on, and what other gateways pass on.
            let is_over = async {
                until_unreached(&shared).await;
                line.until_not_socket().await;
            };
            tokio::select! {
                () = is_over => Close::new(4702, "The server ends."),
                () = stages.ending.cancelled() => Close::new(1012, "The server restarts."),
            }
        };
        let (ended, is_closed) = tokio::select! {
            biased;
            ended = line.until_ended() => (ended, false),
            ended = &mut talking => (ended, true),
            close = drained => (Ended { close, end: End::Drained }, false),
            // Who has logged out is not served any more, wherever they are.
            () = shared.door.over(login) => {
                let close = Close::new(4700, "You have logged out.");
                (Ended { close, end: End::Drained }, false)
            }
        };
        line.finish(ended.close);
        if !is_closed {
            // The process gets what the page has said before.
            drop(timeout(LAST_WORD, talking).await);
        }
        ended.end
    }

    /// Connects with a process and passes messages on until it ends.
    async fn talk(self, line: &Arc<Line>) -> Ended {
        let by_process = |close| Ended {
            close,
            end: End::Process,
        };
        let (socket, seat) = match self.connect().await {
            Ok(connected) => connected,
            Err(close) => return by_process(close),
        };
        let (sink, stream) = socket.split();
        let close = tokio::select! {
            close = down(line, stream) => close,
            close = up(line, sink) => close,
        };
        drop(seat);
        by_process(close)
    }

    async fn connect(mut self) -> Result<(Socket, Seat), Close> {
        let worker = self.worker.clone();
        let visit = Visit {
            worker: &worker,
            peer: &self.peer,
            public: self.public.clone(),
            begun: std::time::Instant::now(),
            id: self.id.clone(),
            visitor: self.visitor.clone(),
            login: self.login,
        };
        let (entry, processes) = (self.entry.clone(), self.processes.clone());
        let seated = seating::seated(&visit, &entry, &processes, Purpose::Socket, self.session.take());
        let seated = seated.await.map_err(|notice| refused(&notice))?;
        let cookie = seating::cookie(&visit, &entry, &seated.seat, seated.session.as_ref());
        if let (Some(waiting), Some(cookie)) = (self.cookie.take(), cookie) {
            // Who does not wait any more gets it with the next page.
            drop(waiting.send(cookie));
        }
        self.cookie = None;
        let request = handshake(&visit, &entry, &processes, &self).ok_or_else(broken)?;
        let limit = processes.connection_timeout;
        let sent = exchange(&visit, &seated.seat, seated.connection, request, limit).await;
        let (response, live) = sent.map_err(|error| {
            tracing::warn!(app = %entry.route.name, process = %seated.seat.process, %error, "a process opens no WebSocket");
            broken()
        })?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let status = response.status().as_u16();
            tracing::warn!(app = %entry.route.name, process = %seated.seat.process, status, "a process opens no WebSocket");
            return Err(Close::new(4500, "The application opens no connection."));
        }
        drop(response);
        let (stream, first) = live.into_stream();
        let config = Some(wire::config(LARGEST));
        let socket = WebSocketStream::from_partially_read(stream, first.to_vec(), Role::Client, config).await;
        Ok((socket, seated.seat))
    }
}

/// Waits until no other gateway passes anything on.
async fn until_unreached(shared: &Shared) {
    if let Some(peers) = &shared.peers {
        tokio::select! {
            () = peers.until_alone() => {}
            () = shared.stages.ending.cancelled() => {}
        }
    }
}

fn broken() -> Close {
    Close::new(4503, "The application does not answer.")
}

fn refused(notice: &Notice) -> Close {
    match notice {
        Notice::Busy | Notice::QueueFull => Close::new(4501, "All places of the application are taken."),
        Notice::Closing => Close::new(4702, "The server ends."),
        Notice::Held(_) | Notice::NotFound => Close::new(4500, "The application may not run."),
        _ => Close::new(4503, "The application did not start."),
    }
}

/// The handshake with the process.
fn handshake(
    visit: &Visit<'_>,
    entry: &Entry,
    processes: &Processes,
    bridge: &Bridge,
) -> Option<Request<RequestBody>> {
    let mut request = Request::new(RequestBody::Empty);
    *request.uri_mut() = Uri::try_from(bridge.path.as_str()).ok()?;
    *request.headers_mut() = bridge.headers.clone();
    let headers = request.headers_mut();
    for name in [
        ACCEPT,
        ACCEPT_ENCODING,
        CACHE_CONTROL,
        CONTENT_ENCODING,
        CONTENT_LENGTH,
        CONTENT_TYPE,
        IF_MODIFIED_SINCE,
        IF_NONE_MATCH,
        PRAGMA,
        RANGE,
    ] {
        headers.remove(name);
    }
    for name in [
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "last-event-id",
    ] {
        headers.remove(name);
    }
    let (mut parts, body) = request.into_parts();
    prepare(visit, entry, processes, &mut parts)?;
    let mut request = Request::from_parts(parts, body);
    // With a key of our own, whatever the visitor came by.
    websocket::ask(&mut request, Asked::Connect, random_id().ok()?);
    Some(request)
}

/// From the process to the page.
async fn down(line: &Line, mut stream: SplitStream<Socket>) -> Close {
    loop {
        line.until_room().await;
        match stream.next().await {
            Some(Ok(Wire::Text(text))) => line.push(Message::Text(text.as_str().to_owned())),
            Some(Ok(Wire::Binary(bytes))) => line.push(Message::Binary(bytes.to_vec())),
            Some(Ok(Wire::Close(Some(frame)))) => {
                return Close::new(wire::code(frame.code.into()), frame.reason.as_str());
            }
            Some(Ok(Wire::Close(None))) => return Close::new(1000, ""),
            Some(Ok(_)) => {}
            Some(Err(SocketError::Capacity(_))) => {
                return Close::new(1009, "A message of the application is too large.");
            }
            None | Some(Err(_)) => return Close::new(4503, "The application has ended."),
        }
    }
}

/// From the page to the process.
async fn up(line: &Line, mut sink: SplitSink<Socket, Wire>) -> Close {
    while let Some(message) = line.take().await {
        let message = match message {
            Message::Text(text) => Wire::text(text),
            Message::Binary(bytes) => Wire::binary(bytes),
        };
        if sink.send(message).await.is_err() {
            // Why, the other direction says.
            return std::future::pending().await;
        }
    }
    drop(sink.close().await);
    Close::new(1001, "The page has gone.")
}
