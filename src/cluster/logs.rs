//! The output of a job's processes: that of its Pods, as long as they are there.

use std::io::Write;
use std::time::Duration;

use futures::{AsyncReadExt, pin_mut};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod};
use kube::Api;
use kube::api::LogParams;

use super::client::Connection;
use super::error::ClusterError;
use super::jobs::{Jobs, Outcome, Seen};
use super::wait::{Teller, until};
use crate::api::status::AttemptStatus;
use crate::names::CONTENT_CONTAINER;

/// Between two looks at a Pod that has not started.
const PAUSE: Duration = Duration::from_millis(500);

/// What is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Number of the attempt; the last one when empty.
    pub attempt: Option<i32>,
    /// Goes on until the attempt is over.
    pub follow: bool,
}

/// Writes the output of a job's attempt.
///
/// # Errors
/// There is none yet or no longer, with the sentence that says why.
pub async fn show(
    connection: &Connection,
    name: &str,
    wanted: Wanted,
    output: &mut dyn Write,
    teller: &dyn Teller,
) -> Result<(), ClusterError> {
    let jobs = Jobs::new(&connection.client, &connection.namespace);
    let mut seen = jobs.get(name).await?;
    if wanted.follow && choose(&seen, wanted.attempt).is_none() {
        seen = until(&jobs, name, teller, |seen| {
            choose(seen, wanted.attempt).is_some() || seen.outcome() != Outcome::Open
        })
        .await?;
    }
    let attempt = choose(&seen, wanted.attempt).ok_or_else(|| nothing(&seen, wanted.attempt))?;
    of_attempt(connection, &seen, attempt, wanted.follow, output, teller).await
}

/// Writes the output of every attempt of a job, one after the other, until the job is over. An attempt without output
/// is none of this one's business: the job's end says what happened.
///
/// # Errors
/// As [`until`].
pub async fn all_attempts(
    connection: &Connection,
    name: &str,
    output: &mut dyn Write,
    teller: &dyn Teller,
) -> Result<(), ClusterError> {
    let jobs = Jobs::new(&connection.client, &connection.namespace);
    let mut last = 0;
    loop {
        let seen = until(&jobs, name, teller, |seen| {
            seen.outcome() != Outcome::Open || newer(seen, last).is_some()
        })
        .await?;
        let Some(attempt) = newer(&seen, last) else {
            return Ok(());
        };
        last = attempt.number;
        match of_attempt(connection, &seen, attempt, true, output, teller).await {
            Err(ClusterError::NoLog(_)) | Ok(()) => {}
            Err(error) => return Err(error),
        }
    }
}

fn newer(seen: &Seen, last: i32) -> Option<&AttemptStatus> {
    seen.status.attempts.iter().find(|attempt| attempt.number > last)
}

fn choose(seen: &Seen, number: Option<i32>) -> Option<&AttemptStatus> {
    let attempts = &seen.status.attempts;
    match number {
        Some(number) => attempts.iter().find(|attempt| attempt.number == number),
        None => attempts.last(),
    }
}

/// Why there is no attempt to show.
fn nothing(seen: &Seen, number: Option<i32>) -> ClusterError {
    let name = &seen.name;
    let known: Vec<String> = seen
        .status
        .attempts
        .iter()
        .map(|attempt| attempt.number.to_string())
        .collect();
    let why = match (seen.reason(), seen.sentence()) {
        (Some(reason), Some(sentence)) => format!("{reason}: {sentence}"),
        _ => "no controller has looked at it yet".to_owned(),
    };
    ClusterError::NoLog(match number {
        Some(number) if !known.is_empty() => format!(
            "job '{name}' has no attempt {number}; there are {}",
            known.join(", ")
        ),
        _ => format!("job '{name}' has run no process ({why})"),
    })
}

