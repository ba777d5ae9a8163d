//! Values as the YAML of a job's parameters, written so that every reader gets the same value back.

use std::fmt::Write as _;

use serde_json::Value;

/// The value as YAML in one line.
pub(super) fn of(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    text
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::String(string) => quote(text, string),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                write(text, item);
            }
            text.push(']');
        }
        Value::Object(entries) => {
            text.push('{');
            for (at, (key, item)) in entries.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                quote(text, key);
                text.push_str(": ");
                write(text, item);
            }
            text.push('}');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

/// Some characters break a line in YAML or may not stand in it at all, so only plain ones stand for themselves.
fn quote(text: &mut String, string: &str) {
    text.push('"');
    for char in string.chars() {
        match char {
            '"' | '\\' => text.extend(['\\', char]),
            ' '..='~' => text.push(char),
            // Writing to a string can not fail.
            other => drop(write!(text, "\\U{:08X}", u32::from(other))),
        }
    }
    text.push('"');
}
