//! What a builder builds next, from what its repository has and what it remembers. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::refs::State;

/// A failed try is never repeated later than this.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// What a builder remembers between polls and over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// What was built and how: where that has changed, everything is built anew.
    pub recipe: String,
    /// By commit.
    pub builds: BTreeMap<String, Record>,
}

/// What became of one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What the commit was called.
    pub name: String,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Outcome {
    /// Its archives are whole and are about to get their names.
    Placing {
        /// The archives.
        archives: Vec<Staged>,
    },
    /// Its archives have their names.
    Built {
        /// Their names.
        archives: Vec<String>,
    },
    /// It failed.
    Failed {
        /// How often.
        tries: u32,
        /// When it may be tried again, in seconds since 1970.
        again: u64,
        /// Why, for people.
        why: String,
    },
}

/// An archive that is whole, in the directory where it is to appear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staged {
    /// Its name until then.
    pub staged: String,
    /// The name that it gets.
    pub name: String,
    /// SHA-256 of it.
    pub digest: String,
}

/// Bounds of a builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Builds at a time.
    pub at_once: usize,
    /// Tries of one build.
    pub tries: u32,
}

impl Memory {
    /// What is remembered for builds of this recipe: nothing where it was another.
    #[must_use]
    pub fn of(self, recipe: &str) -> Self {
        if self.recipe == recipe {
            return self;
        }
        Self {
            recipe: recipe.to_owned(),
            builds: BTreeMap::new(),
        }
    }

    /// The states that are to be built now, in the order in which they are wanted; a commit of two names once.
    #[must_use]
    pub fn due<'w>(
        &self,
        wanted: &'w [State],
        running: &BTreeSet<String>,
        bounds: Bounds,
        now: u64,
    ) -> Vec<&'w State> {
        let free = bounds.at_once.saturating_sub(running.len());
        let mut taken = running.clone();
        let is_due = |state: &&State| match self.builds.get(&state.commit).map(|record| &record.outcome) {
            Some(Outcome::Built { .. }) => false,
            Some(Outcome::Failed { tries, again, .. }) => *tries < bounds.tries && *again <= now,
            Some(Outcome::Placing { .. }) | None => true,
        };
        let states = wanted.iter().filter(is_due);
        states
            .filter(|state| taken.insert(state.commit.clone()))
            .take(free)
            .collect()
    }

    /// Notes that a build failed, and gives how often it has.
    pub fn failed(&mut self, state: &State, why: String, poll: Duration, now: u64) -> u32 {
        let before = match self.builds.get(&state.commit).map(|record| &record.outcome) {
            Some(Outcome::Failed { tries, .. }) => *tries,
            _ => 0,
        };
        let tries = before.saturating_add(1);
        let again = now.saturating_add(pause(poll, tries).as_secs());
        self.note(state, Outcome::Failed { tries, again, why });
        tries
    }

    /// Notes that a build came to nothing which says nothing about its package: it is built again after a while, and is not
    /// given up for it.
    pub fn put_off(&mut self, state: &State, why: String, poll: Duration, now: u64) {
        let tries = match self.builds.get(&state.commit).map(|record| &record.outcome) {
            Some(Outcome::Failed { tries, .. }) => *tries,
            _ => 0,
        };
        let again = now.saturating_add(pause(poll, 1).as_secs());
        self.note(state, Outcome::Failed { tries, again, why });
    }

    /// Notes what became of a build.
    pub fn note(&mut self, state: &State, outcome: Outcome) {
        let name = state.name.clone();
        self.builds.insert(state.commit.clone(), Record { name, outcome });
    }

    /// Forgets all but this commit: of a branch only what was built last counts, so that one which goes back to an older
    /// commit has that built again.
    pub fn keep_only(&mut self, commit: &str) {
        self.builds.retain(|known, _| known == commit);
    }
}

