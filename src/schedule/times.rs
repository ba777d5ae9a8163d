//! The times of a schedule: a cron expression, read in a time zone.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};

use crate::text::suggestion;

/// From then on an expression must come true some time: a schedule that never does is a mistake.
const BEGINNING: Timestamp = Timestamp::UNIX_EPOCH;

/// Why the words of a schedule mean nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimesError {
    /// The expression.
    #[error(
        "is '{cron}': {problem}; write minute, hour, day of the month, month and day of the week, such as '30 6 * * MON-FRI'"
    )]
    Cron {
        /// What was written.
        cron: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The time zone.
    #[error("is '{zone}', and no time zone is called that{suggestion}; use a name such as Europe/Berlin")]
    Zone {
        /// What was written.
        zone: String,
        /// What was probably meant.
        suggestion: String,
    },
}

impl TimesError {
    /// The field of the schedule that is wrong.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self {
            Self::Cron { .. } => "cron",
            Self::Zone { .. } => "timeZone",
        }
    }
}

/// The times of a schedule.
///
/// Where a time zone skips an hour, a run at a fixed time in it is made at the first moment after; where it repeats one, that
/// run is made the first time. A run of every hour, or every few minutes, is made by the time that really passes: not in
/// the skipped hour, and in both of the repeated ones.
#[derive(Clone, Debug)]
pub struct Times {
    cron: Cron,
    zone: TimeZone,
}

impl Times {
    /// Reads an expression and the name of a time zone; UTC where there is none.
    ///
    /// # Errors
    /// [`TimesError`], which goes on a sentence that begins with the field's name.
    pub fn read(cron: &str, zone: Option<&str>) -> Result<Self, TimesError> {
        let times = Self {
            cron: parse(cron)?,
            zone: zone.map_or(Ok(TimeZone::UTC), named)?,
        };
        if times.after(BEGINNING).is_none() {
            return Err(TimesError::Cron {
                cron: cron.to_owned(),
                problem: "no day is ever like that".to_owned(),
            });
        }
        Ok(times)
    }

    /// The first time after a moment.
    #[must_use]
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let from = self.local(moment);
        let found = self.cron.find_next_occurrence(&from, false).ok()?;
        Some(found.timestamp())
    }

    /// The last time up to a moment, that one included.
    #[must_use]
    pub fn latest(&self, moment: Timestamp) -> Option<Timestamp> {
        let from = self.local(moment);
        let found = self.cron.find_previous_occurrence(&from, true).ok()?;
        Some(found.timestamp()).filter(|found| *found <= moment)
    }

    /// A moment in whole seconds: of parts of one no schedule speaks.
    fn local(&self, moment: Timestamp) -> Zoned {
        let whole = Timestamp::from_second(moment.as_second()).unwrap_or(moment);
        whole.to_zoned(self.zone.clone())
    }
}

