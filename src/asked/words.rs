//! What a gateway asks of the controller that leads about visitors' results, and what that answers. Plain data.

use core::net::IpAddr;
use core::time::Duration;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Owner;
use crate::api::job::Parameter;
use crate::apps::Failure;

/// Letter and hexadecimal digits of an id.
const ID_LETTERS: usize = 33;

/// What a gateway asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Question {
    /// A part of what a visitor gives that nobody but the render may see.
    Give(Box<Part>),
    /// A result is to be made.
    Begin(Box<Begin>),
    /// What a visitor has asked for.
    List {
        /// Who asks.
        owner: Owner,
    },
    /// How a result is.
    Look {
        /// Who asks.
        owner: Owner,
        /// Which.
        id: String,
    },
}

/// A result that is to be made. Asked again it is the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begin {
    /// Its id, which the gateway has chosen.
    pub id: String,
    /// Whose it is.
    pub owner: Owner,
    /// Where the visitor is.
    pub address: IpAddr,
    /// The content item whose form was answered.
    pub content: String,
    /// The deployment of it.
    pub bundle: u64,
    /// Tells these answers from others; none where one of them is a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The answers, for the render, but for passwords and files.
    pub parameters: Vec<Parameter>,
    /// Passwords and files, which were sent before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Parcel>,
    /// Labels and answers, for the visitor.
    pub told: Vec<(String, String)>,
}

/// Passwords and files, sealed: what is to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parcel {
    /// Its length.
    pub bytes: usize,
    /// SHA-256 of it, in hexadecimal digits.
    pub digest: String,
}

/// A part of it. Sent again it changes nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// Id of the result that it is for.
    pub id: String,
    /// What it is a part of.
    pub parcel: Parcel,
    /// Which, from 0.
    pub number: usize,
    /// It, in Base64.
    pub text: String,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part")
            .field("id", &self.id)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

// What visitors answer is nobody else's business.
impl fmt::Debug for Begin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begin")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reply {
    /// The result with these answers has this id.
    Begun(String),
    /// The part was taken.
    Given,
    /// What was given for the result is not there, as with another controller that leads now: it is to be sent again.
    Missing,
    /// Too much was asked for, or not what is served now; one sentence for people.
    Busy(String),
    /// It can not be done; the controller's log says why.
    Failed,
    /// What a visitor has asked for, the newest first.
    List(Vec<Line>),
    /// How a result is; none where it is not this visitor's, as where it is not there.
    Look(Option<Shown>),
}

/// How a result is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Shown {
    /// It is being made.
    Waiting {
        /// For so long already.
        elapsed: Duration,
    },
    /// It could not be made.
    Failed(Failure),
    /// It is there.
    Done,
}

/// A result in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Its id.
    pub id: String,
    /// When it was asked for, for people.
    pub asked: String,
    /// How it is.
    pub state: LineState,
    /// Labels and answers.
    pub answers: Vec<(String, String)>,
}

/// How a result in a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LineState {
    /// It is being made.
    Waiting,
    /// It is there.
    Done,
    /// It could not be made.
    Failed,
}

/// Whether a text is the id of a result: nothing else becomes part of a path or a name.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let digits = text.strip_prefix('v');
    digits.is_some_and(|digits| text.len() == ID_LETTERS && digits.bytes().all(digit))
}

/// What a visitor is told of a render that failed: no path and no output of the document. `why` is fit for every visitor;
/// without it the document itself stopped.
#[must_use]
pub fn to_visitor(why: Option<&str>) -> String {
    match why {
        None => "The document stopped with an error. Check your answers; if they are right, its publisher finds the \
                 cause in its log."
            .to_owned(),
        Some(why) => format!("The document can not be rendered at present: {why}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PK6 (P)
    #[test]
    fn only_an_id_is_one() {
        assert!(is_id(&format!("v{:032x}", 5)));
        for not in [
            "",
            "v",
            "v5",
            &format!("w{:032x}", 5),
            &format!("v{:032X}", 171),
            &format!("v../{:029x}", 5),
        ] {
            assert!(!is_id(not), "{not}");
        }
    }

    /// Proves: PK6 (P)
    #[test]
    fn answers_are_in_no_log() {
        let begin = Begin {
            id: "v1".to_owned(),
            owner: Owner::user("ann"),
            address: [127, 0, 0, 1].into(),
            content: "sales".to_owned(),
            bundle: 1,
            digest: None,
            given: None,
            parameters: vec![Parameter {
                name: "region".to_owned(),
                value: "hushed".to_owned(),
            }],
            told: vec![("Region".to_owned(), "hushed".to_owned())],
        };
        let question = Question::Begin(Box::new(begin));
        assert!(!format!("{question:?}").contains("hushed"));
        let text = serde_json::to_string(&question).unwrap();
        assert_eq!(serde_json::from_str::<Question>(&text).unwrap(), question);
    }
}
