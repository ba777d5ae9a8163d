//! Names that become parts of paths, and later of object and host names. Pure.

use std::fmt;

/// A name that can not be a content item or a variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} '{given}' {problem}; use 1 to 63 lower-case letters, digits and '-', with a letter or digit at both ends"
)]
pub struct NameError {
    what: &'static str,
    given: String,
    problem: &'static str,
}

fn check_label(what: &'static str, given: &str) -> Result<String, NameError> {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = given.as_bytes();
    let problem = if given.is_empty() {
        "is empty"
    } else if given.len() > 63 {
        "is longer than 63 characters"
    } else if let Some(odd) = bytes
        .iter()
        .find(|b| !(b.is_ascii_lowercase() || b.is_ascii_digit() || **b == b'-'))
    {
        if odd.is_ascii_uppercase() {
            "has an upper-case letter"
        } else {
            "has a character that is not allowed"
        }
    } else if !edge(bytes.first()) || !edge(bytes.last()) {
        "begins or ends with '-'"
    } else {
        return Ok(given.to_owned());
    };
    Err(NameError {
        what,
        given: given.to_owned(),
        problem,
    })
}

/// A content item (`XX`): a DNS-1123 label, so that it can be part of a path, an object name and a host name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentId(String);

impl ContentId {
    /// Reads a name.
    ///
    /// # Errors
    /// The name is not a DNS-1123 label.
    pub fn parse(given: &str) -> Result<Self, NameError> {
        check_label("content name", given).map(Self)
    }

    /// The name a directory or archive gives to its content item: lower case, everything else as `-`.
    ///
    /// # Errors
    /// Nothing usable is left.
    pub fn from_directory_name(name: &str) -> Result<Self, NameError> {
        let mut label = String::new();
        for letter in name.chars() {
            let letter = if letter.is_ascii_alphanumeric() {
                letter.to_ascii_lowercase()
            } else {
                '-'
            };
            if letter != '-' || !label.ends_with('-') {
                label.push(letter);
            }
        }
        let cut = label.trim_start_matches('-');
        let cut = cut.get(..63).unwrap_or(cut).trim_end_matches('-');
        if cut.is_empty() {
            Self::parse(name)
        } else {
            Self::parse(cut)
        }
    }

    /// The name a directory or archive gives to its content item, as [`Self::from_directory_name`] without the end of an
    /// archive's name.
    ///
    /// # Errors
    /// Nothing usable is left.
    pub fn from_source_name(name: &str) -> Result<Self, NameError> {
        let ends = [".tar.gz", ".tgz", ".tar"];
        let stem = ends.iter().find_map(|end| name.strip_suffix(end));
        Self::from_directory_name(stem.unwrap_or(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ContentId {
    type Error = NameError;

    fn try_from(given: String) -> Result<Self, NameError> {
        Self::parse(&given)
    }
}

impl From<ContentId> for String {
    fn from(name: ContentId) -> Self {
        name.0
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A variant of a report (`VV`): `default`, or the name of a set of parameters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Variant(String);

impl Variant {
    /// Reads a name.
    ///
    /// # Errors
    /// The name is not a DNS-1123 label.
    pub fn parse(given: &str) -> Result<Self, NameError> {
        check_label("variant", given).map(Self)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Variant {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl TryFrom<String> for Variant {
    type Error = NameError;

    fn try_from(given: String) -> Result<Self, NameError> {
        Self::parse(&given)
    }
}

impl From<Variant> for String {
    fn from(name: Variant) -> Self {
        name.0
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Proves: FS4 (L, P)
    #[test]
    fn a_content_name_is_one_harmless_path_component() {
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a/b",
            "..",
            ".",
            "a.b",
            "ä",
            "a\0",
            &"a".repeat(64),
        ] {
            let message = ContentId::parse(bad).unwrap_err().to_string();
            assert!(message.contains("use 1 to 63"), "{message}");
        }
        assert!(ContentId::parse(&"a".repeat(63)).is_ok());
    }

    #[test]
    fn a_directory_names_its_content() {
        let named = |name| ContentId::from_directory_name(name).map(|id| id.to_string());
        assert_eq!(named("My Report (2024)").as_deref(), Ok("my-report-2024"));
        assert_eq!(named("__a__").as_deref(), Ok("a"));
        assert!(named("___").is_err());
        assert!(named("..").is_err());
    }

    proptest! {
        #[test]
        fn any_directory_name_gives_a_valid_label_or_an_error(name in "\\PC{0,80}") {
            if let Ok(id) = ContentId::from_directory_name(&name) {
                prop_assert!(ContentId::parse(id.as_str()).is_ok());
            }
        }
    }
}
