//! What the text of a value means: switches, numbers, durations, sizes, commands, objects.

mod network;
mod objects;

use std::time::Duration;

use super::decimal::Decimal;

pub use network::*;
pub use objects::*;

/// A value that can not be read as its setting's kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not a switch.
    #[error("'{0}' is neither true nor false; write true (or yes, on, 1) or false (or no, off, 0)")]
    Bool(String),
    /// Not an integer.
    #[error("'{0}' is not a whole number; write one such as 42")]
    Int(String),
    /// A number below zero.
    #[error("'{0}' is negative; write 0 or more")]
    Negative(String),
    /// A number that is too large.
    #[error("'{0}' is too large; write a smaller number")]
    TooLarge(String),
    /// Not a decimal.
    #[error("'{0}' is not a number; write one such as 0.5")]
    Decimal(String),
    /// Not a duration.
    #[error(
        "'{0}' is not a duration; write a number with a unit of h, m, s, ms, us or ns such as 12h or 1m30s, \
         or a plain number of nanoseconds"
    )]
    Duration(String),
    /// A duration in days, which the notation does not have.
    #[error("'{0}' counts days, for which there is no unit; write hours, such as 24h for a day")]
    Days(String),
    /// Not a size.
    #[error("'{0}' is not a size in bytes; write a number and a unit such as 5 MB, 5 KiB or 1.5 GB")]
    Size(String),
    /// None of the choices.
    #[error("'{given}' is not one of {}{}", .choices.join(", "), crate::text::suggestion(.given, .choices.iter().copied()))]
    Choice {
        /// What was written.
        given: String,
        /// What may be written.
        choices: &'static [&'static str],
    },
    /// A path that depends on the working directory.
    #[error("'{0}' is not an absolute path; write one that starts with '/'")]
    RelativePath(String),
    /// An empty value where there must be one.
    #[error("the value is empty; give one, or leave the setting out to use the default")]
    Empty,
    /// A key without `=` where there must be a value.
    #[error("the key has no value; write '= value' after it, or leave the setting out to use the default")]
    NoValue,
    /// A command with an open quote.
    #[error("the quote {1} is not closed in the command '{0}'; close it")]
    OpenQuote(String, char),
    /// A command that ends in a backslash.
    #[error("the command '{0}' ends in a backslash; remove it")]
    EndsInBackslash(String),
    /// A command whose program is not an absolute path.
    #[error(
        "the program '{0}' is not an absolute path; write the command with its whole path, such as /usr/bin/nice -n 2"
    )]
    RelativeProgram(String),
    /// What can not name a PAM service.
    #[error("'{0}' can not name a PAM service; write the name of a file of /etc/pam.d, such as su")]
    PamService(String),
    /// What Kubernetes would refuse.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// What no network knows.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// What can not be the name of a header that says who visits.
    #[error("'{0}' is no header that can name a visitor; write one such as X-Auth-Username")]
    Header(String),
    /// A share above the whole.
    #[error("'{0}' is above 1; write a number from 0 to 1, such as 0.5")]
    AboveOne(String),
}

/// Reads a switch: `true`, `yes`, `on`, `1`, `false`, `no`, `off`, `0`, in any case.
///
/// # Errors
/// [`ValueError::Bool`].
pub fn parse_bool(text: &str) -> Result<bool, ValueError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err(ValueError::Bool(text.to_owned())),
    }
}

/// Reads an integer as the gcfg package does: decimal, or hexadecimal behind `0x`.
///
/// # Errors
/// [`ValueError::Int`] and [`ValueError::TooLarge`].
pub fn parse_plain_int(text: &str) -> Result<i64, ValueError> {
    let int = || ValueError::Int(text.to_owned());
    let trimmed = text.trim();
    let unsigned = trimmed.strip_prefix('-').unwrap_or(trimmed);
    let sign = if unsigned.len() < trimmed.len() { "-" } else { "" };
    let (digits, radix) = match unsigned.strip_prefix("0x") {
        Some(digits) => (without_underscores(digits).ok_or_else(int)?, 16),
        None if sign.is_empty() => (unsigned.strip_prefix('+').unwrap_or(unsigned).to_owned(), 10),
        None => (unsigned.to_owned(), 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(int());
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).map_err(|_| ValueError::TooLarge(text.to_owned()))
}

/// Single underscores may stand between the digits of a hexadecimal number, and after its prefix.
fn without_underscores(digits: &str) -> Option<String> {
    (!digits.ends_with('_') && !digits.contains("__")).then(|| digits.replace('_', ""))
}

/// Reads a count: an integer of 0 or more. Exponent forms of whole numbers are read as well, because chart
/// tools print large integers so.
///
/// # Errors
/// [`ValueError::Int`], [`ValueError::Negative`], [`ValueError::TooLarge`].
pub fn parse_count(text: &str) -> Result<u64, ValueError> {
    match parse_plain_int(text) {
        Ok(number) => u64::try_from(number).map_err(|_| ValueError::Negative(text.to_owned())),
        Err(error) => {
            let decimal = Decimal::parse(text.trim()).and_then(Decimal::whole);
            decimal.ok_or(error)
        }
    }
}

/// Reads a decimal of 0 or more, in thousandths; what is smaller is cut off.
///
/// # Errors
/// [`ValueError::Decimal`], [`ValueError::Negative`], [`ValueError::TooLarge`].
pub fn parse_thousandths(text: &str) -> Result<u64, ValueError> {
    let trimmed = text.trim();
    if let Some(rest) = trimmed.strip_prefix('-') {
        let negative = Decimal::parse(rest).map(|_| ValueError::Negative(text.to_owned()));
        return Err(negative.unwrap_or_else(|| ValueError::Decimal(text.to_owned())));
    }
    let decimal = Decimal::parse(trimmed).ok_or_else(|| ValueError::Decimal(text.to_owned()))?;
    decimal
        .times(1000)
        .ok_or_else(|| ValueError::TooLarge(text.to_owned()))
}

/// Reads a duration in Go's form (`12h`, `1m15s`, `1.5h`); a plain number is nanoseconds.
///
/// # Errors
/// [`ValueError::Duration`], [`ValueError::Days`], [`ValueError::Negative`], [`ValueError::TooLarge`].
pub fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    let trimmed = text.trim();
    if trimmed.starts_with('-') {
        return Err(ValueError::Negative(text.to_owned()));
    }
    let mut rest = trimmed.strip_prefix('+').unwrap_or(trimmed);
    if let Some(plain) = Decimal::parse(rest) {
        let nanoseconds = plain
            .whole()
            .ok_or_else(|| ValueError::Duration(text.to_owned()))?;
        return Ok(Duration::from_nanos(nanoseconds));
    }
    let mut total: u64 = 0;
    let in_number = |c: char| c.is_ascii_digit() || c == '.';
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c| !in_number(c)).unwrap_or(rest.len()));
        let (unit, tail) = tail.split_at(tail.find(in_number).unwrap_or(tail.len()));
        let amount = Decimal::parse(number).ok_or_else(|| ValueError::Duration(text.to_owned()))?;
        total = amount
            .times(nanoseconds_in(unit, text)?)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| ValueError::TooLarge(text.to_owned()))?;
        rest = tail;
    }
    if trimmed.is_empty() {
        return Err(ValueError::Empty);
    }
    Ok(Duration::from_nanos(total))
}

