//! Digests that name directories of the shared caches. Each field carries its length, so that two different
//! lists of fields never give the same bytes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// A SHA-256 over named fields.
#[derive(Clone, Default)]
pub(super) struct Digest(Sha256);

impl Digest {
    /// Starts one for `purpose`, so that digests of different things differ.
    pub(super) fn of(purpose: &str) -> Self {
        Self::default().field(purpose)
    }

    pub(super) fn field(mut self, text: &str) -> Self {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text.as_bytes());
        self
    }

    /// A list, told apart from the fields around it by its own length.
    pub(super) fn fields<T: AsRef<str>>(mut self, texts: impl IntoIterator<Item = T>) -> Self {
        let mut count = 0_u64;
        for text in texts {
            self = self.field(text.as_ref());
            count += 1;
        }
        self.0.update(count.to_be_bytes());
        self
    }

    /// The first 16 bytes as 32 hexadecimal digits.
    pub(super) fn hex(self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
        let bytes = self.first_half();
        bytes
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)])
            .collect()
    }

    /// The first 16 bytes as 22 characters of base64url.
    pub(super) fn base64(self) -> String {
        URL_SAFE_NO_PAD.encode(self.first_half())
    }

    fn first_half(self) -> [u8; 16] {
        let whole: [u8; 32] = self.0.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        half
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_apart() {
        assert_ne!(
            Digest::of("x").field("ab").hex(),
            Digest::of("x").field("a").field("b").hex()
        );
        assert_ne!(
            Digest::of("x").fields(["a"]).fields(["b"]).hex(),
            Digest::of("x").fields(["a", "b"]).fields::<&str>([]).hex()
        );
        assert_eq!(Digest::of("x").hex().len(), 32);
        assert_eq!(Digest::of("x").base64().len(), 22);
    }
}
