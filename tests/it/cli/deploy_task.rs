//! A job that only deploys, and what is for a cluster alone.

use super::place::Place;
use crate::support::needs;

const ROOT: &str = "it makes the sandbox of another account";

/// Proves: AP2 (L)
#[test]
fn a_job_can_deploy_and_run_nothing() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.document("page");
    let job = place.job("deploy", "bundle: {path: page}\ntask: Deploy");
    let outcome = place.offhost(["run"]).arguments([&job]).go();
    outcome.succeeded();
    assert!(outcome.stderr.contains("content page, bundle 1"), "{outcome:?}");
    assert_eq!(outcome.last_line(), place.text("data/apps/page/1"));
    assert!(!place.has_run());
}

#[test]
fn an_archive_that_is_to_be_sent_is_refused_here() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let digest = "0".repeat(64);
    let job = place.job(
        "upload",
        &format!("content: page\nbundle: {{archive: {{sha256: \"{digest}\", bytes: 9}}}}\ntask: Deploy"),
    );
    let mut call = place.offhost(["run"]);
    call.arguments([&job]).go().refused(
        65,
        &[
            "spec.bundle.archive is an archive that is sent to a cluster",
            "--cluster",
        ],
    );
}
