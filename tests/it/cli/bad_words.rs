//! What a person wrote that can not be meant: each is one sentence that says what to do, and nothing is started.

use super::place::{Call, OFFHOST, Place};
use crate::support::needs;

const ROOT: &str = "it opens a server for other accounts";

/// Proves: CN1 (L)
#[test]
fn a_misspelt_setting_is_told_with_its_line_and_a_suggestion() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.seed();
    place.configure("[Applications]\nRunAz = rstudio-connect");
    let job = place.canary_job();
    place.refused(
        place.offhost(["run".as_ref(), job.as_os_str()]),
        65,
        &["offhost.gcfg:11", "RunAz", "did you mean", "RunAs"],
    );
}

/// Proves: CN1 (L)
#[test]
fn a_misspelt_variable_is_told_with_a_suggestion() {
    let place = Place::new();
    for (name, value, words) in [
        (
            "OFFHOST_SERVER_DATADIRR",
            "/x",
            &["OFFHOST_SERVER_DATADIRR", "OFFHOST_SERVER_DATADIR"][..],
        ),
        ("OFFHOST_SANDBOX_USERNAMESPACE", "nevr", &["nevr", "never"]),
        (
            "OFFHOST_PYTHON_ENABLED",
            "maybe",
            &["OFFHOST_PYTHON_ENABLED", "true"],
        ),
    ] {
        let call = place
            .offhost(["run".as_ref(), place.canary_job().as_os_str()])
            .env(name, value);
        place.refused(call, 65, words);
    }
}

/// Proves: EX4 (P)
#[test]
fn a_misspelt_key_of_the_images_is_told_with_its_line() {
    let place = Place::new();
    let document = place.document("page");
    let file = place.file(
        "work/runtimes.yaml",
        "images:\n- name: registry.example.com/a\n  quarto: {installations: [{version: 1.4.1, pth: /q}]}\n",
    );
    let call = place.offhost([
        "plan".as_ref(),
        "--mode".as_ref(),
        "pod".as_ref(),
        "--runtimes".as_ref(),
        file.as_os_str(),
        document.as_os_str(),
    ]);
    place.refused(call, 65, &["runtimes.yaml:3", "pth", "path"]);
}

/// Proves: PK9 (L, P)
#[test]
fn a_misspelt_key_of_a_job_is_told_with_its_line() {
    let place = Place::new();
    place.document("page");
    let job = place.job("page", "content: page\nbundle: {path: page}\ntsk: Render");
    for command in ["run", "plan"] {
        let call = place.offhost([command.as_ref(), job.as_os_str()]);
        place.refused(call, 65, &["page.yaml:7", "tsk", "did you mean", "task"]);
    }
}

#[test]
fn a_job_file_holds_one_job() {
    let place = Place::new();
    let job = place.canary_job();
    let text = std::fs::read_to_string(&job).unwrap();
    std::fs::write(&job, format!("{text}---\n{text}")).unwrap();
    let call = place.offhost(["run".as_ref(), job.as_os_str()]);
    place.refused(call, 65, &["script.yaml", "one", "document", "file"]);
}

#[test]
fn a_job_file_that_is_none_is_told() {
    let place = Place::new();
    for (text, words) in [
        ("", &["apiVersion"][..]),
        ("kind: Pod\n", &["apiVersion"]),
        (
            "apiVersion: offhost.dev/v1\nkind: ContentJob\nmetadata: {name: x}\nspec: {}\n",
            &["offhost.dev/v1", "offhost.dev/v1alpha1"],
        ),
        (
            "apiVersion: offhost.dev/v1alpha1\nkind: ContentJop\nmetadata: {name: x}\nspec: {}\n",
            &["ContentJop", "ContentJob"],
        ),
        ("a: [1\n", &["job.yaml"]),
    ] {
        let job = place.file("work/job.yaml", text);
        let call = place.offhost(["run".as_ref(), job.as_os_str()]);
        place.refused(call, 65, words);
    }
}

