//! Whole lives of jobs, with the sentences that `kubectl describe` shows on the way.

use jiff::SignedDuration;
use offhost::api::job::{ContentJobSpec, TaskKind};
use offhost::reason::Reason;
use offhost::status::{EnvironmentState, Finished, Planned, Problem, Ready, Stage};

use super::fixture::{Cluster, disruption, ending, environment, problem, ready};

const RETRIED: i32 = 2;

fn spec() -> ContentJobSpec {
    ContentJobSpec {
        task: Some(TaskKind::Render),
        ..ContentJobSpec::default()
    }
}

fn failure() -> Problem {
    problem(
        Reason::ProcessFailed,
        "the render ended with exit code 3; `offhost logs sales` shows its output",
    )
}

fn failed() -> offhost::status::Ending {
    ending(Some(failure()), Some(3))
}

fn succeeded() -> offhost::status::Ending {
    ending(None, Some(0))
}

/// Reasons of the events so far.
fn reasons(cluster: &Cluster) -> Vec<&str> {
    cluster.events.iter().map(|event| event.reason.as_str()).collect()
}

/// Proves: OH1 (P), PK10 (P)
#[test]
fn a_job_tells_what_it_does_from_first_to_last() {
    let mut cluster = Cluster::new(spec());
    cluster.visit();
    assert_eq!(
        cluster.said("Accepted"),
        "True Accepted: bundle 3 of content item 'sales-report' can be used with runtime 'R 4.4', image \
         'registry.example.com/content/r:4.4.2'"
    );
    assert_eq!(
        cluster.said("EnvironmentReady"),
        "True NotNeeded: the job needs no packages to be installed"
    );
    assert_eq!(
        cluster.said("PodScheduled"),
        "Unknown Pending: Pod 'sales-1a2b3c4d-1' is being made"
    );
    assert_eq!(
        cluster.said("Succeeded"),
        "Unknown Starting: attempt 1 begins in Pod 'sales-1a2b3c4d-1'"
    );
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        "Unknown Starting: attempt 1 waits for a node for Pod 'sales-1a2b3c4d-1'"
    );
    let since = None;
    cluster
        .after(1)
        .pod(true, Stage::Starting { since, problem: None });
    cluster.visit();
    assert_eq!(
        cluster.said("PodScheduled"),
        "True Scheduled: Pod 'sales-1a2b3c4d-1' is on node 'worker-1'"
    );
    cluster.after(6).runs();
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        "Unknown Running: attempt 1 runs in Pod 'sales-1a2b3c4d-1' on node 'worker-1'"
    );
    cluster.after(60).ends(succeeded());
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        "True Succeeded: attempt 1 has succeeded: result 7 of 'default' is kept and is served"
    );
    let status = cluster.status();
    assert_eq!(status.exit_code, Some(0));
    assert_eq!(status.attempts[0].reason.as_deref(), Some("Succeeded"));
    assert_eq!(
        status.attempts[0].pod_uid.as_deref(),
        Some("uid-of-sales-1a2b3c4d-1")
    );
    assert_eq!(status.start_time.unwrap().0.to_string(), "2026-03-02T10:00:00Z");
    assert_eq!(
        status.completion_time.unwrap().0.to_string(),
        "2026-03-02T10:01:07Z"
    );
    assert_eq!(status.node_name.as_deref(), Some("worker-1"));
    assert_eq!(reasons(&cluster), ["Starting", "Running", "Succeeded"]);
    assert!(cluster.events.iter().all(|event| !event.warning));
}

