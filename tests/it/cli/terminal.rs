//! What a person sees on a terminal, and a log elsewhere.

use super::place::{Call, Place};
use crate::support::needs;

const ROOT: &str = "it renders as another account";

/// Without the control sequences of a terminal; what a line was overwritten with is what is left of it.
fn shown(bytes: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut rest = bytes.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\u{1b}' => {
                assert_eq!(rest.next(), Some('['), "only control sequences are written");
                let sequence: String =
                    std::iter::from_fn(|| rest.next_if(|c| !c.is_ascii_alphabetic())).collect();
                let what = rest.next().unwrap();
                match (what, sequence.as_str()) {
                    ('K', _) => lines.last_mut().unwrap().clear(),
                    ('A', "1" | "") => {
                        assert_eq!(
                            lines.pop().as_deref(),
                            Some(""),
                            "the cursor leaves a line with something on it"
                        );
                    }
                    _ => {}
                }
            }
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' => lines.last_mut().unwrap().clear(),
            '\n' => lines.push(String::new()),
            other => lines.last_mut().unwrap().push(other),
        }
    }
    lines
}

/// The program with a terminal as its standard output and error.
fn on_a_terminal(place: &Place, words: &str) -> Call {
    let line = format!(
        "{} --config {} {words}",
        super::place::OFFHOST,
        place.text("etc/offhost.gcfg")
    );
    let mut call = Call::new("script").env("TERM", "xterm-256color");
    call.arguments(["-qec", &line, "/dev/null"]);
    call
}

#[test]
fn on_a_terminal_the_last_line_is_the_result() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let slow = "#!/bin/sh\ncase $1 in --version) echo 1.4.553 ;; *) echo one; sleep 0.5; echo two >&2; mkdir -p ../report; cp $2 ../report/${2%.qmd}.html ;; esac\n";
    place.program("bin/quarto", slow);
    let document = place.document("page");
    let outcome = on_a_terminal(&place, &format!("run {}", document.display())).go();
    let lines = shown(&outcome.succeeded().stdout);
    let result = place.text("data/reports/v2/page/default/1/page.html");
    let whole: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(whole.last(), Some(&result.as_str()), "{outcome:?}");
    for line in [
        "one",
        "two",
        "✓ content page, bundle 1",
        "✓ result 1 is served now",
    ] {
        assert!(whole.contains(&line), "{line:?} is not a line of {whole:#?}");
    }
    let to_file = place.text("work/out");
    let again = on_a_terminal(&place, &format!("run {} >{to_file}", document.display())).go();
    again.succeeded();
    let written = std::fs::read_to_string(&to_file).unwrap();
    assert_eq!(
        written,
        format!(
            "one\n{}\n",
            place.text("data/reports/v2/page/default/2/page.html")
        )
    );
}

#[test]
fn elsewhere_there_are_plain_lines_only() {
    if !needs("OFFHOST_TEST_ROOT", ROOT) {
        return;
    }
    let place = Place::new();
    let document = place.document("page");
    let outcome = place
        .offhost(["run".as_ref(), document.as_os_str()])
        .env("TERM", "xterm-256color")
        .go();
    outcome.succeeded();
    for text in [&outcome.stdout, &outcome.stderr] {
        assert!(!text.contains(['\u{1b}', '\r', '✓']), "{outcome:?}");
    }
    assert_eq!(
        outcome.stdout,
        format!(
            "rendering page.qmd\n{}\n",
            place.text("data/reports/v2/page/default/1/page.html")
        )
    );
    assert!(
        outcome.stderr.lines().all(|line| line.starts_with("offhost: ")),
        "{outcome:?}"
    );
    assert!(!outcome.stderr.contains("left out"), "{outcome:?}");
    let failed = on_a_terminal(&place, "run /gone").go();
    assert_eq!(failed.code, Some(65));
    assert!(failed.stdout.starts_with("error: /gone: "), "{failed:?}");
}
