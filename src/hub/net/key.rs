//! The secret that gateways and controllers share.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use thiserror::Error;

/// Fewer characters could be guessed.
const LEAST: usize = 32;
/// More than any secret that makes sense.
const MOST: u64 = 64 * 1024;

/// Why there is no secret.
#[derive(Debug, Error)]
pub enum HubKeyError {
    /// The file can not be read.
    #[error("can not read the hub's secret '{}': {source}; see 'Gateway.HubKeyFile'", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// It is too short.
    #[error(
        "the hub's secret '{}' has {length} bytes; 'Gateway.HubKeyFile' needs at least {LEAST}, for example from 'openssl rand -hex 32'",
        path.display()
    )]
    Short {
        /// The file.
        path: PathBuf,
        /// What it has.
        length: usize,
    },
}

/// The secret.
#[derive(Clone)]
pub struct HubKey(Hmac<Sha256>);

impl fmt::Debug for HubKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubKey")
    }
}

impl HubKey {
    /// Reads the secret; white space at both ends does not count.
    ///
    /// # Errors
    /// The file can not be read, or is too short.
    pub fn read(path: &Path) -> Result<Self, HubKeyError> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MOST).read_to_end(&mut bytes))
            .map_err(|source| HubKeyError::Read {
                path: path.to_owned(),
                source,
            })?;
        let secret = bytes.trim_ascii();
        Self::new(secret).ok_or_else(|| HubKeyError::Short {
            path: path.to_owned(),
            length: secret.len(),
        })
    }

    /// A secret, if it is long enough.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        if secret.len() < LEAST {
            return None;
        }
        Hmac::new_from_slice(secret).ok().map(Self)
    }

    /// Something that only who knows the secret can make of these.
    pub(super) fn mac(&self, purpose: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [purpose.as_bytes()].iter().chain(parts) {
            // Lengths go in, so that nothing can be moved from one part to the next.
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac
    }

    /// The beginning of other keys, for one purpose. Who has it does not have the secret.
    #[must_use]
    pub fn seed(&self, purpose: &str) -> [u8; 32] {
        self.mac(purpose, &[]).finalize().into_bytes().into()
    }

    /// A key made of the secret, for one purpose of one connection.
    pub(super) fn derive(&self, purpose: &str, parts: &[&[u8]]) -> Self {
        let key = self.mac(purpose, parts).finalize().into_bytes();
        Self(Hmac::new_from_slice(&key).expect("a MAC takes a key of any length"))
    }
}