/// Proves: PK10 (P)
#[test]
fn a_failure_is_repeated_as_often_as_asked_and_later_each_time() {
    let mut cluster = Cluster::new(ContentJobSpec {
        retries: RETRIED,
        ..spec()
    });
    for (number, wait) in [(1, 10), (2, 20)] {
        cluster.visit();
        cluster.runs();
        cluster.visit();
        cluster.ends(failed());
        assert_eq!(cluster.visit(), Some(SignedDuration::from_secs(wait)));
        let at = cluster.now + SignedDuration::from_secs(wait);
        assert_eq!(
            cluster.said("Succeeded"),
            format!(
                "Unknown ProcessFailed: attempt {number} has failed: the render ended with exit code 3; `offhost logs \
                 sales` shows its output; attempt {} begins at {at} (repetition {number} of at most 2)",
                number + 1
            )
        );
        assert_eq!(cluster.status().next_attempt_time.unwrap().0, at);
        // Too early.
        cluster.after(wait - 1).visit();
        assert!(cluster.open().is_none());
        cluster.after(1);
    }
    cluster.visit();
    cluster.runs();
    cluster.visit();
    cluster.ends(failed());
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        "False ProcessFailed: 3 attempts have failed, the last one so: the render ended with exit code 3; `offhost logs \
         sales` shows its output"
    );
    assert_eq!(cluster.status().exit_code, Some(3));
    assert_eq!(cluster.made.len(), 3);
    assert_eq!(cluster.status().next_attempt_time, None);
}

/// Proves: SV2 (P)
#[test]
fn what_can_never_work_is_not_repeated() {
    for reason in [
        Reason::SupervisorRefused,
        Reason::InvalidInput,
        Reason::AccountRefused,
        Reason::RuntimeNotFound,
    ] {
        let mut cluster = Cluster::new(ContentJobSpec {
            retries: RETRIED,
            ..spec()
        });
        cluster.visit();
        let said = "image 'x' is refused: the supervisor '/opt/start' is not in the image";
        cluster.ends(ending(Some(problem(reason, said)), None));
        cluster.visit();
        assert_eq!(
            cluster.said("Succeeded"),
            format!("False {}: {said}", reason.name())
        );
    }
}

/// Proves: OH2 (P), PK10 (P)
#[test]
fn a_lost_node_is_not_a_failed_report() {
    let mut cluster = Cluster::new(spec());
    cluster.visit();
    cluster.runs();
    cluster.visit();
    cluster.ends(disruption());
    assert_eq!(cluster.visit(), Some(SignedDuration::from_secs(10)));
    assert_eq!(
        cluster.said("Succeeded"),
        "Unknown Disrupted: attempt 1 was cut off: Pod 'x' was deleted from outside; attempt 2 begins at \
         2026-03-02T10:00:10Z"
    );
    cluster.after(10).visit();
    assert_eq!(cluster.made, ["sales-1a2b3c4d-1", "sales-1a2b3c4d-2"]);
    cluster.runs();
    cluster.visit();
    cluster.ends(succeeded());
    cluster.visit();
    assert!(cluster.said("Succeeded").starts_with("True Succeeded: attempt 2"));
}

/// Proves: OH2 (P)
#[test]
fn a_cluster_that_never_lets_a_job_end_is_given_up() {
    let mut cluster = Cluster::new(ContentJobSpec {
        retries: RETRIED,
        ..spec()
    });
    let mut waited = Vec::new();
    for _ in 0..11 {
        cluster.visit();
        cluster.ends(disruption());
        let again = cluster.visit();
        waited.extend(again.map(|again| again.as_secs()));
        cluster.after(again.map_or(0, |again| again.as_secs()));
    }
    assert_eq!(waited, [10, 20, 40, 80, 160, 320, 360, 360, 360, 360]);
    assert_eq!(
        cluster.said("Succeeded"),
        "False Disrupted: the cluster has ended 11 attempts in a row, the last one so: Pod 'x' was deleted from outside"
    );
}

/// Proves: OH2 (P)
#[test]
fn a_failure_in_between_begins_the_count_of_disruptions_anew() {
    let mut cluster = Cluster::new(ContentJobSpec {
        retries: 20,
        ..spec()
    });
    for round in 0..20 {
        for number in 0..10 {
            cluster.visit();
            let end = if number == 9 { failed() } else { disruption() };
            cluster.ends(end);
            cluster.visit();
            cluster.after(400);
        }
        assert!(cluster.said("Succeeded").starts_with("Unknown"), "round {round}");
        assert!(cluster.status().attempts.len() <= 32);
    }
    cluster.visit();
    cluster.ends(failed());
    cluster.visit();
    assert!(
        cluster
            .said("Succeeded")
            .starts_with("False ProcessFailed: 21 attempts have failed")
    );
    assert_eq!(cluster.made.len(), 201);
}

