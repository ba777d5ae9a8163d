//! A log-in, and for how long it counts.

use std::sync::Arc;
use std::time::Duration;

use super::Visitor;

/// Clocks of two servers may differ by as many seconds.
const SKEW: u64 = 60;

/// The random number of a log-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoginId(pub u128);

/// Somebody who has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Its number.
    pub id: LoginId,
    /// Who it is.
    pub visitor: Arc<Visitor>,
    /// When it began, in seconds since 1970.
    pub since: u64,
    /// When the visitor was last seen.
    pub seen: u64,
}

/// How long log-ins count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// `Authentication.Lifetime`: from its beginning; zero is for ever.
    pub lifetime: Duration,
    /// `Authentication.Inactivity`: from when the visitor was last seen; zero is for ever.
    pub inactivity: Duration,
}

/// Why a log-in does not count any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// It is too old.
    Old,
    /// The visitor was away for too long.
    Inactive,
    /// It says that it is of a time to come: the clock was set back, and how old it is is not known.
    Future,
}

impl Login {
    /// Why it does not count at `now`, if it does not.
    #[must_use]
    pub fn stale(&self, lifetimes: Lifetimes, now: u64) -> Option<Stale> {
        let is_over = |limit: Duration, from: u64| {
            !limit.is_zero() && now.saturating_sub(from) >= limit.as_secs().max(1)
        };
        if self.since.max(self.seen) > now.saturating_add(SKEW) {
            Some(Stale::Future)
        } else if is_over(lifetimes.lifetime, self.since) {
            Some(Stale::Old)
        } else if is_over(lifetimes.inactivity, self.seen) {
            Some(Stale::Inactive)
        } else {
            None
        }
    }

    /// Whether it is worth noting that the visitor was seen: not with every request.
    #[must_use]
    pub fn is_news(&self, lifetimes: Lifetimes, now: u64) -> bool {
        let often = (lifetimes.inactivity.as_secs() / 32).clamp(1, 60);
        now >= self.seen.saturating_add(often)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const HOUR: u64 = 3600;

    fn login(since: u64, seen: u64) -> Login {
        Login {
            id: LoginId(1),
            visitor: Arc::new(Visitor {
                user: "ann".to_owned(),
                groups: Vec::new(),
                uid: None,
            }),
            since,
            seen,
        }
    }

    fn lifetimes(lifetime: u64, inactivity: u64) -> Lifetimes {
        Lifetimes {
            lifetime: Duration::from_secs(lifetime),
            inactivity: Duration::from_secs(inactivity),
        }
    }

    #[test]
    fn a_log_in_ends_by_age_and_by_absence() {
        let usual = lifetimes(24 * HOUR, 8 * HOUR);
        for (age, away, expected) in [
            (0, 0, None),
            (24 * HOUR - 1, 8 * HOUR - 1, None),
            (24 * HOUR, 0, Some(Stale::Old)),
            (9 * HOUR, 8 * HOUR, Some(Stale::Inactive)),
        ] {
            let login = login(NOW - age, NOW - away);
            assert_eq!(login.stale(usual, NOW), expected, "{age} {away}");
        }
        assert_eq!(login(0, 0).stale(lifetimes(0, 0), NOW), None);
    }

    #[test]
    fn a_clock_set_back_prolongs_nothing() {
        let usual = lifetimes(24 * HOUR, 8 * HOUR);
        assert_eq!(
            login(NOW, NOW).stale(usual, NOW - 60),
            None,
            "clocks differ a little"
        );
        assert_eq!(login(NOW, NOW).stale(usual, NOW - 61), Some(Stale::Future));
        assert_eq!(
            login(NOW - 5 * HOUR, NOW).stale(usual, NOW - HOUR),
            Some(Stale::Future)
        );
    }

    #[test]
    fn not_every_request_is_news() {
        let usual = lifetimes(24 * HOUR, 8 * HOUR);
        assert!(!login(NOW, NOW).is_news(usual, NOW + 59));
        assert!(login(NOW, NOW).is_news(usual, NOW + 60));
        assert!(
            login(NOW, NOW).is_news(lifetimes(60, 10), NOW + 1),
            "short ones are looked at closely"
        );
    }
}
