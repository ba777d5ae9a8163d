//! A form as plain data.

use serde_json::Value;

/// The parameters of a report, as they are asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Form {
    /// One a parameter, in the order of the report.
    pub fields: Vec<Field>,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name in the report.
    pub name: String,
    /// Its name for people.
    pub label: String,
    /// What the author says of it besides.
    pub help: Option<String>,
    /// How it is asked for.
    pub input: Input,
    /// What the report has without an answer.
    pub initial: Initial,
}

/// What a report has without an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Initial {
    /// Nothing.
    Nothing,
    /// A value.
    Value(Value),
    /// A day, counted from the one on which the form is shown.
    Today(i64),
    /// The value of this code, which only the render knows.
    Code(String),
}

impl Initial {
    /// Whether no answer is one too: the report's own value holds.
    #[must_use]
    pub fn may_stay(&self) -> bool {
        matches!(self, Self::Nothing | Self::Code(_))
    }
}

/// How a parameter is asked for, and what its value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A line of text.
    Text,
    /// Text of several lines.
    Area,
    /// A literal of the notebook's language, or text.
    Literal,
    /// Text that is not shown.
    Password,
    /// A number.
    Number(Numbers),
    /// A number between two bounds.
    Slider(Numbers),
    /// Two numbers between two bounds.
    Span(Numbers),
    /// Yes or no.
    Checkbox,
    /// One of several values.
    Choice {
        /// All of them.
        choices: Vec<Choice>,
        /// Whether all are seen at once.
        is_open: bool,
    },
    /// Some of several values.
    Several(Vec<Choice>),
    /// A day, between two where they are given.
    Date {
        /// The first.
        first: Option<String>,
        /// The last.
        last: Option<String>,
    },
    /// A day and a time.
    Time,
    /// A file that is sent.
    File {
        /// Types, as browsers take them.
        accept: Option<String>,
    },
    /// Texts, one a line.
    Lines,
    /// Numbers, one a line.
    Numbers,
    /// Anything else, as JSON.
    Json,
}

/// Bounds of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Numbers {
    /// The least.
    pub min: Option<f64>,
    /// The most.
    pub max: Option<f64>,
    /// From one to the next.
    pub step: Option<f64>,
    /// Whether what is written as a whole number is one.
    pub is_whole: bool,
}

/// One of several values.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Its name for people.
    pub label: String,
    /// The value.
    pub value: Value,
    /// The heading that it stands below.
    pub group: Option<String>,
}

/// What the field of this number is called in a request.
#[must_use]
pub fn control(field: usize) -> String {
    format!("p{field}")
}

/// What the second number of a [`Input::Span`] is called in a request.
#[must_use]
pub fn second_control(field: usize) -> String {
    format!("p{field}-to")
}
