//! How often somebody may try to log in: a table of fixed size, so that no number of names and addresses fills the
//! memory, or drives out what is known of one of them.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Rows of the table, each with a hash of its own: what falls together with others in one row does not in another.
const ROWS: usize = 3;
/// Places in a row.
const PLACES: usize = 4096;

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// So often without a pause.
    pub burst: u32,
    /// Then once in this time.
    pub every: Duration,
}

/// Attempts by name or by address.
pub struct Throttle {
    limits: ThrottleLimits,
    hashers: [RandomState; ROWS],
    /// When all attempts of a place are forgotten, since the beginning.
    places: Box<[[Duration; PLACES]; ROWS]>,
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttle")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Throttle {
    /// Nobody has tried yet.
    #[must_use]
    pub fn new(limits: ThrottleLimits) -> Self {
        Self {
            limits,
            hashers: std::array::from_fn(|_| RandomState::new()),
            places: Box::new([[Duration::ZERO; PLACES]; ROWS]),
        }
    }

    /// How long `key` has to wait at `now`, the time since some beginning, before another attempt; zero if it need not.
    #[must_use]
    pub fn wait(&self, key: &str, now: Duration) -> Duration {
        let until = (0..ROWS).map(|row| self.places[row][self.place(row, key)]).min();
        let most = self.limits.every * self.limits.burst.saturating_sub(1);
        until.unwrap_or_default().saturating_sub(now).saturating_sub(most)
    }

    /// Counts an attempt.
    pub fn count(&mut self, key: &str, now: Duration) {
        for row in 0..ROWS {
            let place = self.place(row, key);
            let until = &mut self.places[row][place];
            *until = (*until).max(now) + self.limits.every;
        }
    }

    /// Takes an attempt back: it was a good one.
    pub fn forgive(&mut self, key: &str) {
        for row in 0..ROWS {
            let place = self.place(row, key);
            let until = &mut self.places[row][place];
            *until = until.saturating_sub(self.limits.every);
        }
    }

    fn place(&self, row: usize, key: &str) -> usize {
        let hash = self.hashers[row].hash_one(key);
        usize::try_from(hash % PLACES as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ThrottleLimits = ThrottleLimits {
        burst: 3,
        every: Duration::from_secs(10),
    };

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    /// Whether an attempt is let through; it counts then.
    fn tries(throttle: &mut Throttle, key: &str, now: u64) -> bool {
        let may = throttle.wait(key, seconds(now)).is_zero();
        if may {
            throttle.count(key, seconds(now));
        }
        may
    }

    #[test]
    fn after_a_few_attempts_one_waits_and_good_ones_do_not_count() {
        let mut throttle = Throttle::new(LIMITS);
        assert_eq!(
            [0, 0, 0, 0].map(|now| tries(&mut throttle, "ann", now)),
            [true, true, true, false]
        );
        assert_eq!(throttle.wait("ann", seconds(0)), seconds(10));
        assert!(!tries(&mut throttle, "ann", 9));
        assert!(tries(&mut throttle, "bob", 9));
        assert_eq!(
            [10, 10, 20].map(|now| tries(&mut throttle, "ann", now)),
            [true, false, true]
        );
        assert_eq!(
            [60, 60, 60, 60].map(|now| tries(&mut throttle, "ann", now)),
            [true, true, true, false]
        );
        throttle.forgive("ann");
        assert!(tries(&mut throttle, "ann", 60));
        let mut good = Throttle::new(LIMITS);
        for now in 0..1000 {
            assert!(tries(&mut good, "ann", now / 100));
            good.forgive("ann");
        }
    }

    #[test]
    fn a_flood_of_names_neither_frees_nor_locks_others() {
        let mut throttle = Throttle::new(LIMITS);
        for _ in 0..3 {
            assert!(tries(&mut throttle, "ann", 0));
        }
        for number in 0..2000 {
            throttle.count(&format!("name {number}"), seconds(0));
        }
        assert!(!tries(&mut throttle, "ann", 0));
        let locked = (0..500)
            .filter(|number| !tries(&mut throttle, &format!("other {number}"), 0))
            .count();
        assert!(locked < 25, "{locked} of 500 fell together with others");
    }
}
