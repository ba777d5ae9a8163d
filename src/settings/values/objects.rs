//! Values that name things of Kubernetes: objects, labels, taints, places in a volume.

use std::fmt;

use super::parse_choice;
use crate::text::suggestion;

/// A value that Kubernetes would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// No name of an object.
    #[error(
        "'{0}' can not be the name of an object; use lower-case letters, digits, '-' and '.', at most 253, \
         with a letter or digit at both ends"
    )]
    Name(String),
    /// A place that is not inside the volume.
    #[error(
        "'{0}' is no path inside a volume; write one such as connect/data, without '/' in front and without '..'"
    )]
    SubPath(String),
    /// No label.
    #[error("'{text}' is no label: {problem}; write key=value, such as pool=content")]
    Label {
        /// What was written.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// One label twice.
    #[error("'{0}' gives a second value to one label; keep one of them")]
    LabelTwice(String),
    /// No toleration.
    #[error(
        "'{text}' is no toleration: {problem}; write key:Effect, key=value:Effect or key:NoExecute:seconds"
    )]
    Toleration {
        /// What was written.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A taint that Pods of content tolerate: `key[=value]:Effect[:seconds]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Toleration {
    /// Key of the taint.
    pub key: String,
    /// Its value; any where there is none.
    pub value: Option<String>,
    /// What the taint does.
    pub effect: &'static str,
    /// For how long a `NoExecute` taint is tolerated; for ever where nothing is said.
    pub seconds: Option<u32>,
}

impl fmt::Display for Toleration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key)?;
        if let Some(value) = &self.value {
            write!(f, "={value}")?;
        }
        write!(f, ":{}", self.effect)?;
        self.seconds.map_or(Ok(()), |seconds| write!(f, ":{seconds}"))
    }
}

/// What a taint can do.
const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Reads the name of an object: a DNS subdomain.
///
/// # Errors
/// [`ObjectError::Name`].
pub fn parse_object_name(text: &str) -> Result<String, ObjectError> {
    let name = text.trim();
    if is_subdomain(name) {
        Ok(name.to_owned())
    } else {
        Err(ObjectError::Name(text.to_owned()))
    }
}

/// Reads a relative path that stays inside a volume; it comes back without needless slashes.
///
/// # Errors
/// [`ObjectError::SubPath`].
pub fn parse_sub_path(text: &str) -> Result<String, ObjectError> {
    let path = text.trim();
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    let refused = path.starts_with('/') || parts.contains(&"..") || path.contains(char::is_control);
    if refused || parts.is_empty() {
        return Err(ObjectError::SubPath(text.to_owned()));
    }
    Ok(parts.join("/"))
}

/// Reads a label, `key=value`.
///
/// # Errors
/// [`ObjectError::Label`].
pub fn parse_label(text: &str) -> Result<(String, String), ObjectError> {
    let refused = |problem| {
        let text = text.to_owned();
        Err(ObjectError::Label { text, problem })
    };
    let Some((key, value)) = text.trim().split_once('=') else {
        return refused("it has no '='");
    };
    let (key, value) = (key.trim(), value.trim());
    if !is_qualified_name(key) {
        return refused("its key is no name, with or without a domain and '/' in front");
    }
    if !is_label_value(value) {
        return refused("its value has other signs than letters, digits, '-', '_' and '.', or is too long");
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Reads a toleration, `key[=value]:Effect[:seconds]`.
///
/// # Errors
/// [`ObjectError::Toleration`].
pub fn parse_toleration(text: &str) -> Result<Toleration, ObjectError> {
    let refused = |problem: String| ObjectError::Toleration {
        text: text.to_owned(),
        problem,
    };
    let mut parts = text.trim().splitn(3, ':').map(str::trim);
    let taint = parts.next().unwrap_or_default();
    let (key, value) = match taint.split_once('=') {
        Some((key, value)) => (key.trim(), Some(value.trim())),
        None => (taint, None),
    };
    if !is_qualified_name(key) {
        return Err(refused(format!("'{key}' is no key of a taint")));
    }
    if let Some(value) = value.filter(|value| !is_label_value(value)) {
        return Err(refused(format!("'{value}' is no value of a taint")));
    }
    let Some(effect) = parts.next() else {
        return Err(refused("it names no effect".to_owned()));
    };
    let effect = parse_choice(effect, EFFECTS).map_err(|_| {
        let suggestion = suggestion(effect, EFFECTS.iter().copied());
        refused(format!(
            "'{effect}' is none of {}{suggestion}",
            EFFECTS.join(", ")
        ))
    })?;
    let seconds = parts.next().map(str::parse).transpose();
    let seconds = seconds.map_err(|_| refused("its seconds are no whole number".to_owned()))?;
    if seconds.is_some() && effect != "NoExecute" {
        return Err(refused(format!("only NoExecute takes seconds, not {effect}")));
    }
    Ok(Toleration {
        key: key.to_owned(),
        value: value.map(str::to_owned),
        effect,
        seconds,
    })
}

/// Whether a text is the name of a label, taint or resource: `name` or `domain/name`.
#[must_use]
pub fn is_qualified_name(text: &str) -> bool {
    let (domain, name) = match text.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, text),
    };
    domain.is_none_or(is_subdomain) && !name.is_empty() && is_label_value(name)
}

