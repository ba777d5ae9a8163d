//! The life of a build's Pod: made once, watched until its end, deleted; and what a builder before has left, ended.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{ListParams, WatchParams};
use kube::{Api, Client, ResourceExt};
use tokio::time::{Instant, sleep};

use super::outcome::{Verdict, gone, late, not_started, silent, verdict};
use crate::controller::api::Calls;
use crate::controller::call_error::CallError;
use crate::controller::context::Clock;
use crate::controller::refusal;
use crate::names::{LABEL_BUILD, LABEL_BUILDER};
use crate::reason::Reason;
use crate::status::{Observation, PodContext, Problem, Stage, observe};

/// A Pod is looked at so often, also where no watch tells of a change.
const LOOK: Duration = Duration::from_secs(20);
/// Pause after a call that failed.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two looks whether a Pod is gone, or whether the end of the program was asked for.
const TICK: Duration = Duration::from_millis(250);
/// Beyond all limits: what the kubelet may take to say that a Pod has ended.
const SPARE: Duration = Duration::from_mins(2);

/// Pods of builds at the API server.
#[derive(Clone, Debug)]
pub struct Pods {
    calls: Calls,
    pods: Api<Pod>,
    events: Api<Event>,
    clock: Clock,
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until the process runs.
    pub start: Duration,
    /// From then on until it has ended; the helper holds this limit.
    pub run: Duration,
    /// `Kubernetes.NodeLostSeconds`.
    pub node_lost_seconds: u32,
}

impl Patience {
    /// For a Pod that is deleted.
    fn to_end(self) -> Duration {
        Duration::from_secs(u64::from(self.node_lost_seconds)) + SPARE
    }

    fn in_all(self) -> Duration {
        self.start + self.run + self.to_end()
    }
}

/// A Pod whose name is wanted for another.
enum InTheWay {
    /// It is that other: its making was not answered.
    ThisVeryOne,
    /// It was of the same build before, and is gone now.
    Ended,
    /// It is still there, or was not seen.
    Unknown,
}

/// Whether this program is to end.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

impl Pods {
    /// Pods of one namespace.
    #[must_use]
    pub fn new(client: &Client, namespace: &str, clock: Clock) -> Self {
        Self {
            calls: Calls::new(client, namespace),
            pods: Api::namespaced(client.clone(), namespace),
            events: Api::namespaced(client.clone(), namespace),
            clock,
        }
    }

    /// The calls.
    #[must_use]
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// Makes a Pod, waits for its end, and deletes it: nothing of it is left, however it ended.
    pub async fn run(&self, pod: &Pod, patience: Patience, stop: Stop<'_>) -> Verdict {
        let verdict = match self.make(pod, patience, stop).await {
            Ok(()) => self.follow(pod, patience, stop).await,
            Err(verdict) => verdict,
        };
        if !self.end(&pod.name_any(), Some(pod), patience).await {
            tracing::warn!(
                pod = pod.name_any(),
                "a Pod is not gone yet; the next start ends it"
            );
        }
        verdict
    }

    /// Makes it, after one of the same build before it has ended. A Pod of the same name is never made beside another.
    async fn make(&self, pod: &Pod, patience: Patience, stop: Stop<'_>) -> Result<(), Verdict> {
        let name = pod.name_any();
        let until = Instant::now() + patience.start;
        loop {
            if stop() {
                return Err(Verdict::Stopped);
            }
            let said = match self.calls.create_pod(pod).await {
                Ok(_) => return Ok(()),
                Err(CallError::Exists { .. }) => match self.in_the_way(pod, patience).await {
                    Ok(InTheWay::ThisVeryOne) => return Ok(()),
                    // That took its own time.
                    Ok(InTheWay::Ended) => continue,
                    Ok(InTheWay::Unknown) => "another Pod of its name has not ended yet".to_owned(),
                    Err(problem) => return Err(Verdict::Cluster(problem)),
                },
                Err(error) => match refusal::problem(&name, &error) {
                    Some(problem) => return Err(Verdict::Cluster(problem)),
                    None => error.to_string(),
                },
            };
            if Instant::now() >= until {
                let problem = Problem {
                    reason: Reason::StartFailed,
                    message: said,
                };
                return Err(Verdict::Cluster(late(&name, patience.start, Some(&problem))));
            }
            self.pause(PAUSE, stop).await;
        }
    }

