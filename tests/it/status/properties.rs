//! What holds whatever happens to a job, its Pods and its controller, in whatever order.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use offhost::api::job::ContentJobSpec;
use offhost::api::status::ContentJobStatus;
use offhost::reason::Reason;
use offhost::status::{
    Action, EnvironmentState, Finished, Next, Planned, Ready, Stage, World, is_finished, next, open_attempt,
};
use proptest::prelude::*;

use super::fixture::{Cluster, disruption, ending, environment, problem, ready};

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// Time passes.
    Wait(i64),
    /// The controller looks.
    Visit,
    /// It looks, and dies after writing the status.
    CutOff,
    Gate,
    Unschedulable,
    Stuck,
    Runs,
    Succeeds,
    Fails(Reason),
    Leaves,
    Disrupted,
    /// The Pod is taken away, finalizer and all.
    Vanishes,
    /// The API server takes no Pods, or takes them again.
    Refuse(Option<Reason>),
    Suspend(bool),
    Plan(u8),
    Unusable(bool),
    /// The retries are changed, which raises the generation.
    Retries(i32),
}

fn happenings() -> impl Strategy<Value = Happening> {
    use Happening as H;
    let reason = prop_oneof![
        5 => Just(Reason::ProcessFailed),
        1 => Just(Reason::OutOfMemory),
        1 => Just(Reason::SupervisorRefused)
    ];
    let refusal = prop_oneof![
        Just(None),
        Just(Some(Reason::PodRefused)),
        Just(Some(Reason::AccountRefused))
    ];
    prop_oneof![
        4 => prop_oneof![Just(1), Just(15), Just(400), Just(4000)].prop_map(H::Wait),
        10 => Just(H::Visit),
        3 => Just(H::CutOff),
        1 => Just(H::Gate),
        1 => Just(H::Unschedulable),
        1 => Just(H::Stuck),
        4 => Just(H::Runs),
        1 => Just(H::Succeeds),
        4 => reason.prop_map(H::Fails),
        1 => Just(H::Leaves),
        4 => Just(H::Disrupted),
        1 => Just(H::Vanishes),
        1 => refusal.prop_map(H::Refuse),
        1 => any::<bool>().prop_map(H::Suspend),
        2 => (0_u8..8).prop_map(H::Plan),
        1 => any::<bool>().prop_map(H::Unusable),
        1 => (0..3).prop_map(H::Retries),
    ]
}

fn plan(number: u8) -> Planned {
    let with = |state| {
        Planned::Ready(Ready {
            environments: vec![environment(state)],
            ..ready()
        })
    };
    match number {
        0 => Planned::Waiting(problem(
            Reason::DataUnavailable,
            "the data volume can not be read",
        )),
        1 => Planned::Waiting(problem(Reason::AwaitingUpload, "the archive is awaited")),
        2 => Planned::Refused(problem(Reason::InvalidInput, "spec.command is empty")),
        3 => with(EnvironmentState::Missing),
        4 => with(EnvironmentState::Installing("attempt 1 runs".to_owned())),
        5 => with(EnvironmentState::Failed("it ended with exit code 1".to_owned())),
        6 => with(EnvironmentState::Ready),
        _ => Planned::Ready(ready()),
    }
}

/// A cluster, and what has been seen of it so far.
struct Trial {
    cluster: Cluster,
    /// How every attempt that is over ended, by number: whether it is counted.
    counted: BTreeMap<i32, bool>,
    most_retries: i32,
    /// Pods that were taken away before their uid was recorded.
    unknown: Vec<String>,
}

impl Trial {
    fn new(spec: ContentJobSpec) -> Self {
        Self {
            most_retries: spec.retries,
            cluster: Cluster::new(spec),
            counted: BTreeMap::new(),
            unknown: Vec::new(),
        }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        use Happening as H;
        let cluster = &mut self.cluster;
        match happening {
            H::Wait(seconds) => cluster.now += SignedDuration::from_secs(seconds),
            H::Visit => self.visit()?,
            H::CutOff => self.cut_off()?,
            H::Suspend(suspended) => {
                cluster.job.spec.suspended = suspended;
                self.change();
            }
            H::Retries(retries) => {
                self.cluster.job.spec.retries = retries;
                self.most_retries = self.most_retries.max(retries);
                self.change();
            }
            H::Plan(number) => cluster.planned = plan(number),
            H::Refuse(reason) => {
                cluster.refusal = reason.map(|reason| problem(reason, "the quota is used up"));
            }
            H::Unusable(unusable) => {
                cluster.finishing = if unusable {
                    Finished::Unusable(problem(Reason::ProcessFailed, "no result was made"))
                } else {
                    Finished::Done(None)
                };
            }
            _ => self.befall_pod(happening),
        }
        Ok(())
    }

