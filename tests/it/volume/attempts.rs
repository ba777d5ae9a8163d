//! Attempts of each kind: what is made for their Pods, and what becomes of what those write.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use offhost::api::job::{Activation, InstallLanguage, Parameter, TaskKind};
use offhost::controller::volume::VolumeError;
use offhost::data::{JobState, jobs};
use offhost::names::{MOUNT_APP, MOUNT_LOG, MOUNT_PACKRAT, MOUNT_PYTHON, MOUNT_R, MOUNT_REPORT};
use offhost::reason::Reason;
use offhost::status::Finished;

use crate::support::wait_until_unlocked;

use super::{
    Job, Place, REPORT, SITE, at, content, failure, files, in_progress, listing, problem, result, unusable,
};

/// Proves: RD1 (P), RD2 (P), RD3 (P), PW1 (P)
#[test]
fn a_report_is_begun_finished_and_served() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    let job = Job::of_path(1, "sales");
    let begun = place.begin(&volume, &job, 1).unwrap();
    assert_eq!(
        begun.source(MOUNT_APP),
        place.data("reports/v2/sales/1/temp.render.0000000100004000-1")
    );
    assert_eq!(
        begun.source(MOUNT_REPORT),
        place.data("reports/v2/sales/default/1")
    );
    let uid = begun.process.identity.uid;
    for target in [MOUNT_APP, MOUNT_REPORT, MOUNT_LOG] {
        let meta = begun.source(target).metadata().unwrap();
        assert_eq!((meta.uid(), meta.mode() & 0o777), (uid, 0o700), "{target}");
    }
    // Nobody but the server can write in what lies above them.
    for above in ["reports/v2/sales/1", "reports/v2/sales/default", "jobs/sales"] {
        let meta = place.data(above).metadata().unwrap();
        let own = rustix::process::geteuid().as_raw();
        assert_eq!((meta.uid(), meta.mode() & 0o777), (own, 0o711), "{above}");
    }
    begun.writes(MOUNT_APP, &[("report.Rmd", "x"), ("cache/a", "x")]);
    begun.writes(MOUNT_REPORT, &[("index.html", "one")]);
    begun.writes(MOUNT_LOG, &[("task.log", "hello")]);
    assert_eq!(place.served("index.html"), None);
    let finished = result(volume.finish(&begun.attempt, at(2)).unwrap());
    assert_eq!(
        finished.path.as_deref(),
        Some("reports/v2/sales/default/1/index.html")
    );
    assert!(finished.activated && finished.number == 1 && finished.variant == "default");
    assert_eq!(place.served("index.html").as_deref(), Some("one"));
    assert_eq!(in_progress(&place), [""; 0]);
    assert_eq!(result(volume.finish(&begun.attempt, at(9)).unwrap()), finished);
    let log = volume.log_path(&content(), begun.attempt.key());
    assert_eq!(std::fs::read_to_string(log.join("task.log")).unwrap(), "hello");
    volume.release(&job.uid);
    let listed = jobs(volume.data(), &content()).unwrap();
    assert_eq!(listed.len(), 1);
    let record = &listed[0].record;
    assert_eq!((record.state, record.exit_code), (JobState::Succeeded, Some(0)));
    assert_eq!(
        (record.tag.as_str(), record.rendering.as_deref()),
        ("build_report", Some("1"))
    );
}

/// Proves: RD3 (P)
#[test]
fn a_result_waits_where_activation_was_not_asked_for() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    let mut job = Job::of_path(1, "sales");
    job.spec.activation = Activation::Manual;
    let begun = place.begin(&volume, &job, 1).unwrap();
    begun.writes(MOUNT_REPORT, &[("index.html", "one")]);
    assert!(!result(volume.finish(&begun.attempt, at(2)).unwrap()).activated);
    assert_eq!(place.served("index.html"), None);
}

/// Proves: ST1 (P), ST2 (P)
#[test]
fn a_site_is_made_in_the_output_directory_and_its_output_is_what_stays() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", SITE);
    let job = Job::of_path(1, "sales").task(TaskKind::RenderSite);
    let begun = place.begin(&volume, &job, 1).unwrap();
    assert!(begun.process.mounts.iter().all(|mount| mount.target != MOUNT_APP));
    begun.writes(
        MOUNT_REPORT,
        &[
            ("index.Rmd", "source"),
            (".Rprofile", "secret"),
            ("_site/index.html", "site"),
            ("_site/css/a.css", "x"),
        ],
    );
    let finished = result(volume.finish(&begun.attempt, at(2)).unwrap());
    assert_eq!(
        finished.path.as_deref(),
        Some("reports/v2/sales/default/1/index.html")
    );
    assert_eq!(
        listing(&place.data("reports/v2/sales/default/1")),
        ["css/", "css/a.css", "index.html"]
    );
    assert_eq!(in_progress(&place), [""; 0]);
}

