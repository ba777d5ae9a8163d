//! Seals what visitors give, so that neither the network nor the data volume shows it: only gateways and controllers have
//! the key, which is made of the secret of their links. A seal is for one result of one deployment.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::Zeroizing;

use super::Given;

/// What the key is made for, beside others of the same secret.
pub const PURPOSE: &str = "answers of visitors";
/// Bytes of the random number, and with those of the proof.
const NONCE: usize = 24;
const FRONT: usize = NONCE + 16;

/// Seals and opens.
pub struct Sealing {
    cipher: XChaCha20Poly1305,
    turn: Mutex<()>,
}

/// What a seal belongs to.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The result's id.
    pub id: &'a str,
    /// The content item.
    pub content: &'a str,
    /// The deployment of it.
    pub bundle: u64,
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing")
    }
}

impl About<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [PURPOSE, self.id, self.content] {
            // Lengths go in, so that nothing can be moved from one part to the next.
            bytes.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes.extend(self.bundle.to_le_bytes());
        bytes
    }
}

impl Sealing {
    /// With a key made for [`PURPOSE`].
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(&Key::from(key)),
            turn: Mutex::default(),
        }
    }

    /// Held while something is open: one at a time is in memory.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals. None where it is too large, or the system gives no random numbers.
    #[must_use]
    pub fn seal(&self, about: About<'_>, given: &Given) -> Option<Vec<u8>> {
        let mut bytes = given.pack(FRONT)?;
        let mut nonce = XNonce::default();
        getrandom(nonce.as_mut_slice(), GetRandomFlags::empty()).ok()?;
        let (front, rest) = bytes.split_at_mut(FRONT);
        let tag = self
            .cipher
            .encrypt_inout_detached(&nonce, &about.bytes(), rest.into())
            .ok()?;
        front[..NONCE].copy_from_slice(&nonce);
        front[NONCE..].copy_from_slice(&tag);
        Some(std::mem::take(&mut *bytes))
    }

    /// Opens. None where it was sealed for something else or with another key, or was changed.
    #[must_use]
    pub fn open(&self, about: About<'_>, sealed: Vec<u8>) -> Option<Given> {
        let mut bytes = Zeroizing::new(sealed);
        let (front, rest) = bytes.split_at_mut_checked(FRONT)?;
        let (nonce, tag) = front.split_at(NONCE);
        let (nonce, tag) = (XNonce::try_from(nonce).ok()?, Tag::try_from(tag).ok()?);
        self.cipher
            .decrypt_inout_detached(&nonce, &about.bytes(), rest.into(), &tag)
            .ok()?;
        Given::unpack(&bytes[FRONT..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::job::Parameter;

    const ABOUT: About<'_> = About {
        id: "v1",
        content: "sales",
        bundle: 3,
    };

    fn given() -> Given {
        Given {
            parameters: vec![Parameter {
                name: "secret".to_owned(),
                value: "hushed".to_owned(),
            }],
            files: Vec::new(),
        }
    }

    /// Proves: PK6 (P)
    #[test]
    fn only_the_same_key_opens_it_and_only_for_the_same_result() {
        let sealing = Sealing::new([1; 32]);
        let sealed = sealing.seal(ABOUT, &given()).unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"hushed"));
        assert_eq!(sealing.open(ABOUT, sealed.clone()), Some(given()));
        assert_eq!(Sealing::new([2; 32]).open(ABOUT, sealed.clone()), None, "key");
        for other in [
            About { id: "v2", ..ABOUT },
            About {
                content: "salesx",
                ..ABOUT
            },
            About { bundle: 4, ..ABOUT },
            About {
                id: "v1s",
                content: "ales",
                ..ABOUT
            },
        ] {
            assert_eq!(sealing.open(other, sealed.clone()), None, "{other:?}");
        }
        assert_ne!(sealing.seal(ABOUT, &given()).unwrap(), sealed, "each is another");
        assert_eq!(format!("{sealing:?}"), "Sealing");
    }

    /// Proves: PK6 (P)
    #[test]
    fn what_was_changed_or_cut_off_opens_nothing() {
        let sealing = Sealing::new([1; 32]);
        let sealed = sealing.seal(ABOUT, &given()).unwrap();
        for length in [0, 1, FRONT, sealed.len() - 1] {
            assert_eq!(sealing.open(ABOUT, sealed[..length].to_vec()), None, "{length}");
        }
        for at in [0, NONCE, FRONT, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(sealing.open(ABOUT, changed), None, "{at}");
        }
    }
}
