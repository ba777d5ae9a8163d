//! YAML to JSON, for values that people write.

use serde_json::Value;
use serde_yaml::Value as Yaml;

/// What becomes of a tagged value such as `!r Sys.Date()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tags {
    /// It is an expression whose value is not known before the render: `null`.
    Null,
    /// It is refused: it would be code.
    Refuse,
}

/// The JSON form of a YAML value.
pub(super) fn to_json(value: Yaml, tags: Tags) -> Result<Value, String> {
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => number_to_json(&number)?,
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(
            items
                .into_iter()
                .map(|item| to_json(item, tags))
                .collect::<Result<_, _>>()?,
        ),
        Yaml::Mapping(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| Ok((key_text(key)?, to_json(value, tags)?)))
                .collect::<Result<_, String>>()?,
        ),
        Yaml::Tagged(_) if tags == Tags::Null => Value::Null,
        Yaml::Tagged(tagged) => return Err(format!("the tag '{}' is not allowed here", tagged.tag)),
    })
}

fn number_to_json(number: &serde_yaml::Number) -> Result<Value, String> {
    let json = if let Some(whole) = number.as_i64() {
        Some(whole.into())
    } else if let Some(whole) = number.as_u64() {
        Some(whole.into())
    } else {
        number.as_f64().and_then(serde_json::Number::from_f64)
    };
    json.map(Value::Number)
        .ok_or_else(|| format!("{number} is no finite number"))
}

fn key_text(key: Yaml) -> Result<String, String> {
    match key {
        Yaml::String(text) => Ok(text),
        Yaml::Bool(value) => Ok(value.to_string()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Null => Ok("null".to_owned()),
        _ => Err("a key must be a word or a number".to_owned()),
    }
}
