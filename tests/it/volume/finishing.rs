//! Finishing that was cut off between two of its steps, each made by hand; and what was activated meanwhile.

use std::path::Path;

use offhost::api::job::TaskKind;
use offhost::data::{DataDir, Finish, Renders, Variant};
use offhost::names::{MOUNT_APP, MOUNT_REPORT};
use offhost::status::Finished;

use super::{Begun, Job, Place, REPORT, SITE, at, content, in_progress, listing, result, unusable};

fn site(place: &Place, uid: u32) -> (Job, Begun) {
    place.incoming("sales", SITE);
    let volume = place.open();
    let job = Job::of_path(uid, "sales").task(TaskKind::RenderSite);
    let begun = place.begin(&volume, &job, 1).unwrap();
    begun.writes(
        MOUNT_REPORT,
        &[
            ("_site/index.html", "site"),
            ("index.Rmd", "source"),
            ("index.html", "old"),
        ],
    );
    (job, begun)
}

/// Proves: ST2 (P), RD3 (P), OH2 (P)
#[test]
fn a_site_whose_move_was_cut_off_anywhere_is_finished() {
    for step in 0..5 {
        let place = Place::new();
        let (job, begun) = site(&place, 1);
        let result_dir = begun.source(MOUNT_REPORT);
        let beside = |name: &str| result_dir.with_file_name(name);
        if step > 0 {
            std::fs::rename(result_dir.join("_site"), beside(".staging-site-1")).unwrap();
        }
        if step > 1 {
            std::fs::rename(&result_dir, beside(".staging-source-1")).unwrap();
        }
        if step > 2 {
            std::fs::rename(beside(".staging-site-1"), &result_dir).unwrap();
        }
        if step > 3 {
            // The record is written, and the source was about to go.
            let data = DataDir::open(&place.data("")).unwrap();
            let renders = Renders::new(&data, content(), Variant::default());
            let rendering = renders.adopt(1).unwrap().unwrap();
            std::fs::create_dir_all(beside(".staging-source-1/left")).unwrap();
            let finish = Finish {
                bundle: 1,
                job: begun.attempt.key(),
                site_output_dir: None,
                index: Some(Path::new("index.html")),
                now: at(2),
            };
            renders.try_finish(&rendering, &finish).unwrap();
        }
        let volume = place.open();
        let swept = volume.adopt(&[job.open(Some(&begun.attempt))], at(3)).unwrap();
        assert!(
            swept.removed.is_empty() && swept.failed.is_empty(),
            "step {step}: {swept:?}"
        );
        let finished = result(volume.finish(&begun.attempt, at(4)).unwrap());
        assert!(finished.activated, "step {step}");
        assert_eq!(
            finished.path.as_deref(),
            Some("reports/v2/sales/default/1/index.html"),
            "step {step}"
        );
        assert_eq!(place.served("index.html").as_deref(), Some("site"), "step {step}");
        assert_eq!(listing(&result_dir), ["index.html"], "step {step}");
        assert_eq!(in_progress(&place), [""; 0], "step {step}");
    }
}

/// Proves: ST2 (P), OH3 (P)
#[test]
fn a_site_whose_move_was_cut_off_anywhere_is_swept_with_its_job() {
    for step in 1..4 {
        let place = Place::new();
        let (_, begun) = site(&place, 1);
        let result_dir = begun.source(MOUNT_REPORT);
        let beside = |name: &str| result_dir.with_file_name(name);
        std::fs::rename(result_dir.join("_site"), beside(".staging-site-1")).unwrap();
        if step > 1 {
            std::fs::rename(&result_dir, beside(".staging-source-1")).unwrap();
        }
        if step > 2 {
            std::fs::rename(beside(".staging-site-1"), &result_dir).unwrap();
        }
        let swept = place.open().adopt(&[], at(3)).unwrap();
        assert!(swept.failed.is_empty(), "{swept:?}");
        assert_eq!(
            listing(&place.data("reports/v2/sales/default")),
            [""; 0],
            "step {step}"
        );
    }
}

fn report(place: &Place, uid: u32, text: &str) -> (Job, Begun) {
    place.incoming("sales", REPORT);
    let volume = place.open();
    let job = Job::of_path(uid, "sales");
    let begun = place.begin(&volume, &job, 1).unwrap();
    begun.writes(MOUNT_REPORT, &[("index.html", text)]);
    begun.writes(MOUNT_APP, &[("copy", "x")]);
    (job, begun)
}