fn nanoseconds_in(unit: &str, text: &str) -> Result<u64, ValueError> {
    match unit {
        "ns" => Ok(1),
        "us" | "\u{b5}s" | "\u{3bc}s" => Ok(1_000),
        "ms" => Ok(1_000_000),
        "s" => Ok(1_000_000_000),
        "m" => Ok(60_000_000_000),
        "h" => Ok(3_600_000_000_000),
        "d" | "day" | "days" => Err(ValueError::Days(text.to_owned())),
        _ => Err(ValueError::Duration(text.to_owned())),
    }
}

/// Reads a size in bytes: `42`, `5 MB` and `5M` (decimal), `5 KiB` and `5Ki` (binary), `1.5 GB`, `1.07e+09`.
///
/// # Errors
/// [`ValueError::Size`], [`ValueError::Negative`], [`ValueError::TooLarge`].
pub fn parse_size(text: &str) -> Result<u64, ValueError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(ValueError::Empty);
    }
    if trimmed.starts_with('-') {
        return Err(ValueError::Negative(text.to_owned()));
    }
    let size = || ValueError::Size(text.to_owned());
    let too_large = || ValueError::TooLarge(text.to_owned());
    if let Some(plain) = Decimal::parse(trimmed) {
        return plain.times(1).ok_or_else(too_large);
    }
    let unit_at = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(size)?;
    let (number, unit) = trimmed.split_at(unit_at);
    let amount = Decimal::parse(number).ok_or_else(size)?;
    amount
        .times(bytes_in(unit.trim()).ok_or_else(size)?)
        .ok_or_else(too_large)
}

fn bytes_in(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    let letters = unit.strip_suffix('b').unwrap_or(&unit);
    let (letters, base) = match letters.strip_suffix('i') {
        Some(letters) => (letters, 1024_u64),
        None => (letters, 1000),
    };
    let power = match letters {
        "" if base == 1000 => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        "e" => 6,
        _ => return None,
    };
    Some(base.pow(power))
}

/// The one of `choices` that `text` spells, in any case.
///
/// # Errors
/// [`ValueError::Choice`].
pub fn parse_choice(text: &str, choices: &'static [&'static str]) -> Result<&'static str, ValueError> {
    let chosen = choices
        .iter()
        .find(|choice| choice.eq_ignore_ascii_case(text.trim()));
    chosen.copied().ok_or_else(|| ValueError::Choice {
        given: text.to_owned(),
        choices,
    })
}

/// Splits a command into words as a shell does: blanks separate, quotes hold together, a backslash takes the
/// next character as it is (in double quotes only before `"` and `\`). Nothing is expanded. The first word
/// must be an absolute path; no words at all is no command.
///
/// # Errors
/// [`ValueError::OpenQuote`], [`ValueError::EndsInBackslash`], [`ValueError::RelativeProgram`].
pub fn parse_command(text: &str) -> Result<Vec<String>, ValueError> {
    let words = split_words(text)?;
    match words.first() {
        Some(program) if !program.starts_with('/') => Err(ValueError::RelativeProgram(program.clone())),
        _ => Ok(words),
    }
}

fn split_words(text: &str) -> Result<Vec<String>, ValueError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            quote @ ('\'' | '"') => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        None => return Err(ValueError::OpenQuote(text.to_owned(), quote)),
                        Some(c) if c == quote => break,
                        Some('\\') if quote == '"' && matches!(chars.peek(), Some('"' | '\\')) => {
                            word.extend(chars.next());
                        }
                        Some(c) => word.push(c),
                    }
                }
            }
            '\\' => match chars.next() {
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err(ValueError::EndsInBackslash(text.to_owned())),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Reads the name of a PAM service: that of a file, never a path.
///
/// # Errors
/// [`ValueError::PamService`].
pub fn parse_pam_service(text: &str) -> Result<String, ValueError> {
    let trimmed = text.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-@+".contains(c);
    let fits = (1..=64).contains(&trimmed.len()) && !trimmed.starts_with(['.', '-']);
    match fits && trimmed.chars().all(plain) {
        true => Ok(trimmed.to_owned()),
        false => Err(ValueError::PamService(text.to_owned())),
    }
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
