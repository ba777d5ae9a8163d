//! How many runs are kept in the list of jobs.

use jiff::Timestamp;

use super::ahead::{is_ahead, is_far_ahead};
use crate::api::schedule::Schedule;

/// How many runs that have succeeded, and that have failed, are kept where the schedule says nothing: as a CronJob does.
const USUAL: (i32, i32) = (3, 1);

/// A run that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The time it was made for.
    pub time: Timestamp,
    /// Whether it has succeeded.
    pub succeeded: bool,
}

/// The runs beyond those that a schedule keeps: of each kind the oldest. Those of a clock that was ahead count with none: they
/// stay, so that they are not made again when their time comes, unless that is far away.
#[must_use]
pub fn surplus(schedule: &Schedule, runs: &[Run], now: Timestamp) -> Vec<Timestamp> {
    let limit = |given: Option<i32>, usual: i32| usize::try_from(given.unwrap_or(usual)).unwrap_or(0);
    let successful = limit(schedule.successful_jobs_history_limit, USUAL.0);
    let failed = limit(schedule.failed_jobs_history_limit, USUAL.1);
    let beyond = |succeeded: bool, keep: usize| {
        let mut times: Vec<Timestamp> = runs
            .iter()
            .filter(|run| run.succeeded == succeeded && !is_ahead(run.time, now))
            .map(|run| run.time)
            .collect();
        times.sort_unstable();
        times.truncate(times.len().saturating_sub(keep));
        times
    };
    let mut times = beyond(true, successful);
    times.extend(beyond(false, failed));
    times.extend(
        runs.iter()
            .map(|run| run.time)
            .filter(|time| is_far_ahead(*time, now)),
    );
    times
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_kind_the_newest_stay() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let run = |second, succeeded| Run {
            time: at(second),
            succeeded,
        };
        let runs = [
            run(3, true),
            run(1, true),
            run(2, false),
            run(4, false),
            run(5, true),
        ];
        let keeps = |successful, failed| Schedule {
            successful_jobs_history_limit: successful,
            failed_jobs_history_limit: failed,
            ..Schedule::default()
        };
        assert_eq!(surplus(&keeps(Some(2), None), &runs, at(5)), [at(1), at(2)]);
        assert_eq!(surplus(&keeps(None, Some(2)), &runs, at(5)), []);
        assert_eq!(surplus(&keeps(Some(0), Some(0)), &runs, at(5)).len(), 5);
        // Of a clock that was ahead by some hours, and by years.
        let runs = [
            &runs[..],
            &[run(40_000, true), run(9_000_000, true), run(9_000_060, false)],
        ]
        .concat();
        assert_eq!(
            surplus(&keeps(Some(2), None), &runs, at(5)),
            [at(1), at(2), at(9_000_000), at(9_000_060)]
        );
        assert_eq!(
            surplus(&keeps(Some(2), None), &runs[..6], at(40_000)),
            [at(1), at(3), at(2)]
        );
    }
}
