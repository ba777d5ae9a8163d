//! The values that a parameter can be chosen from.

use serde_json::Value;
use serde_yaml::Value as Yaml;

use super::types::Choice;
use crate::content::r_literal::Known;
use crate::content::yaml::{Tags, to_json};

/// The choices of a header: a list, a table of labels and values, or a table of headings with either of them.
pub(super) fn of_yaml(yaml: &Yaml) -> Vec<Choice> {
    let mut choices = Vec::new();
    add(&mut choices, yaml, None, 0);
    choices
}

/// The choices that an R expression stands for.
pub(super) fn of_known(known: Known) -> Vec<Choice> {
    match known {
        Known::Value(Value::Array(values)) => values.into_iter().map(plain).collect(),
        Known::Value(value) if is_scalar(&value) => vec![plain(value)],
        Known::Named(named) => {
            let labelled = named.into_iter().flat_map(|(label, value)| match value {
                Value::Array(values) => values.into_iter().map(|value| below(&label, value)).collect(),
                value => vec![Choice {
                    label,
                    value,
                    group: None,
                }],
            });
            labelled.filter(|choice| is_scalar(&choice.value)).collect()
        }
        Known::Value(_) | Known::Date(_) | Known::Today(_) => Vec::new(),
    }
}

fn add(choices: &mut Vec<Choice>, yaml: &Yaml, group: Option<&str>, depth: usize) {
    match yaml {
        Yaml::Sequence(items) if depth < 3 => {
            for item in items {
                add(choices, item, group, depth + 1);
            }
        }
        Yaml::Mapping(entries) if depth < 3 => {
            for (key, value) in entries {
                let Some(label) = scalar(key).map(|key| text(&key)) else {
                    continue;
                };
                match scalar(value) {
                    Some(value) => choices.push(Choice {
                        label,
                        value,
                        group: group.map(str::to_owned),
                    }),
                    None => add(choices, value, Some(&label), depth + 1),
                }
            }
        }
        other => {
            if let Some(value) = scalar(other) {
                choices.push(Choice {
                    group: group.map(str::to_owned),
                    ..plain(value)
                });
            }
        }
    }
}

fn scalar(yaml: &Yaml) -> Option<Value> {
    let value = to_json(yaml.clone(), Tags::Null).ok()?;
    is_scalar(&value).then_some(value)
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_))
}

fn plain(value: Value) -> Choice {
    Choice {
        label: text(&value),
        value,
        group: None,
    }
}

fn below(group: &str, value: Value) -> Choice {
    Choice {
        group: Some(group.to_owned()),
        ..plain(value)
    }
}

/// A value as people write it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Whether two values are one to R and to people: 2 and 2.0, "2" and 2.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one == other,
        _ => text(one) == text(other),
    }
}

/// Adds a default that is none of the choices: else nobody could ask for it.
pub(super) fn with(mut choices: Vec<Choice>, default: &Value) -> Vec<Choice> {
    let wanted = match default {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    let missing: Vec<Choice> = wanted
        .iter()
        .filter(|value| is_scalar(value) && !choices.iter().any(|choice| same(&choice.value, value)))
        .map(|value| plain(value.clone()))
        .collect();
    choices.splice(0..0, missing);
    choices
}
