//! How often results may be asked for.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Within which so many may be asked for.
const WINDOW: Duration = Duration::from_secs(60);

/// What was asked for in the last minute, by whom.
#[derive(Debug, Default)]
pub(super) struct Pace {
    asked: HashMap<String, Vec<Instant>>,
}

impl Pace {
    /// Notes that each of these asks now, unless one of them did so more often than it may.
    pub(super) fn allows(&mut self, who: &[(String, usize)], now: Instant) -> bool {
        self.asked.retain(|_, times| {
            times.retain(|time| now.duration_since(*time) < WINDOW);
            !times.is_empty()
        });
        let count = |name: &String| self.asked.get(name).map_or(0, Vec::len);
        if who.iter().any(|(name, most)| count(name) >= *most) {
            return false;
        }
        for (name, _) in who {
            self.asked.entry(name.clone()).or_default().push(now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_waits_and_nobody_else() {
        let mut pace = Pace::default();
        let now = Instant::now();
        let who = |browser: &str| [(browser.to_owned(), 2), ("address".to_owned(), 3)];
        assert!(pace.allows(&who("a"), now));
        assert!(pace.allows(&who("a"), now));
        assert!(!pace.allows(&who("a"), now));
        assert!(pace.allows(&who("b"), now));
        assert!(!pace.allows(&who("c"), now), "from one address");
        assert!(pace.allows(&who("a"), now + WINDOW));
        assert_eq!(pace.asked.len(), 2, "nothing is remembered for ever");
    }
}
