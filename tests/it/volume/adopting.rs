//! A controller ends at any point, and the next one takes over. A dropped `Volume` is what a kill leaves: its locks are free,
//! everything else stays.

use offhost::api::job::{ContentJobSpec, TaskKind};
use offhost::controller::volume::{OpenJob, VolumeError};
use offhost::data::{DataDir, JobState, jobs, sweep};
use offhost::names::{MOUNT_APP, MOUNT_REPORT};
use offhost::status::Finished;

use crate::support::wait_until_unlocked;

use super::{Job, Place, REPORT, SITE, at, content, failure, in_progress, listing, problem, result};

/// Proves: OH2 (P), RD3 (P)
#[test]
fn a_restarted_controller_takes_over_what_runs() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    let jobs_begun: Vec<_> = (1..=3)
        .map(|uid| {
            let job = Job::of_path(uid, "sales");
            let begun = place.begin(&volume, &job, 1).unwrap();
            begun.writes(MOUNT_APP, &[("copy", "x")]);
            begun.writes(MOUNT_REPORT, &[("index.html", &uid.to_string())]);
            (job, begun)
        })
        .collect();
    let before = listing(&place.data(""));
    drop(volume);
    let volume = place.open();
    // The third is unknown to the API server: somebody has removed it by force.
    let open: Vec<OpenJob> = jobs_begun[..2]
        .iter()
        .map(|(job, begun)| job.open(Some(&begun.attempt)))
        .collect();
    let swept = volume.adopt(&open, at(5)).unwrap();
    assert!(swept.failed.is_empty(), "{swept:?}");
    assert_eq!(swept.removed.len(), 2, "{swept:?}");
    let after = listing(&place.data(""));
    let gone: Vec<_> = before.iter().filter(|path| !after.contains(path)).collect();
    assert!(
        !gone.is_empty()
            && gone
                .iter()
                .all(|path| path.contains("00000003") || path.contains("default/3")),
        "{gone:?}"
    );
    // Again, and later, nothing more goes.
    assert!(volume.adopt(&open, at(6)).unwrap().removed.is_empty());
    assert!(volume.sweep(at(7)).removed.is_empty());
    for (job, begun) in &jobs_begun[..2] {
        let again = place.begin(&volume, job, 1).unwrap();
        assert_eq!(
            again.process, begun.process,
            "the same number, the same directories"
        );
        assert!(result(volume.finish(&begun.attempt, at(8)).unwrap()).activated);
        volume.release(&job.uid);
    }
    assert_eq!(place.served("index.html").as_deref(), Some("2"));
    assert_eq!(in_progress(&place), [""; 0]);
    let states: Vec<_> = jobs(volume.data(), &content())
        .unwrap()
        .into_iter()
        .map(|job| job.record.state)
        .collect();
    assert_eq!(
        states,
        [JobState::Succeeded, JobState::Succeeded, JobState::CutOff]
    );
}

/// Proves: OH2 (P), RD2 (P)
#[test]
fn a_number_is_taken_once_for_an_attempt_however_often_it_is_asked_for() {
    let place = Place::new();
    place.incoming("sales", REPORT);
    let job = Job::of_path(1, "sales");
    let attempt = job.attempt(&content(), 1);
    let ask = || {
        let volume = place.open();
        volume.adopt(&[job.open(Some(&attempt))], at(1)).unwrap();
        let bundle = place.bundle(&volume, &job).unwrap();
        let plan = place.plan(&volume.task(&bundle, attempt.key(), 1)).unwrap();
        volume.rendering(&attempt, &plan.processes[0]).unwrap()
    };
    assert_eq!([ask(), ask(), ask()], [1, 1, 1]);
    // Without having been adopted it was nobody's, and is swept; then there is another.
    place.open().adopt(&[], at(1)).unwrap();
    assert_eq!(ask(), 2);
    let volume = place.open();
    let begun = place.begin(&volume, &job, 1).unwrap();
    assert!(begun.source(MOUNT_REPORT).ends_with("default/2"));
}

/// Proves: OH2 (P)
#[test]
fn while_an_earlier_controller_lives_the_next_one_waits_and_sweeps_nothing() {
    let place = Place::new();
    place.incoming("sales", REPORT);
    let job = Job::of_path(1, "sales");
    let old = place.open();
    let begun = place.begin(&old, &job, 1).unwrap();
    begun.writes(MOUNT_REPORT, &[("index.html", "one")]);
    let new = place.open_beside();
    let other = Job::of_path(2, "sales");
    let open = [job.open(Some(&begun.attempt)), other.open(None)];
    let before = listing(&place.data(""));
    for error in [
        new.adopt(&open, at(2)).unwrap_err(),
        new.finish(&begun.attempt, at(2)).unwrap_err(),
        new.discard(&begun.attempt, &failure(&problem()), at(2))
            .unwrap_err(),
    ] {
        assert!(
            matches!(error, VolumeError::Held { .. }) && error.heals(),
            "{error}"
        );
        let said = error.to_string();
        assert!(
            said.contains("still held by another process") && said.contains(".lock"),
            "{said}"
        );
    }
    assert_eq!(listing(&place.data("")), before);
    // Other jobs go on meanwhile.
    let second = place.begin(&new, &other, 1).unwrap();
    second.writes(MOUNT_REPORT, &[("index.html", "two")]);
    new.finish(&second.attempt, at(3)).unwrap();
    drop(old);
    new.adopt(&open, at(4)).unwrap();
    assert!(result(new.finish(&begun.attempt, at(5)).unwrap()).activated);
    assert_eq!(place.served("index.html").as_deref(), Some("one"));
}

