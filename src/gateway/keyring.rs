//! The keys of cookies and forms, and what they sign, so that no gateway has to remember anything. Pure.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A value is never longer than this.
pub(super) const MAX_VALUE: usize = 330;
/// Clocks of two gateways may differ by as much.
pub(super) const SKEW_SECONDS: u64 = 60;
/// A key shorter than this could be guessed.
const MIN_KEY: usize = 32;

const MAC: usize = 32;
const KEY_ID: usize = 4;

/// What is signed: its first byte, so that nothing is ever taken for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// A session of somebody who is not known.
    Session = 1,
    /// A session of somebody who is known.
    VisitorsSession = 2,
    /// A log-in.
    LogIn = 3,
    /// The form by which one logs in.
    LogInForm = 4,
    /// The form by which one logs out.
    LogOutForm = 5,
}

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What it is.
    pub seal: Seal,
    /// When it was signed, in seconds since 1970.
    pub issued: u64,
    /// What it says.
    pub body: Vec<u8>,
}

/// Why a cookie does not count. None of them is the visitor's concern: a new session begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not of the form that is written here.
    Malformed,
    /// The key that it names is not there (any more).
    UnknownKey,
    /// It was not signed with that key.
    Forged,
    /// It is another application's.
    OtherApp,
    /// It is another visitor's.
    OtherVisitor,
    /// It is older than the oldest that counts, or than its key.
    Expired,
    /// It says that it was made later than now.
    Future,
}

impl Refusal {
    /// One word, for logs and metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::Forged => "forged",
            Self::OtherApp => "other_app",
            Self::OtherVisitor => "other_visitor",
            Self::Expired => "expired",
            Self::Future => "future",
        }
    }
}

/// Why keys can not be used, or a cookie not be made.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// There is no key.
    #[error(
        "has no key; write one of at least 32 random characters into it, 'openssl rand -hex 32' makes one"
    )]
    Empty,
    /// A key is too short.
    #[error("line {line}: the key has fewer than 32 characters; 'openssl rand -hex 32' makes a good one")]
    Short {
        /// Its line.
        line: usize,
    },
    /// A line is not understood.
    #[error(
        "line {line}: '{word}' is no time; write only the key, or the time since when it is used and the key"
    )]
    Time {
        /// The line.
        line: usize,
        /// What stands there.
        word: String,
    },
    /// An id does not fit into a cookie.
    #[error("the id '{0}' is longer than 80 bytes and does not fit into a cookie")]
    LongId(String),
}

/// One key.
#[derive(Clone)]
struct Key {
    id: [u8; KEY_ID],
    /// Keyed once; every use starts from a copy.
    mac: Hmac<Sha256>,
    /// Cookies made before this are not its own, in seconds since 1970.
    since: u64,
}

/// The keys in force: the first signs, all verify.
#[derive(Clone)]
pub struct Keyring {
    first: Key,
    more: Vec<Key>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = 1 + self.more.len();
        f.debug_struct("Keyring")
            .field("keys", &count)
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// Reads keys, one a line, with the time since when it is used before it or not. `#` begins a comment.
    ///
    /// # Errors
    /// There is none, or one is too short.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys = Vec::new();
        for (line, words) in (1..).zip(text.lines()) {
            let mut words = words.split_whitespace().take_while(|word| !word.starts_with('#'));
            match (words.next(), words.next()) {
                (None, _) => {}
                (Some(key), None) => keys.push(Key::new(line, 0, key)?),
                (Some(since), Some(key)) => keys.push(Key::new(line, time(line, since)?, key)?),
            }
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(KeyError::Empty)?;
        let more = keys.collect();
        Ok(Self { first, more })
    }

    /// Signs something at `issued`, in seconds since 1970.
    #[must_use]
    pub fn seal(&self, seal: Seal, issued: u64, body: &[u8]) -> String {
        let mut token = Vec::with_capacity(MAX_VALUE);
        token.push(seal as u8);
        token.extend(self.first.id);
        token.extend(issued.to_be_bytes());
        token.extend(body);
        let mac = self.first.mac.clone().chain_update(&token).finalize();
        token.extend(mac.into_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// What was signed as one of these, if it counts at `now`; `lifetime` is in seconds, as `now` is.
    ///
    /// # Errors
    /// It does not count.
    pub fn open(&self, seals: &[Seal], value: &[u8], now: u64, lifetime: u64) -> Result<Sealed, Refusal> {
        if value.len() > MAX_VALUE {
            return Err(Refusal::Malformed);
        }
        let token = URL_SAFE_NO_PAD.decode(value).map_err(|_| Refusal::Malformed)?;
        let split = token.len().checked_sub(MAC).ok_or(Refusal::Malformed)?;
        let (signed, mac) = token.split_at(split);
        let (key_id, sealed) = read(signed, seals).ok_or(Refusal::Malformed)?;
        let key = self.key(key_id).ok_or(Refusal::UnknownKey)?;
        let is_signed = key.mac.clone().chain_update(signed).verify_slice(mac);
        is_signed.map_err(|_| Refusal::Forged)?;
        if sealed.issued > now.saturating_add(SKEW_SECONDS) {
            return Err(Refusal::Future);
        }
        let is_older_than_key = sealed.issued.saturating_add(SKEW_SECONDS) < key.since;
        if is_older_than_key || now.saturating_sub(sealed.issued) > lifetime {
            return Err(Refusal::Expired);
        }
        Ok(sealed)
    }

    fn key(&self, id: [u8; KEY_ID]) -> Option<&Key> {
        std::iter::once(&self.first)
            .chain(&self.more)
            .find(|key| key.id == id)
    }
}

impl Key {
    fn new(line: usize, since: u64, key: &str) -> Result<Self, KeyError> {
        if key.len() < MIN_KEY {
            return Err(KeyError::Short { line });
        }
        let digest = Sha256::new_with_prefix("offhost-session key id")
            .chain_update(key)
            .finalize();
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        let mac = Hmac::new_from_slice(key.as_bytes()).map_err(|_| KeyError::Short { line })?;
        Ok(Self { id, mac, since })
    }
}

fn time(line: usize, word: &str) -> Result<u64, KeyError> {
    let parsed = word.parse::<jiff::Timestamp>().ok();
    let seconds = parsed.and_then(|time| u64::try_from(time.as_second()).ok());
    seconds.ok_or_else(|| KeyError::Time {
        line,
        word: word.to_owned(),
    })
}

/// Takes the signed part apart.
fn read(signed: &[u8], seals: &[Seal]) -> Option<([u8; KEY_ID], Sealed)> {
    let (first, rest) = signed.split_first()?;
    let seal = seals.iter().find(|seal| **seal as u8 == *first)?;
    let (key_id, rest) = rest.split_first_chunk::<KEY_ID>()?;
    let (issued, rest) = rest.split_first_chunk::<8>()?;
    let sealed = Sealed {
        seal: *seal,
        issued: u64::from_be_bytes(*issued),
        body: rest.to_vec(),
    };
    Some((*key_id, sealed))
}
