//! Which jobs are to be looked at, and when. A job waits once however often it was asked for, is never looked at
//! twice at a time, and one that fails is tried again at a pace of its own. Plain state: whoever owns it has the clock.
//!
//! kube's own `Controller` is not used: it reads from stores that only its watches write. Here what a write of our own
//! returned is known at once, so a job takes its next step without waiting for the watch to tell it back, and a look
//! that waits for the volume holds nobody up.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// Name of a job.
pub type Key = Arc<str>;

/// After the first failure; doubled with each further one.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LAST_DELAY: Duration = Duration::from_secs(60);

/// What a look at a job came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is to be done until something happens.
    Settled,
    /// It is to be looked at again after this time, if nothing happens before.
    Again(Duration),
    /// It failed, and is tried again with growing pauses.
    Failed,
}

/// The jobs that wait, that run, and that have a time.
#[derive(Debug, Default)]
pub struct Schedule {
    ready: VecDeque<Key>,
    waiting: HashSet<Key>,
    running: HashSet<Key>,
    asked_while_running: HashSet<Key>,
    timers: BTreeSet<(Instant, Key)>,
    due: HashMap<Key, Instant>,
    failures: HashMap<Key, u32>,
}

impl Schedule {
    /// Asks for a look at a job as soon as possible.
    pub fn ask(&mut self, key: Key) {
        self.forget_time(&key);
        if self.running.contains(&key) {
            self.asked_while_running.insert(key);
        } else if self.waiting.insert(key.clone()) {
            self.ready.push_back(key);
        }
    }

    /// Asks for a look at a job at a time; the earlier one holds where it has one already.
    pub fn ask_at(&mut self, key: Key, when: Instant) {
        if self.waiting.contains(&key) || self.due.get(&key).is_some_and(|due| *due <= when) {
            return;
        }
        self.forget_time(&key);
        self.due.insert(key.clone(), when);
        self.timers.insert((when, key));
    }

    /// When the next timer runs out.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|(when, _)| *when)
    }

    /// Asks for each job whose time has come.
    pub fn tick(&mut self, now: Instant) {
        while let Some((when, key)) = self.timers.first().cloned()
            && when <= now
        {
            self.ask(key);
        }
    }

    /// The next job; [`Self::done`] gives it back.
    pub fn take(&mut self) -> Option<Key> {
        let key = self.ready.pop_front()?;
        self.waiting.remove(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    /// A look at a job is over.
    pub fn done(&mut self, key: Key, outcome: Outcome, now: Instant) {
        self.running.remove(&key);
        let failures = match outcome {
            Outcome::Failed => {
                let failures = self.failures.entry(key.clone()).or_default();
                *failures = failures.saturating_add(1);
                *failures
            }
            Outcome::Settled | Outcome::Again(_) => {
                self.failures.remove(&key);
                0
            }
        };
        if self.asked_while_running.remove(&key) {
            return self.ask(key);
        }
        match outcome {
            Outcome::Settled => {}
            Outcome::Again(after) => self.ask_at(key, now + after),
            Outcome::Failed => self.ask_at(key, now + delay(failures)),
        }
    }

    /// How many jobs wait for their turn.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.ready.len()
    }

    fn forget_time(&mut self, key: &Key) {
        if let Some(when) = self.due.remove(key) {
            self.timers.remove(&(when, key.clone()));
        }
    }
}

/// The pause after this many failures: 1 s, 2 s, 4 s … 60 s.
fn delay(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_DELAY.saturating_mul(1_u32 << doublings).min(LAST_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::from(name)
    }

    fn taken(schedule: &mut Schedule) -> Vec<String> {
        std::iter::from_fn(|| schedule.take())
            .map(|key| key.to_string())
            .collect()
    }

    #[test]
    fn a_job_asked_for_often_is_looked_at_once() {
        let mut schedule = Schedule::default();
        for name in ["a", "b", "a", "a"] {
            schedule.ask(key(name));
        }
        assert_eq!(taken(&mut schedule), ["a", "b"]);
    }

    #[test]
    fn what_happens_during_a_look_makes_another_one_after_it() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.ask(key("a"));
        assert!(schedule.take().is_some());
        schedule.ask(key("a"));
        schedule.ask(key("a"));
        assert_eq!(schedule.take(), None, "never twice at a time");
        schedule.done(key("a"), Outcome::Settled, now);
        assert_eq!(taken(&mut schedule), ["a"]);
        schedule.done(key("a"), Outcome::Settled, now);
        assert_eq!(taken(&mut schedule), Vec::<String>::new());
    }

    #[test]
    fn the_earlier_time_holds_and_an_event_comes_before_both() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        let seconds = |count| now + Duration::from_secs(count);
        schedule.ask_at(key("a"), seconds(10));
        schedule.ask_at(key("a"), seconds(5));
        schedule.ask_at(key("a"), seconds(20));
        assert_eq!(schedule.next_due(), Some(seconds(5)));
        schedule.tick(seconds(4));
        assert_eq!(schedule.queued(), 0);
        schedule.ask(key("a"));
        assert_eq!(
            schedule.next_due(),
            None,
            "the look that is to come settles it anew"
        );
        assert_eq!(taken(&mut schedule), ["a"]);
        schedule.ask_at(key("b"), seconds(1));
        schedule.tick(seconds(1));
        assert_eq!(taken(&mut schedule), ["b"]);
    }

    #[test]
    fn pauses_grow_to_a_minute_and_start_anew_after_a_success() {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..8 {
            schedule.ask(key("a"));
            schedule.take();
            schedule.done(key("a"), Outcome::Failed, now);
            pauses.push(schedule.next_due().map(|due| (due - now).as_secs()));
        }
        let pauses: Vec<u64> = pauses.into_iter().flatten().collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        schedule.ask(key("a"));
        schedule.take();
        schedule.done(key("a"), Outcome::Settled, now);
        assert_eq!(schedule.next_due(), None);
        schedule.ask(key("a"));
        schedule.take();
        schedule.done(key("a"), Outcome::Failed, now);
        assert_eq!(schedule.next_due(), Some(now + FIRST_DELAY));
    }
}
