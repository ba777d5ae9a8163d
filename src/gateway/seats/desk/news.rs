//! What the hub tells of an application, and what it is told.

use std::sync::Arc;
use std::time::Instant;

use super::{Desk, Shared, deliver};
use crate::apps::wire::{Report, Stage};
use crate::apps::{Address, ProcessId, Shelf};
use crate::gateway::backend::{AppState, NoSeat};

impl Desk {
    /// The hub tells how the application is.
    pub(in crate::gateway::seats) fn set_stage(self: &Arc<Self>, shared: &Shared, stage: Stage) {
        let mut inner = self.lock();
        inner.is_named = true;
        inner.failed = None;
        inner.held = None;
        let (state, reason) = match stage {
            Stage::Idle => (AppState::Idle, None),
            Stage::Starting { elapsed } => {
                let since = Instant::now().checked_sub(elapsed).unwrap_or_else(Instant::now);
                (AppState::Starting { since }, None)
            }
            Stage::Ready => (AppState::Ready, None),
            Stage::Busy => (AppState::Busy, Some(NoSeat::Busy)),
            Stage::Queued => (AppState::Queued, Some(NoSeat::Queued)),
            Stage::Failed(failure) => {
                inner.failed = Some(failure.clone());
                (AppState::Failed(failure.clone()), Some(NoSeat::Failed(failure)))
            }
            Stage::Held(failure) => {
                inner.held = Some(failure.clone());
                (AppState::Failed(failure.clone()), Some(NoSeat::Held(failure)))
            }
        };
        let only_sessions = matches!(state, AppState::Busy | AppState::Queued);
        self.state.send_if_modified(|old| {
            let is_new = *old != state;
            *old = state;
            is_new
        });
        let calls = match reason {
            Some(reason) => self.dismissed(&mut inner, shared, &reason, only_sessions),
            None => Vec::new(),
        };
        drop(inner);
        deliver(calls);
    }

    /// Sends all away who wait.
    pub(in crate::gateway::seats) fn dismiss(self: &Arc<Self>, shared: &Shared, reason: &NoSeat) {
        let mut inner = self.lock();
        let mut calls = self.dismissed(&mut inner, shared, reason, false);
        let returning = std::mem::take(&mut inner.returning).into_values();
        calls.extend(returning.map(|waiter| (waiter.call, Err(reason.clone()))));
        drop(inner);
        deliver(calls);
    }

    /// The application is served no more.
    pub(in crate::gateway::seats) fn removed(self: &Arc<Self>, shared: &Shared) {
        self.lock().is_removed = true;
        self.dismiss(shared, &NoSeat::Unknown);
    }

    /// The hub has told everything: whoever came back to a process that is not there begins anew. Whether it has told of
    /// this application.
    pub(in crate::gateway::seats) fn synced(self: &Arc<Self>, shared: &Arc<Shared>) -> bool {
        self.change(shared, Shelf::synced);
        self.recheck(shared, true);
        self.lock().is_named
    }

    /// Seats those whose process is there now; the rest only where everything was told.
    pub(in crate::gateway::seats) fn recheck(self: &Arc<Self>, shared: &Arc<Shared>, is_synced: bool) {
        let now = shared.now();
        let mut inner = self.lock();
        let mut calls = Vec::new();
        for (number, waiter) in std::mem::take(&mut inner.returning) {
            let home = waiter
                .session
                .as_ref()
                .and_then(|session| session.process.as_ref());
            if !is_synced && home.is_some_and(|home| !inner.shelf.has(home)) {
                inner.returning.insert(number, waiter);
                continue;
            }
            let may_begin = inner.waiters.is_empty() && shared.is_leased(now);
            let session = waiter.session.as_ref();
            if let Some(seat) = self.seat(&mut inner, shared, session, waiter.want, may_begin, now) {
                calls.push((waiter.call, Ok(seat)));
            } else if let Some(reason) = self.refusal(&inner, shared, true) {
                calls.push((waiter.call, Err(reason)));
            } else {
                self.enqueue(&mut inner, shared, number, waiter);
            }
        }
        drop(inner);
        deliver(calls);
    }

    /// A link begins: what is held and waited for, for the greeting.
    pub(in crate::gateway::seats) fn greeting(&self, is_leased: bool) -> Option<Report> {
        let mut inner = self.lock();
        inner.is_named = false;
        if !is_leased {
            inner.shelf.forfeit();
        }
        let uses = inner.shelf.held();
        let waiting = inner.waiting();
        inner.peak = waiting;
        (waiting > 0 || !uses.is_empty()).then(|| Report {
            app: self.id.clone(),
            waiting,
            uses,
        })
    }

    /// What the hub is to be told: demand and use, and seats of draining processes.
    pub(in crate::gateway::seats) fn report(
        self: &Arc<Self>,
        shared: &Shared,
        taken_out: bool,
    ) -> (Report, Vec<(ProcessId, u32)>) {
        let mut inner = self.lock();
        if taken_out {
            inner.is_dirty = false;
        }
        let waiting = inner.waiting();
        // Somebody who came and went within the moment is demand too, but only once.
        let told = std::mem::replace(&mut inner.peak, waiting).max(waiting);
        if told > waiting {
            self.note(&mut inner, shared, false);
        }
        let report = Report {
            app: self.id.clone(),
            waiting: told,
            uses: inner.shelf.changes(),
        };
        (report, inner.shelf.returns())
    }

    /// A process answers, or drains.
    pub(in crate::gateway::seats) fn open(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        process: ProcessId,
        at: Address,
        accepting: bool,
    ) {
        self.change(shared, |shelf| shelf.open(process, at, accepting));
        self.recheck(shared, false);
        if !accepting {
            let mut inner = self.lock();
            self.note(&mut inner, shared, false);
        }
    }
}
