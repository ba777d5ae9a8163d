//! The gateways that the hub knows, and their links.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;

use tokio::sync::mpsc;

use super::LinkId;
use crate::apps::wire::{LOST, PeerGateway, Report, ToGateway};
use crate::apps::{GatewayId, Moment};

#[derive(Debug)]
struct Link {
    to: mpsc::Sender<ToGateway>,
    gateway: Option<GatewayId>,
}

/// A gateway that holds seats, or may.
#[derive(Debug)]
struct Known {
    link: Option<LinkId>,
    /// Where other gateways reach it.
    address: Option<SocketAddr>,
    heard: Moment,
    /// What it has told since its greeting began, until the greeting is complete.
    greeting: Vec<Report>,
    /// Whether its greeting is complete.
    is_told: bool,
    /// Whether it was told everything: only then does it get what is new.
    is_synced: bool,
}

#[derive(Debug, Default)]
pub(super) struct Gateways {
    links: HashMap<LinkId, Link>,
    known: BTreeMap<GatewayId, Known>,
    /// Gateways whose link ended, or was cut because they fell behind, and nobody was told yet.
    unlinked: BTreeSet<GatewayId>,
}

impl Gateways {
    pub(super) fn link(&mut self, link: LinkId, to: mpsc::Sender<ToGateway>) {
        self.links.insert(link, Link { to, gateway: None });
    }

    /// A link is over.
    pub(super) fn unlink(&mut self, link: LinkId) {
        let Some(gateway) = self.links.remove(&link).and_then(|link| link.gateway) else {
            return;
        };
        if let Some(known) = self.known.get_mut(&gateway)
            && known.link == Some(link)
        {
            known.link = None;
            known.is_synced = false;
            self.unlinked.insert(gateway);
        }
    }

    /// Ends a link.
    pub(super) fn cut(&mut self, link: LinkId) {
        self.unlink(link);
    }

    /// A gateway greets: an older link of it is over, and what that one said counts no more.
    pub(super) fn hello(
        &mut self,
        link: LinkId,
        gateway: GatewayId,
        address: Option<SocketAddr>,
        now: Moment,
    ) {
        let Some(own) = self.links.get_mut(&link) else {
            return;
        };
        own.gateway = Some(gateway.clone());
        let known = Known {
            link: Some(link),
            address,
            heard: now,
            greeting: Vec::new(),
            is_told: false,
            is_synced: false,
        };
        let old = self.known.insert(gateway, known).and_then(|known| known.link);
        if let Some(old) = old.filter(|old| *old != link) {
            self.links.remove(&old);
        }
    }

    /// The gateway that speaks on a link, if that is still its link. It lives.
    pub(super) fn speaker(&mut self, link: LinkId, now: Moment) -> Option<GatewayId> {
        let gateway = self.links.get(&link)?.gateway.clone()?;
        self.known.get_mut(&gateway)?.heard = now;
        Some(gateway)
    }

    pub(super) fn note_held(&mut self, gateway: &GatewayId, report: Report) {
        if let Some(known) = self.known.get_mut(gateway).filter(|known| !known.is_told) {
            known.greeting.push(report);
        }
    }

    pub(super) fn told(&mut self, gateway: &GatewayId) {
        if let Some(known) = self.known.get_mut(gateway) {
            known.is_told = true;
        }
    }

    /// Gateways whose greeting is complete and that were not answered yet.
    pub(super) fn to_sync(&self) -> Vec<GatewayId> {
        self.known
            .iter()
            .filter(|(_, known)| known.is_told && !known.is_synced && known.link.is_some())
            .map(|(gateway, _)| gateway.clone())
            .collect()
    }

    /// Takes the greeting of a gateway that is about to be told everything.
    pub(super) fn synced(&mut self, gateway: &GatewayId) -> Vec<Report> {
        // The end of an older link that nobody was told yet must not undo what this greeting says.
        self.unlinked.remove(gateway);
        self.known.get_mut(gateway).map_or_else(Vec::new, |known| {
            known.is_synced = true;
            std::mem::take(&mut known.greeting)
        })
    }

    /// Whether a gateway was told everything, so that its reports are understood.
    pub(super) fn is_synced(&self, gateway: &GatewayId) -> bool {
        self.known.get(gateway).is_some_and(|known| known.is_synced)
    }

    /// Whether all of these have told what they hold.
    pub(super) fn have_told(&self, all: &BTreeSet<GatewayId>) -> bool {
        all.iter()
            .all(|gateway| self.known.get(gateway).is_some_and(|known| known.is_told))
    }

    /// Gateways that get what is new.
    pub(super) fn connected(&self) -> Vec<GatewayId> {
        self.known
            .iter()
            .filter(|(_, known)| known.is_synced)
            .map(|(gateway, _)| gateway.clone())
            .collect()
    }

    /// All gateways that others reach, also those whose link is broken: only the hub does not hear them.
    pub(super) fn peers(&self) -> Vec<PeerGateway> {
        let known = self.known.iter();
        let peer = |(gateway, known): (&GatewayId, &Known)| {
            known.address.map(|address| PeerGateway {
                gateway: gateway.clone(),
                address,
            })
        };
        known.filter_map(peer).collect()
    }

    /// Where what a link is told goes, for answers that come later.
    pub(super) fn sender(&self, link: LinkId) -> Option<mpsc::Sender<ToGateway>> {
        self.links.get(&link).map(|link| link.to.clone())
    }

    /// Sends on a link; one that is full or over is cut.
    pub(super) fn answer(&mut self, link: LinkId, message: ToGateway) {
        let failed = self
            .links
            .get(&link)
            .is_some_and(|link| link.to.try_send(message).is_err());
        if failed {
            self.unlink(link);
        }
    }

    pub(super) fn send(&mut self, gateway: &GatewayId, message: ToGateway) {
        let known = self.known.get(gateway).filter(|known| known.is_synced);
        if let Some(link) = known.and_then(|known| known.link) {
            self.answer(link, message);
        }
    }

    pub(super) fn send_all(&mut self, message: &ToGateway) {
        for gateway in self.connected() {
            self.send(&gateway, message.clone());
        }
    }

    /// Gateways whose link is over since the last call.
    pub(super) fn take_unlinked(&mut self) -> BTreeSet<GatewayId> {
        std::mem::take(&mut self.unlinked)
    }

    /// When the first gateway is lost if it is not heard.
    pub(super) fn due(&self) -> Option<Moment> {
        self.known.values().map(|known| known.heard + LOST).min()
    }

    /// Takes out the gateways that were not heard for too long.
    pub(super) fn take_lost(&mut self, now: Moment) -> Vec<GatewayId> {
        let lost: Vec<GatewayId> = self
            .known
            .iter()
            .filter(|(_, known)| known.heard + LOST <= now)
            .map(|(gateway, _)| gateway.clone())
            .collect();
        for gateway in &lost {
            if let Some(link) = self.known.remove(gateway).and_then(|known| known.link) {
                self.links.remove(&link);
            }
            self.unlinked.remove(gateway);
        }
        lost
    }
}
