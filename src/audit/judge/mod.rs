//! Whether a promise is kept, one function a promise, over facts alone.

pub(super) mod kernel;
pub(super) mod limits;
pub(super) mod places;
pub(super) mod walls;

use std::fmt::Display;

use super::Verdict;

/// What is said of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) verdict: Verdict,
    pub(super) found: String,
    pub(super) remedy: Option<String>,
    pub(super) setting: Option<&'static str>,
}

impl Answer {
    pub(super) fn kept(found: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Kept,
            found: found.into(),
            remedy: None,
            setting: None,
        }
    }

    pub(super) fn untried(why: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::NotTried,
            ..Self::kept(why)
        }
    }

    pub(super) fn broken(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::NotKept,
            remedy: Some(remedy.into()),
            ..Self::kept(found)
        }
    }

    pub(super) fn by(self, setting: &'static str) -> Self {
        Self {
            setting: Some(setting),
            ..self
        }
    }
}

/// What helps where the sandbox itself does not hold.
const REPORT: &str = "stop running content here and report it: the sandbox does not hold on this kernel";

/// The first few of a list, and how many more there are.
pub(super) fn list<T: Display>(all: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 6;
    let words: Vec<String> = all.into_iter().map(|one| one.to_string()).collect();
    let shown = words.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match words.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
