//! Where bundles come from, and what is said of those that do not come.

use std::os::unix::fs::symlink;

use offhost::api::job::{BundleRef, TaskKind};
use offhost::controller::volume::BundleError;
use offhost::data::{ContentDefaults, Store};
use offhost::reason::Reason;
use offhost::status::{Planned, Problem};

use crate::support::wait_until_unlocked;

use super::{Job, Place, REPORT, content, files};

fn refused(error: BundleError) -> Problem {
    match error.planned() {
        Planned::Refused(problem) => problem,
        other => panic!("{other:?}"),
    }
}

fn waiting(error: BundleError) -> Problem {
    match error.planned() {
        Planned::Waiting(problem) => problem,
        other => panic!("{other:?}"),
    }
}

/// Proves: AP2 (P)
#[test]
fn a_directory_is_deployed_once_for_a_job() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    let job = Job::of_path(1, "sales");
    for _ in 0..3 {
        let bundle = place.bundle(&volume, &job).unwrap();
        assert_eq!((bundle.content, bundle.bundle), (content(), 1));
    }
    // The same content of another job is the same bundle.
    assert_eq!(
        place.bundle(&volume, &Job::of_path(2, "sales")).unwrap().bundle,
        1
    );
    place.incoming("sales", &[("report.Rmd", "---\ntitle: newer\n---\n")]);
    assert_eq!(
        place.bundle(&volume, &Job::of_path(3, "sales")).unwrap().bundle,
        2
    );
    assert!(!place.data("apps/sales/2").join("old").exists());
    // A controller that was killed before it wrote the status deploys nothing again, and undoes nothing.
    assert_eq!(place.bundle(&place.open_beside(), &job).unwrap().bundle, 1);
    assert_eq!(Store::new(volume.data()).active(&content()).unwrap(), Some(2));
}

/// Proves: AP2 (P), FS4 (P)
#[test]
fn no_path_leads_out_of_incoming() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("real/sub", REPORT);
    files(&place.data("apps/other/1"), &[("secret", "x")]);
    let incoming = place.data("incoming");
    for (target, link) in [
        ("../apps/other/1", "up"),
        ("/etc", "absolute"),
        ("real", "inside"),
        ("up", "chained"),
        ("round", "round"),
    ] {
        symlink(target, incoming.join(link)).unwrap();
    }
    let said = |path: &str| refused(place.bundle(&volume, &Job::of_path(1, path)).unwrap_err()).message;
    for (path, part) in [
        ("../apps/other/1", "has '..' in it"),
        ("/etc", "is an absolute path"),
        ("up", "leads out of it by a link"),
        ("up/x", "leads out of it by a link"),
        ("absolute", "leads out of it by a link"),
        ("chained", "leads out of it by a link"),
        ("round", "goes round in links"),
        (".uploads", "is where archives arrive"),
    ] {
        assert!(said(path).contains(part), "{path}: {}", said(path));
    }
    place.bundle(&volume, &Job::of_path(2, "inside/sub")).unwrap();
    symlink("../../apps/other/1/secret", incoming.join("real/sub/out")).unwrap();
    let said = refused(place.bundle(&volume, &Job::of_path(3, "real/sub")).unwrap_err()).message;
    assert!(said.contains("leads out of the content"), "{said}");
    let fifo = incoming.join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let said = refused(place.bundle(&volume, &Job::of_path(4, "fifo")).unwrap_err()).message;
    assert!(said.contains("is a FIFO"), "{said}");
}

#[test]
fn what_is_missing_is_waited_for_and_named() {
    let place = Place::new();
    let volume = place.open();
    let late = Job::of_path(1, "late");
    let problem = waiting(place.bundle(&volume, &late).unwrap_err());
    assert_eq!(problem.reason, Reason::ReferenceNotFound);
    assert!(problem.message.contains("'late'") && problem.message.contains("copy it there"));
    place.incoming("late", REPORT);
    let bundle = place.bundle(&volume, &late).unwrap();

    let named = |content: &str, id: Option<&str>| {
        let mut job = Job::new(
            2,
            BundleRef {
                id: id.map(str::to_owned),
                ..BundleRef::default()
            },
        );
        job.spec.content = Some(content.to_owned());
        place.bundle(&volume, &job)
    };
    for (content, id, part) in [
        ("other", None, "'other' has no bundle in force"),
        ("other", Some("1"), "there is no content 'other'"),
        (
            "sales",
            Some("7"),
            "'sales' has no bundle 7; deploy it, or name one of: 1",
        ),
    ] {
        let problem = waiting(named(content, id).unwrap_err());
        assert_eq!(problem.reason, Reason::ReferenceNotFound);
        assert!(problem.message.contains(part), "{}", problem.message);
    }
    for id in [None, Some("1")] {
        let found = named("sales", id).unwrap();
        assert_eq!(
            (found.content, found.facts),
            (bundle.content.clone(), bundle.facts.clone())
        );
        volume.release(&Job::new(2, BundleRef::default()).uid);
    }
    for (content, id, part) in [
        ("sales", Some("0"), "is not the number of a bundle"),
        ("Sales!", None, "content name 'Sales!'"),
    ] {
        let problem = refused(named(content, id).unwrap_err());
        assert!(problem.message.contains(part), "{}", problem.message);
    }
    let mut nothing = Job::new(3, BundleRef::default());
    nothing.spec.content = None;
    assert!(
        refused(place.bundle(&volume, &nothing).unwrap_err())
            .message
            .contains("names no content")
    );
    let mut both = Job::of_path(4, "late");
    both.spec.bundle.id = Some("1".to_owned());
    assert!(
        refused(place.bundle(&volume, &both).unwrap_err())
            .message
            .contains("more than one")
    );
    // A bundle that was removed although the status names it.
    let pinned = Job::of_path(5, "late").pinned(&content(), 9);
    assert!(
        waiting(place.bundle(&volume, &pinned).unwrap_err())
            .message
            .contains("no bundle 9")
    );
}

