//! The gcfg reader against the Go package it follows, on generated files (CN1).
//!
//! `OFFHOST_TEST_ORACLE=1` runs it; `OFFHOST_TEST_ORACLE_FILES` and `OFFHOST_TEST_ORACLE_SEED` change how
//! many files there are and which.

mod generator;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use generator::Generator;
use offhost::settings::gcfg::{self, Assignment, Document};
use offhost::settings::values::{parse_bool, parse_plain_int};

use crate::support::needs;

const WHY: &str = "it builds a Go program with gopkg.in/gcfg.v1, for which it needs Go and its module proxy";
/// The built program.
static ORACLE: LazyLock<PathBuf> = LazyLock::new(build);

const KEYS: [&str; 7] = ["text", "task", "switch", "count", "list", "flags", "numbers"];

/// Proves: CN1 (L, P)
#[test]
fn cn1_reads_what_the_go_package_reads() {
    if !needs("OFFHOST_TEST_ORACLE", WHY) {
        return;
    }
    let files = number("OFFHOST_TEST_ORACLE_FILES", 100_000);
    let seed = number("OFFHOST_TEST_ORACLE_SEED", 1);
    let mut generator = Generator::new(seed);
    let inputs: Vec<Vec<u8>> = (0..files).map(|_| generator.file()).collect();
    let answers = ask(&ORACLE, &inputs);
    let mut accepted = 0;
    let mut differences = 0;
    for (input, theirs) in inputs.iter().zip(&answers) {
        let ours = dump(input).unwrap_or_else(|| "error\n".to_owned());
        accepted += usize::from(ours != "error\n");
        if ours != *theirs {
            differences += 1;
            if differences <= 10 {
                println!(
                    "--- {:?}\nours:\n{ours}theirs:\n{theirs}",
                    String::from_utf8_lossy(input)
                );
            }
        }
    }
    println!(
        "{} files, {accepted} accepted, {differences} disagreements",
        inputs.len()
    );
    assert_eq!(answers.len(), inputs.len());
    assert_eq!(differences, 0);
    // A generator that makes only good or only bad files would prove little.
    assert!(
        accepted * 5 > inputs.len() && accepted * 5 < inputs.len() * 4,
        "{accepted} accepted"
    );
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_names_have_the_letters_that_go_knows() {
    if !needs("OFFHOST_TEST_ORACLE", WHY) {
        return;
    }
    let printed = Command::new(ORACLE.as_path())
        .arg("letters")
        .output()
        .expect("the oracle runs");
    let printed = String::from_utf8(printed.stdout).expect("the table is UTF-8");
    let kept = include_str!("../../src/settings/gcfg/letters.rs");
    // Another Go may know a later Unicode; the first line names it.
    if printed.lines().next() == kept.lines().next() {
        assert!(
            printed == kept,
            "src/settings/gcfg/letters.rs is not what the oracle prints"
        );
    }
}

fn number(var: &str, default: u64) -> u64 {
    std::env::var(var).map_or(default, |text| text.parse().expect("a number"))
}

fn build() -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gcfg-oracle");
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gcfg-oracle"))
        .status()
        .expect("go can be started");
    assert!(status.success(), "go build: {status}");
    program
}

fn ask(program: &Path, inputs: &[Vec<u8>]) -> Vec<String> {
    let mut oracle = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the oracle starts");
    let mut stdin = oracle.stdin.take().expect("stdin is piped");
    let mut stdout = BufReader::new(oracle.stdout.take().expect("stdout is piped"));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for input in inputs {
                let size = u32::try_from(input.len()).expect("files are small");
                stdin.write_all(&size.to_be_bytes()).expect("the oracle reads");
                stdin.write_all(input).expect("the oracle reads");
            }
        });
        let mut answers = Vec::new();
        let mut size = [0; 4];
        while stdout.read_exact(&mut size).is_ok() {
            let mut answer = vec![0; u32::from_be_bytes(size) as usize];
            stdout.read_exact(&mut answer).expect("the answer is whole");
            answers.push(String::from_utf8(answer).expect("the answer is UTF-8"));
        }
        assert!(oracle.wait().expect("the oracle ends").success());
        answers
    })
}

