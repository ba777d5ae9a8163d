//! What a form sent: names and values, which are wiped when they are not needed any more.

use thiserror::Error;
use zeroize::Zeroizing;

/// The fields of a form that were asked for.
pub struct Form(Vec<(&'static str, Zeroizing<Vec<u8>>)>);

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Form")
    }
}

/// Why a form can not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoForm {
    /// A field came twice: it is not clear which one is meant.
    #[error("the field '{0}' was sent twice; send it once")]
    Twice(&'static str),
    /// A `%` without two hexadecimal digits.
    #[error("the field '{0}' is not encoded as a form; send it as application/x-www-form-urlencoded")]
    Encoding(&'static str),
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`. Values may hold any bytes; fields that nobody asked for are left out.
    ///
    /// # Errors
    /// [`NoForm`].
    pub fn parse(text: &[u8], names: &[&'static str]) -> Result<Self, NoForm> {
        let mut fields: Vec<(&'static str, Zeroizing<Vec<u8>>)> = Vec::new();
        for pair in text.split(|byte| *byte == b'&') {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let Some(name) = names.iter().find(|name| name.as_bytes() == &pair[..at]) else {
                continue;
            };
            if fields.iter().any(|(other, _)| other == name) {
                return Err(NoForm::Twice(name));
            }
            let value = decoded(pair.get(at + 1..).unwrap_or_default());
            fields.push((name, value.ok_or(NoForm::Encoding(name))?));
        }
        Ok(Self(fields))
    }

    /// A field as text; none where it was not sent or is no text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(own, _)| *own == name)?;
        std::str::from_utf8(value).ok()
    }

    /// Takes a field out, as bytes.
    pub fn take(&mut self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        let at = self.0.iter().position(|(own, _)| *own == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

fn decoded(value: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    // Never longer than what is read, so that no part is left behind where it grew.
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len()));
    let mut rest = value.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(*rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => *other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_is_read() {
        let mut form = Form::parse(
            b"user=J%c3%BCrgen+M&x=%zz&password=a%00%ff%26&back=",
            &["user", "password", "back"],
        )
        .unwrap();
        assert_eq!(form.text("user"), Some("Jürgen M"));
        assert_eq!(form.text("back"), Some(""));
        assert_eq!(form.text("x"), None);
        assert_eq!(form.text("password"), None, "it is no text");
        assert_eq!(form.take("password").unwrap().as_slice(), b"a\0\xff&");
        assert!(form.take("password").is_none());
        assert_eq!(
            Form::parse(b"user=a&user=b", &["user"]).unwrap_err(),
            NoForm::Twice("user")
        );
        for bad in [&b"user=%"[..], b"user=%4", b"user=%4g", b"user=%%41"] {
            assert_eq!(Form::parse(bad, &["user"]).unwrap_err(), NoForm::Encoding("user"));
        }
        assert!(!format!("{form:?}").contains("rgen"));
    }

    proptest! {
        #[test]
        fn every_password_comes_through(password in proptest::collection::vec(any::<u8>(), 0..300)) {
            let encoded: String = password.iter().map(|byte| format!("%{byte:02x}")).collect();
            let mut form = Form::parse(format!("password={encoded}").as_bytes(), &["password"]).unwrap();
            let taken = form.take("password").unwrap();
            prop_assert_eq!(taken.as_slice(), password);
        }

        #[test]
        fn no_bytes_do_harm(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Form::parse(&text, &["user", "password", ""]);
        }
    }
}
