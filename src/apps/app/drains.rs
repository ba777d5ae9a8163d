//! Which processes get no new sessions.

use super::process::{Cause, Drain, Phase};
use super::{App, EndCause, Moment, Scene, Step};
use crate::apps::ProcessId;

impl App {
    /// Sets and lifts drains, and ends at once what nobody has seen yet.
    pub(super) fn set_drains(&mut self, now: Moment, scene: &Scene<'_>, steps: &mut Vec<Step>) {
        if self.spec.held.is_some() {
            for id in self.ids(|_, process| process.phase != Phase::Ending) {
                self.drain(&id, Cause::Held, now, steps);
            }
            return;
        }
        self.lift(Cause::Held, steps);
        self.lift_returned(steps);
        self.drain_replaced(now, steps);
        self.make_room(now, scene, steps);
        self.drain_excess(now, steps);
    }

    /// Processes of a deployment that is the current one again.
    fn lift_returned(&mut self, steps: &mut Vec<Step>) {
        for id in self.ids(|app, process| {
            app.is_current(process) && process.drain.is_some_and(|drain| drain.cause == Cause::Replaced)
        }) {
            self.undrain(&id, steps);
        }
    }

    fn lift(&mut self, cause: Cause, steps: &mut Vec<Step>) {
        for id in self.ids(|_, process| process.drain.is_some_and(|drain| drain.cause == cause)) {
            self.undrain(&id, steps);
        }
    }

    /// Old processes drain as soon as a new one can take their place, or when nobody needs them.
    fn drain_replaced(&mut self, now: Moment, steps: &mut Vec<Step>) {
        let has_successor =
            self.count_of(|app, process| app.is_current(process) && process.is_accepting()) > 0;
        let is_needed = self.spec.bounds.min_processes > 0
            || self.waiting() > 0
            || self.count_of(|app, process| {
                !app.is_current(process) && process.is_accepting() && process.used() > 0
            }) > 0;
        for id in self.ids(|app, process| {
            !app.is_current(process)
                && process.is_open()
                && (process.phase == Phase::Starting || has_successor || !is_needed)
        }) {
            self.drain(&id, Cause::Replaced, now, steps);
        }
    }

    /// Where the installation has no room for the first process of a new deployment, an old one that was left ends first.
    fn make_room(&mut self, now: Moment, scene: &Scene<'_>, steps: &mut Vec<Step>) {
        let is_stuck = scene.slots == 0
            && self.open() == 0
            && self.target() > 0
            && self.allowed(now) > 0
            && self.count_of(|_, process| process.phase == Phase::Ending || process.drain.is_some()) == 0;
        let was_left = |app: &Self, process: &super::Process| {
            !app.is_current(process)
                && app.is_known(process, scene)
                && process.used() == 0
                && process.last_seat + app.linger() <= now
        };
        if is_stuck && let Some(id) = self.fewest_first(self.ids(was_left)).first() {
            self.drain(id, Cause::Replaced, now, steps);
        }
    }

    /// The bound was lowered: those with the fewest sessions go, and first those that nobody has seen.
    fn drain_excess(&mut self, now: Moment, steps: &mut Vec<Step>) {
        let is_excess = |process: &super::Process| {
            process.drain.is_some_and(|drain| drain.cause == Cause::Excess) && process.phase != Phase::Ending
        };
        let open = self.open();
        let draining = self.count_of(|app, process| app.is_current(process) && is_excess(process));
        let most = self.spec.bounds.max_processes.saturating_sub(self.others.open);
        if open > most {
            let ids = self.ids(|app, process| app.is_current(process) && process.is_open());
            for id in self.fewest_first(ids).into_iter().take((open - most) as usize) {
                self.drain(&id, Cause::Excess, now, steps);
            }
        } else if draining > 0 && open < most {
            let ids = self.ids(|app, process| app.is_current(process) && is_excess(process));
            let back = self.fewest_first(ids).into_iter().rev();
            for id in back.take((most - open) as usize) {
                self.undrain(&id, steps);
            }
        }
    }

    /// In the order in which they are best ended: not ready yet, fewest sessions, fewest seats, longest unused.
    pub(super) fn fewest_first(&self, mut ids: Vec<ProcessId>) -> Vec<ProcessId> {
        ids.sort_by_key(|id| {
            self.processes.get(id).map(|process| {
                (
                    process.phase != Phase::Starting,
                    process.sessions(),
                    process.used(),
                    process.last_seat,
                )
            })
        });
        ids
    }

    pub(super) fn ids(&self, which: impl Fn(&Self, &super::Process) -> bool) -> Vec<ProcessId> {
        self.processes
            .iter()
            .filter(|(_, process)| which(self, process))
            .map(|(id, _)| id.clone())
            .collect()
    }

    fn drain(&mut self, id: &ProcessId, cause: Cause, now: Moment, steps: &mut Vec<Step>) {
        let Some(process) = self.processes.get_mut(id) else {
            return;
        };
        if process.phase == Phase::Starting {
            let why = if cause == Cause::Held {
                EndCause::Held
            } else {
                EndCause::Drained
            };
            self.end(id, why, steps);
            return;
        }
        let since = match process.drain {
            Some(drain) if drain.cause == cause => return,
            // Being held has a limit of its own; otherwise the time counts from the first reason.
            Some(drain) if cause != Cause::Held => drain.since,
            _ => now,
        };
        process.closing = false;
        let was_accepting = process.drain.replace(Drain { since, cause }).is_none();
        if was_accepting {
            self.show(id, steps);
        }
    }

    fn undrain(&mut self, id: &ProcessId, steps: &mut Vec<Step>) {
        let Some(process) = self.processes.get_mut(id) else {
            return;
        };
        if process.phase == Phase::Ready {
            process.drain = None;
            self.show(id, steps);
        }
    }

    /// Tells gateways how a process is.
    fn show(&self, id: &ProcessId, steps: &mut Vec<Step>) {
        if let Some(process) = self.processes.get(id)
            && let Some(address) = process.address.clone()
        {
            steps.push(Step::Open {
                process: id.clone(),
                address,
                accepting: process.is_accepting(),
            });
        }
    }
}