/// Proves: OH2 (P)
#[test]
fn a_pod_that_vanished_was_disrupted_and_one_that_was_never_seen_is_made() {
    let mut cluster = Cluster::new(spec());
    cluster.visit();
    cluster.cache_lags = true;
    // The Pod is there, though not seen: making it again changes nothing.
    cluster.visit();
    assert_eq!(cluster.made.len(), 1);
    cluster.cache_lags = false;
    cluster.runs();
    cluster.visit();
    cluster.pods.clear();
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        "Unknown Disrupted: attempt 1 was cut off: Pod 'sales-1a2b3c4d-1' was removed from outside before its outcome was \
         known; attempt 2 begins at 2026-03-02T10:00:10Z"
    );
}

/// Proves: OH1 (P)
#[test]
fn missing_packages_are_installed_first() {
    let mut cluster = Cluster::new(spec());
    let environments = |state| vec![environment(state)];
    cluster.planned = Planned::Ready(Ready {
        environments: environments(EnvironmentState::Missing),
        ..ready()
    });
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        "Unknown Installing: job 'install-00112233aabbccdd' installs the R packages: attempt 1 runs"
    );
    assert_eq!(
        cluster.said("EnvironmentReady"),
        "False Installing: job 'install-00112233aabbccdd' installs the R packages: attempt 1 runs"
    );
    assert!(cluster.made.is_empty());
    cluster.planned = Planned::Ready(Ready {
        environments: environments(EnvironmentState::Ready),
        ..ready()
    });
    cluster.visit();
    assert_eq!(cluster.made.len(), 1);
    assert!(cluster.status().environments[0].ready);
    assert_eq!(reasons(&cluster), ["Installing", "Installed", "Starting"]);
}

/// Proves: OH1 (P)
#[test]
fn packages_that_can_not_be_installed_fail_the_job_by_the_name_of_theirs() {
    let mut cluster = Cluster::new(spec());
    let why = "the installation ended with exit code 1".to_owned();
    cluster.planned = Planned::Ready(Ready {
        environments: vec![environment(EnvironmentState::Failed(why))],
        ..ready()
    });
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        "False InstallFailed: job 'install-00112233aabbccdd' could not install the R packages: the installation ended with \
         exit code 1; see `offhost logs install-00112233aabbccdd`"
    );
    assert!(cluster.made.is_empty());
}

/// Proves: OH1 (P)
#[test]
fn a_job_without_a_process_is_done_when_there_is_nothing_left_to_do() {
    let mut cluster = Cluster::new(spec());
    cluster.planned = Planned::Ready(Ready {
        has_pod: false,
        ..ready()
    });
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        "True Succeeded: bundle 3 of content item 'sales-report' is there, and nothing more was asked for"
    );
    let mut cluster = Cluster::new(spec());
    cluster.planned = Planned::Ready(Ready {
        has_pod: false,
        environments: vec![environment(EnvironmentState::Ready)],
        ..ready()
    });
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        "True Succeeded: all packages of the content are installed"
    );
    assert!(cluster.made.is_empty());
}

/// Proves: EX5 (P), OH1 (P)
#[test]
fn what_is_missing_heals_when_it_comes() {
    let mut cluster = Cluster::new(spec());
    let said = "no runtime fits content that needs R 4.9: 'R 4.4' has R 4.4.2; add one to runtimes.yaml";
    cluster.planned = Planned::Waiting(problem(Reason::RuntimeNotFound, said));
    assert_eq!(cluster.visit(), Some(SignedDuration::from_secs(30)));
    assert_eq!(cluster.said("Accepted"), format!("False RuntimeNotFound: {said}"));
    assert_eq!(
        cluster.said("Succeeded"),
        format!("Unknown RuntimeNotFound: {said}")
    );
    assert!(cluster.events[0].warning);
    assert_eq!(cluster.status().bundle.as_deref(), Some("3"));
    cluster.planned = Planned::Ready(ready());
    cluster.visit();
    assert!(cluster.said("Accepted").starts_with("True"));
    assert_eq!(cluster.made.len(), 1);
}

