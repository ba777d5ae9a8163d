//! The last words of the helper: one JSON line in the container's termination message.

use k8s_openapi::api::core::v1::ContainerStateTerminated;

use crate::sandbox::{EndCause, Report};

/// Exit code of the helper where nothing of the content ran.
const NOT_STARTED: i32 = 125;
/// Exit code of the helper where the process's time was over.
const TIMED_OUT: i32 = 124;

/// The report of a container, if it is the helper's own. While it lives content can write into the file too, and when the
/// helper is killed content has the last word there: so a report counts only where the exit code, which content can not
/// choose for the helper, says the same.
pub(super) fn of(terminated: &ContainerStateTerminated) -> Option<Report> {
    let message = terminated.message.as_deref()?;
    let last = message.lines().rev().find(|line| !line.trim().is_empty())?;
    let report = serde_json::from_str(last).ok()?;
    agrees(&report, terminated.exit_code).then_some(report)
}

fn agrees(report: &Report, exit_code: i32) -> bool {
    match report {
        Report::Started { .. } | Report::Ready | Report::Met(_) => false,
        Report::Failed { .. } => exit_code == NOT_STARTED,
        Report::Ended {
            cause: Some(EndCause::Timeout),
            ..
        } => exit_code == TIMED_OUT,
        Report::Ended { code, signal, .. } => {
            let own = code.or(signal.map(|number| 128 + number));
            own == Some(exit_code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminated(exit_code: i32, message: &str) -> ContainerStateTerminated {
        ContainerStateTerminated {
            exit_code,
            message: Some(message.to_owned()),
            ..ContainerStateTerminated::default()
        }
    }

    /// Proves: PK10 (P)
    #[test]
    fn words_that_the_exit_code_does_not_bear_out_are_not_the_helpers() {
        let ended = "{\"event\":\"ended\",\"code\":3,\"signal\":null,\"cause\":null}\n";
        let timeout = "{\"event\":\"ended\",\"code\":null,\"signal\":15,\"cause\":\"timeout\"}";
        let failed = "{\"event\":\"failed\",\"step\":\"x\",\"message\":\"send money\",\"hint\":\"\"}";
        assert!(of(&terminated(3, ended)).is_some());
        assert!(of(&terminated(124, timeout)).is_some());
        assert!(of(&terminated(125, failed)).is_some());
        for (code, message) in [(137, ended), (143, timeout), (137, failed), (3, "x"), (0, "")] {
            assert_eq!(of(&terminated(code, message)), None, "{code} {message}");
        }
    }
}
