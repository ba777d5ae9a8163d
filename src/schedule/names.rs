//! What a run is called: by its job and its minute, so that it has one name wherever it is decided about.

use jiff::Timestamp;

/// Longest name of a job with a schedule: the minute of a run comes after it.
pub const LONGEST_NAME: usize = 52;

/// The name of the run of a time.
#[must_use]
pub fn run_name(job: &str, time: Timestamp) -> String {
    format!("{job}-{}", time.as_second().div_euclid(60))
}

/// The time of a run by its name; `None` where it is no run of that job.
#[must_use]
pub fn run_time(job: &str, name: &str) -> Option<Timestamp> {
    let minute: i64 = name.strip_prefix(job)?.strip_prefix('-')?.parse().ok()?;
    let time = Timestamp::from_second(minute.checked_mul(60)?).ok()?;
    (run_name(job, time) == name).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_time() {
        let time: Timestamp = "2026-03-29T01:00:00Z".parse().unwrap();
        let name = run_name("sales", time);
        assert_eq!(name, "sales-29579100");
        assert_eq!(run_time("sales", &name), Some(time));
        for other in ["sales", "sales-", "sales-x", "sales-029579100", "sale-29579100"] {
            assert_eq!(run_time("sales", other), None, "{other}");
        }
        let longest = "x".repeat(LONGEST_NAME);
        assert!(run_name(&longest, Timestamp::MAX).len() <= 63);
    }
}
