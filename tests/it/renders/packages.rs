//! R packages: from locks, through the shared cache, as the default account.

use std::path::{Path, PathBuf};

use super::bundle::{document, packrat_lock, renv_lock};
use super::place::{ACCOUNT, is_ready, place};

/// Where the links of the libraries with this package lead.
fn links(package: &str) -> Vec<PathBuf> {
    let versions = std::fs::read_dir(place().data("packrat")).expect("there is a cache");
    let mut found = Vec::new();
    for version in versions {
        let libraries = version.expect("a version").path().join("libraries");
        for library in std::fs::read_dir(libraries).into_iter().flatten() {
            let link = library.expect("a library").path().join(package);
            found.extend(std::fs::read_link(link).ok());
        }
    }
    found.sort();
    found
}

/// The directory of the machine that a link of a library leads to.
fn of_machine(link: &Path) -> PathBuf {
    let below = link
        .strip_prefix("/opt/rstudio-connect/mnt")
        .expect("links lead to where content sees the cache");
    place().data(below.to_str().expect("names are plain"))
}

/// Proves: PK1 (L), PW1 (L), FS3 (L)
#[test]
fn two_contents_share_what_both_lock() {
    if !is_ready() {
        return;
    }
    let shows = document("output: html_document", &["find.package(\"rprojroot\")"]);
    let (root, here) = (
        ("rprojroot", "2.0.3", &["R"][..]),
        ("here", "1.0.1", &["rprojroot"][..]),
    );
    let lock = renv_lock(&[root]);
    let alone = place().bundle("locks-one", &[("one.Rmd", &shows), ("renv.lock", &lock)]);
    let first = place().offhost(["run".as_ref(), alone.as_os_str()]);
    first.page().must_show("/opt/rstudio-connect/mnt/packrat/");
    assert!(
        first.err.contains("Installed 1 packages (0 from cache)"),
        "{}",
        first.err
    );
    let lock = renv_lock(&[root, here]);
    let both = place().bundle("locks-two", &[("two.Rmd", &shows), ("renv.lock", &lock)]);
    let second = place().offhost(["run".as_ref(), both.as_os_str()]);
    second.page().must_show("/opt/rstudio-connect/mnt/packrat/");
    assert!(
        second.err.contains("Installed 2 packages (1 from cache)"),
        "{}",
        second.err
    );
    let again = place().offhost(["run".as_ref(), alone.as_os_str()]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(!again.installs(), "{}", again.err);
    let links = links("rprojroot");
    assert!(
        links.windows(2).any(|pair| pair[0] == pair[1]),
        "two libraries, one package: {links:?}"
    );
    for link in &links {
        assert!(
            of_machine(link).join("DESCRIPTION").is_file(),
            "{}",
            link.display()
        );
    }
}

/// Proves: PK1 (L)
#[test]
fn a_packrat_lock_is_installed_as_it_says() {
    if !is_ready() {
        return;
    }
    let shows = document("output: html_document", &["packageVersion(\"praise\")"]);
    let lock = packrat_lock("praise", "1.0.0");
    let files = [("report.Rmd", shows.as_str()), ("packrat/packrat.lock", &lock)];
    let bundle = place().bundle("by-packrat", &files);
    let page = place().offhost(["run".as_ref(), bundle.as_os_str()]).page();
    page.must_show("[packageVersion('praise'): 1.0.0]");
}

/// Proves: EN1 (L), EN5 (L), RA2 (L), RA3 (L), RA4 (L), RA6 (L)
#[test]
fn another_account_runs_the_content_and_the_default_one_installs() {
    if !is_ready() {
        return;
    }
    let shows = document(
        "output: html_document",
        &[
            "witness::account",
            "witness::config",
            "Sys.info()[[\"user\"]]",
            "Sys.getenv(\"R_CONFIG_ACTIVE\")",
            "Sys.getenv(\"LOGNAME\")",
        ],
    );
    let lock = renv_lock(&[("witness", "1.0", &[])]);
    let bundle = place().bundle("witnessed", &[("report.Rmd", &shows), ("renv.lock", &lock)]);
    let asks = [
        "run".as_ref(),
        bundle.as_os_str(),
        "--run-as".as_ref(),
        "nobody".as_ref(),
    ];
    let refused = place().offhost(asks);
    assert_eq!(refused.code, Some(77), "{}", refused.err);
    assert!(!refused.installs(), "{}", refused.err);
    let configuration = place().configure("shared", "[Applications]\nSharedRunAsUnixGroup = nogroup\n");
    let ran = place().offhost_with(&configuration, asks);
    let page = ran.page();
    assert!(
        ran.line("installing R packages") < ran.line("offhost: rendering"),
        "{}",
        ran.err
    );
    for value in [
        &format!("[witness::account: {ACCOUNT}]"),
        "[witness::config: unset]",
        "[Sys.info()[['user']]: nobody]",
        "[Sys.getenv('R_CONFIG_ACTIVE'): rsconnect]",
        "[Sys.getenv('LOGNAME'): nobody]",
    ] {
        page.must_show(value);
    }
}

/// Proves: PK1 (L), PK10 (L), RD3 (L)
#[test]
fn a_version_that_is_nowhere_is_told_and_nothing_is_kept() {
    if !is_ready() {
        return;
    }
    let shows = document("output: html_document", &["1"]);
    let lock = renv_lock(&[("praise", "9.9.9", &[])]);
    let bundle = place().bundle("unknown-r", &[("report.Rmd", &shows), ("renv.lock", &lock)]);
    let ran = place().offhost(["run".as_ref(), bundle.as_os_str()]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert_eq!(ran.out, "");
    assert!(
        ran.err
            .contains("package 'praise' 9.9.9 (locked from CRAN) is in no repository"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("packages could not be installed"), "{}", ran.err);
    let jobs = place().jobs("unknown-r");
    assert_eq!(jobs[0]["reason"], "InstallFailed", "{jobs:?}");
    assert!(
        !place().data("reports/v2/unknown-r/default/1").exists(),
        "no result is begun and left"
    );
    let staged = std::fs::read_dir(place().data("R/4.2.2")).into_iter().flatten();
    let staged: Vec<_> = staged
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().contains("unknown"))
        .collect();
    assert_eq!(staged, Vec::<std::ffi::OsString>::new());
}
