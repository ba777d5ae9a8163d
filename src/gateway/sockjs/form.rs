//! A field of a form, as browsers send it in the body of a request.

/// The value of the first field of this name, or nothing where there is none or its bytes are no text.
#[must_use]
pub fn field(body: &str, name: &str) -> Option<String> {
    let pairs = body
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                rest = &rest[2..];
                u8::from_str_radix(digits, 16).ok()?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: PR2 (L, P)
    #[test]
    fn the_field_is_read() {
        assert_eq!(field("d=%5B%22a+b%22%5D", "d").unwrap(), "[\"a b\"]");
        assert_eq!(field("x=1&d=%C3%A4&d=2", "d").unwrap(), "ä");
        assert_eq!(field("d", "d").unwrap(), "");
        for wrong in ["", "e=1", "d=%", "d=%4", "d=%zz", "d=%ff", "d=%é"] {
            assert_eq!(field(wrong, "d"), None, "{wrong}");
        }
    }
}