/// Proves: PK8 (P)
#[test]
fn a_command_works_on_a_copy_that_goes() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", &[("nightly.sh", "true")]);
    let mut job = Job::of_path(1, "sales").task(TaskKind::Run);
    job.spec.command = vec!["./nightly.sh".to_owned()];
    let begun = place.begin(&volume, &job, 1).unwrap();
    begun.writes(MOUNT_APP, &[("made", "x")]);
    assert_eq!(
        volume.finish(&begun.attempt, at(2)).unwrap(),
        Finished::Done(None)
    );
    assert_eq!(in_progress(&place), [""; 0]);
}

/// Proves: PK2 (P), PW1 (P)
#[test]
fn a_python_environment_is_put_in_place_at_the_path_it_was_made_for() {
    let place = Place::new();
    let volume = place.open();
    place.incoming(
        "sales",
        &[("run.sh", ""), ("requirements.txt", "pandas==2.2.0\n")],
    );
    let mut job = Job::of_path(1, "sales").task(TaskKind::Install);
    job.spec.app_mode = Some("python-shiny".to_owned());
    job.spec.entrypoint = Some("run.sh".to_owned());
    job.spec.language = Some(InstallLanguage::Python);
    let begun = place.begin(&volume, &job, 1).unwrap();
    let target = begun
        .process
        .mounts
        .iter()
        .map(|mount| mount.target.clone())
        .find(|target| target.starts_with(MOUNT_PYTHON))
        .unwrap();
    let path = target.trim_start_matches("/opt/rstudio-connect/mnt/").to_owned();
    assert!(!volume.environment_ready(&path));
    // An installation that ends well and leaves nothing is none.
    let empty = begun.attempt.clone();
    let refused = unusable(volume.finish(&empty, at(2)).unwrap());
    assert_eq!(refused.reason, Reason::InstallFailed);
    assert_eq!(unusable(volume.finish(&empty, at(3)).unwrap()), refused);
    assert!(!volume.environment_ready(&path));
    let again = place.begin(&volume, &job, 2).unwrap();
    again.writes(&target, &[("pyvenv.cfg", "home = /opt"), ("bin/python", "")]);
    assert_eq!(
        volume.finish(&again.attempt, at(4)).unwrap(),
        Finished::Done(None)
    );
    assert!(volume.environment_ready(&path));
    assert_eq!(in_progress(&place), [""; 0]);
    // The next plan finds it.
    let bundle = place.bundle(&volume, &job).unwrap();
    let plan = place.plan(&volume.task(&bundle, "k", 1)).unwrap();
    assert!(plan.processes.is_empty(), "{plan:?}");
    // Another controller's job of the same environment changes nothing.
    let late = place.data(&path).join("pyvenv.cfg");
    assert_eq!(std::fs::read_to_string(late).unwrap(), "home = /opt");
}

const LOCK: &str = "PackratFormat: 1.4\nPackratVersion: 0.5\nRVersion: 4.2.2\nRepos: CRAN=https://packages.example/cran\n\nPackage: glue\nSource: CRAN\nVersion: 1.6.2\nHash: 00\n\nPackage: rlang\nSource: CRAN\nVersion: 1.1.0\nHash: 01\n";

