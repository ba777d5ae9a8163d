//! Who owns results.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Who owns results.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner(String);

impl Owner {
    /// Who has logged in.
    #[must_use]
    pub fn user(name: &str) -> Self {
        Self(format!("user:{name}"))
    }

    /// Who has logged in with an account of this machine: another one of the same name is somebody else.
    #[must_use]
    pub fn account(name: &str, uid: u32) -> Self {
        Self(format!("account:{uid}:{name}"))
    }

    /// A browser, by its random number. What is written down is no use for who reads it.
    #[must_use]
    pub fn browser(number: u128) -> Self {
        let digest = Sha256::digest(number.to_be_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("browser:{hex}"))
    }
}