    /// There is a Pod of that name. One that a builder before has left is ended, one of somebody else is left alone.
    async fn in_the_way(&self, pod: &Pod, patience: Patience) -> Result<InTheWay, Problem> {
        let name = pod.name_any();
        let Ok(Some(there)) = self.calls.get_pod(&name).await else {
            return Ok(InTheWay::Unknown);
        };
        if is_same(pod, &there) {
            return Ok(InTheWay::ThisVeryOne);
        }
        if label(&there, LABEL_BUILDER) != label(pod, LABEL_BUILDER) {
            return Err(Problem {
                reason: Reason::PodRefused,
                message: format!(
                    "there is a Pod '{name}' that is not of this builder; delete it with `kubectl delete pod {name}`"
                ),
            });
        }
        Ok(match self.end(&name, Some(&there), patience).await {
            true => InTheWay::Ended,
            false => InTheWay::Unknown,
        })
    }

    /// Waits for its end.
    async fn follow(&self, pod: &Pod, patience: Patience, stop: Stop<'_>) -> Verdict {
        let name = pod.name_any();
        let begun = Instant::now();
        let mut leaving: Option<Problem> = None;
        let mut has_run = false;
        loop {
            if stop() {
                return Verdict::Stopped;
            }
            match self.calls.get_pod(&name).await {
                Ok(Some(there)) if is_same(pod, &there) => {
                    let seen = self.observe(&there, &[], patience);
                    match seen.stage {
                        Stage::Ended(ending) => return verdict(ending),
                        Stage::Leaving { problem, .. } => leaving = Some(problem),
                        Stage::Running { .. } => has_run = true,
                        stage if !has_run && begun.elapsed() >= patience.start => {
                            let known = not_started(&stage).flatten().cloned();
                            return Verdict::Cluster(self.late(&there, known, patience).await);
                        }
                        Stage::Unscheduled { .. } | Stage::Starting { .. } => {}
                    }
                    self.changed(&there, stop).await;
                }
                Ok(_) => return Verdict::Cluster(leaving.unwrap_or_else(|| gone(&name))),
                Err(error @ CallError::Forbidden { .. }) => {
                    return Verdict::Cluster(silent(&name, &error.to_string()));
                }
                Err(error) if begun.elapsed() >= patience.in_all() => {
                    return Verdict::Cluster(silent(&name, &error.to_string()));
                }
                Err(error) => {
                    tracing::debug!(pod = name, "{error}");
                    self.pause(PAUSE, stop).await;
                }
            }
            if begun.elapsed() >= patience.in_all() {
                return Verdict::TimedOut;
            }
        }
    }

