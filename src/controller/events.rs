//! Events on jobs: published beside the work, never in its way. What repeats is counted up instead of told again.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::call_error::CallError;
use crate::api::app_resource::ContentApp;
use crate::api::resource::ContentJob;
use crate::names::FIELD_MANAGER;
use crate::status::EventRecord;

/// How many may wait; the API server's own limits are reached before this, and an event is only a help.
const WAITING: usize = 1024;
/// How long the API server may take for one.
const ANSWER: Duration = Duration::from_secs(10);

/// Takes events on jobs; cheap to clone.
#[derive(Clone, Debug)]
pub struct Events(mpsc::Sender<(ObjectReference, EventRecord)>);

/// Events that are to be published.
#[derive(Debug)]
pub struct Waiting(mpsc::Receiver<(ObjectReference, EventRecord)>);

/// A place for events, and its other end.
#[must_use]
pub fn events() -> (Events, Waiting) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Events(sender), Waiting(receiver))
}

impl Events {
    /// Publishes an event on a job some time soon.
    pub fn publish(&self, job: &ContentJob, record: EventRecord) {
        self.publish_about(job.object_ref(&()), record);
    }

    /// Publishes an event on an application some time soon.
    pub fn publish_on(&self, app: &ContentApp, record: EventRecord) {
        self.publish_about(app.object_ref(&()), record);
    }

    fn publish_about(&self, mut about: ObjectReference, record: EventRecord) {
        // Whoever looks at the job finds it by uid; a version would part what is one series.
        about.resource_version = None;
        if self.0.try_send((about, record)).is_err() {
            tracing::debug!("Event dropped: too many wait for the API server");
        }
    }
}

/// Publishes what comes until every [`Events`] is gone.
pub async fn publish(client: Client, instance: String, mut waiting: Waiting) {
    let reporter = Reporter {
        controller: FIELD_MANAGER.to_owned(),
        instance: Some(instance),
    };
    let recorder = Arc::new(Recorder::new(client, reporter));
    let mut said = None;
    while let Some((about, record)) = waiting.0.recv().await {
        let event = Event {
            type_: if record.warning {
                EventType::Warning
            } else {
                EventType::Normal
            },
            reason: record.reason,
            note: Some(record.note),
            action: record.action,
            secondary: None,
        };
        let error = match timeout(ANSWER, recorder.publish(&event, &about)).await {
            Ok(Ok(())) => {
                said = None;
                continue;
            }
            Ok(Err(error)) => CallError::of("create", "events", "", error).to_string(),
            Err(_) => format!("no answer from the API server in {} s", ANSWER.as_secs()),
        };
        if said.as_ref() != Some(&error) {
            tracing::warn!("Event not published: {error}");
            said = Some(error);
        }
    }
}
