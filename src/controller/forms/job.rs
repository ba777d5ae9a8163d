//! The job that makes a visitor's result, and what it comes to.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::app_resource::ContentApp;
use crate::api::job::{BundleRef, ContentJobSpec, Parameter};
use crate::api::resource::ContentJob;
use crate::api::status::{ContentJobStatus, SUCCEEDED};
use crate::asked::{Record, State, to_visitor};
use crate::controller::app_job::job_of;
use crate::names::{ANNOTATION_GIVEN, LABEL_VISITOR_RESULT};
use crate::reason::Reason;
use crate::status::is_finished;

/// How long a finished job stays, in seconds: long enough for the next leader to see what it came to, and no longer, as the
/// answers are in it.
const STAYS: i64 = 3600;

/// Its name follows from the result's id, so that there is one job however often it is asked for.
pub(super) fn name_of(id: &str) -> String {
    format!("form-{id}")
}

/// What the annotation of a job says for whom passwords or files are kept. Nothing of them is in it.
const IS_GIVEN: &str = "a password or a file";

/// The job that renders for a visitor; `is_given` where it is not to be begun without passwords or files.
pub(super) fn job(
    app: &ContentApp,
    record: &Record,
    parameters: Vec<Parameter>,
    is_given: bool,
) -> ContentJob {
    let spec = ContentJobSpec {
        content: Some(record.content.to_string()),
        bundle: BundleRef {
            id: Some(record.bundle.to_string()),
            ..BundleRef::default()
        },
        variant: Some(record.id.to_string()),
        parameters,
        ttl_seconds_after_finished: Some(STAYS),
        ..app.spec.as_job(&app.name_any())
    };
    // Not the application's uid: a job's labels are those of its Pods, and by that the processes of an application are counted.
    let mark = (LABEL_VISITOR_RESULT, record.id.to_string());
    let mut job = job_of(
        app,
        name_of(record.id.as_str()),
        record.content.as_str(),
        mark,
        spec,
    );
    if is_given {
        job.annotations_mut()
            .insert(ANNOTATION_GIVEN.to_owned(), IS_GIVEN.to_owned());
    }
    job
}

/// Whether a job that is there is the one that was to be made for a visitor, and no other that somebody has made by its
/// name: it would get what was given. Its spec does not change any more, but for what does not matter here, and for the
/// default that the API server puts in.
pub(super) fn is_own(app: &ContentApp, record: &Record, found: &ContentJob) -> bool {
    let wanted = job(app, record, found.spec.parameters.clone(), true);
    let spec = ContentJobSpec {
        suspended: wanted.spec.suspended,
        retries: wanted.spec.retries,
        start_deadline_seconds: wanted.spec.start_deadline_seconds,
        ttl_seconds_after_finished: wanted.spec.ttl_seconds_after_finished,
        ..found.spec.clone()
    };
    let owner = |job: &ContentJob| {
        let owners = job.owner_references().iter();
        owners.map(|owner| owner.uid.clone()).collect::<Vec<_>>()
    };
    spec == wanted.spec
        && owner(found) == owner(&wanted)
        && found.annotations().contains_key(ANNOTATION_GIVEN)
        && found.labels().get(LABEL_VISITOR_RESULT) == wanted.labels().get(LABEL_VISITOR_RESULT)
        && found.metadata.deletion_timestamp.is_none()
}

/// What became of a result, once its job is over.
pub(super) fn came_to(status: &ContentJobStatus, at: Timestamp) -> Option<State> {
    if !is_finished(status) {
        return None;
    }
    let condition = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == SUCCEEDED)?;
    if condition.status == "True" {
        return Some(State::Done { at });
    }
    let reason = Reason::from_name(&condition.reason).unwrap_or(Reason::ProcessFailed);
    Some(failed(reason, at))
}

/// A result that could not be made.
pub(super) fn failed(reason: Reason, at: Timestamp) -> State {
    let message = match reason {
        Reason::ProcessFailed => to_visitor(None),
        Reason::DeadlineExceeded => to_visitor(Some("it took longer than it may")),
        Reason::OutOfMemory => to_visitor(Some("it needed more memory than it may have")),
        Reason::OutOfStorage => to_visitor(Some("it needed more storage than it may have")),
        Reason::Interrupted => to_visitor(Some(
            "its render was ended, or what you gave for it is gone; ask for it again",
        )),
        _ => to_visitor(Some("its publisher finds the reason in the status of its job")),
    };
    State::Failed {
        at,
        reason: reason.name().to_owned(),
        message,
    }
}
