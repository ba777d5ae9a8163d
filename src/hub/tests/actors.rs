//! Who acts in the simulated world: the fleet, and gateways.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::apps::wire::{LEASE, Report, Stage, ToGateway, ToHub, VERSION};
use crate::apps::{AppId, Deployment, EndCause, GatewayId, Moment, ProcessId, Shelf};
use crate::hub::{Fleet, LinkId};

/// What the hub has ordered and the world has not carried out yet.
#[derive(Debug, Default)]
pub(super) struct Orders(pub(super) Mutex<Vec<Order>>);

#[derive(Debug)]
pub(super) enum Order {
    Start(AppId, ProcessId, Deployment),
    End(AppId, ProcessId, EndCause),
}

impl Fleet for Orders {
    fn start(&self, app: &AppId, process: &ProcessId, deployment: &Deployment) {
        let order = Order::Start(app.clone(), process.clone(), deployment.clone());
        self.0.lock().unwrap().push(order);
    }

    fn end(&self, app: &AppId, process: &ProcessId, cause: EndCause) {
        let order = Order::End(app.clone(), process.clone(), cause);
        self.0.lock().unwrap().push(order);
    }
}

/// A process as it really is.
#[derive(Debug)]
pub(super) struct Running {
    /// The application, or the pool of an account.
    pub(super) app: AppId,
    pub(super) deployment: Deployment,
    pub(super) ready_at: Option<Moment>,
    pub(super) crash_at: Option<Moment>,
    pub(super) gone_at: Option<Moment>,
    pub(super) is_ready: bool,
}

/// A visitor with a WebSocket.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    pub(super) session: u128,
    /// The application, or the pool of the visitor's account.
    pub(super) app: AppId,
    pub(super) gateway: usize,
    /// Where, once seated.
    pub(super) seat: Option<(u64, ProcessId)>,
    /// Whether the session began with this seat, under a lease that has not ended since.
    pub(super) counts: bool,
}

/// A link with messages under way.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) link: LinkId,
    pub(super) from_hub: mpsc::Receiver<ToGateway>,
    pub(super) coming: VecDeque<(Moment, ToGateway)>,
    pub(super) going: VecDeque<(Moment, ToHub)>,
    pub(super) is_synced: bool,
    pub(super) beats: BTreeMap<u64, Moment>,
    pub(super) began: Moment,
}

/// An application, or the pool of an account, at a gateway.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) shelf: Shelf,
    pub(super) stage: Stage,
    pub(super) reported: u32,
}

impl Default for Counter {
    fn default() -> Self {
        Self {
            shelf: Shelf::default(),
            stage: Stage::Idle,
            reported: 0,
        }
    }
}

impl Counter {
    /// Whether visitors are refused without being held.
    pub(super) fn refuses(&self) -> bool {
        matches!(self.stage, Stage::Busy | Stage::Failed(_) | Stage::Held(_))
    }
}

/// How many wait at a gateway, by application or pool.
pub(super) type Waiting = BTreeMap<AppId, u32>;

#[derive(Debug)]
pub(super) struct Gate {
    pub(super) id: GatewayId,
    pub(super) counters: BTreeMap<AppId, Counter>,
    pub(super) wire: Option<Wire>,
    pub(super) lease_until: Moment,
    pub(super) next_beat: u64,
    pub(super) beat_at: Moment,
    pub(super) dial_at: Moment,
    /// Until when nothing gets through: to the hub, and from it.
    pub(super) stalled: [Moment; 2],
}

impl Gate {
    pub(super) fn new(index: usize) -> Self {
        Self {
            id: format!("gateway-{index}").into(),
            counters: BTreeMap::new(),
            wire: None,
            lease_until: Moment::ZERO,
            next_beat: 0,
            beat_at: Moment::ZERO,
            dial_at: Moment::ZERO,
            stalled: [Moment::ZERO; 2],
        }
    }

    pub(super) fn is_leased(&self, now: Moment) -> bool {
        now < self.lease_until
    }

    /// Whether the link has lasted so long without an answer that it is given up.
    pub(super) fn gives_up(&self, now: Moment) -> bool {
        self.wire
            .as_ref()
            .is_some_and(|wire| now > wire.began + LEASE && !self.is_leased(now))
    }

    pub(super) fn say(&mut self, message: ToHub, at: Moment) {
        if let Some(wire) = &mut self.wire {
            // In order, however long each takes.
            let at = wire.going.back().map_or(at, |(last, _)| at.max(*last));
            wire.going.push_back((at, message));
        }
    }

