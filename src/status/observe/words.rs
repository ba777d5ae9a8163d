//! What programs of the cluster say, made short enough for a sentence.

/// Longest quotation, in characters.
const MOST_CHARS: usize = 400;
/// From how many hexadecimal digits on a word is an id that no person needs. It also changes from one try to the next, and
/// the sentence shall not.
const LEAST_ID: usize = 32;

/// One line without the wrapping of remote calls, without ids, without a full stop at its end, and not too long.
pub(super) fn condensed(text: &str) -> String {
    let mut words = Vec::new();
    for word in unwrapped(text).split_whitespace() {
        words.push(without_id(word));
    }
    let line = words.join(" ");
    let line = line.trim_end_matches(['.', ',', ';', ':', ' ']);
    if line.chars().count() <= MOST_CHARS {
        return line.to_owned();
    }
    line.chars().take(MOST_CHARS - 1).chain(['…']).collect()
}

/// Takes `rpc error: code = NotFound desc = ` away, wherever it stands.
pub(super) fn unwrapped(text: &str) -> String {
    let mut rest = text;
    let mut out = String::new();
    while let Some((before, after)) = rest.split_once("rpc error: code = ") {
        out.push_str(before);
        rest = after
            .split_once(" desc = ")
            .map_or(after, |(_, description)| description);
    }
    out + rest
}

fn without_id(word: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for letter in word.chars().map(Some).chain([None]) {
        if let Some(digit) = letter.filter(char::is_ascii_hexdigit) {
            run.push(digit);
            continue;
        }
        if run.len() < LEAST_ID {
            out.push_str(&run);
        } else {
            out.push('…');
        }
        run.clear();
        out.extend(letter);
    }
    out
}

/// What stands between the first pair of double quotes after `before`.
pub(super) fn quoted_after<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let (_, after) = text.split_once(before)?;
    let (_, quoted) = after.split_once('"')?;
    quoted.split_once('"').map(|(inside, _)| inside)
}

/// Whether one of these stands in the text.
pub(super) fn has_any(text: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| text.contains(part))
}

/// The name of a signal; empty for one without.
pub(super) fn signal_name(number: i32) -> &'static str {
    match number {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        3 => " (SIGQUIT)",
        4 => " (SIGILL)",
        6 => " (SIGABRT)",
        7 => " (SIGBUS)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        24 => " (SIGXCPU)",
        25 => " (SIGXFSZ)",
        31 => " (SIGSYS)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_machines_need_is_left_out() {
        let id = "0123456789abcdef".repeat(4);
        let said = format!(
            "rpc error: code = Unknown desc = failed to setup\n network for sandbox \"{id}\": plugin failed."
        );
        assert_eq!(
            condensed(&said),
            "failed to setup network for sandbox \"…\": plugin failed"
        );
        assert_eq!(condensed(&"ä".repeat(2000)).chars().count(), MOST_CHARS);
        assert_eq!(condensed("dead beef"), "dead beef");
    }

    #[test]
    fn quotations_are_found() {
        assert_eq!(quoted_after("a secret \"db\" not found", "secret "), Some("db"));
        assert_eq!(quoted_after("a secret db", "secret "), None);
    }
}
