//! Kubernetes quantities: `512Mi`, `500m`, `1.5`, `2e9`.

use thiserror::Error;

/// A quantity that can not be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// Not a number with a known suffix.
    #[error(
        "'{0}' is no quantity; write a number with one of the suffixes n u m k M G T P E Ki Mi Gi Ti Pi Ei"
    )]
    Syntax(String),
    /// Below or equal to zero.
    #[error("'{0}' is not above zero; write a positive quantity, or leave it out for no limit")]
    NotPositive(String),
    /// Larger than can be counted.
    #[error("'{0}' is too large; write a smaller quantity, or leave it out for no limit")]
    TooLarge(String),
}

/// Bytes or pieces: rounded up to a whole number.
///
/// # Errors
/// When it is no positive quantity.
pub fn parse_units(text: &str) -> Result<u64, QuantityError> {
    parse_scaled(text, 0)
}

/// Thousandths: `1.5` is 1500, `500m` is 500. Rounded up.
///
/// # Errors
/// When it is no positive quantity.
pub fn parse_millis(text: &str) -> Result<u64, QuantityError> {
    parse_scaled(text, 3)
}

/// Bytes, or pieces, as a person would write them: with the suffix that leaves the shortest whole number.
#[must_use]
pub fn format_bytes(bytes: u64) -> String {
    const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    const DECIMAL: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let scaled = |base: u64, suffixes: [&str; 7]| {
        let (mut value, mut power) = (bytes, 0);
        while value > 0 && value.is_multiple_of(base) {
            value /= base;
            power += 1;
        }
        format!("{value}{}", suffixes[power])
    };
    let (binary, decimal) = (scaled(1024, BINARY), scaled(1000, DECIMAL));
    if decimal.len() < binary.len() {
        decimal
    } else {
        binary
    }
}

/// Thousandths as Kubernetes writes them: `1500m`, `2`.
#[must_use]
pub fn format_millis(millis: u64) -> String {
    if millis.is_multiple_of(1000) {
        (millis / 1000).to_string()
    } else {
        format!("{millis}m")
    }
}

/// The quantity times ten to the power of `decimals`, rounded up as Kubernetes does.
fn parse_scaled(text: &str, decimals: i32) -> Result<u64, QuantityError> {
    let syntax = || QuantityError::Syntax(text.to_owned());
    if let Some(rest) = text.strip_prefix('-')
        && split(rest).is_some()
    {
        return Err(QuantityError::NotPositive(text.to_owned()));
    }
    let (digits, fraction, suffix) = split(text.strip_prefix('+').unwrap_or(text)).ok_or_else(syntax)?;
    let (binary, decimal) = scale(suffix).ok_or_else(syntax)?;
    let mantissa: u128 = format!("{digits}{fraction}").parse().map_err(|_| syntax())?;
    if mantissa == 0 {
        return Err(QuantityError::NotPositive(text.to_owned()));
    }
    let exponent = decimal + decimals - i32::try_from(fraction.len()).unwrap_or(i32::MAX / 2);
    mantissa
        .checked_mul(1 << binary)
        .and_then(|value| shift(value, exponent))
        .and_then(|value| u64::try_from(value).ok())
        .ok_or_else(|| QuantityError::TooLarge(text.to_owned()))
}

/// Digits before the point, digits after it, suffix. At most 18 digits, so that no product below overflows.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (digits, fraction) = number.split_once('.').unwrap_or((number, ""));
    let length = digits.len() + fraction.len();
    ((1..=18).contains(&length) && !fraction.contains('.')).then_some((digits, fraction, suffix))
}

/// Power of two and power of ten of a suffix.
fn scale(suffix: &str) -> Option<(u32, i32)> {
    let known = match suffix {
        "n" => (0, -9),
        "u" => (0, -6),
        "m" => (0, -3),
        "" => (0, 0),
        "k" => (0, 3),
        "M" => (0, 6),
        "G" => (0, 9),
        "T" => (0, 12),
        "P" => (0, 15),
        "E" => (0, 18),
        "Ki" => (10, 0),
        "Mi" => (20, 0),
        "Gi" => (30, 0),
        "Ti" => (40, 0),
        "Pi" => (50, 0),
        "Ei" => (60, 0),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            return exponent
                .parse()
                .ok()
                .filter(|power: &i32| power.abs() <= 18)
                .map(|power| (0, power));
        }
    };
    Some(known)
}

fn shift(value: u128, exponent: i32) -> Option<u128> {
    let power = 10_u128.checked_pow(exponent.unsigned_abs())?;
    if exponent >= 0 {
        value.checked_mul(power)
    } else {
        Some(value.div_ceil(power))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_kubernetes_reads() {
        for (text, units) in [
            ("512Mi", 512 << 20),
            ("1.5Gi", 3 << 29),
            ("128974848", 128_974_848),
            ("129e6", 129_000_000),
            ("129M", 129_000_000),
            ("123Mi", 128_974_848),
            ("128974848000m", 128_974_848),
            ("1E3", 1000),
            ("1E", 1_000_000_000_000_000_000),
            ("0.5", 1),
            (".5k", 500),
            ("5.", 5),
            ("+1", 1),
            ("1n", 1),
        ] {
            assert_eq!(parse_units(text), Ok(units), "{text}");
        }
        for (text, millis) in [
            ("500m", 500),
            ("1.5", 1500),
            ("2", 2000),
            ("0.1", 100),
            ("100u", 1),
        ] {
            assert_eq!(parse_millis(text), Ok(millis), "{text}");
        }
    }

    #[test]
    fn quantities_are_written_short() {
        for (bytes, text) in [
            (0, "0"),
            (1, "1"),
            (1000, "1k"),
            (100_000_000_000, "100G"),
            (512 << 20, "512Mi"),
            (3 << 29, "1536Mi"),
            (1 << 60, "1Ei"),
        ] {
            assert_eq!(format_bytes(bytes), text);
        }
        for (millis, text) in [(250, "250m"), (1500, "1500m"), (2000, "2")] {
            assert_eq!(format_millis(millis), text);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            ".",
            "Mi",
            "1 Gi",
            "1gb",
            "1mi",
            "1.2.3",
            "1e",
            "1e99",
            "0x10",
            "NaN",
            "1234567890123456789",
        ] {
            assert!(
                matches!(parse_units(text), Err(QuantityError::Syntax(_))),
                "{text}"
            );
        }
        for text in ["0", "-1", "0.0Mi", "-0"] {
            assert!(
                matches!(parse_units(text), Err(QuantityError::NotPositive(_))),
                "{text}"
            );
        }
        assert!(matches!(parse_units("16Ei"), Err(QuantityError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn never_panics_and_whole_numbers_are_themselves(text in "\\PC{0,24}", number in 1_u64..1_000_000_000_000) {
            let _ = parse_units(&text);
            let _ = parse_millis(&text);
            prop_assert_eq!(parse_units(&number.to_string()), Ok(number));
            prop_assert_eq!(parse_millis(&format!("{number}m")), Ok(number));
            prop_assert_eq!(parse_units(&format_bytes(number)), Ok(number));
            prop_assert_eq!(parse_millis(&format_millis(number)), Ok(number));
        }
    }
}
