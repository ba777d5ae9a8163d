//! What a look at one thing found, and what to do about it: the lines of `offhost doctor`.

use serde::Serialize;

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Pass,
    /// Works, but weaker or with something missing.
    Warn,
    /// Jobs will not run.
    Fail,
}

impl Status {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// The verdict.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    /// As it should be.
    pub(crate) fn pass(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Pass,
            found: found.into(),
            remedy: None,
        }
    }

    /// It works, but.
    pub(crate) fn warn(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Warn,
            found: found.into(),
            remedy: Some(remedy.into()),
        }
    }

    /// A failure whose message says itself what to do, after the last semicolon.
    pub(crate) fn fail(name: &'static str, error: impl std::fmt::Display) -> Self {
        Self {
            name,
            status: Status::Fail,
            found: error.to_string(),
            remedy: None,
        }
    }
}
