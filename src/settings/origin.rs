//! Where a value comes from, and how it is shown.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::table::Setting;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Origin {
    /// Nobody gave one.
    Default,
    /// The settings file.
    File {
        /// The file.
        path: PathBuf,
        /// The line of the key, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Env {
        /// Its name.
        name: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Env { name } => write!(f, "variable {name}"),
        }
    }
}

/// One value, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingValue {
    /// The section.
    pub section: &'static str,
    /// The name of the section, for `[Section "name"]`.
    pub subsection: Option<String>,
    /// The key. A repeatable one occurs once for each value, and once, empty, where it has none.
    pub key: &'static str,
    /// The value as text; `(set)` in place of a secret.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
    /// One sentence about the setting.
    pub doc: &'static str,
}

impl SettingValue {
    pub(super) fn new(
        setting: &'static Setting,
        subsection: Option<String>,
        value: &str,
        origin: Origin,
    ) -> Self {
        Self {
            section: setting.section,
            subsection,
            key: setting.key,
            value: shown(setting, value),
            origin,
            doc: setting.doc,
        }
    }
}

fn shown(setting: &Setting, value: &str) -> String {
    match setting.is_secret() {
        true if value.is_empty() => String::new(),
        true => "(set)".to_owned(),
        false => without_password(value),
    }
}

/// Addresses may carry a password before the host.
#[must_use]
pub fn without_password(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else {
        return value.to_owned();
    };
    let authority_end = rest.find('/').unwrap_or(rest.len());
    let Some(at) = rest[..authority_end].rfind('@') else {
        return value.to_owned();
    };
    match rest[..at].split_once(':') {
        Some((user, _)) => format!("{scheme}://{user}:(set){}", &rest[at..]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table::Product;

    /// Proves: CN1 (L, P)
    #[test]
    fn cn1_passwords_are_not_shown() {
        let show = |section, key, value| {
            let setting = Product::Connect.find(section, key).expect("in the table");
            SettingValue::new(setting, None, value, Origin::Default).value
        };
        assert_eq!(show("Postgres", "Password", "hunter2"), "(set)");
        assert_eq!(show("Postgres", "Password", ""), "");
        assert_eq!(
            show("Postgres", "URL", "postgres://me:pw@db/x?a=b"),
            "postgres://me:(set)@db/x?a=b"
        );
        assert_eq!(
            show("RPackageRepository", "URL", "https://h/x@1:2"),
            "https://h/x@1:2"
        );
        assert_eq!(
            show("RPackageRepository", "URL", "https://me@h/"),
            "https://me@h/"
        );
    }
}
