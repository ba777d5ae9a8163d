//! The processes of an application in numbers, as its status has them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Apps;
use crate::api::app_resource::ContentApp;
use crate::api::app_status::{ContentAppStatus, ProcessFailure};
use crate::apps::AppId;
use crate::apps::wire::Stage;
use crate::status::AppNumbers;

/// Of an application; those of its status where the hub does not know it yet, as after a change of the leader.
#[must_use]
pub(super) fn of(apps: &Apps, app: &ContentApp) -> AppNumbers {
    let id = AppId::from(app.metadata.uid.as_deref().unwrap_or_default());
    let Some(seen) = apps.hub().app(&id) else {
        return app.status.as_ref().map_or_else(AppNumbers::default, known);
    };
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let failure = seen.last_failure.as_ref().map(|(failure, at)| {
        let known = failure.process.as_ref().and_then(|process| apps.problem(process));
        let (reason, message) = match known {
            Some(problem) => (problem.reason.name().to_owned(), problem.message),
            None => (failure.reason.clone(), failure.message.clone()),
        };
        ProcessFailure {
            time: Some(Time(jiff::Timestamp::from_second(at.as_second()).unwrap_or(*at))),
            reason,
            message,
            process: failure
                .process
                .as_ref()
                .map(|process| process.as_str().to_owned()),
            exit_code: failure.exit_code,
        }
    });
    AppNumbers {
        processes: count(seen.processes),
        ready: count(seen.ready),
        sessions: count(seen.sessions),
        queued: seen.stage == Stage::Queued,
        last_use: seen.last_use,
        failure,
    }
}

fn known(status: &ContentAppStatus) -> AppNumbers {
    AppNumbers {
        processes: status.processes,
        ready: status.ready_processes,
        sessions: status.sessions,
        queued: false,
        last_use: None,
        failure: status.last_failure.clone(),
    }
}
