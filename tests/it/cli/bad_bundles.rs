//! Content that can not be used: each is one sentence that says what to do, nothing is started, nothing deployed.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::place::Place;
use crate::repository::root;
use crate::support::needs;

const ROOT: &str = "it opens a server for other accounts";

fn run(place: &Place, bundle: &Path) -> super::place::Call {
    place.offhost(["run".as_ref(), bundle.as_os_str()])
}

/// A bundle whose manifest lists these files.
fn manifest(place: &Place, name: &str, files: &[&str]) -> PathBuf {
    place.document(name);
    let files: serde_json::Map<String, serde_json::Value> = files
        .iter()
        .map(|file| ((*file).to_owned(), serde_json::json!({ "checksum": "" })))
        .collect();
    let manifest = serde_json::json!({
        "version": 1,
        "metadata": { "appmode": "quarto-static", "entrypoint": format!("{name}.qmd") },
        "quarto": { "version": "1.4.553", "engines": ["markdown"] },
        "files": files,
    });
    place.file(&format!("work/{name}/manifest.json"), &manifest.to_string());
    place.path(&format!("work/{name}"))
}

/// Proves: PK9 (L, P)
#[test]
fn a_manifest_names_files_of_the_bundle() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    for (name, file, words) in [
        (
            "gone",
            "gone.csv",
            &["manifest.json", "gone.csv", "write the manifest again"][..],
        ),
        ("out", "../secret", &["manifest.json", "../secret", ".."]),
        ("deep", "a/../../secret", &["manifest.json", "a/../../secret"]),
        ("root", "/etc/passwd", &["manifest.json", "/etc/passwd"]),
    ] {
        let bundle = manifest(&place, name, &[file]);
        place.refused(run(&place, &bundle), 65, words);
        let mut deploy = place.offhost(["content", "deploy"]);
        deploy.arguments([&bundle]);
        place.refused(deploy, 65, words);
    }
}

/// Proves: AP2 (L)
#[test]
fn a_link_that_leads_out_is_refused() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    for (name, target) in [
        ("absolute", "/etc/passwd"),
        ("upwards", "../../canary"),
        ("around", "sub/../../x"),
    ] {
        let bundle = place.document(name);
        symlink(target, bundle.join("link")).unwrap();
        place.refused(run(&place, &bundle), 65, &["link", target, "out of the"]);
    }
    let listed = manifest(&place, "listed", &["listed.qmd", "link"]);
    symlink("/etc/passwd", listed.join("link")).unwrap();
    place.refused(run(&place, &listed), 65, &["link", "out of the"]);
}

/// Proves: PK9 (L, P)
#[test]
fn an_archive_that_is_not_whole_or_leads_out_is_refused() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    let bundle = place.document("page");
    let noise: String = (0..40_000u32)
        .map(|n| char::from(b'a' + u8::try_from(n.wrapping_mul(2_654_435_761) >> 28).unwrap()))
        .collect();
    std::fs::write(bundle.join("data.txt"), noise).unwrap();
    let archive = place.path("work/page.tar.gz");
    let tar = |arguments: &[&str]| {
        let done = Command::new("tar")
            .arg("-czf")
            .arg(&archive)
            .args(arguments)
            .output();
        assert!(done.unwrap().status.success());
    };
    tar(&["-C", bundle.to_str().unwrap(), "."]);
    let whole = std::fs::read(&archive).unwrap();
    for length in [whole.len() / 2, whole.len() - 4, 10] {
        std::fs::write(&archive, &whole[..length]).unwrap();
        place.refused(run(&place, &archive), 65, &["page.tar.gz", "again"]);
    }
    std::fs::write(&archive, "no archive").unwrap();
    place.refused(run(&place, &archive), 65, &["page.tar.gz"]);
    let path = place.path("work/page/page.qmd");
    tar(&["-P", "--transform=s,.*,../../out.qmd,", path.to_str().unwrap()]);
    place.refused(run(&place, &archive), 65, &["page.tar.gz", "../../out.qmd"]);
    assert!(!place.path("work/out.qmd").exists());
    symlink("/etc/passwd", bundle.join("link")).unwrap();
    tar(&["-C", bundle.to_str().unwrap(), "."]);
    place.refused(run(&place, &archive), 65, &["link", "out of the"]);
}

