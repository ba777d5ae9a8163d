//! Literals of Python and R, as far as the defaults of parameters need them. Nothing is ever evaluated.

use serde_json::Value;

/// The value of a literal expression, or `None` where it is anything else: a call, a name, a sum.
pub(super) fn value(text: &str) -> Option<Value> {
    let mut reader = Reader {
        rest: text.trim(),
        depth: 0,
    };
    let value = reader.value()?;
    reader.rest.trim().is_empty().then_some(value)
}

/// Deeper values are no defaults of parameters; the bound keeps a hostile cell from exhausting the stack.
const DEPTH: usize = 32;

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Option<Value> {
        self.rest = self.rest.trim_start();
        match self.rest.chars().next()? {
            '"' | '\'' => self.string().map(Value::String),
            '[' => self.nested(|reader| reader.items(']')),
            '(' => self.nested(|reader| reader.items(')')),
            '{' => self.nested(Self::entries),
            _ => self.word(),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Option<Value>) -> Option<Value> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        self.rest = &self.rest[1..];
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn items(&mut self, close: char) -> Option<Value> {
        let mut items = Vec::new();
        loop {
            if self.take(close) {
                return Some(Value::Array(items));
            }
            items.push(self.value()?);
            if !self.take(',') && !self.rest.trim_start().starts_with(close) {
                return None;
            }
        }
    }

    fn entries(&mut self) -> Option<Value> {
        let mut entries = serde_json::Map::new();
        loop {
            if self.take('}') {
                return Some(Value::Object(entries));
            }
            let Value::String(key) = self.value()? else {
                return None;
            };
            if !self.take(':') {
                return None;
            }
            entries.insert(key, self.value()?);
            if !self.take(',') && !self.rest.trim_start().starts_with('}') {
                return None;
            }
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.trim_start();
        let found = rest.strip_prefix(wanted);
        self.rest = found.unwrap_or(rest);
        found.is_some()
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        let triple: String = std::iter::repeat_n(quote, 3).collect();
        if self.rest.starts_with(&triple) {
            return None;
        }
        let (text, rest) = quoted(self.rest, false)?;
        self.rest = rest;
        Some(text)
    }

    fn word(&mut self) -> Option<Value> {
        let end = self
            .rest
            .find(|char: char| !(char.is_ascii_alphanumeric() || "+-._".contains(char)))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "True" | "TRUE" => Some(Value::Bool(true)),
            "False" | "FALSE" => Some(Value::Bool(false)),
            "None" | "NULL" => Some(Value::Null),
            _ => number(word),
        }
    }
}

/// The text in the quotes that `rest` begins with, and what follows them. In R it may go over several lines, in Python not.
pub(super) fn quoted(rest: &str, spans_lines: bool) -> Option<(String, &str)> {
    let quote = rest.chars().next()?;
    let mut text = String::new();
    let mut chars = rest[1..].char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            _ if char == quote => return Some((text, &rest[1 + at + 1..])),
            '\\' => text.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                same @ ('\\' | '\'' | '"') => same,
                _ => return None,
            }),
            '\n' if !spans_lines => return None,
            _ => text.push(char),
        }
    }
    None
}

fn number(word: &str) -> Option<Value> {
    let digits = word.strip_prefix(['+', '-']).unwrap_or(word);
    if !digits.starts_with(|char: char| char.is_ascii_digit() || char == '.') {
        return None;
    }
    // `1_000` in Python and `10L` in R are whole numbers.
    let plain: String = word
        .trim_start_matches('+')
        .chars()
        .filter(|char| *char != '_')
        .collect();
    let plain = plain.strip_suffix('L').unwrap_or(&plain);
    if let Ok(whole) = plain.parse::<i64>() {
        return Some(whole.into());
    }
    plain
        .parse()
        .ok()
        .and_then(serde_json::Number::from_f64)
        .map(Value::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Proves: PK3 (L, P)
    #[test]
    fn literals_have_their_value_and_expressions_none() {
        let cases = [
            ("2024", Some(json!(2024))),
            ("-1_000", Some(json!(-1000))),
            ("10L", Some(json!(10))),
            ("2.5e3", Some(json!(2500.0))),
            (".5", Some(json!(0.5))),
            ("'it\\'s'", Some(json!("it's"))),
            ("\"north\"", Some(json!("north"))),
            ("True", Some(json!(true))),
            ("None", Some(json!(null))),
            ("[1, 'a', [2.5],]", Some(json!([1, "a", [2.5]]))),
            ("{'a': 1, \"b\": [True]}", Some(json!({"a": 1, "b": [true]}))),
            ("(1, 2)", Some(json!([1, 2]))),
            ("date.today()", None),
            ("1 + 1", None),
            ("\"\"\"x\"\"\"", None),
            ("[1 2]", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text), expected, "{text}");
        }
        assert_eq!(value(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[\\[\\](){},:'\"\\\\a1é.+-]{0,24}") {
            let _ = value(&text);
        }

        #[test]
        fn json_arrays_of_numbers_are_read_back(numbers in proptest::collection::vec(any::<i32>(), 0..8)) {
            let text = serde_json::to_string(&numbers).unwrap();
            prop_assert_eq!(value(&text), Some(json!(numbers)));
        }
    }
}
