//! What happens to an application.

use super::process::{Phase, Process, Share};
use super::{App, Moment, Trouble};
use crate::apps::wire::{Report, SeatUse};
use crate::apps::{Address, AppSpec, Deployment, Failure, GatewayId, ProcessId};
use crate::reason::Reason;

impl App {
    /// It is to be otherwise. A new deployment forgets the failures of the old one.
    pub fn set_spec(&mut self, spec: AppSpec) {
        let was_held = self.spec.held.is_some();
        if spec.deployment != self.spec.deployment || (was_held && spec.held.is_none()) {
            self.trouble = Trouble::default();
        }
        self.spec = spec;
    }

    /// A process from before this hub is there, with its address if it is ready.
    pub fn adopt(
        &mut self,
        id: ProcessId,
        deployment: Deployment,
        address: Option<Address>,
        now: Moment,
    ) -> bool {
        if self.has(&id) {
            return false;
        }
        let mut process = Process::starting(deployment, now);
        process.fresh = false;
        if address.is_some() {
            process.phase = Phase::Ready;
            process.address = address;
        }
        self.processes.insert(id, process);
        true
    }

    /// A process waits for a place to run in, or has got it: its time to get ready counts from then.
    pub fn placed(&mut self, id: &ProcessId, waits: bool, now: Moment) {
        if let Some(process) = self.processes.get_mut(id)
            && std::mem::replace(&mut process.waits, waits)
            && !waits
        {
            process.begun = now;
        }
    }

    /// A process answers. Whether that is news.
    pub fn ready(&mut self, id: &ProcessId, address: Address, now: Moment) -> bool {
        let current = &self.spec.deployment;
        let Some(process) = self.processes.get_mut(id) else {
            return false;
        };
        if process.phase != Phase::Starting {
            return false;
        }
        process.phase = Phase::Ready;
        process.address = Some(address);
        process.ready_at = now;
        process.last_seat = now;
        if process.deployment == *current {
            self.trouble.ready();
        }
        true
    }

    /// A process is gone, or never came to be. Whether gateways have to forget it.
    pub fn gone(&mut self, id: &ProcessId, failure: Option<Failure>, now: Moment) -> bool {
        let Some(process) = self.processes.remove(id) else {
            return false;
        };
        if process.phase == Phase::Ending {
            // Whoever ended it may know better why it was not ready.
            if let Some(failure) = failure {
                self.trouble.explain(failure);
            }
            return false;
        }
        if self.is_current(&process) {
            let lasted = match process.phase {
                Phase::Ready => now.saturating_sub(process.ready_at),
                Phase::Starting | Phase::Ending => Moment::ZERO,
            };
            let failure = failure.unwrap_or_else(|| ended_by_itself(id));
            self.trouble.note(failure, process.begun, lasted, now);
        }
        process.phase == Phase::Ready
    }

    /// A gateway tells of demand and use.
    pub fn report(&mut self, gateway: &GatewayId, report: &Report, now: Moment) {
        self.set_waiting(gateway, report.waiting);
        if report.waiting > 0 || !report.uses.is_empty() {
            self.last_use = Some(now);
        }
        for told in &report.uses {
            let Some(process) = self.answering(&told.process) else {
                continue;
            };
            process.last_seat = now;
            let share = process.shares.entry(gateway.clone()).or_default();
            share.used = told.used;
            share.sessions = told.sessions;
            forget_empty(process, gateway);
        }
    }

    /// A gateway gives back seats.
    pub fn returned(&mut self, gateway: &GatewayId, id: &ProcessId, seats: u32, answered: u32) {
        let Some(process) = self.answering(id) else {
            return;
        };
        if let Some(share) = process.shares.get_mut(gateway) {
            share.granted = share.granted.saturating_sub(seats);
            share.recalled = share.recalled.saturating_sub(answered);
        }
        forget_empty(process, gateway);
    }

    /// A gateway has told everything that it holds, in place of what was known of it.
    pub fn hello(&mut self, gateway: &GatewayId, report: Option<&Report>, now: Moment) {
        self.forget_seats(gateway, now);
        self.set_waiting(gateway, report.map_or(0, |report| report.waiting));
        for told in report.into_iter().flat_map(|report| &report.uses) {
            self.hold(gateway, told, now);
        }
    }

    /// What a gateway holds at a process.
    pub fn hold(&mut self, gateway: &GatewayId, told: &SeatUse, now: Moment) {
        let Some(process) = self.answering(&told.process) else {
            return;
        };
        let share = Share {
            granted: told.granted,
            recalled: 0,
            used: told.used,
            sessions: told.sessions,
        };
        if told.used > 0 {
            process.last_seat = now;
        }
        process.shares.insert(gateway.clone(), share);
        forget_empty(process, gateway);
    }

    /// A gateway can not be told anything at present: nothing is started for those who wait there.
    pub fn unlink(&mut self, gateway: &GatewayId) {
        self.waiting.remove(gateway);
    }

    /// A gateway is lost: its seats are free again.
    pub fn forget(&mut self, gateway: &GatewayId, now: Moment) {
        self.unlink(gateway);
        self.forget_seats(gateway, now);
    }

    /// Whether a gateway holds something of it, or waits for it.
    #[must_use]
    pub fn knows(&self, gateway: &GatewayId) -> bool {
        self.waiting.contains_key(gateway)
            || self
                .processes
                .values()
                .any(|process| process.shares.contains_key(gateway))
    }

    fn forget_seats(&mut self, gateway: &GatewayId, now: Moment) {
        for process in self.processes.values_mut() {
            if process.shares.remove(gateway).is_some_and(|share| share.used > 0) {
                process.last_seat = now;
            }
        }
    }

    fn set_waiting(&mut self, gateway: &GatewayId, waiting: u32) {
        if waiting == 0 {
            self.waiting.remove(gateway);
        } else {
            self.waiting.insert(gateway.clone(), waiting);
        }
    }

    fn answering(&mut self, id: &ProcessId) -> Option<&mut Process> {
        self.processes
            .get_mut(id)
            .filter(|process| process.phase == Phase::Ready)
    }
}

fn forget_empty(process: &mut Process, gateway: &GatewayId) {
    if process.shares.get(gateway) == Some(&Share::default()) {
        process.shares.remove(gateway);
    }
}

fn ended_by_itself(process: &ProcessId) -> Failure {
    Failure {
        reason: Reason::ProcessFailed.name().to_owned(),
        message: "the application's process ended by itself; see its log".to_owned(),
        process: Some(process.clone()),
        exit_code: None,
    }
}
