//! `offhost plan` and the other commands that only print.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::place::{Call, NOBODY, OFFHOST, Outcome, Place};
use crate::repository::root;
use crate::support::needs;

const REPOSITORY: &str = "OFFHOST_RPACKAGEREPOSITORY_CRAN_URL";
/// What a finite task can make of each bundle that a publishing client wrote.
const RENDERED: [&str; 8] = [
    "notebook",
    "packrat",
    "quarto-document",
    "quarto-website",
    "rmd-report",
    "rmd-site",
    "site",
    "report",
];

/// Copies what an account without rights is to read.
fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap();
    assert!(done.success());
}

fn bundles(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

fn yaml(outcome: &Outcome) -> Value {
    serde_saphyr::from_str(&outcome.stdout).unwrap()
}

/// What has no result: applications, and what is served as it is.
fn check_application(name: &str, text: &Outcome) {
    match name {
        "static" => {
            text.refused(65, &["without a process"]);
        }
        "tensorflow" => {
            text.refused(65, &["is not served", "python-fastapi"]);
        }
        "requires" => {
            text.refused(65, &["does not list"]);
        }
        // No image of that list has it.
        "nodejs" => {
            text.refused(65, &["Node.js"]);
        }
        _ => {
            let plan = yaml(text.succeeded());
            let last = plan["processes"].as_array().unwrap().last().unwrap();
            assert_eq!(last["purpose"], "serve", "{name}");
            assert!(
                last["serve"]["readyFile"]
                    .as_str()
                    .unwrap()
                    .ends_with("/.offhost/ready")
            );
        }
    }
}

/// Proves: PK9 (P), EN3 (P)
#[test]
fn a_plan_for_pods_needs_no_root_no_interpreter_and_no_data_directory() {
    if !needs("OFFHOST_TEST_ROOT", "it becomes an account without rights") {
        return;
    }
    let place = Place::new();
    let program = place.path("bin/offhost");
    fs::copy(OFFHOST, &program).unwrap();
    copy(&root().join("tests/fixtures/bundles"), &place.path("work/all"));
    for example in ["report", "site", "notebook"] {
        copy(&root().join("examples").join(example), &place.path("work/all"));
    }
    copy(
        &root().join("runtimes.yaml"),
        &place.path("work/all/runtimes.yaml"),
    );
    let plan = |name: &str, form: &str| {
        let mut call = Call::new(&program)
            .under(NOBODY, NOBODY)
            .env("PATH", "/nowhere:/usr/bin")
            .env("SECRET_OF_THE_SERVER", "s3cret")
            .env(REPOSITORY, "https://packages.example.com/cran");
        call.directory = place.path("work/all");
        call.arguments(["plan", "--mode", "pod", "-o", form, name]).go()
    };
    for name in bundles(&place.path("work/all")) {
        let text = plan(&name, "yaml");
        if !RENDERED.contains(&name.as_str()) {
            check_application(&name, &text);
            continue;
        }
        text.succeeded();
        assert!(
            text.stdout.starts_with("# ") && text.stderr.is_empty(),
            "{text:?}"
        );
        assert!(
            !text.stdout.contains("s3cret") && !text.stdout.contains(": null"),
            "{text:?}"
        );
        let json = plan(&name, "json");
        let json: Value = serde_json::from_str(&json.succeeded().stdout).unwrap();
        assert_eq!(yaml(&text), json, "{name}");
        let process = &json["processes"][0];
        assert_eq!(process["identity"]["uid"], NOBODY);
        assert_eq!(process["masks"], Value::Null, "a Pod has nothing to hide");
        assert!(
            json["runtime"]["name"]
                .as_str()
                .unwrap()
                .starts_with("registry.example.com/")
        );
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let printed = plan("notebook", "yaml").stdout;
    settings.bind(|| insta::assert_snapshot!("printed-plan", printed));
}

/// Proves: FS1 (L), FS3 (L), RA1 (L)
#[test]
fn a_local_plan_says_what_is_hidden_shown_and_who_runs() {
    if !needs("OFFHOST_TEST_ROOT", "it plans for the account rstudio-connect") {
        return;
    }
    let place = Place::new();
    let document = place.document("page");
    let outcome = place.offhost(["plan".as_ref(), document.as_os_str()]).go();
    let plan = yaml(outcome.succeeded());
    let process = &plan["processes"][0];
    assert_eq!(process["identity"]["user"], "rstudio-connect");
    let list = |of: &Value, key: &str| -> Vec<String> {
        of.as_array()
            .unwrap()
            .iter()
            .map(|one| one[key].as_str().unwrap().to_owned())
            .collect()
    };
    let masks = list(&process["masks"], "path");
    for hidden in [
        place.text("data"),
        place.text("etc"),
        place.text("tmp/connect-workspaces"),
        "/etc/rstudio-connect".to_owned(),
    ] {
        assert!(masks.contains(&hidden), "{hidden} is not in {masks:?}");
    }
    let writable: Vec<String> = process["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|mount| mount["access"] == "readWrite")
        .map(|mount| mount["target"].as_str().unwrap().to_owned())
        .collect();
    let below = |name: &str| format!("/opt/rstudio-connect/mnt/{name}");
    assert_eq!(writable, ["app", "log", "report"].map(below));
    assert_eq!(process["command"][0], place.text("bin/quarto"));
    assert!(place.data().is_empty(), "a plan makes nothing");
}

/// Proves: EN4 (L, P)
#[test]
fn a_plan_never_shows_a_secret() {
    if !needs("OFFHOST_TEST_ROOT", "it plans for the account rstudio-connect") {
        return;
    }
    let mut place = Place::new();
    place.document("page");
    place.file("etc/secrets/db/password", "s3cret-value\n");
    place.configure(
        "[RPackageRepository \"CRAN\"]\nURL = https://me:s3cret-value@packages.example.com/cran\n[Postgres]\nPassword = s3cret-value",
    );
    let job = place.job(
        "page",
        "content: page\nbundle: {path: page}\nenv:\n- {name: PW, valueFrom: {secretKeyRef: {name: db, key: password}}}",
    );
    let images = root().join("runtimes.yaml");
    let report = root().join("examples/report");
    for target in [&job, &report] {
        for form in ["yaml", "json"] {
            let mut call = place
                .offhost(["plan", "--mode", "pod", "-o", form, "--runtimes"])
                .env("HTTPS_PROXY", "http://me:s3cret-value@proxy.example.com");
            let outcome = call.arguments([&images, target]).go();
            outcome.succeeded();
            assert!(!outcome.stdout.contains("s3cret-value"), "{}", outcome.stdout);
            let reference = outcome.stdout.contains("secretKeyRef") && outcome.stdout.contains("password");
            assert_eq!(reference, *target == job);
        }
    }
}
