//! The passwords of visitors, kept for the sessions of processes that run as them (PM3): encrypted, in memory that is never
//! written to disk, for a time that begins with the latest log-in. While there is such a store, this program shows its
//! memory to nobody but root.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};
use rustix::rand::GetRandomFlags;
use rustix::time::ClockId;

use super::PamError;
use crate::exec::{self, LockedMemory};
use crate::pam::MOST_BYTES;

/// A password is kept with its length before it and zeros behind it, so that its length is not seen.
const LENGTH_BYTES: usize = 2;
const KEPT_BYTES: usize = LENGTH_BYTES + MOST_BYTES;
/// Passwords that are kept at a time, a page of locked memory each; another takes the place of the one that ends first.
const MOST_KEPT: usize = 2048;
/// What is over is wiped at the latest after this time; it is not given out from the moment on.
const SWEEP: Duration = Duration::from_secs(30);

/// One password, in memory of its own that is wiped afterwards.
pub struct Password {
    memory: LockedMemory,
}

impl Password {
    /// A copy of these bytes.
    ///
    /// # Errors
    /// They are too many, or memory can not be locked.
    pub fn new(bytes: &[u8]) -> Result<Self, PamError> {
        let Some(length) = u16::try_from(bytes.len())
            .ok()
            .filter(|_| bytes.len() <= MOST_BYTES)
        else {
            return Err(PamError::Memory(std::io::ErrorKind::InvalidInput.into()));
        };
        let mut memory = LockedMemory::new(KEPT_BYTES).map_err(PamError::Memory)?;
        let room = memory.bytes_mut();
        room[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        room[LENGTH_BYTES..][..bytes.len()].copy_from_slice(bytes);
        Ok(Self { memory })
    }

    /// It.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let (length, rest) = self.memory.bytes().split_at(LENGTH_BYTES);
        let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
        &rest[..length.min(MOST_BYTES)]
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// The store.
pub struct Credentials {
    kept: Mutex<Kept>,
    lifetime: Duration,
    /// Time since the machine was started: no clock that anybody sets.
    now: fn() -> Duration,
}

struct Kept {
    key: LockedMemory,
    by_user: HashMap<String, Entry>,
    /// Never used twice with this key.
    next_nonce: u64,
}

/// One password, encrypted.
struct Entry {
    memory: LockedMemory,
    nonce: Nonce,
    tag: Tag,
    until: Duration,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// An empty store, whose passwords are wiped when they have been kept for this time.
    ///
    /// # Errors
    /// Memory can not be locked, or this process not be hidden.
    pub fn new(lifetime: Duration) -> Result<Arc<Self>, PamError> {
        let store = Arc::new(Self::with_clock(lifetime, since_boot)?);
        let weak = Arc::downgrade(&store);
        let thread = std::thread::Builder::new().name("passwords".to_owned());
        thread.spawn(move || sweep(&weak)).map_err(PamError::Memory)?;
        Ok(store)
    }

    fn with_clock(lifetime: Duration, now: fn() -> Duration) -> Result<Self, PamError> {
        // Neither other processes of this account nor a core dump see any of its memory.
        exec::hide_process().map_err(|error| PamError::Memory(std::io::Error::other(error.to_string())))?;
        let mut key = LockedMemory::new(size_of::<Key>()).map_err(PamError::Memory)?;
        let filled = rustix::rand::getrandom(key.bytes_mut(), GetRandomFlags::empty());
        filled.map_err(|error| PamError::Memory(error.into()))?;
        Ok(Self {
            kept: Mutex::new(Kept {
                key,
                by_user: HashMap::new(),
                next_nonce: 0,
            }),
            lifetime,
            now,
        })
    }

    /// Keeps a user's password from now on, instead of an earlier one.
    ///
    /// # Errors
    /// Memory can not be locked.
    pub fn keep(&self, user: &str, password: &[u8]) -> Result<(), PamError> {
        let Password { mut memory } = Password::new(password)?;
        let now = (self.now)();
        let mut kept = self.lock();
        kept.by_user.retain(|_, entry| now < entry.until);
        if kept.by_user.len() >= MOST_KEPT && !kept.by_user.contains_key(user) {
            let first = kept.by_user.iter().min_by_key(|(_, entry)| entry.until);
            if let Some(first) = first.map(|(user, _)| user.clone()) {
                kept.by_user.remove(&first);
            }
        }
        let mut nonce = Nonce::default();
        nonce[..8].copy_from_slice(&kept.next_nonce.to_le_bytes());
        kept.next_nonce += 1;
        let cipher = kept.cipher()?;
        let tag = cipher
            .encrypt_inout_detached(&nonce, user.as_bytes(), memory.bytes_mut().into())
            .map_err(|_| not_a_key())?;
        let entry = Entry {
            memory,
            nonce,
            tag,
            until: now.saturating_add(self.lifetime),
        };
        kept.by_user.insert(user.to_owned(), entry);
        Ok(())
    }

    /// A user's password, where it is still kept.
    ///
    /// # Errors
    /// Memory can not be locked.
    pub fn get(&self, user: &str) -> Result<Option<Password>, PamError> {
        let now = (self.now)();
        let mut kept = self.lock();
        if kept.by_user.get(user).is_some_and(|entry| entry.until <= now) {
            kept.by_user.remove(user);
        }
        let Some(entry) = kept.by_user.get(user) else {
            return Ok(None);
        };
        let mut memory = LockedMemory::new(KEPT_BYTES).map_err(PamError::Memory)?;
        memory.bytes_mut().copy_from_slice(entry.memory.bytes());
        let cipher = kept.cipher()?;
        cipher
            .decrypt_inout_detached(
                &entry.nonce,
                user.as_bytes(),
                memory.bytes_mut().into(),
                &entry.tag,
            )
            .map_err(|_| not_a_key())?;
        Ok(Some(Password { memory }))
    }

    /// Wipes a user's password.
    pub fn forget(&self, user: &str) {
        self.lock().by_user.remove(user);
    }

    /// Wipes what is over.
    fn sweep(&self) {
        let now = (self.now)();
        self.lock().by_user.retain(|_, entry| now < entry.until);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The cipher, which wipes its copy of the key when it is dropped.
    fn cipher(&self) -> Result<ChaCha20Poly1305, PamError> {
        ChaCha20Poly1305::new_from_slice(self.key.bytes()).map_err(|_| not_a_key())
    }
}

/// The cipher refuses only what this file never gives it.
fn not_a_key() -> PamError {
    PamError::Memory(std::io::ErrorKind::InvalidData.into())
}

fn sweep(store: &Weak<Credentials>) {
    while let Some(store) = store.upgrade() {
        store.sweep();
        drop(store);
        std::thread::sleep(SWEEP);
    }
}

fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(ClockId::Boottime);
    Duration::try_from(now).unwrap_or(Duration::MAX)
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
