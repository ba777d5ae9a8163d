//! What there is to be done about gateways: they are told of each other, and what one holds is gone through.

use super::State;
use crate::apps::wire::ToGateway;
use crate::apps::{App, GatewayId};

impl State {
    /// Tells all what is new of who there is. Before all had the time to greet, they know it better.
    pub(super) fn tell_peers(&mut self) {
        let peers = self.gateways.peers();
        if self.is_settled && peers != self.peers {
            self.gateways.send_all(&ToGateway::Peers(peers.clone()));
            self.peers = peers;
        }
    }

    /// Tells one gateway of all.
    pub(super) fn tell_peers_to(&mut self, gateway: &GatewayId) {
        if self.is_settled {
            self.gateways.send(gateway, ToGateway::Peers(self.peers.clone()));
        }
    }

    /// Does something to all applications of which a gateway holds something, or waits for.
    pub(super) fn touch_those(&mut self, gateway: &GatewayId, mut what: impl FnMut(&mut App)) {
        for (id, entry) in &mut self.apps {
            if entry.app.knows(gateway) {
                what(&mut entry.app);
                self.dirty.insert(id.clone());
            }
        }
    }
}
