//! Decimal numbers without floating point, so that `1.073741824e+09` is exactly what it says.

/// `digits` times ten to the power of minus `scale`; never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: u128,
    scale: i32,
}

/// Above this many digits nothing a setting counts (bytes, nanoseconds) can be meant.
const MOST_DIGITS: i32 = 30;

impl Decimal {
    /// Reads `42`, `7.`, `.217` and `1.5e+09`; no sign.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let fraction_digits = i32::try_from(fraction.len()).ok()?;
        let mut digits: u128 = 0;
        for c in whole.chars().chain(fraction.chars()) {
            let digit = c.to_digit(10)?;
            digits = digits.checked_mul(10)?.checked_add(u128::from(digit))?;
        }
        Some(Self {
            digits,
            scale: fraction_digits - exponent,
        })
    }

    /// The whole part of `factor` times this number; `None` where it does not fit.
    pub(super) fn times(self, factor: u64) -> Option<u64> {
        let product = self.digits.checked_mul(u128::from(factor))?;
        let power = 10_u128.checked_pow(self.scale.unsigned_abs());
        let result = match (self.scale >= 0, power) {
            _ if product == 0 => 0,
            (true, Some(power)) => product / power,
            (true, None) => 0,
            (false, power) => product.checked_mul(power?)?,
        };
        u64::try_from(result).ok()
    }

    /// This number, if it is a whole one.
    pub(super) fn whole(self) -> Option<u64> {
        let whole = self.times(1)?;
        let tenth_power = 10_u128.checked_pow(self.scale.max(0).unsigned_abs())?;
        (self.scale <= 0 || self.digits.is_multiple_of(tenth_power)).then_some(whole)
    }
}

fn parse_exponent(text: &str) -> Option<i32> {
    let exponent: i32 = text.parse().ok()?;
    (-MOST_DIGITS..=MOST_DIGITS)
        .contains(&exponent)
        .then_some(exponent)
}