/// Proves: AP2 (P)
#[test]
fn what_could_not_be_planned_is_not_deployed() {
    let mut place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    place.bundle(&volume, &Job::of_path(1, "sales")).unwrap();
    place.incoming("sales", &[("report.Rmd", "---\ntitle: newer\n---\n")]);
    let runtimes = std::mem::take(&mut place.world.runtimes);
    let problem = refused(place.bundle(&volume, &Job::of_path(2, "sales")).unwrap_err());
    assert_eq!(problem.reason, Reason::RuntimeNotFound);
    place.incoming("broken", &[("manifest.json", "{")]);
    let said = refused(place.bundle(&volume, &Job::of_path(3, "broken")).unwrap_err()).message;
    assert!(said.contains("manifest.json"), "{said}");
    let store = Store::new(volume.data());
    assert_eq!(store.bundles(&content()).unwrap(), [1]);
    place.world.runtimes = runtimes;
    assert_eq!(
        place.bundle(&volume, &Job::of_path(2, "sales")).unwrap().bundle,
        2
    );
    assert_eq!(store.active(&content()).unwrap(), Some(2));
}

#[test]
fn two_sources_of_one_name_do_not_replace_each_other_unasked() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("a/sales", REPORT);
    place.incoming("b/sales", REPORT);
    let unnamed = |uid: u32, path: &str| {
        let mut job = Job::of_path(uid, path);
        job.spec.content = None;
        place.bundle(&volume, &job)
    };
    assert_eq!(unnamed(1, "a/sales").unwrap().content, content());
    let said = refused(unnamed(2, "b/sales").unwrap_err()).message;
    assert!(
        said.contains("incoming/a/sales") && said.contains("set spec.content"),
        "{said}"
    );
    place.bundle(&volume, &Job::of_path(3, "b/sales")).unwrap();
}

/// Proves: RA2 (P), EX5 (P)
#[test]
fn what_is_set_for_the_content_item_holds_where_the_job_asks_for_nothing() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    let job = Job::of_path(1, "sales");
    place.bundle(&volume, &job).unwrap();
    let defaults = ContentDefaults {
        image: Some("registry.example/other".to_owned()),
        run_as: Some("hadley".to_owned()),
    };
    Store::new(volume.data())
        .set_defaults(&content(), defaults)
        .unwrap();
    let bundle = place.bundle(&volume, &job).unwrap();
    assert_eq!(bundle.spec.run_as.as_deref(), Some("hadley"));
    assert_eq!(bundle.content_image.as_deref(), Some("registry.example/other"));
    let mut own = job.clone();
    own.spec.run_as = Some("rstudio-connect".to_owned());
    assert_eq!(
        place.bundle(&volume, &own).unwrap().spec.run_as.as_deref(),
        Some("rstudio-connect")
    );
}

/// What a bundle says is read once, however many jobs work with it and however often they are looked at.
#[test]
fn facts_are_shared_and_follow_what_the_job_overrides() {
    let place = Place::new();
    let volume = place.open();
    place.incoming(
        "sales",
        &[
            ("report.Rmd", "---\ntitle: x\n---\n"),
            ("other.Rmd", "---\ntitle: y\n---\n"),
        ],
    );
    let mut one = Job::of_path(1, "sales");
    one.spec.entrypoint = Some("report.Rmd".to_owned());
    let mut two = Job::of_path(2, "sales").task(TaskKind::Render);
    two.spec.entrypoint = Some("other.Rmd".to_owned());
    let first = place.bundle(&volume, &one).unwrap();
    let one = one.pinned(&first.content, first.bundle);
    let again = place.bundle(&volume, &one).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first.facts, &again.facts));
    let other = place.bundle(&volume, &two).unwrap();
    assert_eq!(other.facts.entrypoint.as_deref(), Some("other.Rmd"));
    assert_eq!(first.facts.entrypoint.as_deref(), Some("report.Rmd"));
    volume.release(&one.uid);
    volume.release(&two.uid);
    wait_until_unlocked(&place.data("apps"));
    // Nobody holds it any more, so it can be removed.
    Store::new(volume.data()).remove(&content()).unwrap();
    assert!(!place.data("apps/sales").exists());
    assert!(place.bundle(&volume, &one).is_err());
}
