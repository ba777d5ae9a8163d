//! `docs/conformance.md`: which test proves which behaviour of `docs/behaviours.md` in which mode. Made from the tests.
//!
//! A test says what it proves in a line of its own directly above it: in Rust `/// Proves: EX3 (L, P), EX5 (P)`, in
//! shell, Python and R the same after `# `.

mod claims;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use claims::Claim;

use crate::repository::{assert_page, files, text};

const BEHAVIOURS: &str = "docs/behaviours.md";
const CONFORMANCE: &str = "docs/conformance.md";

/// One line of `docs/behaviours.md`.
#[derive(Debug)]
struct Behaviour {
    id: String,
    /// Letters of the modes it holds in; empty where it has to do with none.
    modes: Vec<String>,
    /// What is said of each mode: `built`, `plan` or `planned`.
    states: BTreeMap<String, String>,
}

impl Behaviour {
    /// The modes a test may prove it in. A behaviour without modes has the one mode of no name.
    fn provable(&self) -> Vec<&str> {
        if self.modes.is_empty() {
            vec![""]
        } else {
            self.modes.iter().map(String::as_str).collect()
        }
    }

    fn state(&self, mode: &str) -> &str {
        self.states.get(mode).map_or("planned", String::as_str)
    }
}

/// Reads the tables of `docs/behaviours.md`.
fn behaviours() -> Vec<Behaviour> {
    let page = text(BEHAVIOURS);
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split(" | ").map(str::trim).collect::<Vec<_>>());
    let found: Vec<Behaviour> = cells
        .filter_map(|cells| match cells[..] {
            [id, modes, _, state] if claims::is_id(id) => Some(behaviour(id, modes, state)),
            _ => None,
        })
        .collect();
    assert!(!found.is_empty(), "{BEHAVIOURS} has no table");
    found
}

fn behaviour(id: &str, modes: &str, state: &str) -> Behaviour {
    let modes: Vec<String> = modes
        .split(", ")
        .filter(|mode| *mode != "–")
        .map(str::to_owned)
        .collect();
    let states = state
        .split(", ")
        .map(|part| part.split_once(' ').unwrap_or(("", part)));
    let states: BTreeMap<String, String> = states
        .map(|(mode, word)| (mode.to_owned(), word.to_owned()))
        .collect();
    for (mode, word) in &states {
        assert!(
            matches!(word.as_str(), "built" | "plan" | "planned"),
            "{BEHAVIOURS}: {id} has the state '{word}'; write built, plan or planned, after the mode's letter"
        );
        assert!(
            modes.contains(mode) || (modes.is_empty() && mode.is_empty()),
            "{BEHAVIOURS}: {id} has a state for mode '{mode}', which it does not hold in"
        );
    }
    Behaviour {
        id: id.to_owned(),
        modes,
        states,
    }
}

