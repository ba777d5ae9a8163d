//! What is wrong with a file in YAML, and where.

use thiserror::Error;

use crate::text::suggest_in_serde_message;

/// A file is not what its format says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct YamlFault {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl YamlFault {
    /// What the parser says of `file`, with a suggestion where a key is unknown.
    #[must_use]
    pub fn of(error: &serde_yaml::Error, file: &str) -> Self {
        let text = error.to_string();
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let place = format!(" at line {line} column {column}");
        let message = text.strip_suffix(&place).unwrap_or(&text).trim_start_matches('.');
        Self {
            file: file.to_owned(),
            line,
            column,
            message: suggest_in_serde_message(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        #[serde(rename = "builders")]
        _builders: Vec<String>,
    }

    #[test]
    fn the_place_is_told_once_and_a_slip_of_the_pen_is_corrected() {
        let error = serde_yaml::from_str::<Written>("\nbuilder: []\n").unwrap_err();
        assert_eq!(
            YamlFault::of(&error, "git.yaml").to_string(),
            "git.yaml:2:1: unknown field `builder`, expected `builders`; did you mean 'builders'?"
        );
    }
}
