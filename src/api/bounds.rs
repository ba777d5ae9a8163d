//! Holds a job or application against the bounds that its own types declare for the custom resource: what the API server
//! would refuse, a file is refused for too, and the numbers are written once.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

/// The first field out of its bounds and what is wrong with it.
pub(super) fn first_fault<T: Serialize + JsonSchema>(object: &T) -> Option<(String, String)> {
    let schema = schemars::schema_for!(T).to_value();
    let value = serde_json::to_value(object).ok()?;
    let definitions = schema
        .get("$defs")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    fault(&value, &schema, &definitions, "")
}

fn fault(
    value: &Value,
    schema: &Value,
    definitions: &Map<String, Value>,
    path: &str,
) -> Option<(String, String)> {
    let schema = schema.as_object()?;
    if let Some(problem) = own_fault(value, schema) {
        return Some((path.to_owned(), problem));
    }
    let referred = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| definitions.get(reference.rsplit('/').next()?));
    let alternatives = ["anyOf", "oneOf", "allOf"]
        .iter()
        .filter_map(|key| schema.get(*key)?.as_array())
        .flatten();
    if let Some(found) = referred
        .into_iter()
        .chain(alternatives)
        .find_map(|schema| fault(value, schema, definitions, path))
    {
        return Some(found);
    }
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            let schema = schema
                .get("properties")
                .and_then(|properties| properties.get(name))
                .or_else(|| schema.get("additionalProperties"))?;
            let dot = if path.is_empty() { "" } else { "." };
            fault(field, schema, definitions, &format!("{path}{dot}{name}"))
        }),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            fault(
                item,
                schema.get("items")?,
                definitions,
                &format!("{path}[{index}]"),
            )
        }),
        _ => None,
    }
}

fn own_fault(value: &Value, schema: &Map<String, Value>) -> Option<String> {
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    let (size, least, most, what) = match value {
        Value::String(text) => (
            i64::try_from(text.chars().count()).ok()?,
            "minLength",
            "maxLength",
            "characters",
        ),
        Value::Array(items) => (
            i64::try_from(items.len()).ok()?,
            "minItems",
            "maxItems",
            "entries",
        ),
        Value::Object(fields) => (
            i64::try_from(fields.len()).ok()?,
            "minProperties",
            "maxProperties",
            "entries",
        ),
        Value::Number(number) => (number.as_i64()?, "minimum", "maximum", ""),
        _ => return None,
    };
    let is = if what.is_empty() {
        format!("is {size}")
    } else {
        format!("has {size} {what}")
    };
    if let Some(least) = bound(least).filter(|least| size < *least) {
        return Some(format!("{is}; at least {least} is needed"));
    }
    bound(most)
        .filter(|most| size > *most)
        .map(|most| format!("{is}; at most {most} is allowed"))
}
