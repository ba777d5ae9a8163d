//! Which gateway may spend which seats (SC4).
//!
//! All seats that gateways have of a process are never more than the process has. A gateway that is alone has them all; among
//! several, each gets what it needs and some ahead, and gives back what another needs more.

use super::process::Share;
use super::{App, Scene, Step};
use crate::apps::{GatewayId, ProcessId};

/// What a gateway lacks.
struct Need<'a> {
    gateway: &'a GatewayId,
    /// Seats for those who wait.
    seats: u32,
    /// Whether it gets some ahead.
    ahead: bool,
}

impl App {
    /// Grants seats where there are any, and calls back what is granted and not needed.
    pub(super) fn share_out(&mut self, scene: &Scene<'_>, steps: &mut Vec<Step>) {
        self.recall_all(steps);
        let accepting = self.granting(scene);
        if accepting.is_empty() || scene.gateways.is_empty() {
            return;
        }
        if let [only] = scene.gateways {
            for id in &accepting {
                self.grant(id, only, u32::MAX, steps);
            }
        }
        let mut needs = self.needs(scene, &accepting);
        // First everybody's part of what there is, so that one gateway can not take all; then what is left.
        let room: u32 = accepting.iter().map(|id| self.room(id)).sum();
        let asking = needs.iter().filter(|need| need.seats > 0).count();
        let fair = room.div_ceil(u32::try_from(asking.max(1)).unwrap_or(u32::MAX));
        for most in [fair, u32::MAX] {
            for need in &mut needs {
                let given = self.grant_over(&accepting, need.gateway, need.seats.min(most), steps);
                need.seats -= given;
            }
        }
        for need in needs.iter().filter(|need| need.ahead && need.seats == 0) {
            self.grant_ahead(&accepting, need.gateway, scene.gateways.len(), steps);
        }
        let unmet = needs.iter().map(|need| need.seats).sum();
        self.recall_spare(&accepting, unmet, scene, steps);
    }

    /// Processes whose seats may be granted.
    fn granting(&self, scene: &Scene<'_>) -> Vec<ProcessId> {
        let mut ids = self
            .ids(|app, process| process.is_accepting() && !process.closing && app.is_known(process, scene));
        ids.sort_by_key(|id| {
            self.processes
                .get(id)
                .map(|process| (process.used(), process.granted()))
        });
        ids
    }

    fn needs<'a>(&self, scene: &Scene<'a>, accepting: &[ProcessId]) -> Vec<Need<'a>> {
        let of_gateway = |gateway: &'a GatewayId| {
            let waiting = self.waiting.get(gateway).copied().unwrap_or_default();
            let free = self.free_of(gateway, accepting);
            let is_active = waiting > 0 || self.uses(gateway, accepting);
            Need {
                gateway,
                seats: waiting.saturating_sub(free),
                ahead: is_active && free <= waiting,
            }
        };
        let mut needs: Vec<Need<'a>> = scene.gateways.iter().map(of_gateway).collect();
        needs.retain(|need| need.seats > 0 || need.ahead);
        needs
    }

    fn free_of(&self, gateway: &GatewayId, accepting: &[ProcessId]) -> u32 {
        accepting
            .iter()
            .filter_map(|id| self.processes.get(id)?.shares.get(gateway))
            .map(Share::free)
            .fold(0, u32::saturating_add)
    }

    fn uses(&self, gateway: &GatewayId, accepting: &[ProcessId]) -> bool {
        accepting
            .iter()
            .filter_map(|id| self.processes.get(id)?.shares.get(gateway))
            .any(|share| share.used > 0)
    }

    fn room(&self, id: &ProcessId) -> u32 {
        let most = self.spec.bounds.max_connections;
        self.processes.get(id).map_or(0, |process| process.room(most))
    }

    /// Grants up to so many seats, spread over processes; returns how many.
    fn grant_over(
        &mut self,
        accepting: &[ProcessId],
        gateway: &GatewayId,
        seats: u32,
        steps: &mut Vec<Step>,
    ) -> u32 {
        let mut left = seats;
        for (index, id) in accepting.iter().enumerate() {
            let others = u32::try_from(accepting.len() - index).unwrap_or(u32::MAX);
            left -= self.grant(id, gateway, left.div_ceil(others), steps);
        }
        for id in accepting {
            left -= self.grant(id, gateway, left, steps);
        }
        seats - left
    }

    /// Some seats for the next visitors, so that they need not wait for the hub.
    fn grant_ahead(
        &mut self,
        accepting: &[ProcessId],
        gateway: &GatewayId,
        gateways: usize,
        steps: &mut Vec<Step>,
    ) {
        let parts = u32::try_from(gateways.saturating_mul(2)).unwrap_or(u32::MAX);
        for id in accepting {
            let part = self.room(id).div_ceil(parts);
            self.grant(id, gateway, part, steps);
        }
    }

    fn grant(&mut self, id: &ProcessId, gateway: &GatewayId, most: u32, steps: &mut Vec<Step>) -> u32 {
        let seats = self.room(id).min(most);
        let Some(process) = self.processes.get_mut(id).filter(|_| seats > 0) else {
            return 0;
        };
        let used = process.used();
        let share = process.shares.entry(gateway.clone()).or_default();
        // Sessions beyond its seats would take the new ones; they count as taken already.
        let granted = seats + share.used.saturating_sub(share.granted);
        share.granted += granted;
        let others = u32::try_from(used - u64::from(share.used)).unwrap_or(u32::MAX);
        steps.push(Step::Grant {
            gateway: gateway.clone(),
            process: id.clone(),
            seats: granted,
            others,
        });
        seats
    }

    /// Calls back the seats of processes that are to end.
    fn recall_all(&mut self, steps: &mut Vec<Step>) {
        for (id, process) in self.processes.iter_mut().filter(|(_, process)| process.closing) {
            for (gateway, share) in &mut process.shares {
                let seats = share.granted.saturating_sub(share.recalled);
                recall(id, gateway, share, seats, steps);
            }
        }
    }

    /// Calls back seats that gateways have free, for others.
    fn recall_spare(
        &mut self,
        accepting: &[ProcessId],
        unmet: u32,
        scene: &Scene<'_>,
        steps: &mut Vec<Step>,
    ) {
        let called: u32 = accepting
            .iter()
            .filter_map(|id| self.processes.get(id))
            .flat_map(|process| process.shares.values())
            .map(|share| share.recalled)
            .fold(0, u32::saturating_add);
        let mut left = unmet.saturating_sub(called);
        for gateway in scene.gateways {
            let waiting = self.waiting.get(gateway).copied().unwrap_or_default();
            let mut spare = self.free_of(gateway, accepting).saturating_sub(waiting);
            for id in accepting {
                let seats = left.min(spare);
                let Some(share) = self
                    .processes
                    .get_mut(id)
                    .and_then(|process| process.shares.get_mut(gateway))
                else {
                    continue;
                };
                let seats = seats.min(share.free());
                recall(id, gateway, share, seats, steps);
                spare -= seats;
                left -= seats;
            }
        }
    }
}

fn recall(id: &ProcessId, gateway: &GatewayId, share: &mut Share, seats: u32, steps: &mut Vec<Step>) {
    if seats > 0 {
        share.recalled += seats;
        steps.push(Step::Recall {
            gateway: gateway.clone(),
            process: id.clone(),
            seats,
        });
    }
}
