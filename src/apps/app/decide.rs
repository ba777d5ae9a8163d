//! What is to be done about an application: starts and ends.

use std::time::Duration;

use super::process::{Cause, Phase, Process};
use super::{App, EndCause, Moment, Scene, Step, late};
use crate::apps::{Others, ProcessId};

/// How long the visitors of an application that may not run are kept.
const HELD_DRAIN: Duration = Duration::from_secs(10);
/// How long a draining process waits at most for a session without a connection to come back, and how long where idle
/// processes are kept for ever.
const LONGEST_LINGER: Duration = Duration::from_secs(60);
/// How long an application that waits for room keeps its turn after the last of its visitors was seen. They are told to
/// come back, and do so within seconds.
const TURN_KEPT: Duration = Duration::from_secs(30);
/// How long a process is left to an account that has just used it, before it makes room for another account's.
const COURTESY: Duration = Duration::from_secs(1);

impl App {
    /// What is to be done now; `mint` names processes.
    pub fn decide(
        &mut self,
        now: Moment,
        scene: &Scene<'_>,
        mint: &mut dyn FnMut() -> ProcessId,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        self.keep_turn(now);
        self.others = scene.others;
        self.yields = scene.yields;
        self.give_up_late(now, &mut steps);
        self.set_drains(now, scene, &mut steps);
        self.close_idle(now, scene);
        self.end_empty(now, scene, &mut steps);
        self.start_missing(now, scene, mint, &mut steps);
        self.share_out(scene, &mut steps);
        steps
    }

    fn keep_turn(&mut self, now: Moment) {
        if self.waiting() > 0 {
            self.asked_at = Some(now);
        }
        self.keeps_turn = self.is_short && self.turn_until().is_some_and(|until| until > now);
    }

    fn turn_until(&self) -> Option<Moment> {
        self.asked_at.map(|asked| asked + TURN_KEPT)
    }

    /// Ends all processes, as the application is served no more.
    pub fn end_all(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        for id in self.ids(|_, process| process.phase != Phase::Ending) {
            self.end(&id, EndCause::Removed, &mut steps);
        }
        self.waiting.clear();
        steps
    }

    /// When time alone makes a difference, if nothing happens before.
    #[must_use]
    pub fn due(&self, now: Moment) -> Option<Moment> {
        let spare = self.open() > self.needed();
        let of_process = |process: &Process| {
            let (first, second) = match (process.phase, process.drain) {
                (Phase::Starting, _) => (Some(process.late_at(self.spec.bounds.init_timeout)), None),
                (Phase::Ready, Some(drain)) => (
                    Some(self.drained_by(drain.since, drain.cause)),
                    (process.used() == 0).then(|| process.last_seat + self.linger()),
                ),
                (Phase::Ready, None) if spare && process.used() == 0 => (
                    self.idle_from(process),
                    (self.yields > 0).then(|| process.last_seat + COURTESY),
                ),
                (Phase::Ready, None) if self.is_short && !self.is_current(process) => {
                    (Some(process.last_seat + self.linger()), None)
                }
                _ => (None, None),
            };
            [first, second]
        };
        self.processes
            .values()
            .flat_map(of_process)
            .flatten()
            .chain(self.trouble.waits(now))
            .chain(self.turn_until().filter(|_| self.is_short))
            .filter(|due| *due > now)
            .min()
    }

    /// Ends processes that were not ready in time.
    fn give_up_late(&mut self, now: Moment, steps: &mut Vec<Step>) {
        let init = self.spec.bounds.init_timeout;
        for id in self.ids(|_, process| process.phase == Phase::Starting && process.late_at(init) <= now) {
            if let Some(process) = self.processes.get(&id)
                && self.is_current(process)
            {
                let begun = process.begun;
                let failure = late(&self.spec, &id);
                self.trouble.note(failure, begun, Duration::ZERO, now);
            }
            self.end(&id, EndCause::NotReady, steps);
        }
    }

    /// Calls back the seats of processes that were idle for long and are not needed, and lets those go on that are.
    fn close_idle(&mut self, now: Moment, scene: &Scene<'_>) {
        let is_over = |app: &Self, process: &Process| app.idle_from(process).is_some_and(|idle| idle <= now);
        let is_left = |process: &Process| process.last_seat + COURTESY <= now;
        let idle = self.idle(scene);
        let of = |id: &ProcessId| self.processes.get(id);
        // Those that are not wanted and whose time is over, and as many that others wait for.
        let (mut ids, more): (Vec<_>, Vec<_>) = idle
            .into_iter()
            .partition(|id| of(id).is_some_and(|process| is_over(self, process)));
        let kept = ids.split_off(ids.len().min(self.spare(self.target())));
        let more = kept
            .into_iter()
            .chain(more.into_iter().filter(|id| of(id).is_some_and(is_left)));
        let given = (self.yields as usize).min(self.spare(self.needed()).saturating_sub(ids.len()));
        ids.extend(more.take(given));
        for (id, process) in &mut self.processes {
            process.closing = ids.contains(id);
        }
    }

