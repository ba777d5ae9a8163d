//! What `offhost doctor --cluster` asks for is what docs/rbac.md lists.

use std::collections::BTreeSet;

use offhost::cluster::doctor::{CONTROLLER, GATEWAY, PUBLISHER, Permission};

use crate::repository::text;

/// `verb group resource` of the first table below a heading.
fn listed(heading: &str) -> BTreeSet<String> {
    let page = text("docs/rbac.md");
    let section = page.split(&format!("\n## {heading}\n")).nth(1).expect(heading);
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = line.split('|').skip(1).map(words);
        let (resources, verbs) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        for resource in &resources {
            found.extend(verbs.iter().map(|verb| format!("{verb} {resource}")));
        }
    }
    assert!(!found.is_empty(), "{heading}");
    found
}

/// What stands in backquotes.
fn words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn asked(table: &[Permission]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (group, resource, verbs) in table {
        let (name, below) = resource.split_once('/').unwrap_or((resource, ""));
        let group = if group.is_empty() {
            String::new()
        } else {
            format!(".{group}")
        };
        let below = if below.is_empty() {
            String::new()
        } else {
            format!("/{below}")
        };
        found.extend(verbs.iter().map(|verb| format!("{verb} {name}{group}{below}")));
    }
    found
}

#[test]
fn the_doctor_asks_for_what_the_page_lists() {
    assert_eq!(asked(&CONTROLLER), listed("The controller"));
    assert_eq!(asked(&GATEWAY), listed("The gateway"));
    assert_eq!(asked(&PUBLISHER), listed("Publishers"));
}
