//! JSON as clients of these protocols write and read it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Writes a string. What some browsers or the networks before them do not let through is written as an escape.
pub fn quote(text: &str, into: &mut String) {
    into.push('"');
    let mut clean = 0;
    for (at, letter) in text.char_indices() {
        let escape = match letter {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            _ if is_unsafe(letter) => "",
            _ => continue,
        };
        into.push_str(&text[clean..at]);
        into.push_str(escape);
        if escape.is_empty() {
            // Everything unsafe lies in the first plane. Writing to a string does not fail.
            let _ = write!(into, "\\u{:04x}", u32::from(letter));
        }
        clean = at + letter.len_utf8();
    }
    into.push_str(&text[clean..]);
    into.push('"');
}

fn is_unsafe(letter: char) -> bool {
    matches!(letter,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{600}'..='\u{604}' | '\u{70f}' | '\u{17b4}' | '\u{17b5}'
        | '\u{200c}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff0}'..='\u{ffff}')
}

/// What is no list of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMessages {
    /// Nothing at all.
    #[error("Payload expected.")]
    Empty,
    /// No JSON, or none that holds strings alone.
    #[error("Broken JSON encoding.")]
    Broken,
}

/// The messages in a list of strings, or in a single string.
///
/// # Errors
/// [`NoMessages`].
pub fn messages(body: &str) -> Result<Vec<String>, NoMessages> {
    let body = body.trim_matches([' ', '\n', '\r', '\t']);
    if body.is_empty() {
        return Err(NoMessages::Empty);
    }
    let body = mended(body);
    let read = if body.starts_with('"') {
        serde_json::from_str(&body).map(|one| vec![one])
    } else {
        serde_json::from_str(&body)
    };
    read.map_err(|_| NoMessages::Broken)
}

/// Half of a pair of surrogates is no letter: a WebSocket replaces it, and so does this.
fn mended(json: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let (mut clean, mut at) = (0, 0);
    while let Some(found) = json[at..].find('\\') {
        let escape = at + found;
        match surrogate(&json[escape..]) {
            Some(0xd800..=0xdbff) if matches!(surrogate(&json[escape + 6..]), Some(0xdc00..=0xdfff)) => {
                at = escape + 12;
            }
            Some(_) => {
                mended.push_str(&json[clean..escape]);
                mended.push_str("\\ufffd");
                (at, clean) = (escape + 6, escape + 6);
            }
            // The letter after the backslash is none of its own.
            None => at = escape + 1 + json[escape + 1..].chars().next().map_or(0, char::len_utf8),
        }
    }
    if clean == 0 {
        return Cow::Borrowed(json);
    }
    mended.push_str(&json[clean..]);
    Cow::Owned(mended)
}

/// The surrogate that an escape at the beginning of the text stands for.
fn surrogate(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let number = u32::from_str_radix(digits, 16).ok()?;
    (0xd800..=0xdfff).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quoted(text: &str) -> String {
        let mut quoted = String::new();
        quote(text, &mut quoted);
        quoted
    }

    /// Proves: PR2 (L, P)
    #[test]
    fn what_does_not_pass_everywhere_is_escaped() {
        assert_eq!(quoted("a\"\\\n\u{0}ä😀"), "\"a\\\"\\\\\\n\\u0000ä😀\"");
        for letter in [
            '\x1f', '\u{200c}', '\u{2028}', '\u{2029}', '\u{2060}', '\u{feff}', '\u{fff0}', '\u{ffff}',
        ] {
            assert_eq!(
                quoted(&letter.to_string()),
                format!("\"\\u{:04x}\"", u32::from(letter))
            );
        }
    }

    /// Proves: PR2 (L, P)
    #[test]
    fn lists_of_strings_are_read_and_nothing_else() {
        assert_eq!(
            messages("[\"a\",\"b\"]"),
            Ok(vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(messages(" \"a\"\n"), Ok(vec!["a".to_owned()]));
        assert_eq!(messages("[]"), Ok(vec![]));
        assert_eq!(messages(""), Err(NoMessages::Empty));
        for wrong in [
            "[\"a\"",
            "[1]",
            "{}",
            "x",
            "[\"a\"] x",
            "null",
            "\"",
            "[\"\\ud8\"]",
            "\\",
            "[\"\\",
        ] {
            assert_eq!(messages(wrong), Err(NoMessages::Broken), "{wrong}");
        }
        for (halves, whole) in [
            ("\\ud83d\\ude00", "😀"),
            ("\\ud83d", "\u{fffd}"),
            ("\\ude00\\ud83d", "\u{fffd}\u{fffd}"),
            ("\\ud83dx", "\u{fffd}x"),
            ("\\\\ud83d", "\\ud83d"),
            ("\\ud83d\\ud83d\\ude00", "\u{fffd}😀"),
        ] {
            assert_eq!(
                messages(&format!("[\"{halves}\"]")),
                Ok(vec![whole.to_owned()]),
                "{halves}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(text in any::<String>()) {
            prop_assert_eq!(messages(&quoted(&text)), Ok(vec![text]));
        }

        #[test]
        fn no_input_is_too_odd(text in "(\\\\u[d-f][0-9a-f]{3}|\\\\|\"|ä|[\\[\\],u]|d8){0,20}") {
            let _ = messages(&text);
        }
    }
}