/// Proves: PK1 (P), PW1 (P)
#[test]
fn r_packages_go_into_the_cache_one_by_one_and_the_library_links_to_where_pods_see_it() {
    let place = Place::new();
    let volume = place.open();
    place.incoming(
        "sales",
        &[
            ("report.Rmd", "---\ntitle: x\n---\n"),
            ("packrat/packrat.lock", LOCK),
        ],
    );
    let job = Job::of_path(1, "sales").task(TaskKind::Install);
    let begun = place.begin(&volume, &job, 1).unwrap();
    let inputs = place
        .data("jobs/sales")
        .join(begun.attempt.key())
        .join("install-r.inputs");
    let list = inputs.join("r-packages.dcf");
    let text = std::fs::read_to_string(&list).unwrap();
    assert_eq!(text.matches("Cached: no").count(), 2, "{text}");
    let meta = list.metadata().unwrap();
    assert_eq!(
        (meta.uid(), meta.mode() & 0o777),
        (begun.process.identity.uid, 0o400)
    );
    let offhost::plan::Output::Environment { packages, target, .. } = &begun.process.output else {
        panic!("it installs");
    };
    let built = |name: &str| format!("v2/library/{name}/{}/{name}/DESCRIPTION", packages[name]);
    begun.writes(MOUNT_R, &[(&built("glue"), "Package: glue")]);
    // One of two is missing: the one that was built stays for the next try.
    let refused = unusable(volume.finish(&begun.attempt, at(2)).unwrap());
    assert_eq!(refused.reason, Reason::InstallFailed);
    assert!(refused.message.contains("'rlang'"), "{}", refused.message);
    assert!(!volume.environment_ready(target));
    let again = place.begin(&volume, &job, 2).unwrap();
    let inputs = place
        .data("jobs/sales")
        .join(again.attempt.key())
        .join("install-r.inputs/r-packages.dcf");
    let text = std::fs::read_to_string(inputs).unwrap();
    assert_eq!(text.matches("Cached: yes").count(), 1, "{text}");
    again.writes(MOUNT_R, &[(&built("rlang"), "Package: rlang")]);
    assert_eq!(
        volume.finish(&again.attempt, at(3)).unwrap(),
        Finished::Done(None)
    );
    assert!(volume.environment_ready(target));
    assert_eq!(in_progress(&place), [""; 0]);
    for name in ["glue", "rlang"] {
        let link = std::fs::read_link(place.data(target).join(name)).unwrap();
        let below = link.strip_prefix(MOUNT_PACKRAT).expect("a Pod sees it there");
        assert!(place.data("packrat").join(below).join("DESCRIPTION").is_file());
    }
}

/// Proves: RD3 (P), OH3 (P)
#[test]
fn a_failed_attempt_leaves_its_log_and_its_reason_alone() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    let job = Job::of_path(1, "sales");
    let begun = place.begin(&volume, &job, 1).unwrap();
    begun.writes(MOUNT_APP, &[("half", "x")]);
    begun.writes(MOUNT_REPORT, &[("index.html", "half")]);
    begun.writes(MOUNT_LOG, &[("task.log", "Error: x")]);
    let cause = problem();
    for _ in 0..2 {
        volume.discard(&begun.attempt, &failure(&cause), at(2)).unwrap();
    }
    assert_eq!(in_progress(&place), [""; 0]);
    assert!(!place.data("reports/v2/sales/default/1").exists());
    let listed = jobs(volume.data(), &content()).unwrap();
    let record = &listed[0].record;
    assert_eq!((record.state, record.exit_code), (JobState::Failed, Some(3)));
    assert_eq!(record.reason.as_deref(), Some("ProcessFailed"));
    assert!(listed[0].path.join("log/task.log").is_file());
    // The number is not given again.
    let again = place.begin(&volume, &job, 2).unwrap();
    assert_eq!(
        again.source(MOUNT_REPORT),
        place.data("reports/v2/sales/default/2")
    );
}

/// Proves: OH3 (P)
#[test]
fn what_was_never_begun_is_discarded_without_a_trace() {
    let place = Place::new();
    let volume = place.open();
    let job = Job::of_path(1, "sales");
    let attempt = job.attempt(&content(), 1);
    volume.discard(&attempt, &failure(&problem()), at(2)).unwrap();
    assert!(!place.data("jobs/sales").exists());
    let refused = unusable(volume.finish(&attempt, at(2)).unwrap());
    assert_eq!(refused.reason, Reason::DataUnavailable);
}

/// Proves: OH3 (P)
#[test]
fn what_a_released_job_leaves_open_is_swept() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    let job = Job::of_path(1, "sales");
    let begun = place.begin(&volume, &job, 1).unwrap();
    begun.writes(MOUNT_REPORT, &[("index.html", "half")]);
    assert!(volume.sweep(at(2)).removed.is_empty(), "it runs");
    volume.release(&job.uid);
    wait_until_unlocked(&place.data(""));
    assert_eq!(volume.sweep(at(3)).removed.len(), 2);
    assert_eq!(in_progress(&place), [""; 0]);
    let record = &jobs(volume.data(), &content()).unwrap()[0].record;
    assert_eq!(record.state, JobState::CutOff);
}

