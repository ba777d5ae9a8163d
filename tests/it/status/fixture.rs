//! A cluster in a few lines: the controller's flow around the decisions, with Pods that do what they are told.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use offhost::api::job::ContentJobSpec;
use offhost::api::resource::ContentJob;
use offhost::api::status::{AttemptStatus, ContentJobStatus, ResultStatus};
use offhost::reason::Reason;
use offhost::status::{
    Action, BundleSeen, Ending, EnvironmentSeen, EnvironmentState, EventRecord, Finished, Next, Observation,
    Planned, PodSeen, Problem, Ready, Stage, World, finished, next, open_attempt,
};

pub(super) const JOB_UID: &str = "1a2b3c4d-5e6f-4708-9a0b-1c2d3e4f5a6b";

/// A job called `sales`.
pub(super) fn job(spec: ContentJobSpec) -> ContentJob {
    let metadata =
        serde_json::json!({"name": "sales", "namespace": "content", "uid": JOB_UID, "generation": 1});
    ContentJob {
        api_version: "offhost.dev/v1alpha1".to_owned(),
        kind: "ContentJob".to_owned(),
        metadata: serde_json::from_value(metadata).unwrap(),
        spec,
        status: None,
    }
}

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn problem(reason: Reason, message: &str) -> Problem {
    Problem {
        reason,
        message: message.to_owned(),
    }
}

pub(super) fn ready() -> Ready {
    Ready {
        runtime: Some("R 4.4".to_owned()),
        image: Some("registry.example.com/content/r:4.4.2".to_owned()),
        has_pod: true,
        environments: Vec::new(),
    }
}

pub(super) fn environment(state: EnvironmentState) -> EnvironmentSeen {
    EnvironmentSeen {
        language: "R".to_owned(),
        path: "packrat/4.4.2/libraries/abc".to_owned(),
        job_name: "install-00112233aabbccdd".to_owned(),
        state,
    }
}

/// An ending of the process itself.
pub(super) fn ending(problem: Option<Problem>, exit_code: Option<i32>) -> Ending {
    Ending {
        problem,
        exit_code,
        signal: None,
        started: Some(time("2026-03-02T10:00:07Z")),
        finished: None,
        disrupted: false,
    }
}

/// The ending that the cluster gives a Pod.
pub(super) fn disruption() -> Ending {
    Ending {
        disrupted: true,
        ..ending(
            Some(problem(Reason::Disrupted, "Pod 'x' was deleted from outside")),
            None,
        )
    }
}

/// A cluster with one job.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) job: ContentJob,
    pub(super) now: Timestamp,
    pub(super) planned: Planned,
    pub(super) ttl: Option<i64>,
    /// The Pods that the API server has, by name.
    pub(super) pods: BTreeMap<String, Observation>,
    /// Whether the controller sees them yet.
    pub(super) cache_lags: bool,
    /// Why the API server takes no Pods.
    pub(super) refusal: Option<Problem>,
    /// What finishing a successful attempt gives.
    pub(super) finishing: Finished,
    /// Names of all Pods that were ever made.
    pub(super) made: Vec<String>,
    pub(super) events: Vec<EventRecord>,
    pub(super) is_deleted: bool,
    /// Every status that was written.
    pub(super) written: Vec<ContentJobStatus>,
}

impl Cluster {
    pub(super) fn new(spec: ContentJobSpec) -> Self {
        Self {
            job: job(spec),
            now: time("2026-03-02T10:00:00Z"),
            planned: Planned::Ready(ready()),
            ttl: None,
            pods: BTreeMap::new(),
            cache_lags: false,
            refusal: None,
            finishing: Finished::Done(Some(ResultStatus {
                variant: "default".to_owned(),
                number: 7,
                activated: true,
                path: None,
            })),
            made: Vec::new(),
            events: Vec::new(),
            is_deleted: false,
            written: Vec::new(),
        }
    }

    pub(super) fn status(&self) -> ContentJobStatus {
        self.job.status.clone().unwrap_or_default()
    }

    pub(super) fn open(&self) -> Option<AttemptStatus> {
        open_attempt(self.job.status.as_ref()?).cloned()
    }