/// How long to wait after so many failures in a row: longer each time.
#[must_use]
pub fn pause(usual: Duration, failures: u32) -> Duration {
    let factor = 1u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    usual.saturating_mul(factor).min(LONGEST_PAUSE.max(usual))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state(n: u8) -> State {
        State {
            name: format!("refs/tags/v{n}"),
            commit: format!("{:040x}", n / 2),
        }
    }

    fn outcome() -> impl Strategy<Value = Option<Outcome>> {
        prop_oneof![
            Just(None),
            Just(Some(Outcome::Built { archives: vec![] })),
            Just(Some(Outcome::Placing { archives: vec![] })),
            (0u32..6, 0u64..20).prop_map(|(tries, again)| Some(Outcome::Failed {
                tries,
                again,
                why: String::new()
            })),
        ]
    }

    /// Proves: GB6 (P)
    #[test]
    fn what_a_cluster_lacks_is_no_try() {
        let state = State {
            name: "refs/tags/v1".to_owned(),
            commit: "a".repeat(40),
        };
        let (wanted, poll) = ([state.clone()], Duration::from_secs(60));
        let bounds = Bounds { at_once: 1, tries: 2 };
        let mut memory = Memory::default();
        assert_eq!(memory.failed(&state, "R".to_owned(), poll, 0), 1);
        for round in 1..20 {
            memory.put_off(&state, "no node".to_owned(), poll, round * 1000);
            let due = |now| memory.due(&wanted, &BTreeSet::new(), bounds, now).len();
            assert_eq!((due(round * 1000 + 59), due(round * 1000 + 60)), (0, 1));
        }
        assert_eq!(memory.failed(&state, "R".to_owned(), poll, 30_000), 2);
        assert!(memory.due(&wanted, &BTreeSet::new(), bounds, u64::MAX).is_empty());
    }

    proptest! {
        /// Proves: GB1 (B)
        #[test]
        fn nothing_is_built_twice_too_often_or_beyond_the_bounds(
            outcomes in proptest::collection::vec(outcome(), 0..12), running in proptest::collection::btree_set(0u8..12, 0..4),
            at_once in 0usize..6, tries in 1u32..4, now in 0u64..20,
        ) {
            let wanted: Vec<State> = (0..12).map(state).collect();
            let mut memory = Memory::default();
            for (n, outcome) in outcomes.into_iter().enumerate() {
                if let Some(outcome) = outcome {
                    memory.note(&state(u8::try_from(n).unwrap()), outcome);
                }
            }
            let running: BTreeSet<String> = running.into_iter().map(|n| state(n).commit).collect();
            let due = memory.due(&wanted, &running, Bounds { at_once, tries }, now);
            prop_assert!(due.is_empty() || running.len() + due.len() <= at_once);
            let mut seen = running.clone();
            for state in due {
                prop_assert!(seen.insert(state.commit.clone()), "twice: {:?}", state);
                match memory.builds.get(&state.commit).map(|record| &record.outcome) {
                    Some(Outcome::Built { .. }) => prop_assert!(false, "built already"),
                    Some(Outcome::Failed { tries: had, again, .. }) => prop_assert!(*had < tries && *again <= now),
                    _ => {}
                }
            }
        }

        /// Proves: GB1 (B)
        #[test]
        fn pauses_grow_and_end(seconds in 1u64..10_000, failures in 1u32..100) {
            let usual = Duration::from_secs(seconds);
            prop_assert!(pause(usual, failures) >= usual);
            prop_assert!(pause(usual, failures + 1) >= pause(usual, failures));
            prop_assert!(pause(usual, failures) <= usual.max(LONGEST_PAUSE));
        }
    }

    /// Proves: GB1 (B)
    #[test]
    fn what_fails_is_given_up_after_its_tries_and_a_new_recipe_begins_anew() {
        let (poll, bounds) = (Duration::from_secs(10), Bounds { at_once: 5, tries: 2 });
        let wanted = [state(0)];
        let mut memory = Memory::default().of("a");
        assert_eq!(memory.failed(&wanted[0], "no R".to_owned(), poll, 100), 1);
        let none = BTreeSet::new();
        assert!(memory.due(&wanted, &none, bounds, 105).is_empty());
        assert_eq!(memory.due(&wanted, &none, bounds, 110).len(), 1);
        assert_eq!(memory.failed(&wanted[0], "no R".to_owned(), poll, 110), 2);
        assert!(memory.due(&wanted, &none, bounds, 100_000).is_empty());
        let text = serde_json::to_string(&memory).unwrap();
        assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), memory);
        assert_eq!(memory.of("b").due(&wanted, &none, bounds, 0).len(), 1);
    }
}
