//! From the schema of a Rust type to the structural schema that the API server takes: everything written out in its
//! place, one type for each field, no alternatives, nothing nullable.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// The structural schema of a type.
pub(super) fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let schema = settings.into_generator().into_root_schema_for::<T>();
    structural(schema.to_value())
}

fn structural(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else {
        return schema;
    };
    // An unknown field is refused or pruned by the API server itself.
    if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
        schema.remove("additionalProperties");
    }
    schema.remove("title");
    one_type(&mut schema);
    optional(&mut schema);
    words(&mut schema);
    branches(&mut schema);
    describe(&mut schema);
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(key) {
            *inner = structural(inner.take());
        }
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for property in properties.values_mut() {
            *property = structural(property.take());
        }
    }
    Value::Object(schema)
}

/// `[string, null]` is a string that may be left out.
fn one_type(schema: &mut Object) {
    let named = schema.get("type").and_then(Value::as_array).and_then(|types| {
        let mut named = types.iter().filter(|name| *name != "null");
        named.next().cloned()
    });
    if let Some(name) = named {
        schema.insert("type".to_owned(), name);
    }
}

/// "This or null" is this, under the description of the field.
fn optional(schema: &mut Object) {
    let is_null = |schema: &Value| schema["type"] == "null";
    let Some(Value::Array(choices)) = schema.get("anyOf") else {
        return;
    };
    let [Value::Object(only), null] = &choices[..] else {
        return;
    };
    if is_null(null) {
        let only = only.clone();
        schema.remove("anyOf");
        for (key, value) in only {
            schema.entry(key).or_insert(value);
        }
    }
}

/// A choice of words is an `enum`; what each means goes into the description.
fn words(schema: &mut Object) {
    let Some(Value::Array(choices)) = schema.get("oneOf") else {
        return;
    };
    let words: Option<Vec<(Value, String)>> = choices
        .iter()
        .map(|choice| Some((choice.get("const")?.clone(), text(choice.get("description")))))
        .collect();
    let Some(words) = words else { return };
    let meanings: Vec<String> = words
        .iter()
        .map(|(word, meaning)| format!("{}: {meaning}", word.as_str().unwrap_or_default()))
        .collect();
    let description = format!("{} {}", text(schema.get("description")), meanings.join(" "));
    schema.remove("oneOf");
    schema.insert("type".to_owned(), "string".into());
    schema.insert(
        "enum".to_owned(),
        words.into_iter().map(|(word, _)| word).collect(),
    );
    schema.insert("description".to_owned(), description.into());
}

/// A choice of objects is one object with the fields of all; that only one is given is a rule of its own.
fn branches(schema: &mut Object) {
    let Some(Value::Array(choices)) = schema.get("oneOf") else {
        return;
    };
    let mut all = Object::new();
    for choice in choices {
        let fields = choice.get("properties").and_then(Value::as_object);
        for (name, field) in fields.into_iter().flatten() {
            let mut field = field.clone();
            field["description"] = text(choice.get("description")).into();
            all.insert(name.clone(), field);
        }
    }
    schema.remove("oneOf");
    schema.insert("type".to_owned(), "object".into());
    schema.insert("properties".to_owned(), all.into());
}

fn describe(schema: &mut Object) {
    if schema.contains_key("description") {
        let description = without_marks(&text(schema.get("description")));
        schema.insert("description".to_owned(), description.into());
    }
}

/// The text on one line.
fn text(description: Option<&Value>) -> String {
    let text = description.and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Takes out what means something in the project's own pages only: ` (RD3)`, ` (PK1, PK2)`, ` (Pod mode)`.
fn without_marks(text: &str) -> String {
    let mut pieces = text.split(" (");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once(')') {
            Some((mark, rest)) if is_mark(mark) => plain.push_str(rest),
            _ => {
                plain.push_str(" (");
                plain.push_str(piece);
            }
        }
    }
    plain
}

fn is_mark(mark: &str) -> bool {
    let is_id = |id: &str| {
        let letters = id.trim_end_matches(|c: char| c.is_ascii_digit());
        letters.len() == 2 && letters.len() < id.len() && letters.bytes().all(|b| b.is_ascii_uppercase())
    };
    mark == "Pod mode" || mark.split(", ").all(is_id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn marks_of_the_pages_are_taken_out() {
        for (text, plain) in [
            ("Kept (RD3).", "Kept."),
            (
                "Installs (PK1, PK2), then ends (Pod mode).",
                "Installs, then ends.",
            ),
            (
                "Overrides the kind (`appmode`) of it (PK9).",
                "Overrides the kind (`appmode`) of it.",
            ),
            ("A code (SIGTERM) and (that).", "A code (SIGTERM) and (that)."),
        ] {
            assert_eq!(without_marks(text), plain);
        }
    }

    #[test]
    fn an_optional_choice_of_words_is_an_enum_that_says_what_each_means() {
        let schema = json!({
            "description": "How\nlong.",
            "anyOf": [
                { "description": "Length.", "oneOf": [
                    { "const": "Short", "description": "A day.", "type": "string" },
                    { "const": "Long", "description": "A year (EX1).", "type": "string" },
                ]},
                { "type": "null" },
            ],
        });
        let expected = json!({
            "description": "How long. Short: A day. Long: A year.",
            "enum": ["Short", "Long"],
            "type": "string",
        });
        assert_eq!(structural(schema), expected);
    }

    #[test]
    fn a_choice_of_objects_is_one_object() {
        let branch = |name: &str| {
            json!({
                "description": format!("Of {name}."),
                "type": "object",
                "properties": { name: { "type": ["string", "null"], "description": "A name." } },
                "required": [name],
                "additionalProperties": false,
            })
        };
        let schema = json!({ "description": "Where.", "oneOf": [branch("a"), branch("b")] });
        let field = |name: &str| json!({ "type": "string", "description": format!("Of {name}.") });
        let expected = json!({
            "description": "Where.",
            "type": "object",
            "properties": { "a": field("a"), "b": field("b") },
        });
        assert_eq!(structural(schema), expected);
    }
}
