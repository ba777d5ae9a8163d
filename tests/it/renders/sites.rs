//! R Markdown sites.

use super::bundle::document;
use super::place::{is_ready, place};
use crate::repository;

/// The names in a directory, in order.
fn names(directory: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("the directory can be read");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry can be read")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// Proves: PK1 (L), PK4 (L), ST1 (L), ST2 (L)
#[test]
fn the_output_directory_of_the_example_site_becomes_all_of_the_result() {
    if !is_ready() {
        return;
    }
    let site = repository::root().join("examples/site");
    let ran = place().offhost(["run".as_ref(), site.as_os_str()]);
    let result = ran.result();
    assert_eq!(
        result,
        place().data("reports/v2/site/default/1/index.html"),
        "{}",
        ran.err
    );
    let names = names(result.parent().expect("the result is in a directory"));
    for there in ["index.html", "regions.html", "site_libs"] {
        assert!(names.iter().any(|name| name == there), "{names:?}");
    }
    for gone in ["_site", "_site.yml", "index.Rmd", "renv.lock"] {
        assert!(!names.iter().any(|name| name == gone), "{names:?}");
    }
    let page = std::fs::read_to_string(result.with_file_name("regions.html")).expect("the page is there");
    assert!(
        page.contains("regions_files/figure-html/"),
        "the plot is beside the page"
    );
    ran.page()
        .must_show("glue 1.6.2 comes from /opt/rstudio-connect/mnt/packrat/");
}

/// Proves: PK4 (L), ST3 (L)
#[test]
fn a_site_rendered_into_its_own_directory_stays_as_it_is() {
    if !is_ready() {
        return;
    }
    let page = document("output: html_document", &["getwd()"]);
    let bundle = place().bundle(
        "own-place",
        &[
            ("_site.yml", "name: own-place\noutput_dir: \".\"\n"),
            ("index.Rmd", &page),
        ],
    );
    let ran = place().offhost(["run".as_ref(), bundle.as_os_str()]);
    let result = ran.result();
    assert_eq!(
        result,
        place().data("reports/v2/own-place/default/1/index.html"),
        "{}",
        ran.err
    );
    let names = names(result.parent().expect("the result is in a directory"));
    for there in ["_site.yml", "index.Rmd", "index.html"] {
        assert!(names.iter().any(|name| name == there), "{names:?}");
    }
    assert!(
        names.iter().all(|name| name != "_site"),
        "nothing was moved: {names:?}"
    );
}
