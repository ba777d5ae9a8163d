//! The reader of gcfg files: the grammar of Go's `gopkg.in/gcfg.v1`, without its mapping onto structs (CN1).
//!
//! `tests/it/gcfg_oracle.rs` compares it with the Go package itself.

mod letters;
mod parser;
#[cfg(test)]
mod tests;

pub use parser::parse;

/// A parsed file: what was written, in order, names spelt as they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Every section header, also of sections without an assignment; a section may occur several times.
    pub headers: Vec<Header>,
    /// Every assignment.
    pub assignments: Vec<Assignment>,
}

/// A section header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Name of the section, compared without regard to case ([`fold`]).
    pub section: String,
    /// Name of the subsection, compared exactly; never empty.
    pub subsection: Option<String>,
    /// Line, from 1.
    pub line: usize,
    /// Column of the bracket in characters, from 1.
    pub column: usize,
}

/// One `Key = value`, or a `Key` alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Name of the section, compared without regard to case ([`fold`]).
    pub section: String,
    /// Name of the subsection, compared exactly; never empty.
    pub subsection: Option<String>,
    /// The key, compared without regard to case ([`fold`]).
    pub key: String,
    /// The value without quotes, escapes and continuations. `None` for a key without `=`, which sets a
    /// switch and empties a list; `Key =` is an empty value.
    pub value: Option<String>,
    /// Line of the key, from 1.
    pub line: usize,
    /// Column of the key in characters, from 1.
    pub column: usize,
}

/// A file that is not gcfg.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {problem}")]
pub struct GcfgError {
    /// The file, as given to [`parse`].
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there, and what to do.
    #[source]
    pub problem: Problem,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A byte sequence that is not UTF-8.
    #[error("the file is not valid UTF-8 here; save it as UTF-8")]
    NotUtf8,
    /// A zero byte.
    #[error("a zero byte is not allowed; remove it")]
    Nul,
    /// A character that starts neither a section nor a key.
    #[error("unexpected {0:?}; a line starts with '[', with a key, or with ';' or '#' for a comment")]
    Unexpected(char),
    /// A key above the first section.
    #[error("'{0}' stands before any section; put it below a header such as [Server]")]
    KeyBeforeSection(String),
    /// Text between a key and the end of its line that is not `=`.
    #[error("expected '=' after '{0}'; write {0} = value")]
    ExpectedAssign(String),
    /// No name after `[`.
    #[error("expected the name of a section after '['; write [Section] or [Section \"name\"]")]
    ExpectedSection,
    /// Something else than a quoted name or `]` after the name of a section.
    #[error("expected ']' or a quoted name after '[{0}'; write [{0}] or [{0} \"name\"]")]
    ExpectedBracket(String),
    /// `[Section ""]`.
    #[error("the name in [{0} \"\"] is empty; give it a name, or write [{0}]")]
    EmptySubsection(String),
    /// Text after a section header.
    #[error("unexpected {0:?} after the section header; a header has its line to itself")]
    TextAfterHeader(char),
    /// A quoted value or name that does not end.
    #[error("the quote that opens here is not closed on its line; add the closing '\"'")]
    OpenQuote,
    /// An escape that the place does not know; `None` at the end of the file.
    #[error("unknown escape {}; {known} may be written with a backslash here", shown_escape(.found))]
    UnknownEscape {
        /// What follows the backslash.
        found: Option<char>,
        /// The escapes that are known in this place.
        known: &'static str,
    },
}

fn shown_escape(found: &Option<char>) -> String {
    match found {
        Some('\n' | '\r') => "at the end of the line".to_owned(),
        Some(c) => format!("'\\{c}'"),
        None => "at the end of the file".to_owned(),
    }
}

/// The form in which names of sections and keys are compared: lower case, with the two signs outside ASCII
/// whose case variants are ASCII letters (the Kelvin sign and the long s), as the Go package compares them.
#[must_use]
pub fn fold(name: &str) -> String {
    name.chars()
        .flat_map(|c| {
            match c {
                '\u{212A}' => 'k',
                '\u{017F}' => 's',
                other => other,
            }
            .to_lowercase()
        })
        .collect()
}

/// The entries that count of a repeatable key: a key without `=` drops those before it.
pub fn since_reset<'a>(entries: impl IntoIterator<Item = &'a Assignment>) -> Vec<(&'a Assignment, &'a str)> {
    let mut kept = Vec::new();
    for entry in entries {
        match &entry.value {
            Some(value) => kept.push((entry, value.as_str())),
            None => kept.clear(),
        }
    }
    kept
}