/// Proves: OH1 (P)
#[test]
fn an_archive_that_is_awaited_is_nothing_wrong() {
    let mut cluster = Cluster::new(spec());
    let said = "the archive of 5 bytes is awaited";
    cluster.planned = Planned::Waiting(problem(Reason::AwaitingUpload, said));
    cluster.visit();
    assert_eq!(
        cluster.said("Accepted"),
        format!("Unknown AwaitingUpload: {said}")
    );
    assert!(!cluster.events[0].warning);
}

/// Proves: EX5 (P), OH1 (P)
#[test]
fn what_can_not_be_done_as_it_is_written_fails_at_once() {
    let mut cluster = Cluster::new(ContentJobSpec {
        retries: RETRIED,
        suspended: true,
        ..spec()
    });
    cluster.planned = Planned::Refused(problem(Reason::AccountRefused, "spec.runAs 'root' is root"));
    cluster.visit();
    assert_eq!(
        cluster.said("Accepted"),
        "False AccountRefused: spec.runAs 'root' is root"
    );
    assert_eq!(
        cluster.said("Succeeded"),
        "False AccountRefused: spec.runAs 'root' is root"
    );
    assert_eq!(
        cluster.said("PodScheduled"),
        "Unknown Pending: this was not looked at yet"
    );
    assert!(cluster.status().completion_time.is_some());
    assert_eq!(reasons(&cluster), ["AccountRefused"]);
}

/// Proves: OH1 (P)
#[test]
fn a_pod_that_is_not_taken_is_tried_until_its_time_is_over() {
    let mut cluster = Cluster::new(ContentJobSpec {
        start_deadline_seconds: Some(100),
        ..spec()
    });
    let said = "the quota 'small' of namespace 'content' leaves no room for requests.memory 64Gi";
    cluster.refusal = Some(problem(Reason::PodRefused, said));
    let mut waited = Vec::new();
    for _ in 0..6 {
        let again = cluster.visit().unwrap();
        assert_eq!(cluster.said("Succeeded"), format!("Unknown PodRefused: {said}"));
        assert_eq!(
            cluster.said("PodScheduled"),
            format!("Unknown PodRefused: {said}")
        );
        waited.push(again.as_secs());
        cluster.after(again.as_secs());
    }
    assert_eq!(waited, [5, 5, 10, 20, 40, 20]);
    assert_eq!(cluster.visit(), None);
    assert_eq!(
        cluster.said("Succeeded"),
        format!(
            "False PodRefused: the process was not started within 100 s (spec.startDeadlineSeconds): {said}"
        )
    );
    assert!(cluster.made.is_empty());
    assert_eq!(reasons(&cluster), ["Starting", "PodRefused", "PodRefused"]);
}

/// Proves: OH1 (P)
#[test]
fn a_refused_pod_heals() {
    let mut cluster = Cluster::new(spec());
    cluster.refusal = Some(problem(Reason::PodRefused, "no quota"));
    cluster.visit();
    cluster.refusal = None;
    cluster.after(5).visit();
    cluster.visit();
    assert!(
        cluster
            .said("Succeeded")
            .starts_with("Unknown Starting: attempt 1 waits")
    );
    assert_eq!(cluster.made, ["sales-1a2b3c4d-1"]);
}

/// Proves: OH1 (P)
#[test]
fn a_pod_that_does_not_start_is_ended_when_its_time_is_over_and_says_why() {
    let mut cluster = Cluster::new(ContentJobSpec {
        start_deadline_seconds: Some(600),
        retries: 1,
        ..spec()
    });
    let missing = problem(Reason::ImageUnavailable, "image 'x' can not be pulled: not found");
    let stuck = Stage::Starting {
        since: None,
        problem: Some(missing),
    };
    cluster.visit();
    cluster.after(1).pod(true, stuck);
    assert_eq!(cluster.visit(), Some(SignedDuration::from_secs(599)));
    assert_eq!(
        cluster.said("Succeeded"),
        "Unknown ImageUnavailable: image 'x' can not be pulled: not found"
    );
    cluster.after(599).visit();
    let said = "the process was not started within 600 s (spec.startDeadlineSeconds): image 'x' can not be pulled: not \
                found";
    assert_eq!(cluster.open().unwrap().message.as_deref(), Some(said));
    // It begins to run while it is being ended: that comes too late.
    cluster.runs();
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        format!("Unknown ImageUnavailable: {said}")
    );
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        format!("Unknown Stopping: attempt 1 is being ended: {said}")
    );
    cluster.ends(disruption());
    assert_eq!(cluster.visit(), Some(SignedDuration::from_secs(10)));
    assert_eq!(cluster.status().attempts[0].disrupted, None);
    cluster.after(10).visit();
    assert_eq!(cluster.made.len(), 2);
}

