//! The grammar, case by case. `tests/it/gcfg_oracle.rs` holds all of it against the Go package.

use proptest::prelude::*;

use super::*;

fn values(text: &str) -> Vec<(String, Option<String>)> {
    let document = parse(text.as_bytes(), "f.gcfg").expect(text);
    document
        .assignments
        .into_iter()
        .map(|entry| (entry.key, entry.value))
        .collect()
}

fn value(text: &str) -> String {
    let text = format!("[S]\nK = {text}\n");
    values(&text).remove(0).1.expect("the key has a value")
}

fn error(text: &[u8]) -> String {
    parse(text, "f.gcfg").expect_err("not gcfg").to_string()
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_sections_subsections_and_places() {
    let text = "; note\n[Server]\r\n  DataDir = /x ; note\n[Repo \"a \\\"b\\\\\"] # note\nURL=u";
    let document = parse(text.as_bytes(), "f").expect("good");
    assert_eq!(document.headers[0].subsection, None);
    assert_eq!(document.headers[1].subsection.as_deref(), Some("a \"b\\"));
    assert_eq!((document.headers[1].line, document.headers[1].column), (4, 1));
    let entry = &document.assignments[0];
    assert_eq!((entry.line, entry.column), (3, 3));
    assert_eq!(
        (entry.section.as_str(), entry.value.as_deref()),
        ("Server", Some("/x"))
    );
    assert_eq!(document.assignments[1].subsection.as_deref(), Some("a \"b\\"));
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_values_with_quotes_escapes_and_continuations() {
    let cases = [
        ("plain text  ", "plain text"),
        ("\"kept  \" ; note", "kept  "),
        ("\"a;b#c\"", "a;b#c"),
        ("one \"two\" three", "one two three"),
        (r#""q\"b\\n\nt\t.""#, "q\"b\\n\nt\t."),
        (r#"\"bare\""#, "\"bare\""),
        ("a \\\n  b", "a   b"),
        ("a\\\r\nb", "ab"),
        ("a\rb", "ab"),
        ("postgres://u@h/db?a=b&c=[d]", "postgres://u@h/db?a=b&c=[d]"),
        ("", ""),
    ];
    for (written, meant) in cases {
        assert_eq!(value(written), meant, "{written:?}");
    }
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_a_key_alone_is_not_an_empty_value() {
    let text = "[S]\nA\nB =\nC ; note\nD = # note";
    let found = values(text);
    let expected = [("A", None), ("B", Some("")), ("C", None), ("D", Some(""))];
    for ((key, value), (expected_key, expected_value)) in found.iter().zip(expected) {
        assert_eq!((key.as_str(), value.as_deref()), (expected_key, expected_value));
    }
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_a_key_alone_drops_the_values_before_it() {
    let document = parse(b"[S]\nK = a\nK = b\nK\nK = c\nK = d", "f").expect("good");
    let kept: Vec<&str> = since_reset(&document.assignments)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert_eq!(kept, ["c", "d"]);
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_names_are_folded_as_go_folds_them() {
    assert_eq!(fold("RunAs"), fold("RUNAS"));
    assert_eq!(fold("Ta\u{17f}\u{212a}"), "task");
    assert_ne!(fold("Run-As"), fold("RunAs"));
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_errors_name_file_line_and_column() {
    let cases: [(&[u8], &str, &str); 15] = [
        (b"K = v", "1:1", "'K' stands before any section"),
        (b"[A]\n  K v", "2:5", "expected '=' after 'K'"),
        (b"[A]\nK_x = v", "2:2", "expected '=' after 'K'"),
        (b"[A] K = v", "1:5", "unexpected 'K' after the section header"),
        (b"[A.B]", "1:3", "expected ']' or a quoted name after '[A'"),
        (b"[A \"\"]", "1:4", "the name in [A \"\"] is empty"),
        (b"[A \"b\n\"]", "1:4", "the quote that opens here is not closed"),
        (b"[9]", "1:2", "expected the name of a section"),
        (
            b"[A]\nK = x \"y",
            "2:7",
            "the quote that opens here is not closed",
        ),
        (b"[A]\nK = \"\\x\"", "2:7", "unknown escape '\\x'"),
        (b"[A]\nK = C:\\dir", "2:8", "unknown escape '\\d'"),
        (b"[A]\nK = \xc3\xa9\xff", "2:6", "not valid UTF-8"),
        (b"[A]\nK = a\0b", "2:6", "zero byte"),
        (b"[A]\n/x", "2:1", "unexpected '/'"),
        (b"\xef\xbb\xbf\xef\xbb\xbf[A]", "1:1", "unexpected"),
    ];
    for (text, place, words) in cases {
        let message = error(text);
        assert!(message.starts_with(&format!("f.gcfg:{place}: ")), "{message}");
        assert!(message.contains(words), "{message}");
    }
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_one_byte_order_mark_is_skipped() {
    assert_eq!(
        parse(b"\xef\xbb\xbf[A]\nK = v", "f").map(|d| d.assignments.len()),
        Ok(1)
    );
}

proptest! {
    /// Proves: CN1 (L, P)
    #[test]
    fn cn1_any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, "f");
    }

    /// Proves: CN1 (L, P)
    #[test]
    fn cn1_a_quoted_value_comes_back(text in "[^\0\r]*") {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
        prop_assert_eq!(value(&format!("\"{quoted}\"")), text);
    }
}
