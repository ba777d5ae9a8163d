//! The other gateways of an installation: a request of a SockJS session goes to the gateway that has it (PR2).
//!
//! A session stays where it began. A gateway that gets a request of one that it does not have asks the others, and passes
//! the request on to the one that has it, as it came: that one takes it for a request of the same visitor. What was passed
//! on is never passed on again. The hub tells every gateway who the others are.

mod ask;
mod channel;
mod pass;
mod serve;
pub mod way;
mod words;

use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};

use self::channel::Channel;
use self::way::Owners;
use crate::apps::wire::PeerGateway;
use crate::apps::{AppId, GatewayId};
use crate::hub::net::HubKey;

pub(super) use pass::pass;
pub(super) use serve::serve;

/// Connections that were not asked anything yet.
const STRANGERS: usize = 64;
/// Requests for which the others are asked at the same time.
const ASKING: usize = 64;

/// What a gateway has to know to find the others.
#[derive(Debug)]
pub struct PeersParts {
    /// The name of this gateway.
    pub own: GatewayId,
    /// Where the others come.
    pub listener: TcpListener,
    /// All gateways, as the hub tells.
    pub all: watch::Receiver<Vec<PeerGateway>>,
    /// The secret that all share.
    pub key: HubKey,
}

/// The other gateways.
#[derive(Debug)]
pub struct Peers {
    own: GatewayId,
    all: watch::Receiver<Vec<PeerGateway>>,
    channel: Channel,
    owners: Mutex<Owners>,
    strangers: Semaphore,
    asking: Semaphore,
}

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sought<'a> {
    pub(super) app: &'a AppId,
    /// The session; none for a WebSocket.
    pub(super) session: Option<&'a str>,
    /// The connection that outlives sessions.
    pub(super) line: Option<&'a str>,
}

impl Sought<'_> {
    /// What is remembered of it.
    fn key(&self) -> Option<(AppId, String)> {
        let name = self.line.or(self.session)?;
        Some((self.app.clone(), name.to_owned()))
    }
}

impl Peers {
    pub(super) fn new(parts: PeersParts) -> Result<(Self, TcpListener), rustls::Error> {
        let peers = Self {
            own: parts.own,
            all: parts.all,
            channel: Channel::new(&parts.key)?,
            owners: Mutex::default(),
            strangers: Semaphore::new(STRANGERS),
            asking: Semaphore::new(ASKING),
        };
        Ok((peers, parts.listener))
    }

    /// Waits until there is no other gateway.
    pub(super) async fn until_alone(&self) {
        let mut all = self.all.clone();
        let is_alone = |all: &Vec<PeerGateway>| all.iter().all(|one| one.gateway == self.own);
        // Where nobody tells any more, nobody is known.
        let _ended = all.wait_for(is_alone).await;
    }

    fn owners(&self) -> std::sync::MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
