//! The simulated world, and what must hold in it at every moment.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::sample::Index;
use tokio::sync::mpsc;

use super::actors::{Gate, Order, Orders, Running, Visitor, Waiting, Wire};
use crate::apps::{AccountName, Address, AppId, AppSpec, Bounds, EndCause, Failure, Moment, ProcessId, Want};
use crate::hub::state::State;
use crate::hub::{FleetEvent, HubOptions, Input, OUTBOX};

/// How long a turn of the world is, and how long once all goes well.
const TURN: Duration = Duration::from_millis(50);
const KIND_TURN: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub(super) enum Action {
    Come {
        gateway: usize,
        count: usize,
        /// Which account, or which application where there are several. 0 for nobody who is known.
        who: usize,
    },
    Leave(Index),
    /// A session opens another connection.
    Return {
        gateway: usize,
        who: Index,
    },
    Pass(u64),
    Crash(Index),
    Redeploy,
    SetBounds(Bounds),
    Break(usize),
    Stall {
        gateway: usize,
        to_hub: bool,
        time: u64,
    },
    Kill(usize),
    LoseLeader(u64),
    Hold(bool),
}

/// What the visitors of the world share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One application.
    One,
    /// One application whose visitors' accounts have processes of their own.
    Accounts,
    /// Three applications that may have so many processes together.
    Several(u32),
}

pub(super) struct World {
    now: Moment,
    random: u64,
    shape: Shape,
    apps: Vec<AppId>,
    spec: AppSpec,
    deployments: u32,
    orders: Arc<Orders>,
    hub: Option<Hub>,
    hub_back_at: Moment,
    term: u64,
    links: u64,
    processes: BTreeMap<ProcessId, Running>,
    gates: Vec<Gate>,
    visitors: Vec<Visitor>,
    sessions: u128,
    is_kind: bool,
    turns: usize,
}

struct Hub {
    state: State,
    began: Moment,
}

static NAMES: AtomicU64 = AtomicU64::new(0);

fn mint() -> ProcessId {
    format!("p{:08}", NAMES.fetch_add(1, Ordering::Relaxed)).into()
}

