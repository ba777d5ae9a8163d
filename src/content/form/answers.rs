//! From what a visitor sent to values of the types that the report has.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Number, Value};

use super::choices::text;
use super::found::{day_of, time_of};
use super::sent::{Sent, SentFile};
use super::types::{Choice, Field, Form, Input, Numbers, control, second_control};
use super::yaml_text;
use crate::api::job::Parameter;
use crate::content::literal;
use crate::names::MOUNT_INPUTS;

/// Characters of one answer.
const MOST_CHARS: usize = 10_000;
/// Bytes of a file's name.
const MOST_NAME: usize = 100;

/// A file for the render, by a name that is no path.
#[derive(Clone, PartialEq)]
pub struct Upload {
    /// Its name among the inputs of the process.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

/// What is asked for with a form.
#[derive(Clone, PartialEq)]
pub struct Answers {
    /// Parameters by name, each a value or what the render finds of a file.
    pub values: BTreeMap<String, Value>,
    /// Files.
    pub files: Vec<Upload>,
    /// Names of the parameters with a password or a file, whose values are the render's alone.
    pub apart: BTreeSet<String>,
    /// Whether one of them is a password.
    pub has_secret: bool,
    /// Labels and answers for the visitor who gave them, without passwords.
    pub told: Vec<(String, String)>,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which field.
    pub field: usize,
    /// One sentence for people.
    pub message: String,
}

// What visitors answer is nobody else's business.
impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").finish_non_exhaustive()
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

impl Answers {
    /// The parameters of a job.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        self.values.iter().map(parameter).collect()
    }

    /// The parameters of a job that others can read, and those that they must not.
    #[must_use]
    pub fn split(&self) -> (Vec<Parameter>, Vec<Parameter>) {
        let (apart, open): (Vec<_>, Vec<_>) = self
            .values
            .iter()
            .partition(|(name, _)| self.apart.contains(*name));
        let parameters = |values: Vec<_>| values.into_iter().map(parameter).collect();
        (parameters(open), parameters(apart))
    }
}

fn parameter((name, value): (&String, &Value)) -> Parameter {
    Parameter {
        name: name.clone(),
        value: yaml_text::of(value),
    }
}

impl Form {
    /// Reads what was sent.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(&self, sent: &Sent) -> Result<Answers, Vec<Problem>> {
        let mut answers = Answers {
            values: BTreeMap::new(),
            files: Vec::new(),
            apart: BTreeSet::new(),
            has_secret: false,
            told: Vec::new(),
        };
        let mut problems = Vec::new();
        for (at, field) in self.fields.iter().enumerate() {
            match answer(at, field, sent) {
                Ok(Some(Answer::Value(value, told))) => {
                    if field.input == Input::Password {
                        answers.has_secret = true;
                        answers.apart.insert(field.name.clone());
                    } else {
                        answers.told.push((field.label.clone(), told));
                    }
                    answers.values.insert(field.name.clone(), value);
                }
                Ok(Some(Answer::File(upload))) => {
                    let path = format!("{MOUNT_INPUTS}/{}", upload.name);
                    answers.values.insert(field.name.clone(), path.into());
                    answers.apart.insert(field.name.clone());
                    let told = sent.files.get(&control(at)).map(|file| file.name.clone());
                    answers.told.push((field.label.clone(), told.unwrap_or_default()));
                    answers.files.push(upload);
                }
                Ok(None) => {}
                Err(message) => problems.push(Problem { field: at, message }),
            }
        }
        if problems.is_empty() {
            Ok(answers)
        } else {
            Err(problems)
        }
    }
}

enum Answer {
    /// A value, and what of it is told.
    Value(Value, String),
    File(Upload),
}

