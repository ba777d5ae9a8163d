//! `PROMISES.md`: the promises that `offhost audit` tries, each with the tests that keep it.

use std::collections::BTreeSet;

use offhost::audit::PROMISES;

use crate::repository::text;

const PAGE: &str = "PROMISES.md";
const BEHAVIOURS: &str = "docs/behaviours.md";

/// A line of the page.
struct Row {
    id: String,
    spec: String,
    text: String,
    tests: Vec<String>,
}

fn rows() -> Vec<Row> {
    let page = text(PAGE);
    let cells = page.lines().filter_map(|line| {
        let row = line.strip_prefix("| `")?.strip_suffix(" |")?;
        let cells: Vec<&str> = row.split(" | ").collect();
        let [id, spec, text, tests] = cells[..] else {
            panic!("{PAGE}: not four cells: {line}");
        };
        Some(Row {
            id: id.trim_end_matches('`').to_owned(),
            spec: spec.to_owned(),
            text: text.to_owned(),
            tests: tests
                .split("<br>")
                .map(|test| test.trim_matches('`').to_owned())
                .collect(),
        })
    });
    cells.collect()
}

/// Whether the file has a test of this name.
fn is_test(test: &str) -> bool {
    let Some((path, name)) = test.split_once("::") else {
        return false;
    };
    let source = text(path);
    let wanted = format!("fn {name}()");
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| line.starts_with(&wanted));
    // An attribute may stand between.
    let attributes = |at: usize| lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    at.is_some_and(|at| attributes(at).any(|line| *line == "#[test]"))
}

#[test]
fn every_promise_of_the_audit_is_listed_and_no_other() {
    let listed: Vec<(String, String, String)> = rows()
        .into_iter()
        .map(|row| (row.id, row.spec, row.text))
        .collect();
    let wanted: Vec<(String, String, String)> = PROMISES
        .iter()
        .map(|promise| {
            (
                promise.id.to_owned(),
                promise.spec.to_owned(),
                promise.text.to_owned(),
            )
        })
        .collect();
    assert_eq!(
        listed, wanted,
        "{PAGE} and src/audit/promises.rs say different things"
    );
}

#[test]
fn every_promise_has_tests_that_exist() {
    for row in rows() {
        assert!(!row.tests.is_empty(), "{PAGE}: {} has no test", row.id);
        for test in &row.tests {
            assert!(is_test(test), "{PAGE}: {}: there is no test {test}", row.id);
        }
    }
    assert!(!is_test("tests/it/promises.rs::is_test"), "a function is no test");
}

#[test]
fn every_behaviour_of_a_promise_is_stated() {
    let page = text(BEHAVIOURS);
    let stated: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .collect();
    for promise in PROMISES {
        for id in promise.spec.split(", ") {
            assert!(stated.contains(id), "{}: {BEHAVIOURS} has no {id}", promise.id);
        }
    }
}
