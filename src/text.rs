//! Small text helpers shared by messages: suggestions, the reading of serde's messages, sentences for people.

use std::borrow::Cow;

/// The candidate closest to `given`, if one is close enough to be a likely misspelling.
#[must_use]
pub fn closest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&given, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.len().max(given.len()) / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}

/// `; did you mean 'x'?` for the closest candidate, or nothing.
#[must_use]
pub fn suggestion<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    closest(given, candidates)
        .map(|name| format!("; did you mean '{name}'?"))
        .unwrap_or_default()
}

/// Adds a suggestion to serde's ``unknown field `x`, expected one of `a`, `b` `` message.
#[must_use]
pub fn suggest_in_serde_message(message: &str) -> String {
    let Some(rest) = message
        .split("unknown field `")
        .nth(1)
        .or_else(|| message.split("unknown variant `").nth(1))
    else {
        return message.to_owned();
    };
    let mut ticked = rest.split('`');
    let given = ticked.next().unwrap_or_default();
    let candidates: Vec<&str> = ticked.skip(1).step_by(2).collect();
    format!("{message}{}", suggestion(given, candidates))
}

/// A message as a sentence that stands alone: with a capital at its beginning, unless its first word is a name as programs
/// write them, and a full stop.
#[must_use]
pub fn sentence(message: &str) -> Cow<'_, str> {
    let first = message.split(' ').next().unwrap_or_default();
    let is_word = first
        .trim_end_matches([',', ':', ';'])
        .chars()
        .all(char::is_lowercase);
    let begins_small = is_word && !first.is_empty();
    let lacks_end =
        message.ends_with(|last: char| last.is_alphanumeric() || matches!(last, '\'' | ')' | '`'));
    if !begins_small && !lacks_end {
        return Cow::Borrowed(message);
    }
    let mut letters = message.chars();
    let mut told = String::with_capacity(message.len() + 1);
    if begins_small {
        told.extend(letters.next().into_iter().flat_map(char::to_uppercase));
    }
    told.push_str(letters.as_str());
    if lacks_end {
        told.push('.');
    }
    Cow::Owned(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_close() {
        assert_eq!(closest("RunAz", ["RunAs", "Supervisor"]), Some("RunAs"));
        assert_eq!(closest("Colour", ["RunAs", "Supervisor"]), None);
    }

    #[test]
    fn a_message_becomes_a_sentence() {
        for (message, told) in [
            ("the application ended", "The application ended."),
            ("a file; publish it again.", "A file; publish it again."),
            ("It was late.", "It was late."),
            ("spec.env names 'x'", "spec.env names 'x'."),
            ("'x' is no name", "'x' is no name."),
            ("ähnlich, nicht gleich!", "Ähnlich, nicht gleich!"),
            ("app2 needs more", "app2 needs more."),
            ("", ""),
        ] {
            assert_eq!(sentence(message), told);
        }
    }

    #[test]
    fn reads_candidates_from_serde_messages() {
        let message = "unknown field `entrypiont`, expected one of `content`, `entrypoint` at line 3";
        assert!(suggest_in_serde_message(message).ends_with("did you mean 'entrypoint'?"));
    }
}