fn parse(text: &str) -> Result<Cron, TimesError> {
    let fault = |problem: String| TimesError::Cron {
        cron: text.to_owned(),
        problem,
    };
    let fields = text.split_whitespace().count();
    if !text.trim_start().starts_with('@') && fields != 5 {
        return Err(fault(format!("it has {fields} fields and not 5")));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    parser
        .parse(text)
        .map_err(|error| fault(plain(&error.to_string())))
}

/// A sentence of the parser as a part of ours.
fn plain(said: &str) -> String {
    let said = said.trim_end_matches('.').trim_start_matches("Component error: ");
    let mut letters = said.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn named(name: &str) -> Result<TimeZone, TimesError> {
    let zones = TimeZoneDatabase::bundled();
    zones.get(name).map_err(|_| {
        let known: Vec<String> = zones.available().map(|zone| zone.as_str().to_owned()).collect();
        TimesError::Zone {
            zone: name.to_owned(),
            suggestion: suggestion(name, known.iter().map(String::as_str)),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn following(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let times = Times::read(cron, Some(zone)).unwrap();
        let mut moment = at(from);
        let next = std::iter::from_fn(|| {
            moment = times.after(moment)?;
            Some(moment.to_string())
        });
        next.take(count).collect()
    }

    #[test]
    fn fields_names_steps_and_last_days_are_known() {
        let utc = |cron, count| following(cron, "UTC", "2026-01-30T12:00:00Z", count);
        assert_eq!(
            utc("30 6 * * MON-FRI", 2),
            ["2026-02-02T06:30:00Z", "2026-02-03T06:30:00Z"]
        );
        assert_eq!(
            utc("*/20 13 * JAN,FEB *", 3),
            [
                "2026-01-30T13:00:00Z",
                "2026-01-30T13:20:00Z",
                "2026-01-30T13:40:00Z"
            ]
        );
        assert_eq!(
            utc("0 0 L * *", 3),
            [
                "2026-01-31T00:00:00Z",
                "2026-02-28T00:00:00Z",
                "2026-03-31T00:00:00Z"
            ]
        );
        assert_eq!(utc("@daily", 1), ["2026-01-31T00:00:00Z"]);
        assert_eq!(utc("0 8 * * 7", 1), ["2026-02-01T08:00:00Z"]);
    }

    #[test]
    fn a_fixed_time_in_a_skipped_hour_comes_right_after_it() {
        assert_eq!(
            following("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
    }

    #[test]
    fn a_fixed_time_in_a_doubled_hour_comes_once_and_every_hour_comes_twice() {
        assert_eq!(
            following("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        assert_eq!(
            following("30 * * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", 4),
            [
                "2026-10-24T23:30:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:30:00Z"
            ]
        );
    }

    #[test]
    fn the_latest_time_is_one_that_comes_when_looking_forward() {
        for (cron, zone) in [
            ("30 2 * * *", "Europe/Berlin"),
            ("*/7 * * * *", "Australia/Lord_Howe"),
            ("0 0 * * *", "America/Sao_Paulo"),
            ("15 1-3 * * *", "America/New_York"),
        ] {
            let times = Times::read(cron, Some(zone)).unwrap();
            let mut moment = at("2026-03-01T00:00:00Z");
            for _ in 0..300 {
                moment = times.after(moment).unwrap();
                assert_eq!(times.latest(moment), Some(moment), "{cron} in {zone}");
                let between = moment + jiff::SignedDuration::from_secs(59);
                assert_eq!(times.latest(between), Some(moment), "{cron} in {zone}");
            }
        }
    }

    #[test]
    fn what_means_nothing_is_told() {
        let wrong = |cron, zone| Times::read(cron, zone).unwrap_err().to_string();
        assert!(wrong("* * * *", None).contains("4 fields and not 5"));
        assert!(wrong("* * * * * *", None).contains("6 fields and not 5"));
        assert!(wrong("61 * * * *", None).contains("'61 * * * *'"));
        assert!(wrong("0 0 30 2 *", None).contains("no day is ever like that"));
        assert!(wrong("@sometimes", None).contains("@sometimes"));
        let zone = wrong("@daily", Some("Europe/Berlim"));
        assert!(
            zone.contains("'Europe/Berlim'") && zone.contains("Europe/Berlin"),
            "{zone}"
        );
    }

    /// Looked at backwards the times are the same, also where an hour is skipped or repeated.
    #[test]
    fn the_last_time_is_one_of_the_times() {
        let days = [
            ("Europe/Berlin", "2026-03-28T22:00:00Z"),
            ("Europe/Berlin", "2026-10-24T22:00:00Z"),
            ("America/New_York", "2026-03-08T04:00:00Z"),
            ("America/New_York", "2026-11-01T03:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T12:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T12:00:00Z"),
        ];
        let crons = [
            "30 2 * * *",
            "15 2 * * *",
            "0 3 * * *",
            "0 * * * *",
            "*/20 * * * *",
            "30 1 * * *",
            "45 1,2 * * *",
        ];
        let minute = jiff::SignedDuration::from_secs(60);
        let mut wrong = Vec::new();
        for (zone, from) in days {
            for cron in crons {
                let times = Times::read(cron, Some(zone)).unwrap();
                let mut last = times.latest(at(from));
                let mut next = times.after(at(from));
                for step in 0..480 {
                    let now = at(from) + minute * step;
                    while let Some(due) = next.filter(|due| *due <= now) {
                        (last, next) = (Some(due), times.after(due));
                    }
                    if times.latest(now) != last {
                        wrong.push(format!(
                            "{cron} {zone} {now}: {:?} for {last:?}",
                            times.latest(now)
                        ));
                        last = times.latest(now);
                    }
                }
            }
        }
        assert_eq!(wrong, Vec::<String>::new());
    }
}
