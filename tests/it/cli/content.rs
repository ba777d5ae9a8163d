//! `offhost content`: deployments and results.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::place::{Outcome, Place};
use crate::support::needs;

const ROOT: &str = "it renders as another account";

fn content(place: &Place, words: &[&str]) -> Outcome {
    let mut call = place.offhost(["content"]);
    call.arguments(words).go()
}

fn json(place: &Place, words: &[&str]) -> Value {
    let outcome = content(place, &[words, &["-o", "json"]].concat());
    serde_json::from_str(&outcome.succeeded().stdout).unwrap()
}

/// Proves: AP2 (L)
#[test]
fn a_deployment_is_a_bundle_and_the_same_again_is_the_same() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    assert_eq!(json(&place, &["list"]), serde_json::json!([]));
    let document = place.document("page");
    let path = document.to_str().unwrap();
    let deploy = |words: &[&str]| {
        let outcome = content(&place, &[&["deploy"], words].concat());
        outcome.succeeded().last_line().to_owned()
    };
    assert_eq!(
        deploy(&[path]),
        "content/page deployed as bundle 1 (Quarto document)"
    );
    assert!(deploy(&[path]).contains("bundle 1"));
    place.file("work/page/more.csv", "a\n");
    assert!(deploy(&[path]).contains("bundle 2"));
    let archive = place.path("work/page.tar.gz");
    let tar = Command::new("tar")
        .arg("-czf")
        .arg(&archive)
        .args(["-C", path, "."])
        .status();
    assert!(tar.unwrap().success());
    assert!(
        deploy(&[archive.to_str().unwrap(), "--content", "other"])
            .starts_with("content/other deployed as bundle 1")
    );
    let list = json(&place, &["list"]);
    let names: Vec<(&str, u64)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (
                entry["content"].as_str().unwrap(),
                entry["active"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(names, [("other", 1), ("page", 2)]);
    let text = content(&place, &["list"]);
    assert!(
        text.stdout.starts_with("CONTENT  BUNDLE  BUNDLES  SOURCE"),
        "{text:?}"
    );
    assert!(!place.has_run(), "deploying runs nothing");
    let history = json(&place, &["history", "page"]);
    let whats: Vec<&str> = history
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["what"].as_str())
        .collect();
    assert_eq!(whats, ["bundle 1", "bundle 2"]);
    assert_eq!(history[1]["state"], "in force");
    assert!(!place.path("data/db").exists(), "no database is made for it");
    let flask = crate::repository::root().join("tests/fixtures/bundles/flask");
    assert!(
        deploy(&[flask.to_str().unwrap()]).starts_with("content/flask deployed"),
        "an application can be deployed"
    );
}

/// Proves: RD3 (L), RD4 (L)
#[test]
fn results_are_kept_served_again_and_removed() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let document = place.document("page");
    let path = document.to_str().unwrap();
    let run = |words: &[&str]| {
        let mut call = place.offhost(["run", path]);
        let outcome = call.arguments(words).go();
        PathBuf::from(outcome.succeeded().last_line())
    };
    let states = || -> Vec<String> {
        let all = json(&place, &["results", "page"]);
        let row = |row: &Value| {
            let served = if row["result"]["active"] == true {
                "served"
            } else {
                "kept"
            };
            format!(
                "{} {} {served}",
                row["variant"].as_str().unwrap(),
                row["result"]["number"]
            )
        };
        all.as_array().unwrap().iter().map(row).collect()
    };
    let first = run(&[]);
    place.file("work/page/page.qmd", "---\ntitle: Second\n---\n");
    let second = run(&["--no-activate"]);
    assert!(first.ends_with("page/default/1/page.html") && second.ends_with("page/default/2/page.html"));
    assert!(std::fs::read_to_string(&second).unwrap().contains("Second"));
    assert_eq!(states(), ["default 1 served", "default 2 kept"]);
    let other = run(&["--variant", "review"]);
    assert!(other.ends_with("page/review/1/page.html"), "{other:?}");
    let activated = content(&place, &["activate", "page", "2"]);
    assert!(
        activated
            .succeeded()
            .stdout
            .contains("result/2 of page activated")
    );
    assert_eq!(
        states(),
        ["default 1 kept", "default 2 served", "review 1 served"]
    );
    content(&place, &["remove", "page", "--result", "1"]).succeeded();
    assert!(!first.exists() && second.exists());
    let before = second.clone();
    let broken = place.program(
        "bin/quarto",
        "#!/bin/sh\ncase $1 in --version) echo 1.4.553 ;; *) echo broken >&2; exit 9 ;; esac\n",
    );
    let failed = place.offhost(["run", path]).go();
    assert_eq!(failed.code, Some(9), "{failed:?}");
    assert!(
        failed.stderr.contains("\nbroken\n") && failed.stderr.contains("ended with exit code 9"),
        "{failed:?}"
    );
    assert!(before.exists() && broken.exists());
    content(&place, &["remove", "page"]).succeeded();
    assert_eq!(json(&place, &["list"]), serde_json::json!([]));
    assert!(!second.exists());
}