/// Whether a text can be the value of a label.
#[must_use]
pub fn is_label_value(text: &str) -> bool {
    let ends = text.chars().next().into_iter().chain(text.chars().next_back());
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= 63 && text.chars().all(inner) && ends.into_iter().all(|c| c.is_ascii_alphanumeric())
}

/// Labels of lower-case letters, digits and '-', joined by '.'.
fn is_subdomain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.iter().all(|byte| inner(*byte) || *byte == b'-')
            && [bytes.first(), bytes.last()]
                .iter()
                .all(|end| end.is_some_and(|byte| inner(*byte)))
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tolerations_are_read_in_every_form() {
        let read = |text: &str| parse_toleration(text).map(|toleration| toleration.to_string());
        for text in [
            "gpu:NoSchedule",
            "example.com/pool=content:PreferNoSchedule",
            "spot=:NoExecute",
            "spot:NoExecute:300",
        ] {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
        assert_eq!(
            read(" gpu = yes : noschedule ").as_deref(),
            Ok("gpu=yes:NoSchedule")
        );
    }

    #[test]
    fn a_wrong_toleration_says_what_is_wrong() {
        for (text, said) in [
            ("gpu", "it names no effect"),
            ("gpu:NoSchedul", "did you mean 'NoSchedule'?"),
            ("gpu:", "'' is none of NoSchedule"),
            (":NoSchedule", "'' is no key"),
            ("g pu:NoSchedule", "'g pu' is no key"),
            ("gpu=a b:NoSchedule", "'a b' is no value"),
            ("gpu:NoSchedule:30", "only NoExecute takes seconds"),
            ("gpu:NoExecute:soon", "no whole number"),
            ("gpu:NoExecute:1:2", "no whole number"),
        ] {
            let message = parse_toleration(text).unwrap_err().to_string();
            assert!(
                message.contains(said) && message.contains("write key:Effect"),
                "{message}"
            );
        }
    }

    #[test]
    fn labels_and_names_are_those_that_kubernetes_takes() {
        assert_eq!(
            parse_label("example.com/pool = A_b-1.c"),
            Ok(("example.com/pool".to_owned(), "A_b-1.c".to_owned()))
        );
        assert_eq!(parse_label("gpu=").map(|(_, value)| value), Ok(String::new()));
        for text in [
            "pool",
            "=x",
            "a/b/c=x",
            "-a=x",
            "a=-x",
            "Ex.com/a=x",
            "a=b c",
            "a=b=c",
        ] {
            assert!(parse_label(text).is_err(), "{text}");
        }
        for name in ["a", "a-b", "a.b-c.9", "0"] {
            assert_eq!(parse_object_name(name).as_deref(), Ok(name));
        }
        for name in ["", "A", "a_b", "-a", "a.", "a..b", &"a".repeat(254)] {
            assert!(parse_object_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_place_in_a_volume_stays_in_it() {
        for (text, path) in [("a/b", "a/b"), (" ./a//b/ ", "a/b"), ("a.b", "a.b")] {
            assert_eq!(parse_sub_path(text).as_deref(), Ok(path));
        }
        for text in ["", "/a", "..", "a/../b", ".", "a\nb"] {
            assert!(parse_sub_path(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_read_is_written_the_same(text in "\\PC{0,20}|[a-z./=]{0,9}(:(NoExecute|NoSchedule)(:[0-9]{0,3})?)?") {
            if let Ok(toleration) = parse_toleration(&text) {
                prop_assert_eq!(parse_toleration(&toleration.to_string()), Ok(toleration));
            }
            let _ = (parse_label(&text), parse_sub_path(&text), parse_object_name(&text));
        }
    }
}
