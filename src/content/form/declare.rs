//! From what a report declares to fields.

use serde_json::Value;
use serde_yaml::{Mapping, Value as Yaml};

use super::choices::{self, of_known, of_yaml, with};
use super::found::{Found, day_of, expression, find};
use super::types::{Choice, Field, Initial, Input, Numbers};
use crate::content::notebook::Assigned;
use crate::content::r_literal;

/// Longer labels and hints are cut.
const MOST_TEXT: usize = 300;
/// As R Markdown does it, fewer choices are all seen at once.
const FEW: usize = 4;

/// The fields of `params` of a header.
pub(super) fn of_header(params: &Mapping) -> Vec<Field> {
    let named = params
        .iter()
        .filter_map(|(name, value)| Some((name.as_str()?, value)));
    named.map(|(name, value)| header_field(name, value)).collect()
}

/// The fields of a cell tagged `parameters`.
pub(super) fn of_cell(assigned: &[Assigned]) -> Vec<Field> {
    assigned.iter().map(cell_field).collect()
}

fn cell_field(assigned: &Assigned) -> Field {
    let (input, initial) = match &assigned.value {
        None => (Input::Literal, Initial::Code(cut(&assigned.code))),
        Some(Value::Null) => (Input::Literal, Initial::Nothing),
        Some(value) => (by_type(value, &Wishes::default()), Initial::Value(value.clone())),
    };
    Field {
        name: assigned.name.clone(),
        label: cut(&assigned.name),
        help: assigned.comment.as_deref().map(cut),
        input,
        initial,
    }
}

/// What the long form of a parameter says besides its value.
#[derive(Default)]
struct Wishes {
    input: Option<String>,
    choices: Vec<Choice>,
    /// Choices that only R can tell.
    choices_code: Option<String>,
    numbers: Numbers,
    days: (Option<String>, Option<String>),
    is_several: bool,
    accept: Option<String>,
}

fn header_field(name: &str, yaml: &Yaml) -> Field {
    let long = yaml
        .as_mapping()
        .filter(|form| form.contains_key("value") || form.contains_key("input"));
    let text = |key: &str| long?.get(key)?.as_str().map(str::to_owned);
    let wishes = long.map(wishes).unwrap_or_default();
    let found = match long {
        Some(form) => form.get("value").map_or(Found::Nothing, find),
        None => find(yaml),
    };
    let (input, initial) = asked(&wishes, found);
    let code = wishes.choices_code.as_ref();
    let help = code.map(|code| format!("One of: {code}"));
    Field {
        name: name.to_owned(),
        label: cut(&text("label").unwrap_or_else(|| name.to_owned())),
        help: help.or_else(|| text("description")).map(|help| cut(&help)),
        input,
        initial,
    }
}

fn wishes(form: &Mapping) -> Wishes {
    let number = |key: &str| match form.get(key).map(find) {
        Some(Found::Value(Value::Number(number))) => number.as_f64(),
        _ => None,
    };
    let day = |key: &str| match form.get(key).map(find) {
        Some(Found::Date(day)) => Some(day),
        Some(Found::Value(Value::String(day))) => day_of(&day),
        _ => None,
    };
    let (mut choices, mut choices_code) = (Vec::new(), None);
    match form.get("choices") {
        Some(Yaml::Tagged(tagged)) => match expression(tagged).map(|code| (r_literal::value(&code), code)) {
            Some((Some(known), _)) => choices = of_known(known),
            Some((None, code)) => choices_code = Some(code),
            None => choices = of_yaml(&tagged.value),
        },
        Some(plain) => choices = of_yaml(plain),
        None => {}
    }
    Wishes {
        input: form.get("input").and_then(Yaml::as_str).map(str::to_lowercase),
        choices,
        choices_code,
        numbers: Numbers {
            min: number("min"),
            max: number("max"),
            step: number("step").filter(|step| *step > 0.0),
            is_whole: false,
        },
        days: (day("min"), day("max")),
        is_several: matches!(
            form.get("multiple").map(find),
            Some(Found::Value(Value::Bool(true)))
        ),
        accept: form.get("accept").and_then(accepted),
    }
}

/// Types of files, as a text or a list.
fn accepted(yaml: &Yaml) -> Option<String> {
    match find(yaml) {
        Found::Value(Value::String(types)) => Some(types),
        Found::Value(Value::Array(types)) => {
            let types: Vec<&str> = types.iter().filter_map(Value::as_str).collect();
            Some(types.join(","))
        }
        _ => None,
    }
}

/// How a parameter is asked for, by what it says of that and by the type of its default.
fn asked(wishes: &Wishes, found: Found) -> (Input, Initial) {
    let input = wished(wishes, &found);
    let initial = match found {
        Found::Nothing => Initial::Nothing,
        Found::Value(value) => Initial::Value(value),
        Found::Date(text) | Found::Time(text) => Initial::Value(text.into()),
        Found::Today(days) => Initial::Today(days),
        Found::Code(code) => Initial::Code(cut(&code)),
    };
    let input = match (input, &initial) {
        (Input::Choice { choices, is_open }, Initial::Value(default)) => Input::Choice {
            choices: with(choices, default),
            is_open,
        },
        (Input::Several(choices), Initial::Value(default)) => Input::Several(with(choices, default)),
        (input, _) => input,
    };
    match (&input, initial) {
        (Input::Checkbox, Initial::Value(value)) => (Input::Checkbox, Initial::Value(is_yes(&value).into())),
        (_, initial) => (input, initial),
    }
}

