//! The hub's state, and what each message does to it. Work for an event is that of one application, however many there are.

mod events;
mod peers;
mod pools;
mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use self::pools::Pools;
use self::words::{is_same, snapshot, told};
use super::board::Board;
use super::gateways::Gateways;
use super::timers::Timers;
use super::{Fleet, HubOptions, Input, LinkId};
use crate::apps::wire::{LOST, PeerGateway, Stage, ToGateway, ToHub, VERSION};
use crate::apps::{Address, App, AppId, Deployment, Moment, ProcessId, Scene, Step};
use crate::telemetry::starts::Start;

#[derive(Debug)]
struct Entry {
    app: App,
    /// What gateways were told last.
    said: Option<Stage>,
    /// Processes of it that are in the total.
    counted: usize,
    is_removed: bool,
}

impl Entry {
    fn new(app: App) -> Self {
        Self {
            app,
            said: None,
            counted: 0,
            is_removed: false,
        }
    }
}

/// A process whose application was not told yet.
#[derive(Debug)]
struct Orphan {
    process: ProcessId,
    deployment: Deployment,
    address: Option<Address>,
}

pub(super) struct State {
    fleet: Arc<dyn Fleet>,
    /// Names processes.
    pub(super) mint: fn() -> ProcessId,
    options: HubOptions,
    board: Arc<Board>,
    began: Timestamp,
    apps: HashMap<AppId, Entry>,
    /// What the pools of an application have in common, where it has such.
    pools: HashMap<AppId, Pools>,
    orphans: BTreeMap<AppId, Vec<Orphan>>,
    gateways: Gateways,
    timers: Timers,
    /// Applications about which something is to be decided.
    dirty: BTreeSet<AppId>,
    /// Applications that wait for room in the installation, in order.
    short: VecDeque<AppId>,
    total: usize,
    is_complete: bool,
    is_settled: bool,
    /// The gateways that all were told of.
    peers: Vec<PeerGateway>,
}

impl State {
    pub(super) fn new(fleet: Arc<dyn Fleet>, options: HubOptions, board: Arc<Board>) -> Self {
        Self {
            fleet,
            mint: || crate::data::new_key().into(),
            options,
            board,
            began: Timestamp::now(),
            apps: HashMap::new(),
            pools: HashMap::new(),
            orphans: BTreeMap::new(),
            gateways: Gateways::default(),
            timers: Timers::default(),
            dirty: BTreeSet::new(),
            short: VecDeque::new(),
            total: 0,
            is_complete: false,
            is_settled: false,
            peers: Vec::new(),
        }
    }