/// Proves: RD3 (P)
#[test]
fn an_unusable_result_is_told_and_changes_nothing() {
    let place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    let first = place.begin(&volume, &Job::of_path(1, "sales"), 1).unwrap();
    first.writes(MOUNT_REPORT, &[("index.html", "good")]);
    volume.finish(&first.attempt, at(2)).unwrap();
    let second = place.begin(&volume, &Job::of_path(2, "sales"), 1).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", second.source(MOUNT_REPORT).join("index.html")).unwrap();
    let refused = unusable(volume.finish(&second.attempt, at(3)).unwrap());
    assert_eq!(refused.reason, Reason::ProcessFailed);
    let empty = place.begin(&volume, &Job::of_path(3, "sales"), 1).unwrap();
    let refused = unusable(volume.finish(&empty.attempt, at(3)).unwrap());
    assert!(
        refused.message.contains("made no file 'index.html'"),
        "{}",
        refused.message
    );
    assert_eq!(place.served("index.html").as_deref(), Some("good"));
    assert_eq!(in_progress(&place), [""; 0]);
    let states: Vec<_> = jobs(volume.data(), &content())
        .unwrap()
        .into_iter()
        .map(|job| job.record.state)
        .collect();
    assert_eq!(states, [JobState::Succeeded, JobState::Failed, JobState::Failed]);
}

/// Proves: OH2 (P)
#[test]
fn beginning_again_changes_nothing_and_another_plan_is_not_taken_for_the_same() {
    let mut place = Place::new();
    let volume = place.open();
    place.incoming("sales", REPORT);
    let mut job = Job::of_path(1, "sales");
    let begun = place.begin(&volume, &job, 1).unwrap();
    begun.writes(MOUNT_APP, &[("being-copied", "x")]);
    begun.writes(MOUNT_REPORT, &[("index.html", "half")]);
    let before = listing(&place.data(""));
    let again = place.begin(&volume, &job, 1).unwrap();
    assert_eq!(again.process, begun.process);
    assert_eq!(listing(&place.data("")), before);
    job.spec.activation = Activation::Manual;
    assert!(matches!(
        place.begin(&volume, &job, 1),
        Err(VolumeError::Changed { .. })
    ));
    assert_eq!(listing(&place.data("")), before);
    // Another image makes the same result.
    job.spec.activation = Activation::OnSuccess;
    place.world.runtimes.runtimes[0].name = "registry.example/content:newer".to_owned();
    place.begin(&volume, &job, 1).unwrap();
}

/// Proves: FS4 (P)
#[test]
fn the_values_of_parameters_are_the_accounts_alone() {
    let place = Place::new();
    let volume = place.open();
    place.incoming(
        "sales",
        &[("report.Rmd", "---\ntitle: x\nparams:\n  year: 2023\n---\n")],
    );
    let mut job = Job::of_path(1, "sales");
    job.spec.parameters = vec![Parameter {
        name: "year".to_owned(),
        value: "2026".to_owned(),
    }];
    let begun = place.begin(&volume, &job, 1).unwrap();
    let directory = place
        .data("jobs/sales")
        .join(begun.attempt.key())
        .join("task.inputs");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o500);
    assert_eq!(mode(&directory.join("params.json")), 0o400);
    let text = std::fs::read_to_string(directory.join("params.json")).unwrap();
    assert!(text.contains("2026"), "{text}");
}

/// A Pod whose mount has no source would wait for ever.
#[test]
fn a_mount_without_a_source_is_named() {
    let place = Place::new();
    let volume = place.open();
    place.incoming(
        "sales",
        &[
            ("report.Rmd", "---\ntitle: x\n---\n"),
            ("packrat/packrat.lock", LOCK),
        ],
    );
    let job = Job::of_path(1, "sales");
    let Err(error) = place.begin(&volume, &job, 1) else {
        panic!("its library is not installed");
    };
    let said = error.to_string();
    assert!(said.contains("packrat/4.2.2/") && error.heals(), "{said}");
    // It heals when the library is there.
    let bundle = place.bundle(&volume, &job).unwrap();
    let plan = place.plan(&volume.task(&bundle, "k", 1)).unwrap();
    for mount in &plan.processes.last().unwrap().mounts {
        if let offhost::plan::Source::Data(path) = &mount.source
            && path.starts_with("packrat")
        {
            files(&place.data(path), &[]);
            std::fs::create_dir_all(place.data(path)).unwrap();
        }
    }
    place.begin(&volume, &job, 1).unwrap();
}