/// Proves: OH1 (P)
#[test]
fn time_in_a_queue_does_not_count() {
    let mut cluster = Cluster::new(ContentJobSpec {
        start_deadline_seconds: Some(60),
        ..spec()
    });
    cluster.visit();
    let held = "Pod 'x' is held by the scheduling gate 'kueue.x-k8s.io/admission'";
    cluster.pod(
        false,
        Stage::Unscheduled {
            gated: true,
            problem: Some(problem(Reason::Gated, held)),
        },
    );
    assert_eq!(cluster.visit(), None);
    assert_eq!(cluster.said("PodScheduled"), format!("False Gated: {held}"));
    assert_eq!(cluster.after(100_000).visit(), None);
    cluster.pod(
        false,
        Stage::Unscheduled {
            gated: false,
            problem: None,
        },
    );
    assert_eq!(cluster.visit(), Some(SignedDuration::from_secs(60)));
    cluster.after(60).visit();
    cluster.visit();
    assert_eq!(
        cluster.said("Succeeded"),
        "False StartFailed: the process was not started within 60 s (spec.startDeadlineSeconds): Pod 'sales-1a2b3c4d-1' has \
         no node yet; see `kubectl describe pod sales-1a2b3c4d-1`"
    );
}

/// Proves: OH1 (P), OH3 (P)
#[test]
fn a_suspended_job_ends_its_pod_and_goes_on_later_without_counting() {
    let mut cluster = Cluster::new(spec());
    cluster.visit();
    cluster.runs();
    cluster.visit();
    cluster.job.spec.suspended = true;
    cluster.job.metadata.generation = Some(2);
    cluster.visit();
    let held = "Unknown Suspended: the job is suspended; set spec.suspended to false to let it go on";
    assert_eq!(cluster.said("Succeeded"), held);
    assert_eq!(cluster.status().observed_generation, Some(2));
    cluster.ends(disruption());
    cluster.visit();
    assert_eq!(cluster.said("Succeeded"), held);
    assert!(cluster.open().is_none());
    assert_eq!(cluster.after(1000).visit(), None);
    cluster.job.spec.suspended = false;
    cluster.visit();
    assert_eq!(cluster.made.len(), 2);
    cluster.runs();
    cluster.visit();
    cluster.ends(failed());
    cluster.visit();
    // The first failure that counts.
    assert!(
        cluster
            .said("Succeeded")
            .starts_with("False ProcessFailed: the render ended")
    );
    assert_eq!(
        reasons(&cluster),
        [
            "Starting",
            "Running",
            "Suspended",
            "Starting",
            "Running",
            "ProcessFailed"
        ]
    );
}

/// Proves: OH1 (P)
#[test]
fn time_without_a_pod_does_not_count_while_something_else_is_missing() {
    let mut cluster = Cluster::new(ContentJobSpec {
        start_deadline_seconds: Some(60),
        ..spec()
    });
    cluster.refusal = Some(problem(Reason::PodRefused, "no quota"));
    cluster.visit();
    for hold in [true, false] {
        cluster.job.spec.suspended = hold;
        cluster.planned = Planned::Waiting(problem(Reason::DataUnavailable, "the volume can not be read"));
        cluster.after(1000).visit();
        cluster.planned = Planned::Ready(ready());
        cluster.visit();
        let is_held = cluster.said("Succeeded").starts_with("Unknown Suspended");
        assert_eq!(is_held, hold);
    }
    assert_eq!(cluster.visit(), Some(SignedDuration::from_secs(60)));
    assert_eq!(cluster.said("Succeeded"), "Unknown PodRefused: no quota");
    assert_eq!(cluster.open().unwrap().number, 1);
    cluster.after(60).visit();
    assert!(cluster.said("Succeeded").starts_with("False PodRefused"));
}