/// The Pods of a controller go on while it restarts, and somebody runs local mode on the same directory.
///
/// Proves: OH2 (P)
#[test]
fn local_mode_sweeps_nothing_of_a_controllers() {
    let place = Place::new();
    place.incoming("sales", REPORT);
    let volume = place.open();
    let begun = place.begin(&volume, &Job::of_path(1, "sales"), 1).unwrap();
    let before = listing(&place.data(""));
    drop(volume);
    let data = DataDir::open(&place.data("")).unwrap();
    assert!(sweep(&data, place.dir.path()).removed.is_empty());
    assert_eq!(listing(&place.data("")), before);
    assert_eq!(
        jobs(&data, &content()).unwrap()[0].record.state,
        JobState::Running
    );
    begun.writes(MOUNT_REPORT, &[("index.html", "one")]);
    assert!(result(place.open().finish(&begun.attempt, at(2)).unwrap()).activated);
}

/// Every kind of attempt, cut off between any two calls.
///
/// Proves: OH2 (P), RD3 (P), ST2 (P)
#[test]
fn each_step_can_be_another_controllers() {
    let command = |spec: &mut ContentJobSpec| spec.command = vec!["./x".to_owned()];
    for (task, source) in [
        (TaskKind::Render, REPORT),
        (TaskKind::RenderSite, SITE),
        (TaskKind::Run, REPORT),
    ] {
        let place = Place::new();
        place.incoming("sales", source);
        let mut job = Job::of_path(1, "sales").task(task);
        if task == TaskKind::Run {
            command(&mut job.spec);
        }
        let bundle = place.bundle(&place.open(), &job).unwrap();
        let job = job.pinned(&bundle.content, bundle.bundle);
        let attempt = job.attempt(&content(), 1);
        let adopted = || {
            let volume = place.open();
            let swept = volume.adopt(&[job.open(Some(&attempt))], at(1)).unwrap();
            assert!(
                swept.removed.is_empty() && swept.failed.is_empty(),
                "{task:?}: {swept:?}"
            );
            volume
        };
        let begun = place.begin(&adopted(), &job, 1).unwrap();
        place.begin(&adopted(), &job, 1).unwrap();
        let made = if task == TaskKind::RenderSite {
            "_site/index.html"
        } else {
            "index.html"
        };
        let target = if task == TaskKind::Run {
            MOUNT_APP
        } else {
            MOUNT_REPORT
        };
        begun.writes(target, &[(made, "one"), ("rest", "x")]);
        let first = adopted().finish(&attempt, at(2)).unwrap();
        let again = adopted().finish(&attempt, at(3)).unwrap();
        assert_eq!(first, again, "{task:?}");
        if task == TaskKind::Run {
            assert_eq!(first, Finished::Done(None));
        } else {
            assert!(result(first).activated);
            assert_eq!(place.served("index.html").as_deref(), Some("one"), "{task:?}");
        }
        assert_eq!(in_progress(&place), [""; 0], "{task:?}");
    }
}

/// Proves: OH2 (P)
#[test]
fn a_bundle_that_a_waiting_job_is_to_use_stays_over_a_restart() {
    let place = Place::with(|settings| settings.applications.bundle_retention_limit = 1);
    let volume = place.open();
    place.incoming("sales", REPORT);
    let waiting = Job::of_path(1, "sales");
    let bundle = place.bundle(&volume, &waiting).unwrap();
    let waiting = waiting.pinned(&bundle.content, bundle.bundle);
    drop(volume);
    let volume = place.open();
    volume.adopt(&[waiting.open(None)], at(1)).unwrap();
    place.incoming("sales", &[("report.Rmd", "---\ntitle: newer\n---\n")]);
    let begun = place.begin(&volume, &Job::of_path(2, "sales"), 1).unwrap();
    begun.writes(MOUNT_REPORT, &[("index.html", "x")]);
    volume.finish(&begun.attempt, at(2)).unwrap();
    assert!(place.data("apps/sales/1").exists() && place.data("apps/sales/2").exists());
    place.begin(&volume, &waiting, 1).unwrap();
    // Released, it goes with the next one.
    let attempt = waiting.attempt(&content(), 1);
    volume.discard(&attempt, &failure(&problem()), at(3)).unwrap();
    for uid in [1, 2] {
        volume.release(&Job::of_path(uid, "sales").uid);
    }
    wait_until_unlocked(&place.data("apps"));
    let begun = place.begin(&volume, &Job::of_path(3, "sales"), 1).unwrap();
    begun.writes(MOUNT_REPORT, &[("index.html", "x")]);
    volume.finish(&begun.attempt, at(4)).unwrap();
    assert!(!place.data("apps/sales/1").exists() && place.data("apps/sales/2").exists());
}
