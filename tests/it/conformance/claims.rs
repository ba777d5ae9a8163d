//! Reads the lines in which tests say what they prove.

use std::fmt;

/// One test proves one behaviour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) id: String,
    pub(super) modes: Vec<String>,
    pub(super) file: String,
    /// Name of the test; of the file where the test is the whole file.
    pub(super) test: String,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.test.is_empty() {
            f.write_str(&self.file)
        } else {
            write!(f, "{}::{}", self.file, self.test)
        }
    }
}

/// Whether this is an id: two capital letters and a number.
pub(super) fn is_id(text: &str) -> bool {
    let (letters, number) = text.split_at_checked(2).unwrap_or_default();
    letters.bytes().all(|b| b.is_ascii_uppercase())
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

fn marks_a_test(line: &str) -> bool {
    line == "#[test]" || line.starts_with("#[tokio::test")
}

/// Every claim of one file.
///
/// # Errors
/// A sentence with file and line for a claim that can not be read or stands above no test.
pub(super) fn read(path: &str, source: &str) -> Result<Vec<Claim>, String> {
    let is_rust = path.ends_with(".rs");
    let marker = if is_rust { "/// Proves:" } else { "# Proves:" };
    let mut found = Vec::new();
    let mut waiting = Vec::new();
    let mut is_test = !is_rust;
    for (number, line) in (1..).zip(source.lines()) {
        let line = line.trim();
        let fault = |what: &str| format!("{path}:{number}: {what}");
        if let Some(claims) = line.strip_prefix(marker) {
            waiting.extend(parse(claims.trim()).map_err(|problem| fault(&problem))?);
        } else if waiting.is_empty() {
            let goes_on = line.starts_with("//") || line.starts_with("#[");
            is_test = !is_rust || (is_test && goes_on) || marks_a_test(line);
        } else if marks_a_test(line) {
            is_test = true;
        } else if let Some(test) = test_name(line, is_rust) {
            if !is_test {
                return Err(fault("a `Proves` line stands above what is no test"));
            }
            found.extend(name_claims(&mut waiting, path, test));
            is_test = !is_rust;
        } else if is_rust && !line.starts_with("#[") && !line.starts_with("//") {
            return Err(fault("a `Proves` line must stand directly above its test"));
        }
    }
    if is_rust && !waiting.is_empty() {
        return Err(format!("{path}: its last `Proves` line stands above no test"));
    }
    found.extend(name_claims(&mut waiting, path, ""));
    Ok(found)
}

fn name_claims(
    waiting: &mut Vec<(String, Vec<String>)>,
    path: &str,
    test: &str,
) -> impl Iterator<Item = Claim> {
    waiting.drain(..).map(move |(id, modes)| Claim {
        id,
        modes,
        file: path.to_owned(),
        test: test.to_owned(),
    })
}

/// The name of the test that this line begins.
fn test_name(line: &str, is_rust: bool) -> Option<&str> {
    let name_end = |text: &str| {
        text.find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(text.len())
    };
    let until_end = |text| &text[..name_end(text)];
    if is_rust {
        let function = line
            .strip_prefix("fn ")
            .or_else(|| line.split_once(" fn ").map(|(_, rest)| rest));
        return function.map(until_end);
    }
    if let Some(name) = line.strip_prefix("def ").or_else(|| line.strip_prefix("class ")) {
        return Some(until_end(name));
    }
    if let Some(title) = line
        .strip_prefix("test_that(\"")
        .and_then(|rest| rest.split('"').next())
    {
        return Some(title);
    }
    let name = until_end(line);
    let rest = line[name.len()..].trim_start();
    let begins = rest.starts_with("() {") || rest.starts_with("<- function(");
    (!name.is_empty() && begins).then_some(name)
}

/// `EX3 (L, P), EX5 (P)` as ids with modes.
fn parse(text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
    let mut found = Vec::new();
    let wrong = || format!("'{text}' is not of the form `EX3 (L, P), EX5 (P)`");
    let body = text.strip_suffix(')').ok_or_else(wrong)?;
    for claim in body.split("), ") {
        let (id, modes) = claim.split_once(" (").ok_or_else(wrong)?;
        let modes: Vec<String> = modes.split(", ").map(str::to_owned).collect();
        if !is_id(id) || !modes.iter().all(|mode| matches!(mode.as_str(), "L" | "P" | "B")) {
            return Err(wrong());
        }
        found.push((id.to_owned(), modes));
    }
    Ok(found)
}

// The markers are put together here, so that this file makes no claim.
fn rust_source(text: &str) -> String {
    text.replace("@", "/// Proves:")
}

#[test]
fn claims_are_read_with_the_test_that_follows() {
    let source = rust_source(
        "@ EX3 (L, P), EX5 (P)\n#[test]\nfn one() {}\n\n#[test]\n/// More.\n@ PK1 (L)\nfn two() {}\n",
    );
    let claims = read("a.rs", &source).expect("the claims are right");
    let shown: Vec<String> = claims
        .iter()
        .map(|c| format!("{c} {} {}", c.id, c.modes.join("")))
        .collect();
    assert_eq!(shown, ["a.rs::one EX3 LP", "a.rs::one EX5 P", "a.rs::two PK1 L"]);
}

#[test]
fn claims_of_scripts_are_read() {
    let source = "@ PK1 (L)\ntest_a() {\n@ PK2 (L)\ndef test_b(self):\n@ PK3 (L)\n".replace('@', "# Proves:");
    let claims = read("run", &source).expect("the claims are right");
    let shown: Vec<String> = claims.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["run::test_a", "run::test_b", "run"]);
}

#[test]
fn wrong_claims_are_refused_with_their_place() {
    for (source, what) in [
        ("@ EX3\n#[test]\nfn a() {}\n", "a.rs:1: 'EX3' is not of the form"),
        ("@ EX3 (Q)\n#[test]\nfn a() {}\n", "is not of the form"),
        (
            "@ EX3 (L)\nfn a() {}\n",
            "a.rs:2: a `Proves` line stands above what is no test",
        ),
        ("@ EX3 (L)\n\nuse x;\n", "must stand directly above"),
        ("@ EX3 (L)\n", "stands above no test"),
    ] {
        let fault = read("a.rs", &rust_source(source)).expect_err(source);
        assert!(fault.contains(what), "{fault}");
    }
}