/// Proves: OH2 (P)
#[test]
fn a_process_that_was_done_before_it_could_be_stopped_has_succeeded() {
    let mut cluster = Cluster::new(spec());
    cluster.visit();
    cluster.runs();
    cluster.visit();
    cluster.job.spec.suspended = true;
    cluster.visit();
    cluster.ends(succeeded());
    cluster.visit();
    assert!(cluster.said("Succeeded").starts_with("True Succeeded"));
}

/// Proves: OH1 (P)
#[test]
fn a_suspended_job_begins_nothing() {
    let mut cluster = Cluster::new(ContentJobSpec {
        suspended: true,
        ..spec()
    });
    cluster.planned = Planned::Ready(Ready {
        environments: vec![environment(EnvironmentState::Missing)],
        ..ready()
    });
    cluster.visit();
    assert!(cluster.said("Accepted").starts_with("True"));
    assert!(cluster.said("Succeeded").starts_with("Unknown Suspended"));
    let Planned::Ready(ready) = &cluster.planned else {
        panic!()
    };
    assert_eq!(ready.environments[0].state, EnvironmentState::Missing);
    assert!(cluster.made.is_empty());
}

/// Proves: RD3 (P)
#[test]
fn what_can_not_be_used_is_a_failure_of_the_attempt() {
    let mut cluster = Cluster::new(ContentJobSpec { retries: 1, ..spec() });
    cluster.finishing =
        Finished::Unusable(problem(Reason::ProcessFailed, "the render made no 'report.html'"));
    cluster.visit();
    cluster.ends(succeeded());
    cluster.visit();
    assert!(cluster.said("Succeeded").starts_with(
        "Unknown ProcessFailed: attempt 1 has failed: the render made no 'report.html'; attempt 2"
    ));
    assert_eq!(cluster.status().result, None);
}

/// Proves: OH3 (P)
#[test]
fn a_finished_job_goes_when_its_time_is_over_and_not_before() {
    for (own, default, left) in [
        (None, None, None),
        (Some(60), Some(5), Some(60)),
        (None, Some(5), Some(5)),
        (Some(0), None, Some(0)),
    ] {
        let mut cluster = Cluster::new(ContentJobSpec {
            ttl_seconds_after_finished: own,
            ..spec()
        });
        cluster.ttl = default;
        cluster.visit();
        cluster.ends(succeeded());
        let again = cluster.visit();
        let Some(left) = left else {
            assert_eq!(again, None);
            cluster.after(1_000_000).visit();
            assert!(!cluster.is_deleted);
            continue;
        };
        assert_eq!(cluster.is_deleted, left == 0);
        if left > 0 {
            assert_eq!(again, Some(SignedDuration::from_secs(left)));
            cluster.after(left - 1).visit();
            assert!(!cluster.is_deleted);
            cluster.after(1).visit();
            assert!(cluster.is_deleted);
        }
    }
}

/// Proves: OH1 (P)
#[test]
fn times_of_transition_are_those_of_the_status_alone() {
    let mut cluster = Cluster::new(spec());
    cluster.visit();
    cluster.after(30).runs();
    cluster.visit();
    let status = cluster.status();
    let names: Vec<&str> = status.conditions.iter().map(|one| one.type_.as_str()).collect();
    assert_eq!(
        names,
        ["Accepted", "EnvironmentReady", "PodScheduled", "Succeeded"]
    );
    let times: Vec<String> = status
        .conditions
        .iter()
        .map(|one| one.last_transition_time.0.to_string())
        .collect();
    // Only PodScheduled has changed its status since; Succeeded has changed its reason.
    let (first, then) = ("2026-03-02T10:00:00Z", "2026-03-02T10:00:30Z");
    assert_eq!(times, [first, first, then, first]);
    assert!(
        status
            .conditions
            .iter()
            .all(|one| one.observed_generation == Some(1))
    );
}
