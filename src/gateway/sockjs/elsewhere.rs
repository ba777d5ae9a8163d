//! Sessions that another gateway has.

use http::{Request, Response};
use hyper::body::Incoming;

use super::address::{LineName, Transport};
use crate::apps::AppId;
use crate::gateway::body::Body;
use crate::gateway::peers::way::Facts;
use crate::gateway::peers::{Sought, pass};
use crate::gateway::route::Processes;
use crate::gateway::service::Visit;

/// What a request names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seeks<'a> {
    pub(super) app: &'a AppId,
    pub(super) line: Option<LineName<'a>>,
    pub(super) session: &'a str,
    pub(super) transport: Transport,
    /// The page says that it has begun the session before.
    pub(super) is_known: bool,
}

impl<'a> Seeks<'a> {
    fn sought(self) -> Sought<'a> {
        // A WebSocket is its own session.
        let is_socket = self.transport == Transport::Websocket;
        Sought {
            app: self.app,
            session: (!is_socket).then_some(self.session),
            line: self.line.map(|line| line.id),
        }
    }

    /// Whether it can only begin something. Clients that name no line do not say so.
    fn is_new(self) -> bool {
        let may_begin =
            !matches!(self.transport, Transport::XhrSend | Transport::JsonpSend) && !self.is_known;
        let is_socket = self.transport == Transport::Websocket;
        may_begin && self.line.map_or(is_socket, |line| !line.is_back)
    }
}

/// Answers a request whose session another gateway has; gives it back where it is to be answered here.
pub(super) async fn elsewhere(
    visit: &Visit<'_>,
    processes: &Processes,
    seeks: Seeks<'_>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Request<Incoming>> {
    let shared = visit.shared();
    let Some(peers) = &shared.peers else {
        return Err(request);
    };
    let sought = seeks.sought();
    let facts = Facts {
        is_here: shared.lines.has(sought),
        is_passed_on: visit.peer.is_passed_on,
        is_new: seeks.is_new(),
    };
    match peers.find(facts, sought, visit.peer).await {
        Some(found) => Ok(pass(visit, processes, found, request).await),
        None => Err(request),
    }
}