    fn change(&mut self) {
        let generation = self.cluster.job.metadata.generation.unwrap_or_default();
        self.cluster.job.metadata.generation = Some(generation + 1);
    }

    /// What happens to the Pod, if there is one that has not ended: an end is not taken back.
    fn befall_pod(&mut self, happening: Happening) {
        use Happening as H;
        let Some(open) = self.cluster.open() else {
            return;
        };
        let name = open.pod_name;
        let now = self.cluster.now;
        let Some(pod) = self.cluster.pods.get_mut(&name) else {
            return;
        };
        if let H::Vanishes = happening {
            self.cluster.pods.remove(&name);
            if open.pod_uid.is_none() {
                self.unknown.push(name);
            }
            return;
        }
        if let Stage::Ended(_) = pod.stage {
            return;
        }
        let is_leaving = matches!(pod.stage, Stage::Leaving { .. });
        let why = |reason| Some(problem(reason, "this stands in the way"));
        let stage = match happening {
            H::Succeeds => Stage::Ended(ending(None, Some(0))),
            H::Fails(reason) => Stage::Ended(ending(why(reason), Some(3))),
            H::Disrupted => Stage::Ended(disruption()),
            _ if is_leaving => return,
            H::Gate => Stage::Unscheduled {
                gated: true,
                problem: why(Reason::Gated),
            },
            H::Unschedulable => Stage::Unscheduled {
                gated: false,
                problem: why(Reason::Unschedulable),
            },
            H::Stuck => Stage::Starting {
                since: Some(now),
                problem: why(Reason::ImageUnavailable),
            },
            H::Leaves => Stage::Leaving {
                until: now + SignedDuration::from_secs(20),
                problem: problem(Reason::NodeLost, "node 'worker-1' was lost"),
            },
            _ => Stage::Running { since: Some(now) },
        };
        if !matches!(stage, Stage::Unscheduled { .. }) {
            pod.node = Some("worker-1".to_owned());
        }
        pod.stage = stage;
    }

    fn visit(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..10 {
            let decided = self.decide()?;
            let before = self.cluster.status();
            let done = self.cluster.carry_out(decided);
            self.check_step(&before)?;
            if done.is_some() {
                return Ok(());
            }
        }
        Err(TestCaseError::fail("the controller does not come to rest"))
    }

    /// The status is written, and nothing else is done.
    fn cut_off(&mut self) -> Result<(), TestCaseError> {
        let decided = self.decide()?;
        let before = self.cluster.status();
        self.cluster.events.extend(decided.events);
        self.cluster.job.status = Some(decided.status);
        self.check_step(&before)
    }

    fn decide(&mut self) -> Result<Next, TestCaseError> {
        let (job, world, now) = (&self.cluster.job, self.cluster.world(), self.cluster.now);
        let decided = next(job, &world, now);
        self.check_twice(&decided, &world)?;
        self.check_begin(&decided)?;
        self.check_finish(&decided)?;
        self.check_events(&decided)?;
        Ok(decided)
    }

    /// Deciding twice changes nothing the second time.
    fn check_twice(&self, decided: &Next, world: &World) -> Result<(), TestCaseError> {
        let mut job = self.cluster.job.clone();
        job.status = Some(decided.status.clone());
        let again = next(&job, world, self.cluster.now);
        prop_assert_eq!(&again.status, &decided.status);
        prop_assert!(again.events.is_empty(), "{:?}", again.events);
        Ok(())
    }

    /// A Pod is asked for only while no other one may run.
    fn check_begin(&self, decided: &Next) -> Result<(), TestCaseError> {
        let Action::Begin(attempt) = &decided.action else {
            return Ok(());
        };
        let open = open_attempt(&decided.status).map(|open| open.number);
        prop_assert_eq!(open, Some(attempt.number));
        prop_assert!(!self.cluster.job.spec.suspended, "a suspended job begins nothing");
        let others = self
            .cluster
            .pods
            .iter()
            .filter(|(name, _)| **name != attempt.pod_name);
        for (name, pod) in others {
            prop_assert!(
                matches!(pod.stage, Stage::Ended(_)),
                "{name} may still run: {pod:?}"
            );
        }
        Ok(())
    }

