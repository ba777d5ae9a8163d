//! What others see of an application.

use super::process::Phase;
use super::{App, Moment, Scene, Step};
use crate::apps::wire::Stage;
use crate::apps::{Failure, Others, Part, ProcessId};

/// How long the failures of a pool are remembered: longer than the longest pause between two attempts.
const REMEMBERED: Moment = Moment::from_secs(600);

/// An application in numbers, for its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppReport {
    /// Processes that exist, those that start, drain and end included.
    pub processes: u32,
    /// Processes that take new sessions.
    pub ready: u32,
    /// Sessions and connections at this moment.
    pub sessions: u32,
    /// Requests that are held until there is a seat.
    pub waiting: u32,
    /// When a visitor was last seen.
    pub last_use: Option<Moment>,
    /// The last failure, and when it was, until a process is ready.
    pub last_failure: Option<(Failure, Moment)>,
    /// What gateways are told.
    pub stage: Stage,
}

impl App {
    /// The numbers of the application.
    #[must_use]
    pub fn view(&self, now: Moment) -> AppReport {
        let sum = |of: fn(&super::Process) -> u64| {
            u32::try_from(self.processes.values().map(of).sum::<u64>()).unwrap_or(u32::MAX)
        };
        AppReport {
            processes: self.count_of(|_, _| true),
            ready: self.count_of(|_, process| process.is_accepting()),
            sessions: sum(|process| process.used()),
            waiting: u32::try_from(self.waiting()).unwrap_or(u32::MAX),
            last_use: self.last_use,
            last_failure: self.trouble.shown().cloned(),
            stage: self.stage(now),
        }
    }

    /// What gateways have to know.
    #[must_use]
    pub fn stage(&self, now: Moment) -> Stage {
        if let Some(failure) = &self.spec.held {
            return Stage::Held(failure.clone());
        }
        let since = self.starting().map(|(_, process)| process.begun).min();
        let starting = since.map(|since| Stage::Starting {
            elapsed: now.saturating_sub(since),
        });
        if self.count_of(|_, process| process.is_accepting()) > 0 {
            return match starting {
                _ if self.has_free() => Stage::Ready,
                Some(starting) => starting,
                None if self.may_grow(now) => Stage::Ready,
                None => Stage::Busy,
            };
        }
        if let Some(starting) = starting {
            return starting;
        }
        match self.trouble.shown() {
            Some((failure, _)) if self.trouble.waits(now).is_some() => Stage::Failed(failure.clone()),
            _ if self.is_short => Stage::Queued,
            _ => Stage::Idle,
        }
    }

    /// What a gateway that is new is told of processes.
    #[must_use]
    pub fn open_processes(&self) -> Vec<Step> {
        let step = |(id, process): (&ProcessId, &super::Process)| {
            Some(Step::Open {
                process: id.clone(),
                address: process
                    .address
                    .clone()
                    .filter(|_| process.phase == Phase::Ready)?,
                accepting: process.is_accepting(),
            })
        };
        self.processes.iter().filter_map(step).collect()
    }

    /// Whether another process can be had for those who come, if need be in place of another account's.
    fn may_grow(&self, now: Moment) -> bool {
        let has_room = self.allowed(now) > 0 && !self.is_crowded;
        let has_spare = self.others.spare > 0 && self.allowed_beside(now, Others::default()) > 0;
        !self.is_short && (has_room || has_spare)
    }

    /// What it has of the application, for its other pools.
    #[must_use]
    pub fn part(&self, scene: &Scene<'_>) -> Part {
        let mut idle: Vec<(bool, Moment)> = self
            .idle(scene)
            .iter()
            .filter_map(|id| self.processes.get(id))
            .map(|process| (!process.closing, process.last_seat))
            .collect();
        idle.truncate(self.spare(self.needed()));
        Part {
            open: self.open(),
            all: self.count_of(Self::is_current),
            ending: self.count_of(|app, process| app.is_current(process) && process.phase == Phase::Ending),
            idle,
            presses: self.is_pressing,
        }
    }

    /// Whether nothing has to be remembered of it: no process, nobody who waits, no failure of late.
    #[must_use]
    pub fn is_forgotten(&self, now: Moment) -> bool {
        self.processes.is_empty() && self.waiting.is_empty() && self.forgotten_at() <= now
    }

    /// When its last failure is so long ago that it does not count any more.
    #[must_use]
    pub fn forgotten_at(&self) -> Moment {
        self.trouble
            .last_at()
            .map_or(Moment::ZERO, |last| last + REMEMBERED)
    }

    /// Whether a seat is free anywhere.
    fn has_free(&self) -> bool {
        let most = u64::from(self.spec.bounds.max_connections);
        self.processes
            .values()
            .any(|process| process.is_accepting() && process.used() < most)
    }
}
