//! The bounds of an application: what it asks for, else the settings, within the limits of the settings (SC2).

use std::time::Duration;

use super::types::Bounds;
use crate::api::app::ContentAppSpec;
use crate::settings::AppDefaults;

/// How long the processes of an older deployment keep their sessions where the application does not say.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(86_400);
/// Longer times are as good as for ever, and no timer can overflow.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Bounds that can not be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundsError {
    /// The minimum is above its limit.
    #[error(
        "min above limit: spec.minProcesses is {asked} and Scheduler.MinProcessesLimit is {limit}; lower the field or raise the setting"
    )]
    MinAboveLimit {
        /// What is asked for.
        asked: u32,
        /// What is allowed.
        limit: u32,
    },
    /// The maximum is above its limit.
    #[error(
        "max above limit: spec.maxProcesses is {asked} and Scheduler.MaxProcessesLimit is {limit}; lower the field or raise the setting"
    )]
    MaxAboveLimit {
        /// What is asked for.
        asked: u32,
        /// What is allowed.
        limit: u32,
    },
    /// Processes that always run are the fallback account's, and none is left for visitors' accounts.
    #[error(
        "no process is left for visitors' accounts: {min_from} is {min} and {max_from} is {max}, and spec.runAsCurrentUser is set; lower the first or raise the second"
    )]
    NoneForVisitors {
        /// The minimum.
        min: u32,
        /// The field or setting that it is from.
        min_from: &'static str,
        /// The maximum.
        max: u32,
        /// The field or setting that it is from.
        max_from: &'static str,
    },
    /// The minimum is above the maximum.
    #[error(
        "min above max: {min_from} is {min} and {max_from} is {max}; lower the first or raise the second"
    )]
    MinAboveMax {
        /// The minimum.
        min: u32,
        /// The field or setting that it is from.
        min_from: &'static str,
        /// The maximum.
        max: u32,
        /// The field or setting that it is from.
        max_from: &'static str,
    },
}

/// The bounds of an application.
///
/// # Errors
/// It asks for more processes than the settings allow, or for more at least than at most.
pub fn bounds_of(spec: &ContentAppSpec, defaults: &AppDefaults) -> Result<Bounds, BoundsError> {
    let (min, max) = processes(spec, defaults)?;
    let seconds = |given: Option<i64>, default: Duration| match given {
        Some(seconds) => Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
        None => default,
    };
    let idle = seconds(spec.idle_timeout_seconds, defaults.idle_timeout);
    Ok(Bounds {
        min_processes: min,
        max_processes: max,
        max_connections: count(spec.max_connections_per_process)
            .unwrap_or(defaults.max_conns_per_process)
            .max(1),
        load_factor_thousandths: count(spec.load_factor_percent)
            .map_or(defaults.load_factor_thousandths, |percent| {
                percent.saturating_mul(10)
            })
            .min(1000),
        init_timeout: seconds(spec.init_timeout_seconds, defaults.init_timeout)
            .clamp(Duration::from_secs(1), LONGEST),
        idle_timeout: Some(idle.min(LONGEST)).filter(|idle| !idle.is_zero()),
        drain_timeout: seconds(spec.drain_timeout_seconds, DRAIN_TIMEOUT).min(LONGEST),
    })
}

fn processes(spec: &ContentAppSpec, defaults: &AppDefaults) -> Result<(u32, u32), BoundsError> {
    let asked_min = count(spec.min_processes);
    let asked_max = count(spec.max_processes);
    if let Some(asked) = asked_min.filter(|min| *min > defaults.min_processes_limit) {
        let limit = defaults.min_processes_limit;
        return Err(BoundsError::MinAboveLimit { asked, limit });
    }
    if let Some(asked) = asked_max.filter(|max| *max > defaults.max_processes_limit) {
        let limit = defaults.max_processes_limit;
        return Err(BoundsError::MaxAboveLimit { asked, limit });
    }
    let min = asked_min.unwrap_or(defaults.min_processes);
    let max = asked_max.unwrap_or(defaults.max_processes).max(1);
    let min_from = source(asked_min, "spec.minProcesses", "Scheduler.MinProcesses");
    let max_from = source(asked_max, "spec.maxProcesses", "Scheduler.MaxProcesses");
    if min > max {
        return Err(BoundsError::MinAboveMax {
            min,
            min_from,
            max,
            max_from,
        });
    }
    if min == max && spec.run_as_current_user {
        return Err(BoundsError::NoneForVisitors {
            min,
            min_from,
            max,
            max_from,
        });
    }
    Ok((min, max))
}

