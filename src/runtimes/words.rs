//! Lists of words: a command line split as a shell would, and names joined for a sentence.

/// A command line that can not be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SplitError {
    /// A quote without its partner.
    #[error("it has an opening {0} that is never closed")]
    Unclosed(char),
    /// A backslash at the end.
    #[error("it ends in a backslash")]
    TrailingBackslash,
}

/// Splits a command line at blanks; quotes and backslashes work as in a POSIX shell, and nothing is expanded.
pub(super) fn split(line: &str) -> Result<Vec<String>, SplitError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = line.chars();
    while let Some(next) = rest.next() {
        match next {
            '\'' | '"' => quoted(&mut rest, next, word.get_or_insert_default())?,
            '\\' => {
                let escaped = rest.next().ok_or(SplitError::TrailingBackslash)?;
                word.get_or_insert_default().push(escaped);
            }
            blank if blank.is_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Reads up to the closing quote.
fn quoted(rest: &mut std::str::Chars<'_>, quote: char, word: &mut String) -> Result<(), SplitError> {
    while let Some(next) = rest.next() {
        if next == quote {
            return Ok(());
        }
        if quote == '"' && next == '\\' {
            let escaped = rest.next().ok_or(SplitError::Unclosed(quote))?;
            // Within double quotes a shell keeps a backslash that escapes nothing special.
            if !matches!(escaped, '"' | '\\' | '$' | '`') {
                word.push(next);
            }
            word.push(escaped);
        } else {
            word.push(next);
        }
    }
    Err(SplitError::Unclosed(quote))
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn and<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_as_a_shell_does() {
        for (line, words) in [
            ("", vec![]),
            ("  /bin/nice   -n 5 ", vec!["/bin/nice", "-n", "5"]),
            (
                r#"/bin/x "a b" c' d 'e \" "" "#,
                vec!["/bin/x", "a b", "c d e", "\"", ""],
            ),
            (r#"/bin/x "a\"b\n" '\'"#, vec!["/bin/x", "a\"b\\n", "\\"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        assert_eq!(split("/bin/x 'a"), Err(SplitError::Unclosed('\'')));
        assert_eq!(split("/bin/x \"a\\"), Err(SplitError::Unclosed('"')));
        assert_eq!(split("/bin/x \\"), Err(SplitError::TrailingBackslash));
    }

    #[test]
    fn joins_names() {
        assert_eq!(and(&["a"]), "a");
        assert_eq!(and(&["a", "b"]), "a and b");
        assert_eq!(and(&["a", "b", "c"]), "a, b and c");
    }
}