    /// When time alone makes a difference.
    pub(super) fn due(&self) -> Option<Moment> {
        let settles = (self.is_complete && !self.is_settled).then_some(LOST);
        [self.timers.next(), self.gateways.due(), settles]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn take(&mut self, input: Input, now: Moment) {
        match input {
            Input::Fleet(event) => self.fleet_event(event, now),
            Input::Linked { link, to } => self.gateways.link(link, to),
            Input::Unlinked { link } => self.gateways.unlink(link),
            Input::Heard { link, message } => self.heard(link, message, now),
        }
    }

    /// Decides about everything that something happened to, and carries it out.
    pub(super) fn settle(&mut self, now: Moment) {
        while let Some(app) = self.timers.pop(now) {
            self.dirty.insert(app);
        }
        for gateway in self.gateways.take_lost(now) {
            tracing::warn!(%gateway, "a gateway was not heard; its seats are free again");
            self.touch_those(&gateway, |app| app.forget(&gateway, now));
        }
        if self.is_complete {
            self.check_settled(now);
            self.tell_peers();
            self.sync_gateways(now);
        }
        loop {
            for gateway in self.gateways.take_unlinked() {
                self.touch_those(&gateway, |app| app.unlink(&gateway));
            }
            let Some(app) = self.dirty.pop_first() else { break };
            self.decide(&app, now);
        }
    }

    #[cfg(test)]
    pub(super) fn touch_all(&mut self) {
        self.dirty.extend(self.apps.keys().cloned());
    }

    fn heard(&mut self, link: LinkId, message: ToHub, now: Moment) {
        if let ToHub::Hello {
            gateway,
            version,
            address,
        } = message
        {
            if version == VERSION {
                self.gateways.hello(link, gateway, address, now);
                let term = self.options.term;
                self.gateways.answer(link, ToGateway::Welcome { term });
            } else {
                tracing::warn!(%gateway, version, "a gateway of another version; update gateways and controllers together");
                self.gateways.cut(link);
            }
            return;
        }
        let Some(gateway) = self.gateways.speaker(link, now) else {
            return;
        };
        match message {
            ToHub::Held(report) => self.gateways.note_held(&gateway, report),
            ToHub::Told => self.gateways.told(&gateway),
            ToHub::Beat(number) => self.gateways.answer(link, ToGateway::Beat(number)),
            // Gateways say nothing more before they were told everything.
            _ if !self.gateways.is_synced(&gateway) => {}
            ToHub::Report(report) => {
                if report.waiting > 0 && !self.make_pool(&report.app) && report.app.account().is_some() {
                    // Its application has none, or not any more: who waits there learns of it.
                    let app = report.app;
                    return self.gateways.send(&gateway, ToGateway::Removed { app });
                }
                if let Some(entry) = self.apps.get_mut(&report.app) {
                    entry.app.report(&gateway, &report, now);
                    self.dirty.insert(report.app);
                }
            }
            ToHub::Return {
                app,
                process,
                seats,
                answered,
            } => {
                if let Some(entry) = self.apps.get_mut(&app) {
                    entry.app.returned(&gateway, &process, seats, answered);
                    self.dirty.insert(app);
                }
            }
            question @ ToHub::Ask { .. } => self.ask(link, question),
            ToHub::Hello { .. } => {}
        }
    }

    fn check_settled(&mut self, now: Moment) {
        let all_told = self
            .options
            .gateways
            .as_ref()
            .is_some_and(|all| self.gateways.have_told(all));
        if !self.is_settled && (all_told || now >= LOST) {
            self.is_settled = true;
            self.dirty.extend(self.apps.keys().cloned());
        }
    }

    /// Takes in what gateways have told, and tells them everything.
    fn sync_gateways(&mut self, now: Moment) {
        for gateway in self.gateways.to_sync() {
            let greeting = self.gateways.synced(&gateway);
            self.touch_those(&gateway, |app| app.hello(&gateway, None, now));
            for report in greeting {
                self.make_pool(&report.app);
                if let Some(entry) = self.apps.get_mut(&report.app) {
                    entry.app.hello(&gateway, Some(&report), now);
                    self.dirty.insert(report.app);
                }
            }
            for (app, entry) in self.apps.iter().filter(|(_, entry)| !entry.is_removed) {
                let stage = entry.app.stage(now);
                let state = ToGateway::State {
                    app: app.clone(),
                    stage,
                };
                self.gateways.send(&gateway, state);
                for step in entry.app.open_processes() {
                    if let Some(message) = told(app, step).1 {
                        self.gateways.send(&gateway, message);
                    }
                }
            }
            self.tell_peers_to(&gateway);
            self.gateways.send(&gateway, ToGateway::Synced);
            // One that was alone shares from now on.
            self.dirty.extend(self.apps.keys().cloned());
        }
    }

    fn decide(&mut self, id: &AppId, now: Moment) {
        let slots = self.slots(id);
        let (others, yields) = self.around(id);
        let Some(entry) = self.apps.get_mut(id) else {
            return;
        };
        if self.is_complete {
            let gateways = self.gateways.connected();
            let scene = Scene {
                gateways: &gateways,
                is_settled: self.is_settled,
                slots,
                others,
                yields,
            };
            let steps = if entry.is_removed {
                entry.app.end_all()
            } else {
                entry.app.decide(now, &scene, &mut self.mint)
            };
            self.carry_out(id, steps);
        }
        self.count(id);
        self.queue(id);
        self.note_part(id);
        self.publish(id, now);
    }

    fn carry_out(&mut self, id: &AppId, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Start { process, deployment } => {
                    Start::of(id, &process).decided();
                    self.fleet.start(id, &process, &deployment);
                }
                Step::End { process, cause } => self.fleet.end(id, &process, cause),
                step => match told(id, step) {
                    (Some(gateway), Some(message)) => self.gateways.send(&gateway, message),
                    (None, Some(message)) => self.gateways.send_all(&message),
                    (_, None) => {}
                },
            }
        }
    }

    /// How many more processes the installation may have, for this application: those that waited longer come first.
    fn slots(&self, id: &AppId) -> u32 {
        if self.short.front().is_some_and(|first| first != id) {
            return 0;
        }
        u32::try_from(self.room()).unwrap_or(u32::MAX)
    }

    fn room(&self) -> usize {
        match self.options.max_processes_total {
            0 => usize::MAX,
            most => (most as usize).saturating_sub(self.total),
        }
    }

    /// Keeps the number of all processes.
    fn count(&mut self, id: &AppId) {
        if let Some(entry) = self.apps.get_mut(id) {
            let count = entry.app.count();
            self.total = self.total + count - std::mem::replace(&mut entry.counted, count);
        }
    }

    /// Keeps the order of the applications that wait for a process to end.
    fn queue(&mut self, id: &AppId) {
        let Some(entry) = self.apps.get(id) else {
            return;
        };
        let is_short = entry.app.is_short() && !entry.is_removed;
        if !is_short {
            self.short.retain(|short| short != id);
        } else if !self.short.contains(id) {
            self.short.push_back(id.clone());
        }
        if self.room() > 0
            && let Some(first) = self.short.front()
        {
            self.dirty.insert(first.clone());
        }
    }

    fn publish(&mut self, id: &AppId, now: Moment) {
        let is_forgotten = self.is_forgotten(id, now);
        let Some(entry) = self.apps.get_mut(id) else {
            return;
        };
        if is_forgotten && !entry.is_removed {
            let app = id.clone();
            self.gateways.send_all(&ToGateway::Removed { app });
        }
        if entry.is_removed || is_forgotten {
            if entry.app.is_empty() {
                self.forget(id);
            }
            self.board.remove(id);
            return;
        }
        let stage = entry.app.stage(now);
        if entry.said.as_ref().is_none_or(|said| !is_same(said, &stage)) {
            entry.said = Some(stage.clone());
            let app = id.clone();
            self.gateways.send_all(&ToGateway::State { app, stage });
        }
        let forgotten_at = || Some(entry.app.forgotten_at()).filter(|at| *at > now);
        let forget = id.account().and_then(|_| forgotten_at());
        let due = [entry.app.due(now), forget].into_iter().flatten().min();
        self.timers.set(id, due);
        self.board.set(id, snapshot(entry.app.view(now), self.began));
    }
}