impl World {
    pub(super) fn new(seed: u64, bounds: Bounds, shape: Shape) -> Self {
        let apps: &[&str] = match shape {
            Shape::Several(_) => &["app", "bee", "cat"],
            Shape::One | Shape::Accounts => &["app"],
        };
        let mut world = Self {
            now: Moment::ZERO,
            random: seed,
            shape,
            apps: apps.iter().map(|app| (*app).into()).collect(),
            spec: AppSpec {
                deployment: "0".into(),
                bounds,
                held: None,
                has_pools: shape == Shape::Accounts,
            },
            deployments: 0,
            orders: Arc::default(),
            hub: None,
            hub_back_at: Moment::ZERO,
            term: 0,
            links: 0,
            processes: BTreeMap::new(),
            gates: (0..3).map(Gate::new).collect(),
            visitors: Vec::new(),
            sessions: 0,
            is_kind: false,
            turns: 0,
        };
        world.pass(200);
        world
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Come { gateway, count, who } => {
                for _ in 0..count {
                    self.sessions += 1;
                    self.visitors.push(Visitor {
                        session: self.sessions,
                        app: self.app_of(who),
                        gateway,
                        seat: None,
                        counts: false,
                    });
                }
            }
            Action::Leave(who) => {
                if !self.visitors.is_empty() {
                    let visitor = self.visitors.swap_remove(who.index(self.visitors.len()));
                    self.leave(&visitor);
                }
            }
            Action::Return { gateway, who } => self.come_back(gateway, who.index(self.visitors.len().max(1))),
            Action::Pass(time) => self.pass(time),
            Action::Crash(who) => {
                let ids: Vec<ProcessId> = self.processes.keys().cloned().collect();
                if !ids.is_empty() {
                    let id = who.get(&ids);
                    self.processes.get_mut(id).unwrap().crash_at = Some(self.now);
                }
            }
            Action::Redeploy => {
                self.deployments += 1;
                self.spec.deployment = self.deployments.to_string().as_str().into();
                self.tell_spec();
            }
            Action::SetBounds(bounds) => {
                // Seats that are granted are not taken back when a process is to have fewer.
                let max_connections = self.spec.bounds.max_connections;
                self.spec.bounds = Bounds {
                    max_connections,
                    ..bounds
                };
                self.tell_spec();
            }
            Action::Break(gateway) => self.unlink(gateway, true),
            Action::Stall {
                gateway,
                to_hub,
                time,
            } => {
                let until = self.now + Duration::from_millis(time);
                self.gates[gateway].stalled[usize::from(to_hub)] = until;
            }
            Action::Kill(gateway) => {
                self.unlink(gateway, false);
                self.gates[gateway] = Gate::new(gateway);
                self.gates[gateway].dial_at = self.now + Duration::from_secs(1);
                self.visitors.retain(|visitor| visitor.gateway != gateway);
            }
            Action::LoseLeader(time) => {
                self.hub = None;
                self.hub_back_at = self.now + Duration::from_millis(time);
                (0..3).for_each(|gateway| self.unlink(gateway, false));
            }
            Action::Hold(is_held) => {
                self.spec.held = is_held.then(|| failure("suspended"));
                self.tell_spec();
            }
        }
        self.turn();
    }

    /// Where somebody comes: to an application, or to the pool of an account.
    fn app_of(&self, who: usize) -> AppId {
        match self.shape {
            Shape::Several(_) => self.apps[who % self.apps.len()].clone(),
            Shape::Accounts if who > 0 => self.apps[0].pool(&AccountName::marked(&format!("u{who}"), 1)),
            Shape::Accounts | Shape::One => self.apps[0].clone(),
        }
    }

    pub(super) fn pass(&mut self, time: u64) {
        let until = self.now + Duration::from_millis(time);
        while self.now < until {
            self.turn();
        }
    }

    /// From now on all goes well.
    pub(super) fn heal(&mut self) {
        self.is_kind = true;
        self.spec.held = None;
        self.tell_spec();
        for process in self.processes.values_mut() {
            process.crash_at = None;
            process.ready_at.get_or_insert(self.now);
        }
        for gate in &mut self.gates {
            gate.stalled = [self.now; 2];
        }
        // Back-off after failures is at most five minutes.
        self.pass(330_000);
    }

    /// Processes that were started and ended.
    pub(super) fn turns(&self) -> usize {
        self.turns
    }

    pub(super) fn everybody_leaves(&mut self) {
        for visitor in std::mem::take(&mut self.visitors) {
            self.leave(&visitor);
        }
    }

    pub(super) fn check_all_served(&self) {
        for app in &self.apps {
            self.check_served(app);
        }
    }

    /// Whether nobody waits at an application without need.
    fn check_served(&self, app: &AppId) {
        let bounds = &self.spec.bounds;
        let current = self.current(app);
        let is_full = self
            .total()
            .is_some_and(|total| self.processes.len() >= total as usize);
        assert!(
            is_full || current >= bounds.min_processes as usize,
            "the minimum runs: {current}"
        );
        let waits = |v: &&Visitor| v.seat.is_none() && v.app.application() == *app;
        let waiting = self.visitors.iter().filter(waits).count();
        if waiting == 0 {
            return;
        }
        assert!(
            is_full || current == bounds.max_processes as usize,
            "{waiting} wait and more than {current} could be started"
        );
        for (id, process) in self.open() {
            let used = self.used(id);
            let waits = |v: &&Visitor| v.seat.is_none() && v.app == process.app;
            assert!(
                used >= bounds.max_connections as usize || self.visitors.iter().find(waits).is_none(),
                "{waiting} wait and {id} has room: {used}"
            );
            assert!(
                used > 0 || self.may_be_idle(process),
                "{waiting} wait and nobody uses {id}"
            );
        }
    }

    /// Whether a process that nobody uses may be kept although somebody waits for another one.
    fn may_be_idle(&self, process: &Running) -> bool {
        let bounds = &self.spec.bounds;
        // Those that always run are kept, of accounts for whoever is not known.
        let is_kept = self.apps.contains(&process.app) && bounds.min_processes > 0;
        // Accounts give way to each other; an application keeps what it has for the next visitors of its own.
        let is_ahead = self.shape != Shape::Accounts
            && (bounds.idle_timeout.is_none() || self.visitors.iter().any(|v| v.app == process.app));
        is_kept || is_ahead
    }

    fn open(&self) -> impl Iterator<Item = (&ProcessId, &Running)> {
        self.processes
            .iter()
            .filter(|(_, process)| process.deployment == self.spec.deployment && process.gone_at.is_none())
    }

    fn used(&self, process: &ProcessId) -> usize {
        let is_there = |v: &&Visitor| v.seat.as_ref().is_some_and(|(_, p)| p == process);
        self.visitors.iter().filter(is_there).count()
    }

    pub(super) fn check_idle(&self) {
        let least = self.spec.bounds.min_processes as usize;
        let least = (least * self.apps.len()).min(self.total().map_or(usize::MAX, |total| total as usize));
        if self.spec.bounds.idle_timeout.is_some() {
            assert_eq!(self.processes.len(), least, "only the minimum is left");
        }
        assert!(self.deployed() >= least);
    }

    /// Processes of the current deployment that do not end.
    pub(super) fn deployed(&self) -> usize {
        self.open().count()
    }

    fn current(&self, app: &AppId) -> usize {
        let is_of = |process: &Running| process.app.application() == *app;
        self.open().filter(|(_, process)| is_of(process)).count()
    }

    fn turn(&mut self) {
        self.now += if self.is_kind { KIND_TURN } else { TURN };
        self.lead();
        self.run_processes();
        for gateway in 0..self.gates.len() {
            self.dial(gateway);
            self.carry(gateway);
        }
        self.settle();
        self.seat_visitors();
        self.check_seats();
    }

    /// How many processes all applications may have, if that is bounded.
    fn total(&self) -> Option<u32> {
        match self.shape {
            Shape::Several(total) => Some(total),
            Shape::One | Shape::Accounts => None,
        }
    }

    /// A hub begins where there is none.
    fn lead(&mut self) {
        if self.hub.is_some() || self.now < self.hub_back_at {
            return;
        }
        self.term += 1;
        let options = HubOptions {
            term: self.term,
            max_processes_total: self.total().unwrap_or(0),
            ..HubOptions::default()
        };
        let mut state = State::new(self.orders.clone(), options, Arc::default());
        state.mint = mint;
        let began = self.now;
        self.hub = Some(Hub { state, began });
        self.tell_spec();
        let alive: Vec<_> = self
            .processes
            .iter()
            .map(|(id, process)| {
                let Running { app, deployment, .. } = process;
                (id.clone(), app.clone(), deployment.clone(), process.is_ready)
            })
            .collect();
        for (process, app, deployment, is_ready) in alive {
            self.tell(FleetEvent::Adopted {
                app,
                process,
                deployment,
                address: is_ready.then(address),
            });
        }
        self.tell(FleetEvent::Complete);
    }

    fn tell(&mut self, event: FleetEvent) {
        let now = self.now;
        if let Some(hub) = &mut self.hub {
            hub.state.take(Input::Fleet(event), now - hub.began);
        }
    }

    fn tell_spec(&mut self) {
        for app in self.apps.clone() {
            let spec = self.spec.clone();
            self.tell(FleetEvent::AppSet { app, spec });
        }
    }

    fn run_processes(&mut self) {
        let now = self.now;
        let due = |at: Option<Moment>| at.is_some_and(|at| at <= now);
        let mut events = Vec::new();
        self.processes.retain(|process, running| {
            let app = running.app.clone();
            if due(running.crash_at) || due(running.gone_at) {
                let failure = due(running.crash_at).then(|| failure("crashed"));
                events.push(FleetEvent::Ended {
                    app,
                    process: process.clone(),
                    failure,
                });
                return false;
            }
            if !running.is_ready && due(running.ready_at) {
                running.is_ready = true;
                events.push(FleetEvent::Ready {
                    app,
                    process: process.clone(),
                    address: address(),
                });
            }
            true
        });
        events.into_iter().for_each(|event| self.tell(event));
    }

    fn settle(&mut self) {
        let now = self.now;
        let Some(hub) = &mut self.hub else { return };
        hub.state.settle(now - hub.began);
        let orders = std::mem::take(&mut *self.orders.0.lock().unwrap());
        // Decided again at the same time, nothing follows.
        hub.state.touch_all();
        hub.state.settle(now - hub.began);
        assert!(self.orders.0.lock().unwrap().is_empty(), "decided twice");
        for order in orders {
            self.turns += 1;
            match order {
                Order::Start(app, process, deployment) => self.start(app, process, deployment),
                Order::End(app, process, cause) => self.end(app, &process, cause),
            }
        }
    }

    fn start(&mut self, app: AppId, id: ProcessId, deployment: crate::apps::Deployment) {
        let later = |most: u64, random: u64| Duration::from_millis(random % most);
        let fate = if self.is_kind { 9 } else { self.random() % 10 };
        let (ready, crash) = (self.random(), self.random());
        let application = app.application();
        let running = Running {
            app,
            deployment: deployment.clone(),
            ready_at: (fate > 1).then_some(self.now + later(5000, ready)),
            crash_at: (fate == 2 || fate == 1).then_some(self.now + later(20_000, crash)),
            gone_at: None,
            is_ready: false,
        };
        self.processes.insert(id, running);
        let same = self
            .processes
            .values()
            .filter(|process| process.app.application() == application && process.deployment == deployment)
            .count();
        let most = self.spec.bounds.max_processes;
        assert!(same <= most as usize, "{same} processes of {most}");
        let all = self.processes.len();
        assert!(
            self.total().is_none_or(|total| all <= total as usize),
            "{all} processes of all applications"
        );
    }

    fn end(&mut self, app: AppId, id: &ProcessId, cause: EndCause) {
        let lasts = Duration::from_millis(self.random() % 3000);
        let now = self.now;
        if matches!(cause, EndCause::Idle | EndCause::Drained) {
            let seated = self.visitors.iter().filter(|visitor| {
                visitor.seat.as_ref().is_some_and(|(_, process)| process == id)
                    && self.gates[visitor.gateway].is_leased(now)
                    && visitor.counts
            });
            assert_eq!(seated.count(), 0, "{id} is ended ({cause:?}) with visitors");
        }
        if let Some(running) = self.processes.get_mut(id) {
            running.gone_at = Some(self.now + lasts);
        } else {
            self.tell(FleetEvent::Ended {
                app,
                process: id.clone(),
                failure: None,
            });
        }
    }

    fn dial(&mut self, gateway: usize) {
        if self.gates[gateway].gives_up(self.now) {
            self.unlink(gateway, true);
        }
        let gate = &mut self.gates[gateway];
        let is_through = gate.stalled.iter().all(|until| *until <= self.now);
        let Some(hub) = &mut self.hub else { return };
        if gate.wire.is_some() || gate.dial_at > self.now || !is_through {
            return;
        }
        let (to, from_hub) = mpsc::channel(OUTBOX);
        self.links += 1;
        let link = self.links;
        hub.state.take(Input::Linked { link, to }, self.now - hub.began);
        gate.wire = Some(Wire {
            link,
            from_hub,
            coming: VecDeque::new(),
            going: VecDeque::new(),
            is_synced: false,
            beats: BTreeMap::new(),
            began: self.now,
        });
        let is_leased = gate.is_leased(self.now);
        let waiting = waiting_at(&self.visitors, gateway, gate);
        gate.greet(&waiting, self.now);
        if !is_leased {
            self.forgo(gateway);
        }
    }

    /// Its lease is over: who sits there does not count any more, as the hub may have given the seat away.
    fn forgo(&mut self, gateway: usize) {
        for visitor in self
            .visitors
            .iter_mut()
            .filter(|visitor| visitor.gateway == gateway)
        {
            visitor.counts = false;
        }
    }

    /// Messages of one link, each way in order.
    fn carry(&mut self, gateway: usize) {
        let late = Duration::from_millis(self.random() % 300);
        let at = self.now + late;
        let gate = &mut self.gates[gateway];
        if !gate.is_leased(self.now) {
            self.forgo(gateway);
        }
        let gate = &mut self.gates[gateway];
        let waiting = waiting_at(&self.visitors, gateway, gate);
        gate.tell(&waiting, self.now, at);
        let [from_stalled, to_stalled] = gate.stalled.map(|until| until > self.now);
        let Some(wire) = &mut gate.wire else { return };
        while !to_stalled && wire.going.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, message) = wire.going.pop_front().unwrap();
            if let Some(hub) = &mut self.hub {
                let link = wire.link;
                hub.state
                    .take(Input::Heard { link, message }, self.now - hub.began);
            }
        }
        loop {
            match wire.from_hub.try_recv() {
                Ok(message) => {
                    let at = wire.coming.back().map_or(at, |(last, _)| at.max(*last));
                    wire.coming.push_back((at, message));
                }
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => return self.unlink(gateway, true),
            }
        }
        if from_stalled {
            return;
        }
        loop {
            let gate = &mut self.gates[gateway];
            let Some(wire) = &mut gate.wire else { return };
            if wire.coming.front().is_none_or(|(at, _)| *at > self.now) {
                return;
            }
            let (_, message) = wire.coming.pop_front().unwrap();
            let waiting = waiting_at(&self.visitors, gateway, gate);
            if let Some(gone) = gate.hear(message, &waiting, at) {
                // Whoever was there comes again, as a new session.
                for visitor in self.visitors.iter_mut().filter(|visitor| {
                    visitor.gateway == gateway
                        && visitor.seat.as_ref().is_some_and(|(_, process)| *process == gone)
                }) {
                    visitor.seat = None;
                    visitor.counts = false;
                }
            }
            self.forget_lost(gateway);
        }
    }

    /// Visitors of processes that the gateway does not know any more come again.
    fn forget_lost(&mut self, gateway: usize) {
        let counters = &self.gates[gateway].counters;
        let has = |app: &AppId, process: &ProcessId| {
            counters
                .get(app)
                .is_some_and(|counter| counter.shelf.has(process))
        };
        for visitor in self
            .visitors
            .iter_mut()
            .filter(|visitor| visitor.gateway == gateway)
        {
            if visitor
                .seat
                .as_ref()
                .is_some_and(|(_, process)| !has(&visitor.app, process))
            {
                visitor.seat = None;
                visitor.counts = false;
            }
        }
    }

    fn unlink(&mut self, gateway: usize, is_noticed: bool) {
        let again = Duration::from_millis(self.random() % 2000);
        let gate = &mut self.gates[gateway];
        let Some(wire) = gate.wire.take() else { return };
        gate.dial_at = self.now + again;
        if let Some(hub) = self.hub.as_mut().filter(|_| is_noticed) {
            hub.state
                .take(Input::Unlinked { link: wire.link }, self.now - hub.began);
        }
    }

    fn seat_visitors(&mut self) {
        let now = self.now;
        for visitor in self.visitors.iter_mut().filter(|visitor| visitor.seat.is_none()) {
            let gate = &mut self.gates[visitor.gateway];
            let is_leased = gate.is_leased(now);
            let seated = gate.counter(&visitor.app).shelf.seat(
                Some((visitor.session, None)),
                Want::Socket,
                is_leased,
                now,
            );
            if let Some(seated) = seated {
                let account = &self.processes.get(&seated.process).map(|process| &process.app);
                assert!(
                    account.is_none_or(|account| *account == visitor.app),
                    "{} is at a process of {account:?}",
                    visitor.app
                );
                visitor.counts = seated.is_new;
                visitor.seat = Some((seated.place, seated.process));
            }
        }
    }

    fn leave(&mut self, visitor: &Visitor) {
        if let Some((place, _)) = &visitor.seat {
            let shelf = &mut self.gates[visitor.gateway].counter(&visitor.app).shelf;
            shelf.leave(*place, Some(visitor.session), Want::Socket, self.now);
        }
    }

    /// A session opens another connection, perhaps at another gateway: it is seated where it was, or waits.
    pub(super) fn come_back(&mut self, gateway: usize, who: usize) {
        let Some(visitor) = self.visitors.get(who).cloned() else {
            return;
        };
        let Some((_, home)) = visitor.seat.clone() else {
            return;
        };
        let gate = &mut self.gates[gateway];
        let shelf = &mut gate.counter(&visitor.app).shelf;
        if !shelf.has(&home) {
            return;
        }
        let session = Some((visitor.session, Some(&home)));
        let seated = shelf.seat(session, Want::Socket, false, self.now);
        let seated = seated.expect("a session has its place whatever the number");
        assert_eq!(seated.process, home, "a session is not moved");
        assert!(!seated.is_new);
        self.visitors.push(Visitor {
            session: visitor.session,
            app: visitor.app,
            gateway,
            seat: Some((seated.place, home)),
            counts: false,
        });
    }

    /// Seats of new sessions are never more than a process has, over all gateways.
    fn check_seats(&self) {
        let mut counts: BTreeMap<&ProcessId, u32> = BTreeMap::new();
        for visitor in self.visitors.iter().filter(|visitor| visitor.counts) {
            if let Some((_, process)) = &visitor.seat {
                *counts.entry(process).or_default() += 1;
            }
        }
        let most = self.spec.bounds.max_connections;
        for (process, count) in counts {
            assert!(count <= most, "{process} has {count} new sessions of {most}");
        }
    }

    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// How many of them a gateway holds, of each application and pool that it knows or that somebody asks for.
fn waiting_at(visitors: &[Visitor], gateway: usize, gate: &mut Gate) -> Waiting {
    let mut waiting = Waiting::new();
    for visitor in visitors
        .iter()
        .filter(|visitor| visitor.gateway == gateway && visitor.seat.is_none())
    {
        if !gate.counter(&visitor.app).refuses() {
            *waiting.entry(visitor.app.clone()).or_default() += 1;
        }
    }
    waiting
}

fn address() -> Address {
    Address::Tcp("127.0.0.1:1".parse().unwrap())
}

fn failure(message: &str) -> Failure {
    Failure {
        reason: "ProcessFailed".into(),
        message: message.into(),
        process: None,
        exit_code: None,
    }
}