/// What the oracle prints for the same file; `None` where it refuses it.
fn dump(input: &[u8]) -> Option<String> {
    let document = gcfg::parse(input, "f").ok()?;
    let mut out = String::new();
    for section in ["server", "desk"] {
        dump_section(&mut out, section, &of(&document, section, None))?;
    }
    let mirrors: BTreeSet<&str> = document
        .headers
        .iter()
        .filter(|header| gcfg::fold(&header.section) == "mirrors")
        .map(|header| header.subsection.as_deref().unwrap_or_default())
        .collect();
    for name in mirrors {
        let name_or_none = Some(name).filter(|name| !name.is_empty());
        let entries = of(&document, "mirrors", name_or_none);
        dump_section(&mut out, &format!("mirrors.{}", hex(name)), &entries)?;
    }
    for text in unplaced(&document) {
        writeln!(out, "unplaced {}", hex(&text)).ok()?;
    }
    Some(out)
}

fn of<'a>(
    document: &'a Document,
    section: &str,
    subsection: Option<&str>,
) -> BTreeMap<String, Vec<&'a Assignment>> {
    let mut entries: BTreeMap<String, Vec<&Assignment>> = BTreeMap::new();
    for entry in &document.assignments {
        if gcfg::fold(&entry.section) == section && entry.subsection.as_deref() == subsection {
            entries.entry(gcfg::fold(&entry.key)).or_default().push(entry);
        }
    }
    entries
}

fn dump_section(out: &mut String, place: &str, entries: &BTreeMap<String, Vec<&Assignment>>) -> Option<()> {
    let all = |key: &str| entries.get(key).cloned().unwrap_or_default();
    for key in ["text", "task"] {
        let mut value = "";
        for entry in all(key) {
            value = entry.value.as_deref()?;
        }
        writeln!(out, "{place}.{key} string {}", hex(value)).ok()?;
    }
    let mut switch = false;
    for entry in all("switch") {
        switch = match &entry.value {
            Some(text) => parse_bool(text).ok()?,
            None => true,
        };
    }
    writeln!(out, "{place}.switch bool {}", hex(&switch.to_string())).ok()?;
    let mut count = 0;
    for entry in all("count") {
        count = parse_plain_int(entry.value.as_deref()?).ok()?;
    }
    writeln!(out, "{place}.count int {}", hex(&count.to_string())).ok()?;
    dump_lists(out, place, &all)
}

fn dump_lists<'a>(out: &mut String, place: &str, all: &dyn Fn(&str) -> Vec<&'a Assignment>) -> Option<()> {
    for (_, value) in gcfg::since_reset(all("list")) {
        writeln!(out, "{place}.list item {}", hex(value)).ok()?;
    }
    // A bad item is an error also where a reset follows.
    for entry in all("flags").iter().filter_map(|entry| entry.value.as_deref()) {
        parse_bool(entry).ok()?;
    }
    for entry in all("numbers").iter().filter_map(|entry| entry.value.as_deref()) {
        parse_plain_int(entry).ok()?;
    }
    for (_, value) in gcfg::since_reset(all("flags")) {
        writeln!(
            out,
            "{place}.flags item {}",
            hex(&parse_bool(value).ok()?.to_string())
        )
        .ok()?;
    }
    for (_, value) in gcfg::since_reset(all("numbers")) {
        writeln!(
            out,
            "{place}.numbers item {}",
            hex(&parse_plain_int(value).ok()?.to_string())
        )
        .ok()?;
    }
    Some(())
}

/// The package's own words for names that its target does not have.
fn unplaced(document: &Document) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    let mut check = |section: &str, subsection: &Option<String>, key: Option<&str>| {
        let folded = gcfg::fold(section);
        let plain = folded == "server" || folded == "desk";
        if !plain && folded != "mirrors" || plain && subsection.is_some() {
            texts.insert(format!("can't store data at section \"{section}\""));
        } else if let Some(key) = key.filter(|key| !KEYS.contains(&gcfg::fold(key).as_str())) {
            let subsection = match subsection {
                _ if plain => String::new(),
                name => format!(", subsection \"{}\"", name.as_deref().unwrap_or_default()),
            };
            texts.insert(format!(
                "can't store data at section \"{section}\"{subsection}, variable \"{key}\""
            ));
        }
    };
    for header in &document.headers {
        check(&header.section, &header.subsection, None);
    }
    for entry in &document.assignments {
        check(&entry.section, &entry.subsection, Some(&entry.key));
    }
    texts
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