/// Proves: EX3 (L), EX5 (P)
#[test]
fn no_interpreter_that_fits_is_told_candidate_by_candidate() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.seed();
    let bundle = manifest(&place, "page", &["page.qmd"]);
    place.configure(
        "[Quarto]\nVersionMatching = exact\n[Python]\nEnabled = true\nExecutable = /usr/bin/python3",
    );
    let text = std::fs::read_to_string(bundle.join("manifest.json")).unwrap();
    place.file("work/page/manifest.json", &text.replace("1.4.553", "1.3.2"));
    let said = place.refused(
        run(&place, &bundle),
        65,
        &[
            "Quarto 1.3.2 (exact)",
            "\n  local: it has Quarto 1.4.553",
            "install",
            "Quarto.Executable",
        ],
    );
    let job = place.job(
        "page",
        "content: page\nbundle: {path: page}\nruntime: {python: '<3'}",
    );
    place.refused(
        place.offhost(["run".as_ref(), job.as_os_str()]),
        65,
        &["Python '<3'", "the content requires '<3'", "Python.Executable"],
    );
    let explained = place
        .offhost(["runtimes".as_ref(), "match".as_ref(), bundle.as_os_str()])
        .go();
    assert_eq!(explained.code, Some(65));
    assert!(
        explained
            .stdout
            .starts_with("no      local: it has Quarto 1.4.553"),
        "{explained:?}"
    );
    assert_eq!(explained.stderr, said.stderr);
    let images = root().join("runtimes.yaml");
    let mut plan = place.offhost(["plan", "--mode", "pod", "--runtimes"]);
    plan.arguments([&images, &bundle]);
    place.refused(
        plan,
        65,
        &[
            "no image of runtimes.yaml",
            "\n  registry.example.com/offhost/content:r4-py3 (Older",
            "its matching is 'exact'",
            "add an image",
        ],
    );
}

/// Proves: EX1 (L)
#[test]
fn a_language_that_is_off_is_told_with_its_setting() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let mut place = Place::new();
    place.seed();
    place.configure("[R]\nEnabled = false");
    let notebook = root().join("examples/notebook");
    place.refused(
        run(&place, &notebook),
        65,
        &[
            "set Python.Enabled = true",
            "Python is switched off (Python.Enabled = false)",
        ],
    );
    let report = root().join("examples/report");
    place.refused(run(&place, &report), 65, &["set R.Enabled = true"]);
}

/// Proves: PK9 (L)
#[test]
fn what_is_interactive_is_refused_with_what_can_be_done() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    let fixtures = root().join("tests/fixtures/bundles");
    for (name, words) in [
        ("shiny", &["shiny", "interactive", "Install", "Run"][..]),
        ("flask", &["python-api", "interactive", "Install", "Run"]),
        ("rmd-shiny", &["rmd-shiny", "interactive"]),
        ("nodejs", &["nodejs", "interactive"]),
        (
            "static",
            &["static", "without a process", "offhost content deploy"],
        ),
    ] {
        place.refused(run(&place, &fixtures.join(name)), 65, words);
    }
    let mut plan = place.offhost(["plan"]);
    plan.arguments([fixtures.join("static")]);
    place.refused(plan, 65, &["static", "without a process"]);
    let unknown = place
        .file("work/odd/readme.txt", "x")
        .parent()
        .unwrap()
        .to_owned();
    place.refused(
        run(&place, &unknown),
        65,
        &["no manifest.json", "readme.txt", "_quarto.yml", "appMode"],
    );
}

/// Proves: AP2 (L)
#[test]
fn content_of_another_directory_is_not_replaced_unasked() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    place.seed();
    let other = place.file("work/other/seed/seed.qmd", "---\ntitle: Another\n---\n");
    let call = run(&place, other.parent().unwrap());
    place.refused(call, 65, &["'seed'", "work/seed", "--content"]);
}