    fn observe(&self, pod: &Pod, events: &[Event], patience: Patience) -> Observation {
        let image = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.containers.first()?.image.clone());
        let context = PodContext {
            job: pod.name_any(),
            runtime: image,
            timeout_seconds: i64::try_from(patience.run.as_secs()).ok(),
            node_lost_seconds: i64::from(patience.node_lost_seconds),
            now: (self.clock.0)(),
        };
        observe(pod, events, &context)
    }

    /// Why it was not started: some of it stands in events alone, which are asked for once, and not at all where that is
    /// not allowed.
    async fn late(&self, pod: &Pod, known: Option<Problem>, patience: Patience) -> Problem {
        let uid = pod.uid().unwrap_or_default();
        let params = ListParams::default().fields(&format!("involvedObject.uid={uid}"));
        let events = self.events.list(&params).await.map(|list| list.items);
        let seen = self.observe(pod, &events.unwrap_or_default(), patience);
        let found = not_started(&seen.stage).flatten().cloned();
        late(&pod.name_any(), patience.start, found.or(known).as_ref())
    }

    /// Waits until a Pod has changed. A watch that breaks off costs nothing but a look.
    async fn changed(&self, pod: &Pod, stop: Stop<'_>) {
        let params = WatchParams::default()
            .fields(&format!("metadata.name={}", pod.name_any()))
            .timeout(u32::try_from(LOOK.as_secs()).unwrap_or(u32::MAX));
        let version = pod.resource_version().unwrap_or_default();
        let told = async {
            let event = match self.pods.watch(&params, &version).await {
                Ok(stream) => Box::pin(stream).next().await,
                Err(error) => Some(Err(error)),
            };
            if !matches!(event, Some(Ok(_))) {
                sleep(PAUSE).await;
            }
        };
        tokio::select! {
            () = told => {}
            () = self.pause(LOOK, stop) => {}
        }
    }

    /// Waits, unless the program is to end.
    async fn pause(&self, time: Duration, stop: Stop<'_>) {
        let until = Instant::now() + time;
        while !stop() && Instant::now() < until {
            sleep(TICK).await;
        }
    }

    /// Deletes a Pod and waits until it is gone; whether it is. Another one of its name is left alone. Where its node does not
    /// answer it is given up in the end.
    async fn end(&self, name: &str, this: Option<&Pod>, patience: Patience) -> bool {
        let until = Instant::now() + patience.to_end();
        loop {
            match self.calls.get_pod(name).await {
                Ok(None) => return true,
                Ok(Some(there)) if this.is_some_and(|this| !is_same(this, &there)) => return true,
                Ok(Some(there)) => self.delete(&there, patience).await,
                Err(error) => tracing::debug!(pod = name, "{error}"),
            }
            if Instant::now() >= until {
                return false;
            }
            sleep(TICK).await;
        }
    }

    async fn delete(&self, pod: &Pod, patience: Patience) {
        let deleted = pod.metadata.deletion_timestamp.as_ref();
        let is_lost = deleted.is_some_and(|deleted| {
            let silent = (self.clock.0)().duration_since(deleted.0).as_secs();
            silent >= i64::from(patience.node_lost_seconds)
        });
        if deleted.is_none() || is_lost {
            let deleted = self.calls.delete_pod(&pod.metadata, is_lost.then_some(0)).await;
            // Whether it is gone is looked at next.
            if let Err(error) = deleted {
                tracing::debug!(pod = pod.name_any(), "{error}");
            }
        }
    }

    /// Ends every Pod of a builder, and waits until they are gone. Called before anything is built.
    ///
    /// # Errors
    /// They can not be listed, or are not gone in time.
    pub async fn end_all(&self, builder: &str, patience: Patience, stop: Stop<'_>) -> Result<(), CallError> {
        let labels = format!("{LABEL_BUILDER}={builder}");
        let until = Instant::now() + patience.to_end();
        while !stop() {
            let left = self.calls.list_pods(&labels).await?;
            if left.is_empty() {
                return Ok(());
            }
            for pod in &left {
                self.delete(pod, patience).await;
            }
            if Instant::now() >= until {
                return Err(CallError::Late {
                    call: format!("delete pods {}", left[0].name_any()),
                    seconds: patience.to_end().as_secs(),
                });
            }
            self.pause(PAUSE, stop).await;
        }
        Ok(())
    }
}

fn label<'p>(pod: &'p Pod, name: &str) -> Option<&'p String> {
    pod.labels().get(name)
}

/// Whether it is the Pod of this very build, and not of one of the same thing before it.
fn is_same(pod: &Pod, there: &Pod) -> bool {
    let key = label(pod, LABEL_BUILD);
    key.is_some() && key == label(there, LABEL_BUILD)
}