fn source(asked: Option<u32>, field: &'static str, setting: &'static str) -> &'static str {
    if asked.is_some() { field } else { setting }
}

fn count(given: Option<i32>) -> Option<u32> {
    given.map(|given| u32::try_from(given).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: SC2 (L, P)
    #[test]
    fn what_an_application_says_comes_before_the_settings_within_their_limits() {
        let defaults = AppDefaults::default();
        let bounds = bounds_of(&ContentAppSpec::default(), &defaults).unwrap();
        assert_eq!(
            (bounds.min_processes, bounds.max_processes, bounds.max_connections),
            (0, 3, 20)
        );
        assert_eq!(bounds.load_factor_thousandths, 500);
        assert_eq!(bounds.idle_timeout, Some(Duration::from_secs(5)));
        let spec = ContentAppSpec {
            min_processes: Some(2),
            max_processes: Some(20),
            max_connections_per_process: Some(5),
            load_factor_percent: Some(0),
            idle_timeout_seconds: Some(0),
            init_timeout_seconds: Some(7),
            drain_timeout_seconds: Some(8),
            ..ContentAppSpec::default()
        };
        let bounds = bounds_of(&spec, &defaults).unwrap();
        assert_eq!(
            bounds,
            Bounds {
                min_processes: 2,
                max_processes: 20,
                max_connections: 5,
                load_factor_thousandths: 0,
                init_timeout: Duration::from_secs(7),
                idle_timeout: None,
                drain_timeout: Duration::from_secs(8),
            }
        );
    }

    /// Proves: SC2 (L, P)
    #[test]
    fn more_than_the_limits_is_refused_with_the_names_of_both() {
        let refused = |min: Option<i32>, max: Option<i32>, default_min: u32| {
            let spec = ContentAppSpec {
                min_processes: min,
                max_processes: max,
                ..ContentAppSpec::default()
            };
            let defaults = AppDefaults {
                min_processes: default_min,
                ..AppDefaults::default()
            };
            bounds_of(&spec, &defaults).unwrap_err().to_string()
        };
        assert_eq!(
            refused(Some(11), Some(20), 0),
            "min above limit: spec.minProcesses is 11 and Scheduler.MinProcessesLimit is 10; lower the field or raise the \
             setting"
        );
        assert!(refused(None, Some(21), 0).starts_with("max above limit: spec.maxProcesses is 21 and"));
        assert!(refused(Some(4), None, 0).contains("spec.minProcesses is 4 and Scheduler.MaxProcesses is 3"));
        assert!(refused(None, Some(1), 2).contains("Scheduler.MinProcesses is 2 and spec.maxProcesses is 1"));
    }

    /// Proves: CU3 (L)
    #[test]
    fn the_minimum_leaves_a_process_for_visitors_accounts() {
        let with = |min| ContentAppSpec {
            min_processes: Some(min),
            max_processes: Some(2),
            run_as_current_user: true,
            ..ContentAppSpec::default()
        };
        let bounds = |min| bounds_of(&with(min), &AppDefaults::default());
        assert!(bounds(1).is_ok());
        let error = bounds(2).unwrap_err().to_string();
        assert!(
            error.contains("spec.minProcesses is 2 and spec.maxProcesses is 2"),
            "{error}"
        );
    }
}