    pub(super) fn greet(&mut self, waiting: &Waiting, now: Moment) {
        let is_leased = self.is_leased(now);
        let hello = ToHub::Hello {
            gateway: self.id.clone(),
            version: VERSION,
            address: None,
        };
        self.say(hello, now);
        let mut held = Vec::new();
        for (app, counter) in &mut self.counters {
            if !is_leased {
                counter.shelf.forfeit();
            }
            counter.reported = waiting.get(app).copied().unwrap_or(0);
            held.push(Report {
                app: app.clone(),
                waiting: counter.reported,
                uses: counter.shelf.held(),
            });
        }
        for report in held {
            self.say(ToHub::Held(report), now);
        }
        self.say(ToHub::Told, now);
        self.beat_at = now;
    }

    /// Says what changed, as often as the world turns.
    pub(super) fn tell(&mut self, waiting: &Waiting, now: Moment, at: Moment) {
        if self.beat_at <= now && self.wire.is_some() {
            self.beat_at = now + Duration::from_secs(1);
            let number = self.next_beat;
            self.next_beat += 1;
            if let Some(wire) = &mut self.wire {
                wire.beats.insert(number, now);
            }
            self.say(ToHub::Beat(number), at);
        }
        if !self.wire.as_ref().is_some_and(|wire| wire.is_synced) {
            return;
        }
        let mut reports = Vec::new();
        let mut returns = Vec::new();
        for (app, counter) in &mut self.counters {
            let uses = counter.shelf.changes();
            let waiting = waiting.get(app).copied().unwrap_or(0);
            if !uses.is_empty() || waiting != counter.reported {
                counter.reported = waiting;
                let app = app.clone();
                reports.push(Report { app, waiting, uses });
            }
            let given = counter.shelf.returns().into_iter();
            returns.extend(given.map(|(process, seats)| (app.clone(), process, seats)));
        }
        for report in reports {
            self.say(ToHub::Report(report), at);
        }
        for (app, process, seats) in returns {
            self.give_back(&app, process, seats, 0, at);
        }
    }

    pub(super) fn counter(&mut self, app: &AppId) -> &mut Counter {
        self.counters.entry(app.clone()).or_default()
    }

    fn give_back(&mut self, app: &AppId, process: ProcessId, seats: u32, answered: u32, at: Moment) {
        let app = app.clone();
        self.say(
            ToHub::Return {
                app,
                process,
                seats,
                answered,
            },
            at,
        );
    }

    /// Does what the hub says; whether a process is gone.
    pub(super) fn hear(&mut self, message: ToGateway, waiting: &Waiting, at: Moment) -> Option<ProcessId> {
        match message {
            ToGateway::Beat(number) => {
                let sent = self.wire.as_mut().and_then(|wire| wire.beats.remove(&number));
                if let Some(sent) = sent {
                    self.lease_until = self.lease_until.max(sent + LEASE);
                }
            }
            ToGateway::Synced => {
                for counter in self.counters.values_mut() {
                    counter.shelf.synced();
                }
                if let Some(wire) = &mut self.wire {
                    wire.is_synced = true;
                }
            }
            ToGateway::State { app, stage } => self.counter(&app).stage = stage,
            ToGateway::Open {
                app,
                process,
                address,
                accepting,
            } => self.counter(&app).shelf.open(process, address, accepting),
            ToGateway::Gone { app, process } => {
                self.counter(&app).shelf.gone(&process);
                return Some(process);
            }
            ToGateway::Grant {
                app,
                process,
                seats,
                others,
            } => self.counter(&app).shelf.grant(&process, seats, others),
            ToGateway::Recall { app, process, seats } => {
                let waiting = waiting.get(&app).copied().unwrap_or(0);
                let counter = self.counter(&app);
                let given = counter.shelf.recall(&process, seats);
                let uses = counter.shelf.changes();
                counter.reported = waiting;
                let report = Report {
                    app: app.clone(),
                    waiting,
                    uses,
                };
                self.say(ToHub::Report(report), at);
                self.give_back(&app, process, given, seats, at);
            }
            ToGateway::Removed { app } => drop(self.counters.remove(&app)),
            ToGateway::Welcome { .. } | ToGateway::Peers(_) | ToGateway::Answered { .. } => {}
        }
        None
    }
}