/// Proves: EX1 (L)
#[test]
fn one_version_declared_twice_is_refused() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.seed();
    let second = place.program("opt/quarto", "#!/bin/sh\necho 1.4.553\n");
    place.configure(&format!("[Quarto]\nExecutable = {}", second.display()));
    let call = place.offhost(["run".as_ref(), place.canary_job().as_os_str()]);
    place.refused(
        call,
        65,
        &[
            "declared twice",
            "bin/quarto",
            "opt/quarto",
            "1.4.553",
            "remove one",
        ],
    );
}

/// Proves: EX4 (P)
#[test]
fn one_version_twice_in_an_image_is_refused() {
    let place = Place::new();
    let document = place.document("page");
    let file = place.file(
        "work/runtimes.yaml",
        "images:\n- name: registry.example.com/a\n  quarto:\n    installations:\n    - {version: 1.4, path: /a}\n    - \
         {version: 1.4.0, path: /b}\n",
    );
    let call = place.offhost([
        "runtimes".as_ref(),
        "match".as_ref(),
        "--runtimes".as_ref(),
        file.as_os_str(),
        document.as_os_str(),
    ]);
    place.refused(
        call,
        65,
        &["runtimes.yaml:4", "1.4.0", "/a and at /b", "keep one"],
    );
}

/// Proves: PK3 (L)
#[test]
fn parameters_that_the_report_does_not_have_are_refused() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    let report = place.path("work/report");
    place.file(
        "work/report/report.Rmd",
        "---\ntitle: R\noutput: html_document\nparams:\n  year: 2024\n---\n",
    );
    for (given, words) in [
        ("yaer=2025", &["yaer", "year", "did you mean"][..]),
        ("year", &["--param year", "'='", "NAME=VALUE"]),
        ("=1", &["--param", "NAME=VALUE"]),
        ("year=[1", &["year", "[1"]),
    ] {
        let call = place.offhost([
            "run".as_ref(),
            report.as_os_str(),
            "--param".as_ref(),
            given.as_ref(),
        ]);
        place.refused(call, 65, words);
    }
    let call = place.offhost([
        "run".as_ref(),
        place.canary_job().as_os_str(),
        "--param".as_ref(),
        "year=1".as_ref(),
    ]);
    place.refused(call, 65, &["'year'", "Run", "remove"]);
}

#[test]
fn what_is_not_there_is_told() {
    let place = Place::new();
    let gone = place.path("work/gone");
    for command in [
        &["run"][..],
        &["plan"],
        &["runtimes", "match"],
        &["content", "deploy"],
    ] {
        let mut call = place.offhost(command);
        call.arguments([&gone]);
        place.refused(call, 65, &["work/gone", "name a directory or archive"]);
    }
    let mut call = Call::new(OFFHOST);
    call.arguments(["settings".as_ref(), "--config".as_ref(), gone.as_os_str()]);
    place.refused(call, 65, &["work/gone", "name an existing"]);
}

/// Proves: RD4 (L)
#[test]
fn unknown_content_and_results_are_told() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    for (arguments, words) in [
        (&["results", "gone"][..], &["'gone'", "offhost content list"][..]),
        (&["remove", "gone"], &["'gone'", "offhost content list"]),
        (&["activate", "gone", "1"], &["'gone'", "offhost content list"]),
        (&["activate", "seed", "7"], &["7", "offhost content results seed"]),
        (
            &["activate", "seed", "one"],
            &["'one'", "number", "offhost content results"],
        ),
        (
            &["remove", "seed", "--result", "7"],
            &["7", "offhost content results seed"],
        ),
        (
            &["remove", "seed", "--result", "1"],
            &["served", "activate another"],
        ),
        (&["activate", "seed", "1", "--variant", "../x"], &["../x"]),
        (&["remove", "../seed"], &["../seed"]),
    ] {
        let mut call = place.offhost(["content"]);
        call.arguments(arguments);
        place.refused(call, 65, words);
    }
    let job = place.job("gone", "content: gone");
    let call = place.offhost(["run".as_ref(), job.as_os_str()]);
    place.refused(call, 65, &["'gone'", "offhost content"]);
}