/// Finished by a controller that was killed before it could activate.
fn finished_only(place: &Place, begun: &Begun, number: u64) {
    let data = DataDir::open(&place.data("")).unwrap();
    let renders = Renders::new(&data, content(), Variant::default());
    let rendering = renders.adopt(number).unwrap().unwrap();
    let finish = Finish {
        bundle: 1,
        job: begun.attempt.key(),
        site_output_dir: None,
        index: Some(Path::new("index.html")),
        now: at(2),
    };
    renders.try_finish(&rendering, &finish).unwrap();
}

/// The time stamps of files are no finer than this.
fn tick() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

/// Proves: RD3 (P), OH2 (P)
#[test]
fn an_activation_that_was_cut_off_is_made_up_for() {
    let place = Place::new();
    let (_, begun) = report(&place, 1, "one");
    finished_only(&place, &begun, 1);
    assert_eq!(place.served("index.html"), None);
    let finished = result(place.open().finish(&begun.attempt, at(3)).unwrap());
    assert!(finished.activated);
    assert_eq!(place.served("index.html").as_deref(), Some("one"));
    assert_eq!(in_progress(&place), [""; 0]);
}

/// Proves: RD3 (P), RD4 (P), OH2 (P)
#[test]
fn an_activation_that_comes_late_does_not_undo_a_newer_one() {
    // Somebody has chosen an older result, or another job a newer one, while this one was not yet activated.
    for by_hand in [true, false] {
        let place = Place::new();
        let (_, first) = report(&place, 1, "one");
        place.open().finish(&first.attempt, at(2)).unwrap();
        let (_, late) = report(&place, 2, "two");
        let (_, newer) = report(&place, 3, "three");
        tick();
        finished_only(&place, &late, 2);
        tick();
        let expected = if by_hand {
            let data = DataDir::open(&place.data("")).unwrap();
            Renders::new(&data, content(), Variant::default())
                .activate(1)
                .unwrap();
            "one"
        } else {
            place.open().finish(&newer.attempt, at(4)).unwrap();
            "three"
        };
        if by_hand {
            // The link was there before; that it was made anew counts.
            assert_eq!(place.served("index.html").as_deref(), Some("one"));
        }
        let answer = result(place.open().finish(&late.attempt, at(5)).unwrap());
        assert!(!answer.activated && answer.number == 2);
        assert_eq!(place.served("index.html").as_deref(), Some(expected));
        assert_eq!(result(place.open().finish(&late.attempt, at(6)).unwrap()), answer);
    }
}

/// Proves: RD3 (P)
#[test]
fn the_last_one_to_succeed_is_served_whichever_began_first() {
    let place = Place::new();
    let (_, slow) = report(&place, 1, "slow");
    let (_, quick) = report(&place, 2, "quick");
    let volume = place.open();
    assert!(result(volume.finish(&quick.attempt, at(2)).unwrap()).activated);
    tick();
    assert!(result(volume.finish(&slow.attempt, at(3)).unwrap()).activated);
    assert_eq!(place.served("index.html").as_deref(), Some("slow"));
    // What was activated once is not activated again.
    assert!(result(volume.finish(&quick.attempt, at(4)).unwrap()).activated);
    assert_eq!(place.served("index.html").as_deref(), Some("slow"));
}

/// Proves: RD3 (P)
#[test]
fn a_result_that_somebody_has_removed_fails_and_does_not_wait_for_ever() {
    let place = Place::new();
    let (_, begun) = report(&place, 1, "one");
    std::fs::remove_dir_all(place.data("reports/v2/sales/default/1")).unwrap();
    let refused = unusable(place.open().finish(&begun.attempt, at(3)).unwrap());
    assert!(
        refused.message.contains("was removed from the data volume"),
        "{}",
        refused.message
    );
    let (_, begun) = report(&place, 2, "two");
    std::fs::remove_dir_all(place.data("jobs/sales").join(begun.attempt.key())).unwrap();
    assert!(matches!(
        place.open().finish(&begun.attempt, at(3)).unwrap(),
        Finished::Unusable(_)
    ));
}