async fn of_attempt(
    connection: &Connection,
    seen: &Seen,
    attempt: &AttemptStatus,
    follow: bool,
    output: &mut dyn Write,
    teller: &dyn Teller,
) -> Result<(), ClusterError> {
    let pods: Api<Pod> = Api::namespaced(connection.client.clone(), &connection.namespace);
    let api = Pods {
        pods,
        connection,
        name: attempt.pod_name.clone(),
    };
    loop {
        let Some(pod) = api.get().await? else {
            // Just made: the attempt is in the status before its Pod is there.
            if follow
                && attempt.completion_time.is_none()
                && attempt.pod_uid.is_none()
                && !is_over(connection, seen, attempt).await?
            {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            return Err(gone(connection, seen, attempt));
        };
        match source(&pod) {
            Some(container) => {
                teller.pause();
                if container != CONTENT_CONTAINER {
                    teller.told(&format!(
                        "the output of container '{container}', which did not succeed"
                    ));
                }
                return api.stream(&container, follow, output).await;
            }
            None if follow && !has_ended(&pod) => tokio::time::sleep(PAUSE).await,
            None => return Err(not_started(seen)),
        }
    }
}

/// Whether the attempt was closed meanwhile.
async fn is_over(
    connection: &Connection,
    seen: &Seen,
    attempt: &AttemptStatus,
) -> Result<bool, ClusterError> {
    let jobs = Jobs::new(&connection.client, &connection.namespace);
    let now = jobs.get(&seen.name).await?;
    let found = choose(&now, Some(attempt.number));
    Ok(now.outcome() != Outcome::Open
        || found.is_none_or(|found| found.completion_time.is_some() || found.pod_uid.is_some()))
}

fn gone(connection: &Connection, seen: &Seen, attempt: &AttemptStatus) -> ClusterError {
    let content = seen.status.content.as_deref().unwrap_or("CONTENT");
    let (namespace, key) = (&connection.namespace, &attempt.key);
    ClusterError::NoLog(format!(
        "Pod '{}' of attempt {} is gone; what it wrote is kept on the data volume, in jobs/{content}/{key}/log: kubectl exec -n {namespace} deployment/offhost -- offhost logs {content}/{key}",
        attempt.pod_name, attempt.number
    ))
}

fn not_started(seen: &Seen) -> ClusterError {
    let why = seen.sentence().unwrap_or("it is not known why");
    ClusterError::NoLog(format!(
        "the process of job '{}' has not started: {why}",
        seen.name
    ))
}

/// The container whose output says most: an init container that failed, else the content's own once it has started.
fn source(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    let failed = |container: &&ContainerStatus| {
        let states = [&container.state, &container.last_state];
        states.into_iter().flatten().any(|state| {
            state
                .terminated
                .as_ref()
                .is_some_and(|ended| ended.exit_code != 0)
        })
    };
    let own = status.container_statuses.iter().flatten();
    let started = |state: &ContainerState| state.running.is_some() || state.terminated.is_some();
    let mut own = own.filter(|container| container.name == CONTENT_CONTAINER);
    own.find(|container| container.state.as_ref().is_some_and(started))
        .or_else(|| init.into_iter().find(failed))
        .map(|container| container.name.clone())
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// One Pod.
struct Pods<'a> {
    pods: Api<Pod>,
    connection: &'a Connection,
    name: String,
}

impl Pods<'_> {
    async fn get(&self) -> Result<Option<Pod>, ClusterError> {
        let found = self.pods.get_opt(&self.name).await;
        found.map_err(|error| ClusterError::of("get", "pods", &self.connection.namespace, error))
    }

    /// Writes the output of a container. A connection that is cut while the container runs is made again.
    async fn stream(
        &self,
        container: &str,
        follow: bool,
        output: &mut dyn Write,
    ) -> Result<(), ClusterError> {
        let mut since = None;
        loop {
            let read = self.stream_once(container, follow, since, output).await?;
            // What was written in the second of the cut comes twice, rather than never.
            let Read::Cut(until) = read else {
                return Ok(());
            };
            since = Some(until);
            match self.get().await? {
                Some(pod) if runs(&pod, container) => tokio::time::sleep(PAUSE).await,
                _ => return Ok(()),
            }
        }
    }

    async fn stream_once(
        &self,
        container: &str,
        follow: bool,
        since: Option<Timestamp>,
        output: &mut dyn Write,
    ) -> Result<Read, ClusterError> {
        let params = LogParams {
            container: Some(container.to_owned()),
            follow,
            since_time: since,
            ..LogParams::default()
        };
        let stream = self.pods.log_stream(&self.name, &params).await;
        let stream =
            stream.map_err(|error| ClusterError::of("get", "pods/log", &self.connection.namespace, error))?;
        pin_mut!(stream);
        let mut buffer = vec![0; 16 * 1024];
        let mut until = Timestamp::now();
        loop {
            let length = match stream.read(&mut buffer).await {
                Err(_) if follow => return Ok(Read::Cut(until)),
                Ok(0) | Err(_) => return Ok(Read::Whole),
                Ok(length) => length,
            };
            until = Timestamp::now();
            // A reader that has gone away wants no more.
            if output
                .write_all(&buffer[..length])
                .and_then(|()| output.flush())
                .is_err()
            {
                return Ok(Read::Whole);
            }
        }
    }
}

/// How a stream was read.
enum Read {
    /// To its end, or as far as somebody wants it.
    Whole,
    /// The connection was cut after this moment.
    Cut(Timestamp),
}

fn runs(pod: &Pod, container: &str) -> bool {
    let status = pod.status.iter();
    let all = status.flat_map(|status| {
        let own = status.container_statuses.iter().flatten();
        own.chain(status.init_container_statuses.iter().flatten())
    });
    all.into_iter().any(|seen| {
        seen.name == container && seen.state.as_ref().is_some_and(|state| state.running.is_some())
    })
}