/// The answer to one field; none where the report's own value holds.
fn answer(at: usize, field: &Field, sent: &Sent) -> Result<Option<Answer>, String> {
    let name = control(at);
    let texts = sent.texts.get(&name).map(Vec::as_slice).unwrap_or_default();
    let first = texts.first().map_or("", String::as_str);
    check_text(first)?;
    let value = match &field.input {
        Input::File { .. } => {
            let file = sent.files.get(&name).filter(|file| !file.name.is_empty());
            return Ok(file.map(|file| Answer::File(upload(&name, file))));
        }
        Input::Choice { choices, .. } => return chosen(choices, first, field),
        Input::Several(choices) => return several(choices, texts).map(Some),
        Input::Checkbox => (first == "true").into(),
        Input::Password if first.is_empty() => return Ok(None),
        _ if first.trim().is_empty() && field.initial.may_stay() => return Ok(None),
        Input::Text | Input::Password => first.replace('\n', " ").into(),
        Input::Area => first.into(),
        Input::Literal => literal::value(first).unwrap_or_else(|| first.into()),
        Input::Number(numbers) | Input::Slider(numbers) => number(first, numbers)?,
        Input::Span(numbers) => {
            let second = sent.first(&second_control(at));
            let (low, high) = (number(first, numbers)?, number(second, numbers)?);
            if low.as_f64() > high.as_f64() {
                return Err(format!(
                    "{low} is more than {high}: give the smaller number first."
                ));
            }
            Value::Array(vec![low, high])
        }
        Input::Date { first: least, last } => date(first, least.as_deref(), last.as_deref())?,
        Input::Time => time_of(first)
            .ok_or("That is no time: choose a day and a time, as in 2024-12-31 23:59.")?
            .into(),
        Input::Lines => lines(first).map(Value::from).collect(),
        Input::Numbers => lines(first)
            .map(|line| {
                number(
                    line.trim(),
                    &Numbers {
                        is_whole: true,
                        ..Numbers::default()
                    },
                )
            })
            .collect::<Result<_, _>>()?,
        Input::Json => serde_json::from_str(first)
            .map_err(|error| format!("That is no JSON (line {}): correct it.", error.line()))?,
    };
    let told = told(&value);
    Ok(Some(Answer::Value(value, told)))
}

fn told(value: &Value) -> String {
    match value {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        other => text(other),
    }
}

fn check_text(given: &str) -> Result<(), String> {
    if given.chars().count() > MOST_CHARS {
        return Err(format!("That is too long: give at most {MOST_CHARS} characters."));
    }
    match given
        .chars()
        .find(|char| char.is_control() && !matches!(char, '\n' | '\t'))
    {
        Some(char) => Err(format!(
            "That has a control character (U+{:04X}): take it out.",
            u32::from(char)
        )),
        None => Ok(()),
    }
}

fn chosen(choices: &[Choice], given: &str, field: &Field) -> Result<Option<Answer>, String> {
    if given.is_empty() && field.initial.may_stay() {
        return Ok(None);
    }
    let choice = choice(choices, given).ok_or("Choose one of the values.")?;
    Ok(Some(Answer::Value(choice.value.clone(), choice.label.clone())))
}

fn several(choices: &[Choice], given: &[String]) -> Result<Answer, String> {
    let mut chosen = Vec::new();
    for given in given {
        let choice = choice(choices, given).ok_or("Choose from the values of the list.")?;
        if !chosen.contains(&choice) {
            chosen.push(choice);
        }
    }
    let labels: Vec<&str> = chosen.iter().map(|choice| choice.label.as_str()).collect();
    let told = labels.join(", ");
    Ok(Answer::Value(
        chosen.iter().map(|choice| choice.value.clone()).collect(),
        told,
    ))
}

fn choice<'a>(choices: &'a [Choice], given: &str) -> Option<&'a Choice> {
    let place: usize = given.parse().ok()?;
    // One spelling a choice.
    choices.get(place).filter(|_| place.to_string() == given)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').filter(|line| !line.trim().is_empty())
}

fn number(given: &str, numbers: &Numbers) -> Result<Value, String> {
    let given = given.trim();
    let is_plain = !given.is_empty()
        && given
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    let wrong = || match given {
        "" => "Give a number.".to_owned(),
        _ => format!("'{}' is no number: write it as in 12 or 0.5.", short(given)),
    };
    let number: f64 = given.parse().ok().filter(|_| is_plain).ok_or_else(wrong)?;
    if let Some(min) = numbers.min.filter(|min| number < *min) {
        return Err(format!("Give a number that is at least {min}."));
    }
    if let Some(max) = numbers.max.filter(|max| number > *max) {
        return Err(format!("Give a number that is at most {max}."));
    }
    let whole = given.parse::<i64>().ok().filter(|_| numbers.is_whole);
    let value = whole.map(Number::from).or_else(|| Number::from_f64(number));
    value.map(Value::Number).ok_or_else(wrong)
}

fn date(given: &str, first: Option<&str>, last: Option<&str>) -> Result<Value, String> {
    let day = day_of(given).ok_or("That is no day: choose one, as in 2024-12-31.")?;
    // Days in this form are in order as texts.
    match (first, last) {
        (Some(first), _) if day.as_str() < first => Err(format!("Choose a day from {first} on.")),
        (_, Some(last)) if day.as_str() > last => Err(format!("Choose a day up to {last}.")),
        _ => Ok(day.into()),
    }
}

fn upload(control: &str, file: &SentFile) -> Upload {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
    let plain: String = file
        .name
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default()
        .chars()
        .map(|char| if is_plain(char) { char } else { '_' })
        .collect();
    // The end tells the type.
    let name = &plain[plain.len().saturating_sub(MOST_NAME)..];
    Upload {
        name: format!("{control}-{name}"),
        bytes: file.bytes.clone(),
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
