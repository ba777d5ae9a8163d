//! Times that were written by a clock which was ahead of the right one: they would block a schedule until they come.

use jiff::{SignedDuration, Timestamp};

use super::decide::Past;

/// The clocks of two servers may differ by so much.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);
/// Runs so far ahead are none that could come a second time soon.
const FAR: SignedDuration = SignedDuration::from_hours(24);

/// Whether a time is so far to come that the clock which has written it was wrong.
#[must_use]
pub fn is_ahead(time: Timestamp, now: Timestamp) -> bool {
    time.duration_since(now) > AHEAD
}

/// Whether nothing is gained by keeping a run of this time, so that it is not made a second time.
#[must_use]
pub fn is_far_ahead(time: Timestamp, now: Timestamp) -> bool {
    time.duration_since(now) > FAR
}

impl Past {
    /// As far as it can be believed at `now`, and whether a last time was given up for that. Then all times until now count
    /// as over: which of them had a run is not known, and none is made twice.
    #[must_use]
    pub fn believed(self, now: Timestamp) -> (Self, bool) {
        match (self.last, is_ahead(self.since, now)) {
            (Some(last), _) if is_ahead(last, now) => (self.from(now), true),
            (None, true) => (self.from(now), true),
            (Some(last), true) => (self.from(last), false),
            (_, false) => (self, false),
        }
    }

    fn from(self, time: Timestamp) -> Self {
        Self {
            since: self.since.min(time),
            last: Some(time),
            active: self.active,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(NOW + 60 * minutes).unwrap()
    }

    fn past(since: i64, last: Option<i64>) -> Past {
        Past {
            since: at(since),
            last: last.map(at),
            active: 1,
        }
    }

    #[test]
    fn what_a_wrong_clock_wrote_is_given_up_and_nothing_before_now_is_made_up_for() {
        for (given, believed, is_given_up) in [
            (past(-90, None), past(-90, None), false),
            (past(-90, Some(-30)), past(-90, Some(-30)), false),
            // Clocks differ, and a small step back repeats nothing.
            (past(-90, Some(10)), past(-90, Some(10)), false),
            (past(10, None), past(10, None), false),
            (past(-90, Some(11)), past(-90, Some(0)), true),
            (past(5_000_000, Some(6_000_000)), past(0, Some(0)), true),
            (past(5_000_000, None), past(0, Some(0)), true),
            // Who remembers the beginning can not correct it, and the last time was.
            (past(5_000_000, Some(-7)), past(-7, Some(-7)), false),
        ] {
            assert_eq!(given.believed(at(0)), (believed, is_given_up), "{given:?}");
        }
    }
}
