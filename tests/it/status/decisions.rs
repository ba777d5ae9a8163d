//! Names of attempts, and decisions that are made twice.

use offhost::api::job::ContentJobSpec;
use offhost::api::status::ContentJobStatus;
use offhost::reason::Reason;
use offhost::status::{Action, Stage, attempt_ids, finished, is_finished, next, open_attempt};

use super::fixture::{Cluster, JOB_UID, disruption, ending, problem};

/// Proves: OH2 (P)
#[test]
fn the_names_of_an_attempt_are_always_the_same_and_fit() {
    let ids = attempt_ids("sales", JOB_UID, 3);
    assert_eq!(ids.pod_name, "sales-1a2b3c4d-3");
    assert_eq!(ids.key, "1a2b3c4d5e6f4708-3");
    let long = attempt_ids(
        &format!("{}-{}", "a".repeat(39), "b".repeat(200)),
        JOB_UID,
        1_000_000,
    );
    assert_eq!(long.pod_name, format!("{}-1a2b3c4d-1000000", "a".repeat(39)));
    assert!(long.pod_name.len() <= 63);
    assert_eq!(attempt_ids("a.b", "", 1).pod_name, "a.b--1");
}

#[test]
fn a_job_without_a_status_has_nothing_open_and_is_not_finished() {
    let status = ContentJobStatus::default();
    assert!(!is_finished(&status));
    assert_eq!(open_attempt(&status), None);
}

/// Proves: OH2 (P)
#[test]
fn an_outcome_that_is_told_twice_is_recorded_once() {
    let mut cluster = Cluster::new(ContentJobSpec {
        retries: 3,
        ..ContentJobSpec::default()
    });
    cluster.visit();
    cluster.ends(disruption());
    let decided = next(&cluster.job, &cluster.world(), cluster.now);
    let Action::Finish(attempt, ending) = decided.action else {
        panic!("{:?}", decided.action)
    };
    cluster.job.status = Some(decided.status);
    let outcome = cluster.finishing.clone();
    let first = finished(&cluster.job, &attempt, &ending, &outcome, cluster.now);
    cluster.job.status = Some(first.status.clone());
    let later = cluster.now + jiff::SignedDuration::from_secs(3);
    let second = finished(&cluster.job, &attempt, &ending, &outcome, later);
    assert_eq!(second.status, first.status);
    assert_eq!(second.events, []);
    assert_eq!(first.status.attempts.len(), 1);
}

/// Proves: OH2 (P)
#[test]
fn a_pod_of_that_name_with_another_uid_is_not_the_attempts() {
    let mut cluster = Cluster::new(ContentJobSpec::default());
    cluster.visit();
    cluster.runs();
    cluster.visit();
    let name = cluster.open().unwrap().pod_name;
    cluster.pods.get_mut(&name).unwrap().uid = "another".to_owned();
    let decided = next(&cluster.job, &cluster.world(), cluster.now);
    let Action::Finish(_, ending) = decided.action else {
        panic!("{:?}", decided.action)
    };
    assert!(ending.disrupted);
}

/// Proves: OH1 (P)
#[test]
fn sentences_of_any_length_fit_the_schema_and_the_event() {
    let mut cluster = Cluster::new(ContentJobSpec::default());
    cluster.visit();
    let long = "ä".repeat(50_000);
    cluster.pod(
        true,
        Stage::Starting {
            since: None,
            problem: Some(problem(Reason::MountFailed, &long)),
        },
    );
    cluster.visit();
    cluster.ends(ending(Some(problem(Reason::ProcessFailed, &long)), Some(1)));
    cluster.visit();
    let status = cluster.status();
    assert!(
        status
            .conditions
            .iter()
            .all(|one| one.message.chars().count() <= 4096)
    );
    assert!(status.attempts[0].message.as_ref().unwrap().chars().count() <= 4096);
    assert!(cluster.events.iter().all(|event| event.note.len() <= 1024));
}

/// Proves: OH2 (P)
#[test]
fn what_is_compared_with_what_was_written_has_whole_seconds() {
    let mut cluster = Cluster::new(ContentJobSpec::default());
    cluster.now += jiff::SignedDuration::from_millis(345);
    cluster.visit();
    let written = serde_json::to_value(cluster.status()).unwrap();
    let read: ContentJobStatus = serde_json::from_value(written).unwrap();
    assert_eq!(read, cluster.status());
}
