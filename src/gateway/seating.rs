//! A seat at a process, and a connection to it.

use std::task::Poll;
use std::time::Duration;

use http::HeaderMap;
use tokio::time::Instant;

use super::backend::{Claim, NoSeat, Purpose, Seat, SessionClaim};
use super::cookie::Session;
use super::cookie_header;
use super::cookie_keys::random_id;
use super::login::now;
use super::notice::Notice;
use super::route::{Entry, Processes};
use super::runs_as;
use super::service::Visit;
use super::upstream::{self, ConnectError, Live, Stream};
use crate::telemetry::gateway::{ByWhy, Stage};
use crate::telemetry::starts::Start;
use crate::visitors::Tag;

/// Seats that are tried for one request, where processes do not take the connection: one that has just ended is still
/// offered until the hub knows.
const TRIES: u32 = 4;
/// Pause before the second; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a process may take to accept a connection, at least.
const ACCEPT: Duration = Duration::from_secs(10);

/// A seat at a process, and what it takes to use it.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) seat: Seat,
    pub(super) connection: Connection,
    /// The session, if the application has sessions.
    pub(super) session: Option<SessionClaim>,
    /// The start that was waited for.
    pub(super) start: Option<Start>,
}

/// What a request without a session of its own claims.
pub(super) fn session(
    visit: &Visit<'_>,
    entry: &Entry,
    processes: &Processes,
    headers: &HeaderMap,
) -> Option<SessionClaim> {
    if !processes.affinity {
        return None;
    }
    let keys = visit.shared().keys.keys();
    let lifetime = visit.shared().options.session_lifetime.as_secs();
    let visitor = tag(visit);
    let known = cookie_header::session(
        headers,
        &keys,
        &entry.route.app,
        visitor.as_ref(),
        now(),
        lifetime,
    );
    Some(match known {
        Some(Ok(session)) => SessionClaim {
            id: session.id,
            process: Some(session.process),
        },
        _ => SessionClaim {
            id: random_id().unwrap_or_default(),
            process: None,
        },
    })
}

/// Whose sessions the visitor's are: with another one's cookie nobody is seated in that one's session.
/// What a visitor's own things are marked with; nothing where nobody has logged in.
pub(super) fn tag(visit: &Visit<'_>) -> Option<Tag> {
    visit.visitor.as_ref().map(|visitor| visitor.tag())
}

/// The cookie that keeps the visitor with this seat's process, where its session begins here.
pub(super) fn cookie(
    visit: &Visit<'_>,
    entry: &Entry,
    seat: &Seat,
    session: Option<&SessionClaim>,
) -> Option<http::HeaderValue> {
    let session = session.filter(|_| seat.new_session)?;
    let session = Session {
        app: entry.route.app.clone(),
        process: seat.process.clone(),
        id: session.id,
        visitor: tag(visit),
        issued: now(),
    };
    let is_secure = visit.public.is_https || visit.shared().options.is_https_only;
    match visit.shared().keys.keys().sign(&session) {
        Ok(value) => cookie_header::set_cookie(&value, &entry.route.path, is_secure),
        Err(error) => {
            tracing::warn!(app = %entry.route.name, %error, "visitors can not be kept with a process");
            None
        }
    }
}

/// A connection to a process.
#[derive(Debug)]
pub(super) enum Connection {
    /// One that has rested.
    Rested(Box<Live>),
    /// A new one.
    New(Stream),
}

/// Takes seats until a process accepts a connection, or there is an idle one. A WebSocket gets one of its own.
pub(super) async fn seated(
    visit: &Visit<'_>,
    entry: &Entry,
    processes: &Processes,
    purpose: Purpose,
    session: Option<SessionClaim>,
) -> Result<Seated, Notice> {
    let account = runs_as::account(visit, processes).await?;
    let mut pause = PAUSE;
    let mut start = None;
    for tried in 1.. {
        let claim = Claim {
            app: entry.route.app.clone(),
            session: session.clone(),
            visitor: visit.visitor.clone(),
            account: account.clone(),
            purpose,
            patience: patience(visit, processes, purpose),
        };
        let seat = take(visit, entry, claim, &mut start).await;
        let seat = seat.map_err(|why| refused(visit, why))?;
        let begun = Instant::now();
        match connect(visit, &seat, processes, purpose).await {
            Ok(connection) => {
                visit.stage(start.as_ref(), Stage::Connected, begun.elapsed());
                return Ok(Seated {
                    seat,
                    connection,
                    session,
                    start,
                });
            }
            Err(ConnectError::Refused { .. }) if tried < TRIES => {
                drop(seat);
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error) => {
                let process = &seat.process;
                tracing::warn!(app = %entry.route.name, %process, %error, "a process takes no connection");
                return Err(match error {
                    ConnectError::Late(_) => Notice::Late,
                    _ => Notice::Broken,
                });
            }
        }
    }
    Err(Notice::Broken)
}

async fn connect(
    visit: &Visit<'_>,
    seat: &Seat,
    processes: &Processes,
    purpose: Purpose,
) -> Result<Connection, ConnectError> {
    if purpose != Purpose::Socket
        && let Some(live) = visit.worker.idle.take(&seat.process)
    {
        return Ok(Connection::Rested(live));
    }
    let until = Instant::now() + ACCEPT.max(processes.max_hold);
    upstream::connect(&seat.address, until).await.map(Connection::New)
}

/// How long a request may be held: a person sees a page after a moment, a program waits.
fn patience(visit: &Visit<'_>, processes: &Processes, purpose: Purpose) -> Duration {
    let most = match purpose {
        Purpose::Page => visit.shared().options.page_patience.min(processes.max_hold),
        Purpose::Request | Purpose::Socket => processes.max_hold,
    };
    most.saturating_sub(visit.begun.elapsed())
}

fn refused(visit: &Visit<'_>, why: NoSeat) -> Notice {
    let notice = Notice::from(why);
    let why = notice.word();
    visit.shared().metrics.no_seat.get_or_create(&ByWhy { why }).inc();
    notice
}

/// Takes a seat. Where it has to be waited for, a start is looked at.
async fn take(
    visit: &Visit<'_>,
    entry: &Entry,
    claim: Claim,
    start: &mut Option<Start>,
) -> Result<Seat, NoSeat> {
    let shared = visit.shared();
    let mut taking = shared.backend.take(claim);
    if let Poll::Ready(taken) = futures::poll!(&mut taking) {
        return taken;
    }
    let (routed, begun) = (visit.begun.elapsed(), Instant::now());
    let _held = Held::new(&shared.metrics.held);
    let taken = taking.await;
    if let Ok(seat) = &taken {
        let request = visit.id.to_str().unwrap_or_default();
        let is_first = start.is_none();
        let start = &*start.get_or_insert_with(|| Start::awaited(&entry.route.app, request));
        start.is_of(&seat.process);
        if is_first {
            visit.stage(Some(start), Stage::Route, routed);
        }
        visit.stage(Some(start), Stage::Seat, begun.elapsed());
    }
    taken
}

/// Counts a request that waits.
struct Held<'a>(&'a prometheus_client::metrics::gauge::Gauge);

impl<'a> Held<'a> {
    fn new(gauge: &'a prometheus_client::metrics::gauge::Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