fn wished(wishes: &Wishes, found: &Found) -> Input {
    let is_unknown = matches!(found, Found::Nothing | Found::Code(_));
    let numbers = numbers(wishes, found);
    match wishes.input.as_deref().unwrap_or_default() {
        "password" => Input::Password,
        "file" => Input::File {
            accept: wishes.accept.clone(),
        },
        "checkbox" if matches!(found, Found::Value(value) if is_switch(value)) => Input::Checkbox,
        "date" if is_unknown || is_day(found) => date(wishes),
        "numeric" | "number" if is_unknown || is_number(found) => Input::Number(numbers),
        "slider" if is_number(found) && has_ends(wishes) => Input::Slider(numbers),
        "slider" if is_pair(found) && has_ends(wishes) => Input::Span(numbers),
        "slider" if is_number(found) => Input::Number(numbers),
        "radio" if !wishes.choices.is_empty() => choice(wishes, true),
        "select" if !wishes.choices.is_empty() => match wishes.is_several {
            true => Input::Several(wishes.choices.clone()),
            false => choice(wishes, false),
        },
        "textarea" => Input::Area,
        "text" if is_unknown || matches!(found, Found::Value(Value::String(_) | Value::Number(_))) => {
            by_lines(found)
        }
        _ => by_found(wishes, found),
    }
}

fn by_found(wishes: &Wishes, found: &Found) -> Input {
    match found {
        _ if !wishes.choices.is_empty() => match found {
            Found::Value(Value::Array(_)) => Input::Several(wishes.choices.clone()),
            _ if wishes.is_several => Input::Several(wishes.choices.clone()),
            Found::Value(Value::String(_)) => choice(wishes, wishes.choices.len() <= FEW),
            _ => choice(wishes, false),
        },
        Found::Nothing | Found::Code(_) => Input::Text,
        Found::Date(_) | Found::Today(_) => date(wishes),
        Found::Time(_) => Input::Time,
        Found::Value(value) => by_type(value, wishes),
    }
}

fn by_type(value: &Value, wishes: &Wishes) -> Input {
    match value {
        Value::Bool(_) => Input::Checkbox,
        Value::Number(number) => {
            let numbers = Numbers {
                is_whole: !number.is_f64(),
                ..wishes.numbers
            };
            match has_ends(wishes) {
                true => Input::Slider(numbers),
                false => Input::Number(numbers),
            }
        }
        Value::String(text) if text.contains('\n') => Input::Area,
        Value::String(_) | Value::Null => Input::Text,
        // A line without text would be lost.
        Value::Array(items)
            if items.iter().all(|item| {
                item.as_str()
                    .is_some_and(|text| !text.trim().is_empty() && !text.contains('\n'))
            }) =>
        {
            Input::Lines
        }
        Value::Array(items) if items.iter().all(Value::is_number) => Input::Numbers,
        Value::Array(_) | Value::Object(_) => Input::Json,
    }
}

fn by_lines(found: &Found) -> Input {
    match found {
        Found::Value(Value::String(text)) if text.contains('\n') => Input::Area,
        _ => Input::Text,
    }
}

fn choice(wishes: &Wishes, is_open: bool) -> Input {
    Input::Choice {
        choices: wishes.choices.clone(),
        is_open,
    }
}

fn date(wishes: &Wishes) -> Input {
    let (first, last) = wishes.days.clone();
    Input::Date { first, last }
}

fn numbers(wishes: &Wishes, found: &Found) -> Numbers {
    let is_whole = |value: &Value| !value.is_f64();
    Numbers {
        is_whole: match found {
            Found::Value(Value::Array(items)) => items.iter().all(is_whole),
            Found::Value(value) => is_whole(value),
            _ => true,
        },
        ..wishes.numbers
    }
}

fn has_ends(wishes: &Wishes) -> bool {
    matches!((wishes.numbers.min, wishes.numbers.max), (Some(min), Some(max)) if min < max)
}

fn is_number(found: &Found) -> bool {
    matches!(found, Found::Value(Value::Number(_)))
}

fn is_pair(found: &Found) -> bool {
    matches!(found, Found::Value(Value::Array(items)) if items.len() == 2 && items.iter().all(Value::is_number))
}

fn is_day(found: &Found) -> bool {
    match found {
        Found::Date(_) | Found::Today(_) => true,
        Found::Value(Value::String(text)) => day_of(text).is_some(),
        _ => false,
    }
}

/// R reads more words as yes and no than YAML of today does.
fn is_switch(value: &Value) -> bool {
    let known = ["yes", "no", "on", "off", "true", "false", "y", "n"];
    value.is_boolean()
        || value
            .as_str()
            .is_some_and(|text| known.contains(&text.to_lowercase().as_str()))
}

fn is_yes(value: &Value) -> bool {
    match value {
        Value::Bool(is) => *is,
        other => ["yes", "on", "true", "y"].contains(&choices::text(other).to_lowercase().as_str()),
    }
}

/// Text of a length that a page can show.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