    /// What the controller sees.
    pub(super) fn world(&self) -> World {
        let seen = self.open().and_then(|open| self.pods.get(&open.pod_name));
        World {
            bundle: Some(BundleSeen {
                content: "sales-report".to_owned(),
                bundle: "3".to_owned(),
            }),
            planned: self.planned.clone(),
            pod: match seen {
                Some(seen) if !self.cache_lags => PodSeen::Present(seen.clone()),
                _ => PodSeen::Absent,
            },
            ttl_seconds_after_finished: self.ttl,
        }
    }

    /// One visit of the controller, until it has nothing more to do at once. Gives what is to be done later.
    pub(super) fn visit(&mut self) -> Option<SignedDuration> {
        for _ in 0..10 {
            let decided = next(&self.job, &self.world(), self.now);
            if let Some(later) = self.carry_out(decided) {
                return later;
            }
        }
        panic!("the controller does not come to rest: {:#?}", self.status());
    }

    /// Writes a status and does what was decided. Gives the time until the next visit; nothing if that is at once.
    pub(super) fn carry_out(&mut self, decided: Next) -> Option<Option<SignedDuration>> {
        let again = decided.again;
        let action = self.write(decided);
        match action {
            Action::None => (again != Some(SignedDuration::ZERO)).then_some(again),
            Action::Install(missing) => {
                if let Planned::Ready(ready) = &mut self.planned {
                    for seen in &mut ready.environments {
                        if missing.contains(seen) {
                            seen.state = EnvironmentState::Installing("attempt 1 runs".to_owned());
                        }
                    }
                }
                None
            }
            Action::Begin(attempt) => self.begin(&attempt),
            Action::Finish(attempt, ending) => {
                let outcome = self.finishing.clone();
                let after = finished(&self.job, &attempt, &ending, &outcome, self.now);
                self.write(after);
                self.pods.remove(&attempt.pod_name);
                None
            }
            Action::Stop(attempt) => {
                self.stop(&attempt.pod_name);
                Some(again)
            }
            Action::Expire => {
                self.is_deleted = true;
                Some(None)
            }
        }
    }

    fn write(&mut self, decided: Next) -> Action {
        self.events.extend(decided.events);
        if self.job.status.as_ref() != Some(&decided.status) {
            self.written.push(decided.status.clone());
        }
        self.job.status = Some(decided.status);
        decided.action
    }

    fn begin(&mut self, attempt: &AttemptStatus) -> Option<Option<SignedDuration>> {
        if self.pods.contains_key(&attempt.pod_name) {
            return Some(None);
        }
        if let Some(problem) = self.refusal.clone() {
            let world = World {
                pod: PodSeen::Refused(problem),
                ..self.world()
            };
            let decided = next(&self.job, &world, self.now);
            return self.carry_out(decided);
        }
        self.made.push(attempt.pod_name.clone());
        let pod = Observation {
            uid: format!("uid-of-{}", attempt.pod_name),
            node: None,
            stage: Stage::Unscheduled {
                gated: false,
                problem: None,
            },
        };
        self.pods.insert(attempt.pod_name.clone(), pod);
        Some(None)
    }

    fn stop(&mut self, pod_name: &str) {
        let now = self.now;
        if let Some(pod) = self.pods.get_mut(pod_name) {
            pod.stage = match &pod.stage {
                Stage::Ended(_) => return,
                Stage::Unscheduled { .. } => Stage::Ended(disruption()),
                _ => Stage::Leaving {
                    until: now + SignedDuration::from_secs(25),
                    problem: problem(Reason::Disrupted, "Pod 'x' was deleted from outside"),
                },
            };
        }
    }

    /// Something happens to the Pod of the open attempt.
    pub(super) fn pod(&mut self, node: bool, stage: Stage) {
        let name = self.open().expect("an attempt is open").pod_name;
        let pod = self.pods.get_mut(&name).expect("it has a Pod");
        pod.node = node.then(|| "worker-1".to_owned());
        pod.stage = stage;
    }

    pub(super) fn runs(&mut self) {
        let since = Some(self.now);
        self.pod(true, Stage::Running { since });
    }

    pub(super) fn ends(&mut self, ending: Ending) {
        self.pod(true, Stage::Ended(ending));
    }

    pub(super) fn after(&mut self, seconds: i64) -> &mut Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    /// `True: reason: sentence` of a condition.
    pub(super) fn said(&self, kind: &str) -> String {
        let status = self.status();
        let found = status.conditions.iter().find(|one| one.type_ == kind);
        found.map_or_else(String::new, |one| {
            format!("{} {}: {}", one.status, one.reason, one.message)
        })
    }
}