    /// An attempt is over when nothing of it can run any more.
    fn check_finish(&self, decided: &Next) -> Result<(), TestCaseError> {
        let Action::Finish(attempt, _) = &decided.action else {
            return Ok(());
        };
        let pod = self.cluster.pods.get(&attempt.pod_name);
        let is_over = pod.is_none_or(|pod| matches!(pod.stage, Stage::Ended(_)));
        prop_assert!(is_over, "{pod:?}");
        Ok(())
    }

    fn check_events(&self, decided: &Next) -> Result<(), TestCaseError> {
        let before = self.cluster.status();
        let transitions = decided.status.conditions.iter().filter(|new| {
            let old = before.conditions.iter().find(|old| old.type_ == new.type_);
            old.map(|old| (&old.status, &old.reason)) != Some((&new.status, &new.reason))
        });
        prop_assert!(decided.events.len() <= transitions.count());
        Ok(())
    }

    fn check_step(&mut self, before: &ContentJobStatus) -> Result<(), TestCaseError> {
        let after = self.cluster.status();
        if is_finished(before) {
            let strip = |status: &ContentJobStatus| {
                let mut status = status.clone();
                status.observed_generation = None;
                for condition in &mut status.conditions {
                    condition.observed_generation = None;
                }
                status
            };
            prop_assert_eq!(strip(before), strip(&after), "finished is final");
        }
        prop_assert_eq!(is_finished(&after), after.completion_time.is_some());
        prop_assert!(after.attempts.len() <= 32);
        let numbers: Vec<i32> = after.attempts.iter().map(|one| one.number).collect();
        prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        let last = |status: &ContentJobStatus| status.attempts.last().map_or(0, |last| last.number);
        prop_assert!(last(before) <= last(&after) && last(&after) <= last(before) + 1);
        let open = after.attempts.iter().filter(|one| one.completion_time.is_none());
        prop_assert!(open.count() <= 1);
        prop_assert!(after.next_attempt_time.is_none() || open_attempt(&after).is_none());
        self.count(&after)
    }

    /// No more failures are counted than were asked for.
    fn count(&mut self, after: &ContentJobStatus) -> Result<(), TestCaseError> {
        for attempt in after.attempts.iter().filter(|one| one.completion_time.is_some()) {
            let is_success = attempt.reason.as_deref() == Some("Succeeded");
            let counts = attempt.disrupted != Some(true) && !is_success;
            self.counted.insert(attempt.number, counts);
        }
        let failures = self.counted.values().filter(|counts| **counts).count();
        let most = usize::try_from(self.most_retries).unwrap() + 1;
        prop_assert!(failures <= most, "{failures} failures with {most} allowed");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Proves: OH1 (P), OH2 (P), OH3 (P), PK10 (P)
    #[test]
    fn whatever_happens_to_a_job(
        retries in 0..3,
        ttl in proptest::option::of(0_i64..100),
        happenings in proptest::collection::vec(happenings(), 1..150),
    ) {
        let mut trial = Trial::new(ContentJobSpec {
            retries,
            ttl_seconds_after_finished: ttl,
            start_deadline_seconds: Some(5000),
            ..ContentJobSpec::default()
        });
        for happening in happenings {
            trial.happen(happening)?;
        }
        // Each attempt has one Pod; only where that was taken away before anybody knew its uid it is made again.
        let made = &trial.cluster.made;
        let twice = made.iter().filter(|name| made.iter().filter(|other| other == name).count() > 1);
        for name in twice {
            prop_assert!(trial.unknown.contains(name), "{name} was made twice");
        }
    }

    /// Proves: OH1 (P)
    #[test]
    fn whatever_happens_every_job_ends_when_it_is_let(
        retries in 0..3,
        happenings in proptest::collection::vec(happenings(), 1..60),
    ) {
        let mut trial = Trial::new(ContentJobSpec { retries, ..ContentJobSpec::default() });
        for happening in happenings {
            trial.happen(happening)?;
        }
        // From now on nothing is in the way, and every Pod runs and succeeds.
        trial.cluster.job.spec.suspended = false;
        trial.cluster.refusal = None;
        trial.cluster.planned = Planned::Ready(ready());
        trial.cluster.finishing = Finished::Done(None);
        for _ in 0..20 {
            trial.happen(Happening::Wait(400))?;
            trial.happen(Happening::Visit)?;
            trial.happen(Happening::Runs)?;
            trial.happen(Happening::Visit)?;
            trial.happen(Happening::Succeeds)?;
            trial.happen(Happening::Visit)?;
        }
        let status = trial.cluster.status();
        prop_assert!(is_finished(&status), "{status:#?}");
    }
}