    /// Processes that nobody uses. Those that close already come first, so that nothing is begun twice.
    pub(super) fn idle(&self, scene: &Scene<'_>) -> Vec<ProcessId> {
        let is_idle = |app: &Self, process: &Process| {
            app.is_current(process)
                && process.is_accepting()
                && app.is_known(process, scene)
                && process.used() == 0
        };
        let mut ids = self.fewest_first(self.ids(is_idle));
        ids.sort_by_key(|id| !self.processes.get(id).is_some_and(|process| process.closing));
        ids
    }

    /// How many processes that are ready are more than so many are to be open.
    pub(super) fn spare(&self, keep: u32) -> usize {
        let ready = self.count_of(|app, process| app.is_current(process) && process.is_accepting());
        let spare = self.open().saturating_sub(keep);
        spare.min(ready.saturating_sub(self.spec.bounds.min_processes)) as usize
    }

    /// Ends processes that nobody has a seat of any more, and those whose time is over.
    fn end_empty(&mut self, now: Moment, scene: &Scene<'_>, steps: &mut Vec<Step>) {
        for id in self.ids(|_, process| process.phase == Phase::Ready) {
            let Some(process) = self.processes.get(&id) else {
                continue;
            };
            let is_empty = self.is_known(process, scene) && process.granted() == 0 && process.used() == 0;
            let cause = match process.drain {
                None if process.closing && is_empty => EndCause::Idle,
                None => continue,
                Some(drain) if drain.cause == Cause::Held && is_empty => EndCause::Held,
                Some(_) if is_empty && process.last_seat + self.linger() <= now => EndCause::Drained,
                Some(drain) if self.drained_by(drain.since, drain.cause) <= now => {
                    if drain.cause == Cause::Held {
                        EndCause::Held
                    } else {
                        EndCause::DrainTimeout
                    }
                }
                Some(_) => continue,
            };
            self.end(&id, cause, steps);
        }
    }

    fn start_missing(
        &mut self,
        now: Moment,
        scene: &Scene<'_>,
        mint: &mut dyn FnMut() -> ProcessId,
        steps: &mut Vec<Step>,
    ) {
        self.is_short = false;
        let missing = self.target().saturating_sub(self.open());
        let wanted = missing.min(self.allowed(now));
        self.is_crowded = wanted < missing.min(self.allowed_beside(now, Others::default()));
        let starts = wanted.min(scene.slots);
        self.is_short = starts < wanted;
        for _ in 0..starts {
            let process = mint();
            let deployment = self.spec.deployment.clone();
            let started = Process::starting(deployment.clone(), now);
            self.processes.insert(process.clone(), started);
            steps.push(Step::Start { process, deployment });
        }
        self.is_pressing = (self.is_crowded || self.is_short) && self.needed() > self.open();
    }

    /// How many processes the bounds and the last failures allow to be started.
    pub(super) fn allowed(&self, now: Moment) -> u32 {
        self.allowed_beside(now, self.others)
    }

    pub(super) fn allowed_beside(&self, now: Moment, others: Others) -> u32 {
        if self.spec.held.is_some() || self.trouble.waits(now).is_some() {
            return 0;
        }
        let most = self.spec.bounds.max_processes.saturating_sub(others.all);
        let room = most.saturating_sub(self.count_of(Self::is_current));
        let has_ready = self.count_of(|app, process| app.is_current(process) && process.is_accepting()) > 0;
        if self.trouble.is_failing() && !has_ready {
            // One attempt at a time, until one succeeds.
            let starting = u32::try_from(self.starting().count()).unwrap_or(u32::MAX);
            return room.min(1_u32.saturating_sub(starting));
        }
        room
    }

    pub(super) fn end(&mut self, id: &ProcessId, cause: EndCause, steps: &mut Vec<Step>) {
        let Some(process) = self.processes.get_mut(id) else {
            return;
        };
        if process.phase == Phase::Ready {
            steps.push(Step::Gone { process: id.clone() });
        }
        process.phase = Phase::Ending;
        process.closing = false;
        process.shares.clear();
        steps.push(Step::End {
            process: id.clone(),
            cause,
        });
    }

    /// Whether it is known who has seats of a process.
    pub(super) fn is_known(&self, process: &Process, scene: &Scene<'_>) -> bool {
        scene.is_settled || process.fresh
    }

    fn idle_from(&self, process: &Process) -> Option<Moment> {
        let timeout = self.spec.bounds.idle_timeout?;
        Some(process.last_seat + timeout)
    }

    pub(super) fn linger(&self) -> Duration {
        self.spec
            .bounds
            .idle_timeout
            .unwrap_or(LONGEST_LINGER)
            .min(LONGEST_LINGER)
    }

    fn drained_by(&self, since: Moment, cause: Cause) -> Moment {
        let limit = self.spec.bounds.drain_timeout;
        since
            + if cause == Cause::Held {
                limit.min(HELD_DRAIN)
            } else {
                limit
            }
    }
}
