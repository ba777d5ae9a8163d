//! Help, completions and man pages.

use std::process::Command;

use super::place::{Call, OFFHOST, Place};
use crate::support::needs;

const COMMANDS: [&str; 32] = [
    "",
    "run",
    "plan",
    "content",
    "content deploy",
    "content list",
    "content results",
    "content jobs",
    "content set",
    "content activate",
    "content remove",
    "path",
    "runtimes",
    "runtimes list",
    "runtimes match",
    "settings",
    "logs",
    "db",
    "db migrate",
    "db status",
    "serve",
    "accounts",
    "build",
    "builder",
    "apps",
    "apps list",
    "apps show",
    "doctor",
    "audit",
    "crd",
    "completions",
    "man",
];

fn offhost(words: &str) -> Call {
    let mut call = Call::new(OFFHOST);
    call.arguments(words.split_whitespace());
    call
}

#[test]
fn the_help_of_every_command() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../golden/help");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for words in COMMANDS {
        let outcome = offhost(&format!("{words} --help")).go();
        outcome.succeeded();
        let name = format!("offhost {words}").trim_end().replace(' ', "-");
        settings.bind(|| insta::assert_snapshot!(name, outcome.stdout));
    }
}

#[test]
fn a_wrong_command_is_told_with_a_suggestion() {
    for (words, said) in [
        ("rum x", "'run'"),
        ("run --parm a=b x", "'--param'"),
        ("plan --mode pood x", "[possible values: local, pod]"),
        ("run", "<BUNDLE|JOB.yaml>"),
    ] {
        let outcome = offhost(words).go();
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}");
    }
}

#[test]
fn completions_are_scripts_of_their_shell() {
    let place = Place::new();
    for (shell, word) in [
        ("bash", "complete -F _offhost"),
        ("zsh", "#compdef offhost"),
        ("fish", "complete -c offhost"),
    ] {
        let outcome = offhost(&format!("completions {shell}")).go();
        let script = &outcome.succeeded().stdout;
        assert!(script.contains(word) && script.contains("no-activate"), "{shell}");
        let file = place.file(&format!("work/offhost.{shell}"), script);
        // A shell that is not there can not check its script.
        if let Ok(checked) = Command::new(shell).arg("-n").arg(&file).output() {
            assert!(checked.status.success(), "{shell}: {checked:?}");
        }
    }
    let unknown = offhost("completions tcsh").go();
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("possible values: bash, elvish, fish"),
        "{unknown:?}"
    );
}

#[test]
fn there_is_a_man_page_of_every_command() {
    let place = Place::new();
    let directory = place.path("work/man");
    let mut call = offhost("man");
    call.arguments([&directory]).go().succeeded();
    for words in COMMANDS {
        let name = format!("offhost {words}").trim_end().replace(' ', "-");
        let page = directory.join(format!("{name}.1"));
        let text =
            std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
        assert!(
            text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"),
            "{name}"
        );
    }
    let file = place.file("work/file", "");
    let mut call = offhost("man");
    call.arguments([&file])
        .go()
        .refused(65, &["work/file", "name a directory"]);
}

#[test]
fn groff_finds_no_fault_in_the_man_pages() {
    if !needs(
        "OFFHOST_TEST_ROOT",
        "it needs groff, which scripts/setup installs",
    ) {
        return;
    }
    let place = Place::new();
    let directory = place.path("work/man");
    offhost("man").arguments([&directory]).go().succeeded();
    for entry in std::fs::read_dir(&directory).unwrap() {
        let page = entry.unwrap().path();
        let groff = Command::new("groff")
            .args(["-man", "-ww", "-Tutf8", "-z"])
            .arg(&page)
            .output();
        let checked = groff.expect("groff is installed");
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(
            checked.status.success() && said.is_empty(),
            "{}: {said}",
            page.display()
        );
    }
}
