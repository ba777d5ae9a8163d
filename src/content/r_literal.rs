//! Values of R expressions that can be told without R: literals, `c()`, `list()`, `seq()`, ranges, dates. Nothing is ever
//! evaluated.

use serde_json::Value;

use super::literal::quoted;

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Known {
    /// A value, or several.
    Value(Value),
    /// Several values with names.
    Named(Vec<(String, Value)>),
    /// A day, `2024-12-31`.
    Date(String),
    /// The day of the render and so many more.
    Today(i64),
}

/// The value of an expression, or `None` where only R can tell.
pub(super) fn value(text: &str) -> Option<Known> {
    let mut reader = Reader { rest: text, depth: 0 };
    let known = reader.sum()?;
    reader.rest.trim().is_empty().then_some(known)
}

/// Deeper expressions are no defaults; the bound keeps a hostile header from exhausting the stack.
const DEPTH: usize = 16;
/// Values of one vector.
const MOST: usize = 10_000;

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

/// An argument of a call, with its name if it has one.
type Argument = (Option<String>, Known);

impl Reader<'_> {
    /// A day may have days added or taken off.
    fn sum(&mut self) -> Option<Known> {
        let first = self.range()?;
        let sign = if self.take('+') {
            1
        } else if self.take('-') {
            -1
        } else {
            return Some(first);
        };
        match (first, self.range()?) {
            (Known::Today(days), Known::Value(more)) => {
                Some(Known::Today(days.checked_add(whole(&more)?.checked_mul(sign)?)?))
            }
            _ => None,
        }
    }

    fn range(&mut self) -> Option<Known> {
        let first = self.signed()?;
        if !self.take(':') {
            return Some(first);
        }
        let (Known::Value(first), Known::Value(last)) = (first, self.signed()?) else {
            return None;
        };
        let (first, last) = (whole(&first)?, whole(&last)?);
        let by = if first <= last { 1 } else { -1 };
        sequence(&first.into(), &last.into(), &by.into())
    }

    fn signed(&mut self) -> Option<Known> {
        if !self.take('-') {
            return self.primary();
        }
        match self.primary()? {
            Known::Value(Value::Number(number)) => {
                let negative = format!("-{number}");
                Some(Known::Value(number_of(&negative)?))
            }
            _ => None,
        }
    }

    fn primary(&mut self) -> Option<Known> {
        self.rest = self.rest.trim_start();
        match self.rest.chars().next()? {
            '"' | '\'' => self.string().map(|text| Known::Value(text.into())),
            '0'..='9' | '.' => self.number(),
            'a'..='z' | 'A'..='Z' => self.word(),
            _ => None,
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.trim_start();
        let found = rest.strip_prefix(wanted);
        self.rest = found.unwrap_or(rest);
        found.is_some()
    }

    fn number(&mut self) -> Option<Known> {
        let is_part = |at: usize, char: char| {
            char.is_ascii_digit()
                || char == '.'
                || matches!(char, 'e' | 'E')
                || matches!(char, '+' | '-') && self.rest[..at].ends_with(['e', 'E'])
        };
        let end = self.rest.char_indices().find(|(at, char)| !is_part(*at, *char));
        let (text, rest) = self.rest.split_at(end.map_or(self.rest.len(), |(at, _)| at));
        self.rest = rest.strip_prefix('L').unwrap_or(rest);
        number_of(text).map(Known::Value)
    }

    fn string(&mut self) -> Option<String> {
        let (text, rest) = quoted(self.rest, true)?;
        self.rest = rest;
        Some(text)
    }

    fn word(&mut self) -> Option<Known> {
        let word = self.name()?;
        match word.as_str() {
            "TRUE" | "T" => Some(Known::Value(true.into())),
            "FALSE" | "F" => Some(Known::Value(false.into())),
            "NULL" => Some(Known::Value(Value::Null)),
            "letters" => Some(Known::Value(('a'..='z').map(String::from).collect())),
            "LETTERS" => Some(Known::Value(('A'..='Z').map(String::from).collect())),
            _ if self.take('(') => {
                self.depth += 1;
                if self.depth > DEPTH {
                    return None;
                }
                let arguments = self.arguments()?;
                self.depth -= 1;
                call(&word, arguments)
            }
            _ => None,
        }
    }

    fn name(&mut self) -> Option<String> {
        let rest = self.rest.trim_start();
        let is_part = |char: char| char.is_alphanumeric() || matches!(char, '.' | '_');
        let end = rest.find(|char| !is_part(char)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then(|| name.to_owned())
    }

    fn arguments(&mut self) -> Option<Vec<Argument>> {
        let mut arguments = Vec::new();
        if self.take(')') {
            return Some(arguments);
        }
        loop {
            let label = self.label();
            arguments.push((label, self.sum()?));
            if arguments.len() > MOST {
                return None;
            }
            if self.take(')') {
                return Some(arguments);
            }
            if !self.take(',') {
                return None;
            }
        }
    }

    /// `name =` before an argument.
    fn label(&mut self) -> Option<String> {
        let before = self.rest;
        let quote = before.trim_start().chars().next()?;
        let label = match quote {
            '`' => {
                let rest = &before.trim_start()[1..];
                rest.split_once('`').map(|(name, rest)| {
                    self.rest = rest;
                    name.to_owned()
                })
            }
            '"' | '\'' => {
                self.rest = before.trim_start();
                self.string()
            }
            _ => self.name(),
        };
        if label.is_some() && self.take('=') && !self.rest.starts_with('=') {
            return label;
        }
        self.rest = before;
        None
    }
}

fn call(name: &str, arguments: Vec<Argument>) -> Option<Known> {
    match name {
        "c" => combine(arguments, true),
        "list" => combine(arguments, false),
        "seq" => {
            let number = |label: &str, at: usize| {
                let found = arguments.iter().find(|(name, _)| name.as_deref() == Some(label));
                let found = found.or_else(|| arguments.get(at).filter(|(name, _)| name.is_none()))?;
                match &found.1 {
                    Known::Value(Value::Number(number)) => Some(Value::Number(number.clone())),
                    _ => None,
                }
            };
            let (first, last) = (number("from", 0)?, number("to", 1)?);
            let by = match (number("by", 2), arguments.len()) {
                (Some(by), 3) => by,
                (None, 2) if first.as_f64()? <= last.as_f64()? => 1.into(),
                (None, 2) => (-1).into(),
                _ => return None,
            };
            sequence(&first, &last, &by)
        }
        "Sys.Date" if arguments.is_empty() => Some(Known::Today(0)),
        "as.Date" => match arguments.as_slice() {
            [(None, Known::Value(Value::String(text)))] => {
                let date: jiff::civil::Date = text.parse().ok()?;
                Some(Known::Date(date.to_string()))
            }
            [(None, today @ Known::Today(_))] => Some(today.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The elements of a vector or a list; a vector has one type.
fn combine(arguments: Vec<Argument>, is_vector: bool) -> Option<Known> {
    let mut elements: Vec<(Option<String>, Value)> = Vec::new();
    for (label, argument) in arguments {
        match argument {
            Known::Value(Value::Array(more)) if is_vector => {
                elements.extend(more.into_iter().map(|value| (None, value)));
            }
            Known::Named(more) if is_vector => {
                elements.extend(more.into_iter().map(|(name, value)| (Some(name), value)));
            }
            Known::Named(more) => elements.push((label, more.into_iter().collect())),
            Known::Value(Value::Null) if is_vector => {}
            Known::Value(value) => elements.push((label, value)),
            Known::Date(_) | Known::Today(_) => return None,
        }
        if elements.len() > MOST {
            return None;
        }
    }
    if is_vector && elements.iter().any(|(_, value)| value.is_string()) {
        for (_, value) in &mut elements {
            match value {
                Value::String(_) => {}
                Value::Bool(is) => *value = if *is { "TRUE" } else { "FALSE" }.into(),
                Value::Number(number) => *value = number.to_string().into(),
                _ => return None,
            }
        }
    }
    if elements.iter().all(|(label, _)| label.is_none()) {
        return Some(Known::Value(
            elements.into_iter().map(|(_, value)| value).collect(),
        ));
    }
    let named = elements.into_iter().map(|(label, value)| {
        let own = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (label.unwrap_or_else(own), value)
    });
    Some(Known::Named(named.collect()))
}

fn sequence(first: &Value, last: &Value, by: &Value) -> Option<Known> {
    let (from, to, step) = (first.as_f64()?, last.as_f64()?, by.as_f64()?);
    if step == 0.0 || (to - from) / step < 0.0 || (to - from) / step > MOST as f64 {
        return None;
    }
    let is_whole = [first, last, by].iter().all(|one| whole(one).is_some());
    let mut values = Vec::new();
    let mut at = 0.0;
    // R lets the last one miss the end by a hair.
    while at * step.abs() <= (to - from).abs() + 1e-10 {
        let value = from + at * step;
        values.push(if is_whole {
            number_of(&format!("{value:.0}"))?
        } else {
            number_of(&format!("{:.12}", value))?
        });
        at += 1.0;
    }
    Some(Known::Value(Value::Array(values)))
}

fn whole(value: &Value) -> Option<i64> {
    value.as_i64()
}

/// A number; one without a fraction is whole.
fn number_of(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let number: f64 = text.parse().ok()?;
    serde_json::Number::from_f64(number).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Proves: PK6 (L)
    #[test]
    fn what_needs_no_r_is_known_and_nothing_else() {
        let named = |pairs: &[(&str, Value)]| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()));
            Known::Named(pairs.collect())
        };
        let value = |value: Value| Some(Known::Value(value));
        for (text, expected) in [
            ("TRUE", value(json!(true))),
            (" F ", value(json!(false))),
            ("NULL", value(json!(null))),
            ("10L", value(json!(10))),
            ("-2.5e3", value(json!(-2500.0))),
            ("'it\\'s'", value(json!("it's"))),
            ("c(1, 2.5, 3)", value(json!([1, 2.5, 3]))),
            ("c('a', 1, TRUE)", value(json!(["a", "1", "TRUE"]))),
            ("c(c('a'), NULL, 'b')", value(json!(["a", "b"]))),
            ("list(1, 'a')", value(json!([1, "a"]))),
            (
                "c(North = 'n', `the south`='s', \"w\" = 'w')",
                Some(named(&[
                    ("North", json!("n")),
                    ("the south", json!("s")),
                    ("w", json!("w")),
                ])),
            ),
            ("c(A=1, 2)", Some(named(&[("A", json!(1)), ("2", json!(2))]))),
            ("2010:2013", value(json!([2010, 2011, 2012, 2013]))),
            ("3:1", value(json!([3, 2, 1]))),
            ("-1:1", value(json!([-1, 0, 1]))),
            ("seq(0, 1, by = 0.25)", value(json!([0.0, 0.25, 0.5, 0.75, 1.0]))),
            ("seq(2020, 2022)", value(json!([2020, 2021, 2022]))),
            ("seq(10, 0, -5)", value(json!([10, 5, 0]))),
            ("Sys.Date()", Some(Known::Today(0))),
            ("Sys.Date() - 7", Some(Known::Today(-7))),
            (
                "as.Date('2024-02-29')",
                Some(Known::Date("2024-02-29".to_owned())),
            ),
            ("as.Date('2023-02-29')", None),
            ("Sys.time()", None),
            ("system('id')", None),
            ("c(1, x)", None),
            ("1 + 1", None),
            ("1:1000000000", None),
            ("seq(0, 1, by = 0)", None),
            ("seq(0, 1, length.out = 3)", None),
            ("c(1", None),
            ("\"open", None),
            ("a == b", None),
            ("", None),
        ] {
            assert_eq!(super::value(text), expected, "{text}");
        }
        assert_eq!(super::value(&"c(".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[a-eLTF0-9().,:'\"\\\\é=`+ -]{0,32}|Sys.Date\\(\\)[0-9+-]{0,25}") {
            let _ = value(&text);
        }
    }
}
