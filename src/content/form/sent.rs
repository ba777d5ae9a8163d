//! What a visitor sends, and what is sent by who changes nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::choices::{same, text};
use super::types::{Choice, Field, Form, Initial, Input, control, second_control};

/// What was sent, by control; shown again where something of it is wrong.
#[derive(Clone, Default, PartialEq)]
pub struct Sent {
    /// Texts; several where several choices were made.
    pub texts: BTreeMap<String, Vec<String>>,
    /// Files.
    pub files: BTreeMap<String, SentFile>,
}

/// A file that was sent.
#[derive(Clone, PartialEq)]
pub struct SentFile {
    /// Its name at the visitor's.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

// What visitors answer is nobody else's business.
impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").finish_non_exhaustive()
    }
}

impl fmt::Debug for SentFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentFile").finish_non_exhaustive()
    }
}

impl Sent {
    /// What is sent by who changes nothing; `today` is `2024-12-31`.
    #[must_use]
    pub fn untouched(form: &Form, today: &str) -> Self {
        let mut sent = Self::default();
        for (at, field) in form.fields.iter().enumerate() {
            let mut texts = shown(field, today);
            if matches!(field.input, Input::Span(_)) && texts.len() == 2 {
                sent.texts.insert(second_control(at), texts.split_off(1));
            }
            sent.texts.insert(control(at), texts);
        }
        sent
    }

    /// The first text of a control.
    #[must_use]
    pub fn first(&self, control: &str) -> &str {
        let first = self.texts.get(control).and_then(|texts| texts.first());
        first.map_or("", String::as_str)
    }
}

/// The default as its control has it.
fn shown(field: &Field, today: &str) -> Vec<String> {
    let value = match &field.initial {
        Initial::Value(value) => value,
        Initial::Today(days) => return shifted(today, *days).into_iter().collect(),
        Initial::Nothing | Initial::Code(_) => return Vec::new(),
    };
    match (&field.input, value) {
        (Input::Password | Input::File { .. }, _) | (Input::Checkbox, Value::Bool(false)) => Vec::new(),
        (Input::Choice { choices, .. }, value) => places(choices, std::slice::from_ref(value)),
        (Input::Several(choices), Value::Array(values)) => places(choices, values),
        (Input::Several(choices), value) => places(choices, std::slice::from_ref(value)),
        (Input::Span(_), Value::Array(values)) => values.iter().map(text).collect(),
        (Input::Lines | Input::Numbers, Value::Array(values)) => {
            vec![values.iter().map(text).collect::<Vec<_>>().join("\n")]
        }
        (Input::Json, value) => vec![serde_json::to_string_pretty(value).unwrap_or_default()],
        (Input::Time, value) => vec![text(value).replacen(' ', "T", 1)],
        (_, value) => vec![text(value)],
    }
}

fn places(choices: &[Choice], values: &[Value]) -> Vec<String> {
    let place = |value: &Value| choices.iter().position(|choice| same(&choice.value, value));
    values
        .iter()
        .filter_map(place)
        .map(|place| place.to_string())
        .collect()
}

fn shifted(today: &str, days: i64) -> Option<String> {
    let today: jiff::civil::Date = today.parse().ok()?;
    let days = jiff::Span::new().try_days(days).ok()?;
    Some(today.checked_add(days).ok()?.to_string())
}
