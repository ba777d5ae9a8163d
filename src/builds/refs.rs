//! What a repository has, as `git ls-remote` tells it, and which of it is meant. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::text::suggestion;

const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";
/// What `git` adds to a tag that is an object of its own, in the line with the commit that it points to.
const PEELED: &str = "^{}";

/// A state of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct State {
    /// What it is called: a full name such as `refs/tags/v1.0`, `HEAD`, or the commit again.
    pub name: String,
    /// The commit.
    pub commit: String,
}

impl State {
    /// Its name for people.
    #[must_use]
    pub fn label(&self) -> &str {
        let short = self
            .name
            .strip_prefix(TAGS)
            .or_else(|| self.name.strip_prefix(HEADS));
        short.unwrap_or(&self.name)
    }
}

/// What is not in a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefError {
    /// No branch or tag of that name.
    #[error("the repository has no branch or tag '{name}'{}; name one that it has, or a whole commit", .suggestion)]
    Missing {
        /// What was asked for.
        name: String,
        /// `; did you mean …?`, or nothing.
        suggestion: String,
    },
    /// No commit at all.
    #[error("the repository is empty; push something to it first")]
    Empty,
    /// A line that is none of `git ls-remote`.
    #[error(
        "the answer of the repository can not be read: '{0}'; look whether the address is one of a Git repository"
    )]
    Answer(String),
}

/// Branches, tags and `HEAD` of a repository, with the commits they lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refs(BTreeMap<String, String>);

impl Refs {
    /// Reads the output of `git ls-remote`.
    ///
    /// # Errors
    /// [`RefError::Answer`].
    pub fn parse(text: &str) -> Result<Self, RefError> {
        let mut refs = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let answer = || {
                RefError::Answer(
                    line.chars()
                        .take(80)
                        .collect::<String>()
                        .escape_debug()
                        .to_string(),
                )
            };
            let (commit, name) = line.split_once('\t').ok_or_else(answer)?;
            if !is_commit(commit) {
                return Err(answer());
            }
            let (name, is_peeled) = match name.strip_suffix(PEELED) {
                Some(name) => (name, true),
                None => (name, false),
            };
            let is_known = name == "HEAD" || name.starts_with(HEADS) || name.starts_with(TAGS);
            if !is_known || super::source::check_reference(name).is_err() {
                continue;
            }
            if is_peeled || !refs.contains_key(name) {
                refs.insert(name.to_owned(), commit.to_ascii_lowercase());
            }
        }
        Ok(Self(refs))
    }

    /// The state that a user means: `HEAD` where nothing was said; a tag before a branch of the same name.
    ///
    /// # Errors
    /// [`RefError::Missing`], [`RefError::Empty`].
    pub fn find(&self, wanted: Option<&str>) -> Result<State, RefError> {
        let Some(wanted) = wanted else {
            return self.state("HEAD").ok_or(RefError::Empty);
        };
        if is_commit(wanted) {
            let commit = wanted.to_ascii_lowercase();
            return Ok(State {
                name: commit.clone(),
                commit,
            });
        }
        let names = [
            wanted.to_owned(),
            format!("{TAGS}{wanted}"),
            format!("{HEADS}{wanted}"),
        ];
        names.iter().find_map(|name| self.state(name)).ok_or_else(|| {
            let short = |name: &String| {
                State {
                    name: name.clone(),
                    commit: String::new(),
                }
                .label()
                .to_owned()
            };
            let known: Vec<String> = self.0.keys().map(short).collect();
            RefError::Missing {
                name: wanted.to_owned(),
                suggestion: suggestion(wanted, known.iter().map(String::as_str)),
            }
        })
    }

    /// The head of a branch, of the main one where none is named.
    ///
    /// # Errors
    /// As for [`Refs::find`].
    pub fn branch(&self, name: Option<&str>) -> Result<State, RefError> {
        match name {
            None => self.find(None),
            Some(name) => self.find(Some(&format!("{HEADS}{name}"))),
        }
    }

    /// All tags, by name.
    #[must_use]
    pub fn tags(&self) -> Vec<State> {
        let names = self.0.keys().filter(|name| name.starts_with(TAGS));
        names.filter_map(|name| self.state(name)).collect()
    }

    fn state(&self, name: &str) -> Option<State> {
        let commit = self.0.get(name)?.clone();
        Some(State {
            name: name.to_owned(),
            commit,
        })
    }
}

/// Whether a text is the whole name of a commit.
#[must_use]
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(digit: char) -> String {
        digit.to_string().repeat(40)
    }

    fn some() -> Refs {
        let (a, b, c) = (commit('a'), commit('b'), commit('c'));
        let text = format!(
            "{a}\tHEAD\n{a}\trefs/heads/main\n{b}\trefs/heads/v1\n{c}\trefs/pull/1/head\n{c}\trefs/tags/v1\n{b}\trefs/tags/v1^{{}}\n"
        );
        Refs::parse(&text).unwrap()
    }

    /// Proves: GB1 (B)
    #[test]
    fn a_name_means_a_tag_before_a_branch_and_tags_lead_to_commits() {
        let refs = some();
        let find = |name| refs.find(name).unwrap();
        assert_eq!(find(None).commit, commit('a'));
        assert_eq!(find(Some("main")).name, "refs/heads/main");
        assert_eq!(
            (find(Some("v1")).name.as_str(), find(Some("v1")).commit),
            ("refs/tags/v1", commit('b'))
        );
        assert_eq!(refs.branch(Some("v1")).unwrap().name, "refs/heads/v1");
        assert_eq!(refs.tags().len(), 1);
        assert_eq!(find(Some(&commit('F'))).commit, commit('f'));
        let error = refs.find(Some("mian")).unwrap_err().to_string();
        assert!(error.contains("did you mean 'main'?"), "{error}");
    }

    /// Proves: GB1 (B)
    #[test]
    fn an_answer_of_something_else_is_refused() {
        assert!(Refs::parse("<html>\n").is_err());
        assert!(Refs::parse("zz\trefs/heads/main\n").is_err());
        assert_eq!(Refs::parse("").unwrap().find(None), Err(RefError::Empty));
        let odd = format!("{}\trefs/heads/-x..y\n", commit('a'));
        assert_eq!(Refs::parse(&odd).unwrap(), Refs::default());
    }
}
