//! What is done about a schedule at a moment.

use jiff::{SignedDuration, Timestamp};

use super::times::{Times, TimesError};
use crate::api::schedule::{ConcurrencyPolicy, Missed, Schedule};

/// A run that begins so much after its time is not late.
const IN_TIME: SignedDuration = SignedDuration::from_secs(60);

/// A schedule, read.
#[derive(Clone, Debug)]
pub struct Rule {
    times: Times,
    concurrency: ConcurrencyPolicy,
    /// How late a run may begin; `None` is any time.
    lateness: Option<SignedDuration>,
    suspended: bool,
}

/// What is known of what was begun before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// Since when there is the schedule: earlier times are none of its.
    pub since: Timestamp,
    /// The latest time of which a run was begun.
    pub last: Option<Timestamp>,
    /// How many runs are not over.
    pub active: usize,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The run of this time is to be begun.
    pub begin: Option<Timestamp>,
    /// Before that, those that are not over are to be ended.
    pub replace: bool,
    /// A run would be begun, and waits for the end of an earlier one.
    pub waits: Option<Timestamp>,
    /// The next time; `None` while it is suspended.
    pub next: Option<Timestamp>,
}

impl Rule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// Its expression or its time zone means nothing.
    pub fn read(schedule: &Schedule) -> Result<Self, TimesError> {
        let lateness = match schedule.missed {
            Missed::Skip => Some(IN_TIME),
            Missed::RunOnce => schedule.starting_deadline_seconds.map(SignedDuration::from_secs),
        };
        Ok(Self {
            times: Times::read(&schedule.cron, schedule.time_zone.as_deref())?,
            concurrency: schedule.concurrency_policy,
            lateness,
            suspended: schedule.suspended,
        })
    }
}

/// Decides. A time that a run was begun for, and every time before it, is over: also where the clock is set back by less than
/// [`Past::believed`] gives up.
#[must_use]
pub fn decide(rule: &Rule, past: Past, now: Timestamp) -> Decision {
    if rule.suspended {
        return Decision::default();
    }
    let over = past.last.map_or(past.since, |last| last.max(past.since));
    let decision = Decision {
        next: rule.times.after(over.max(now)),
        ..Decision::default()
    };
    let is_early_enough = |time: &Timestamp| {
        rule.lateness
            .is_none_or(|lateness| now.duration_since(*time) <= lateness)
    };
    let due = rule.times.latest(now).filter(|time| *time > over);
    let Some(time) = due.filter(is_early_enough) else {
        return decision;
    };
    match rule.concurrency {
        ConcurrencyPolicy::Forbid if past.active > 0 => Decision {
            waits: Some(time),
            ..decision
        },
        ConcurrencyPolicy::Replace => Decision {
            begin: Some(time),
            replace: past.active > 0,
            ..decision
        },
        ConcurrencyPolicy::Allow | ConcurrencyPolicy::Forbid => Decision {
            begin: Some(time),
            ..decision
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn rule(change: impl FnOnce(&mut Schedule)) -> Rule {
        let mut schedule = Schedule {
            cron: "0 * * * *".to_owned(),
            ..Schedule::default()
        };
        change(&mut schedule);
        Rule::read(&schedule).unwrap()
    }

    fn past(last: Option<&str>, active: usize) -> Past {
        Past {
            since: at("2026-05-01T08:30:00Z"),
            last: last.map(at),
            active,
        }
    }

    #[test]
    fn a_run_is_begun_once_at_its_time() {
        let rule = rule(|_| {});
        let early = decide(&rule, past(None, 0), at("2026-05-01T08:59:59Z"));
        assert_eq!(
            (early.begin, early.next),
            (None, Some(at("2026-05-01T09:00:00Z")))
        );
        let due = decide(&rule, past(None, 0), at("2026-05-01T09:00:00Z"));
        assert_eq!(due.begin, Some(at("2026-05-01T09:00:00Z")));
        let after = decide(
            &rule,
            past(Some("2026-05-01T09:00:00Z"), 0),
            at("2026-05-01T09:00:30Z"),
        );
        assert_eq!(
            (after.begin, after.next),
            (None, Some(at("2026-05-01T10:00:00Z")))
        );
    }

    #[test]
    fn times_before_the_schedule_are_none_of_its() {
        let rule = rule(|_| {});
        assert_eq!(
            decide(&rule, past(None, 0), at("2026-05-01T08:31:00Z")).begin,
            None
        );
    }

    #[test]
    fn a_clock_that_is_set_back_repeats_nothing() {
        let rule = rule(|_| {});
        let begun = past(Some("2026-05-01T12:00:00Z"), 0);
        for now in [
            "2026-05-01T09:00:00Z",
            "2026-05-01T11:00:10Z",
            "2026-05-01T12:00:00Z",
        ] {
            let decision = decide(&rule, begun, at(now));
            assert_eq!(decision.begin, None, "{now}");
            assert_eq!(decision.next, Some(at("2026-05-01T13:00:00Z")), "{now}");
        }
    }

    #[test]
    fn of_missed_times_the_last_is_made_up_for_or_none() {
        let late = at("2026-05-02T07:10:00Z");
        let once = decide(&rule(|_| {}), past(None, 0), late);
        assert_eq!(once.begin, Some(at("2026-05-02T07:00:00Z")));
        let skip = rule(|schedule| schedule.missed = Missed::Skip);
        assert_eq!(decide(&skip, past(None, 0), late).begin, None);
        let in_time = at("2026-05-02T07:00:59Z");
        assert_eq!(
            decide(&skip, past(None, 0), in_time).begin,
            Some(at("2026-05-02T07:00:00Z"))
        );
        let deadline = rule(|schedule| schedule.starting_deadline_seconds = Some(599));
        assert_eq!(decide(&deadline, past(None, 0), late).begin, None);
        let deadline = rule(|schedule| schedule.starting_deadline_seconds = Some(600));
        assert!(decide(&deadline, past(None, 0), late).begin.is_some());
    }

    #[test]
    fn an_earlier_run_is_waited_for_joined_or_ended() {
        let now = at("2026-05-01T09:00:05Z");
        let time = Some(at("2026-05-01T09:00:00Z"));
        let with = |policy| rule(|schedule| schedule.concurrency_policy = policy);
        let forbid = decide(&with(ConcurrencyPolicy::Forbid), past(None, 1), now);
        assert_eq!((forbid.begin, forbid.waits), (None, time));
        let allow = decide(&with(ConcurrencyPolicy::Allow), past(None, 1), now);
        assert_eq!((allow.begin, allow.replace), (time, false));
        let replace = decide(&with(ConcurrencyPolicy::Replace), past(None, 1), now);
        assert_eq!((replace.begin, replace.replace), (time, true));
        let alone = decide(&with(ConcurrencyPolicy::Replace), past(None, 0), now);
        assert_eq!((alone.begin, alone.replace), (time, false));
    }

    #[test]
    fn nothing_is_begun_while_suspended() {
        let rule = rule(|schedule| schedule.suspended = true);
        assert_eq!(
            decide(&rule, past(None, 1), at("2026-05-01T09:00:05Z")),
            Decision::default()
        );
    }
}
