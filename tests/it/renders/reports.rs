//! R Markdown documents.

use super::bundle::{document, renv_lock};
use super::place::{ACCOUNT, is_ready, place};
use crate::repository;

/// Proves: PK1 (L), PK3 (L), PK10 (L), RD2 (L), RD3 (L)
#[test]
fn the_example_report_takes_parameters_of_every_type() {
    if !is_ready() {
        return;
    }
    let job = repository::root().join("examples/jobs/report.yaml");
    let ran = place().offhost(["run".as_ref(), job.as_os_str()]);
    let page = ran.page();
    page.must_show("The <strong>south</strong> region sold");
    page.must_show("in 2025, up to 2025-09-30");
    assert_eq!(page.pictures, 1, "the plot is in the page");
    page.must_show(&format!("account: {ACCOUNT}"));
    page.must_show("directory: /opt/rstudio-connect/mnt/app");
    page.must_show("from /opt/rstudio-connect/mnt/packrat/");
    assert_eq!(
        ran.result(),
        place().data("reports/v2/sales-report/default/1/index.html")
    );
    let jobs = place().jobs("sales-report");
    assert_eq!(jobs[0]["state"], "succeeded");
    assert_eq!(jobs[0]["exitCode"], 0);
    assert!(jobs[0]["started"].as_str() < jobs[0]["finished"].as_str());
}

/// Proves: PK3 (L)
#[test]
fn another_format_is_the_result_under_its_own_name() {
    if !is_ready() {
        return;
    }
    let bundle = place().bundle(
        "letter",
        &[("letter.Rmd", &document("output: word_document", &["1 + 1"]))],
    );
    let ran = place().offhost(["run".as_ref(), bundle.as_os_str()]);
    let result = ran.result();
    assert_eq!(
        result,
        place().data("reports/v2/letter/default/1/index.docx"),
        "{}",
        ran.err
    );
    let bytes = std::fs::read(&result).expect("the result can be read");
    assert!(bytes.starts_with(b"PK"), "a Word document is a zip archive");
}

/// Proves: EN6 (L)
#[test]
fn pandoc_is_the_one_for_the_locked_rmarkdown() {
    if !is_ready() {
        return;
    }
    let mut settings = "[Applications]\n".to_owned();
    for setting in ["Pandoc1Dir", "Pandoc2Dir", "Pandoc211Dir"] {
        // Each passes on to the machine's own, so that the document is really made.
        let directory = place().bundle(setting, &[("pandoc", "#!/bin/sh\nexec /usr/bin/pandoc \"$@\"\n")]);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.join("pandoc"), mode).expect("a mode can be set");
        settings += &format!("{setting} = {}\n", directory.display());
    }
    let configuration = place().configure("pandoc", &settings);
    let shows = document("output: html_document", &["Sys.getenv(\"RSTUDIO_PANDOC\")"]);
    for (version, setting) in [
        ("1.8", "Pandoc1Dir"),
        ("2.4", "Pandoc2Dir"),
        ("2.20", "Pandoc211Dir"),
    ] {
        let name = format!("pandoc-{version}");
        let lock = renv_lock(&[("rmarkdown", version, &[])]);
        let bundle = place().bundle(&name, &[("index.Rmd", &shows), ("renv.lock", &lock)]);
        let page = place()
            .offhost_with(&configuration, ["run".as_ref(), bundle.as_os_str()])
            .page();
        page.must_show(&format!("/{setting}]"));
    }
}

/// Proves: PK3 (L), PK10 (L), RD3 (L), SB8 (L)
#[test]
fn a_report_that_fails_leaves_the_served_result_and_says_where_its_output_is() {
    if !is_ready() {
        return;
    }
    let text = "---\ntitle: Moods\noutput: html_document\nparams:\n  good: true\n---\n\n```{r}\nif (!params$good) stop(\"a bad day\")\n```\n";
    let bundle = place().bundle("moods", &[("moods.Rmd", text)]);
    let good = place().offhost(["run".as_ref(), bundle.as_os_str()]).result();
    let bad = place().offhost([
        "run".as_ref(),
        bundle.as_os_str(),
        "--param".as_ref(),
        "good=false".as_ref(),
    ]);
    assert_eq!(bad.code, Some(1), "{}", bad.err);
    assert_eq!(bad.out, "");
    assert!(
        bad.err
            .contains("Error: 'moods.Rmd' could not be rendered: a bad day"),
        "{}",
        bad.err
    );
    assert!(bad.err.contains("its output is in "), "{}", bad.err);
    let results = place().offhost(["content", "results", "moods", "-o", "json"]);
    let results: serde_json::Value = serde_json::from_str(&results.out).expect("JSON is printed");
    assert_eq!(results.as_array().map(Vec::len), Some(1), "{results}");
    assert!(good.exists());
    let states: Vec<_> = place()
        .jobs("moods")
        .iter()
        .map(|job| job["state"].clone())
        .collect();
    assert!(states.contains(&"failed".into()), "{states:?}");
}
