//! The cases that offhost's sandbox is compared with others by: its own columns, and the page that shows them all.

use std::process::Command;

use crate::repository::{root, text};

use super::support::{HELPER, PYTHON, asked_for};

const PAGE: &str = "docs/sandbox-cases.md";

fn cases(options: &[&str]) -> Command {
    let mut command = Command::new(PYTHON);
    command.arg(root().join("tests/cases/run")).args(options);
    command.env("OFFHOST_EXEC", HELPER).current_dir("/");
    command
}

/// Proves: SB5 (L), SB6 (L), SB7 (L), SB8 (L), FS1 (L), FS3 (L)
#[test]
#[cfg(target_arch = "x86_64")]
fn every_case_holds_in_each_mode() {
    if !asked_for("every_case_holds_in_each_mode") {
        return;
    }
    let said = cases(&["--ours"]).output().unwrap();
    let told = String::from_utf8_lossy(&said.stdout);
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(
        said.status.success() && told.contains(" passed, 0 failed"),
        "{told}{errors}"
    );
}

/// What other programs do differs from machine to machine; which cases there are does not.
#[test]
fn the_page_has_every_case_and_ours_hold() {
    let said = cases(&["--list"]).output().unwrap();
    let list = String::from_utf8(said.stdout).unwrap();
    let sentences: Vec<&str> = list
        .lines()
        .filter_map(|line| Some(line.split_once('\t')?.1))
        .collect();
    assert!(sentences.len() >= 60, "{list}");
    let page = text(PAGE);
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| ")?.split(" | ").collect()))
        .filter(|row: &Vec<&str>| row.len() > 4 && !row[0].starts_with(['|', '*']))
        .collect();
    let shown: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(
        shown, sentences,
        "{PAGE} is out of date; run `make sandbox-cases`"
    );
    for row in rows {
        assert!(!row[1..4].contains(&"**no**"), "{PAGE}: {}", row[0]);
    }
}