/// Every claim of every test, in the order of files and lines.
fn all_claims() -> Vec<Claim> {
    let mut found = Vec::new();
    let mut faults = Vec::new();
    for path in files("src").into_iter().chain(files("tests")) {
        match claims::read(&path, &text(&path)) {
            Ok(claims) => found.extend(claims),
            Err(fault) => faults.push(fault),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    found
}

/// Tests by behaviour and mode.
type Proofs<'a> = BTreeMap<(&'a str, &'a str), Vec<String>>;

/// Which tests prove what, or a sentence for each claim that names nothing the project states.
fn proofs<'a>(behaviours: &'a [Behaviour], claims: &'a [Claim]) -> Result<Proofs<'a>, Vec<String>> {
    let mut proofs = Proofs::new();
    let mut faults = Vec::new();
    for claim in claims {
        let Some(behaviour) = behaviours.iter().find(|behaviour| behaviour.id == claim.id) else {
            faults.push(format!(
                "{claim} proves {}, which {BEHAVIOURS} does not have",
                claim.id
            ));
            continue;
        };
        for mode in &claim.modes {
            let mode = if behaviour.modes.is_empty() {
                ""
            } else {
                mode.as_str()
            };
            if !behaviour.provable().contains(&mode) {
                let holds = behaviour.modes.join(", ");
                faults.push(format!(
                    "{claim} proves {} in mode {mode}; it holds in {holds}",
                    claim.id
                ));
                continue;
            }
            let tests: &mut Vec<String> = proofs.entry((&behaviour.id, mode)).or_default();
            if !tests.contains(&claim.to_string()) {
                tests.push(claim.to_string());
            }
        }
    }
    if faults.is_empty() {
        Ok(proofs)
    } else {
        Err(faults)
    }
}

/// The page.
fn render(behaviours: &[Behaviour], proofs: &Proofs<'_>) -> String {
    let mut page = String::from(
        "# Which test proves which behaviour\n\n\
         Made from the tests by `make docs`; a test fails when it is out of date. The behaviours are those of\n\
         [behaviours.md](behaviours.md), in its order. Modes: L local sandbox, P Pod, B Git build, – none.\n\n\
         | id | mode | tests |\n|---|---|---|\n",
    );
    let mut missing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for behaviour in behaviours {
        for mode in behaviour.provable() {
            let shown = if mode.is_empty() { "–" } else { mode };
            if let Some(tests) = proofs.get(&(behaviour.id.as_str(), mode)) {
                let tests: Vec<String> = tests.iter().map(|test| format!("`{test}`")).collect();
                let _ = writeln!(page, "| {} | {shown} | {} |", behaviour.id, tests.join("<br>"));
            } else {
                let list = missing.entry(behaviour.state(mode)).or_default();
                list.push(format!("{} ({shown})", behaviour.id));
            }
        }
    }
    page.push_str("\n## Not proved by any test yet\n\n");
    let sections = [
        ("built", "Built, so a test is owed"),
        ("plan", "Decided by the plan, not started yet"),
        ("planned", "Not built yet"),
    ];
    for (state, title) in sections {
        let list = missing
            .get(state)
            .map_or_else(|| "none".to_owned(), |list| list.join(", "));
        let _ = writeln!(page, "- {title}: {list}.");
    }
    page
}

#[test]
fn the_page_is_what_the_tests_say() {
    let behaviours = behaviours();
    let claims = all_claims();
    let proofs = proofs(&behaviours, &claims).unwrap_or_else(|faults| panic!("{}", faults.join("\n")));
    assert_page(CONFORMANCE, &render(&behaviours, &proofs));
}

#[test]
fn every_behaviour_is_stated_once() {
    let mut seen = BTreeMap::new();
    for behaviour in behaviours() {
        let again = seen.insert(behaviour.id.clone(), ());
        assert!(again.is_none(), "{BEHAVIOURS} states {} twice", behaviour.id);
    }
}

fn example() -> Vec<Behaviour> {
    vec![
        behaviour("EX1", "L", "L built"),
        behaviour("EX3", "L, P", "L built, P plan"),
        behaviour("CN1", "–", "built"),
    ]
}

fn claim(id: &str, modes: &[&str]) -> Claim {
    Claim {
        id: id.to_owned(),
        modes: modes.iter().map(|mode| (*mode).to_owned()).collect(),
        file: "tests/it/a.rs".to_owned(),
        test: "b".to_owned(),
    }
}

#[test]
fn a_claim_must_name_a_stated_behaviour_and_mode() {
    let behaviours = example();
    let wrong = [
        claim("EX9", &["L"]),
        claim("EX1", &["P"]),
        claim("CN1", &["L", "P"]),
    ];
    let faults = proofs(&behaviours, &wrong).expect_err("two of the claims are wrong");
    assert_eq!(faults.len(), 2);
    assert!(
        faults[0].contains("EX9") && faults[1].contains("mode P"),
        "{faults:?}"
    );
}

#[test]
fn the_page_groups_by_behaviour_and_lists_what_is_missing() {
    let behaviours = example();
    let claims = [claim("EX3", &["L"]), claim("CN1", &["L", "P"])];
    let proofs = proofs(&behaviours, &claims).expect("the claims are right");
    let page = render(&behaviours, &proofs);
    assert!(
        page.contains("| EX3 | L | `tests/it/a.rs::b` |\n| CN1 | – | `tests/it/a.rs::b` |\n"),
        "{page}"
    );
    assert!(page.contains("a test is owed: EX1 (L).\n"), "{page}");
    assert!(page.contains("not started yet: EX3 (P).\n"), "{page}");
}
