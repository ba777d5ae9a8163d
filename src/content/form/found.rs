//! What is known of a value in a header before R reads it.

use serde_json::Value;
use serde_yaml::Value as Yaml;
use serde_yaml::value::TaggedValue;

use crate::content::r_literal::{self, Known};
use crate::content::yaml::{Tags, to_json};

/// A default, as far as it is known.
pub(super) enum Found {
    /// There is none.
    Nothing,
    /// A value.
    Value(Value),
    /// A day.
    Date(String),
    /// A day and a time.
    Time(String),
    /// A day, counted from the one of the render.
    Today(i64),
    /// What only R can tell.
    Code(String),
}

/// What a value is.
pub(super) fn find(yaml: &Yaml) -> Found {
    match yaml {
        Yaml::Tagged(tagged) => tagged_value(tagged),
        plain => match to_json(plain.clone(), Tags::Null) {
            Ok(Value::Null) | Err(_) => Found::Nothing,
            Ok(value) => Found::Value(value),
        },
    }
}

fn tagged_value(tagged: &TaggedValue) -> Found {
    if let Some(code) = expression(tagged) {
        return match r_literal::value(&code) {
            Some(Known::Value(Value::Null)) => Found::Nothing,
            Some(Known::Value(value)) => Found::Value(value),
            Some(Known::Date(day)) => Found::Date(day),
            Some(Known::Today(days)) => Found::Today(days),
            Some(Known::Named(_)) | None => Found::Code(code),
        };
    }
    let text = tagged.value.as_str().unwrap_or_default();
    if tagged.tag == "date" {
        day_of(text).map_or_else(|| find(&tagged.value), Found::Date)
    } else if tagged.tag == "datetime" {
        time_of(text).map_or_else(|| find(&tagged.value), Found::Time)
    } else {
        find(&tagged.value)
    }
}

/// The code of `!r` and `!expr`.
pub(super) fn expression(tagged: &TaggedValue) -> Option<String> {
    (tagged.tag == "r" || tagged.tag == "expr").then(|| match &tagged.value {
        Yaml::String(code) => code.clone(),
        Yaml::Bool(true) => "TRUE".to_owned(),
        Yaml::Bool(false) => "FALSE".to_owned(),
        Yaml::Number(number) => number.to_string(),
        _ => "NULL".to_owned(),
    })
}

/// A day in its usual form.
pub(super) fn day_of(text: &str) -> Option<String> {
    let text = text.trim();
    let day: jiff::civil::Date = text.parse().ok()?;
    let usual = day.to_string();
    (usual == text).then_some(usual)
}

/// A day and time, as R reads them.
pub(super) fn time_of(text: &str) -> Option<String> {
    let text = text.trim().replacen('T', " ", 1);
    let is_short = text.len() == "2024-12-31 23:59".len();
    let text = if is_short { format!("{text}:00") } else { text };
    let time: jiff::civil::DateTime = text.parse().ok()?;
    let usual = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    (usual == text).then_some(usual)
}
