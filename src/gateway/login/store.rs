//! Where log-ins are kept.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::{BoxFuture, FutureExt as _, ready};

use crate::visitors::{Lifetimes, Login, LoginId};

/// Log-ins that are kept in memory at once; the one that was not used for longest makes room.
const MOST: usize = 100_000;

/// Log-ins can not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("log-ins can not be read or written: {0}")]
pub struct StoreError(pub String);

/// Keeps log-ins. What it answers is in force at once for all who share it.
pub trait LoginStore: Send + Sync + fmt::Debug {
    /// A log-in begins.
    fn begin(&self, login: Login) -> BoxFuture<'_, Result<(), StoreError>>;

    /// A log-in; none where it has ended, or never was. Asked with every request of somebody who has logged in.
    fn find(&self, id: LoginId) -> BoxFuture<'_, Result<Option<Login>, StoreError>>;

    /// The visitor was seen; a log-in that has ended stays ended.
    fn seen(&self, id: LoginId, at: u64) -> BoxFuture<'_, Result<(), StoreError>>;

    /// A log-in ends.
    fn end(&self, id: LoginId) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The log-ins of a user.
    fn of_user(&self, user: &str) -> BoxFuture<'_, Result<Vec<LoginId>, StoreError>>;

    /// Ends those that do not count at `now`.
    fn sweep(&self, lifetimes: Lifetimes, now: u64) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Keeps log-ins in memory: they end with the server.
#[derive(Debug, Default)]
pub struct MemoryLogins(Mutex<HashMap<LoginId, Login>>);

impl MemoryLogins {
    fn lock(&self) -> MutexGuard<'_, HashMap<LoginId, Login>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut HashMap<LoginId, Login>) -> T,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        ready(Ok(what(&mut self.lock()))).boxed()
    }
}

impl LoginStore for MemoryLogins {
    fn begin(&self, login: Login) -> BoxFuture<'_, Result<(), StoreError>> {
        self.with(|logins| {
            if logins.len() >= MOST
                && let Some(oldest) = logins
                    .values()
                    .min_by_key(|login| login.seen)
                    .map(|login| login.id)
            {
                logins.remove(&oldest);
            }
            logins.insert(login.id, login);
        })
    }

    fn find(&self, id: LoginId) -> BoxFuture<'_, Result<Option<Login>, StoreError>> {
        self.with(|logins| logins.get(&id).cloned())
    }

    fn seen(&self, id: LoginId, at: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.with(|logins| {
            if let Some(login) = logins.get_mut(&id) {
                login.seen = login.seen.max(at);
            }
        })
    }

    fn end(&self, id: LoginId) -> BoxFuture<'_, Result<(), StoreError>> {
        self.with(|logins| drop(logins.remove(&id)))
    }

    fn of_user(&self, user: &str) -> BoxFuture<'_, Result<Vec<LoginId>, StoreError>> {
        self.with(|logins| {
            let of_user = logins.values().filter(|login| login.visitor.user == user);
            of_user.map(|login| login.id).collect()
        })
    }

    fn sweep(&self, lifetimes: Lifetimes, now: u64) -> BoxFuture<'_, Result<(), StoreError>> {
        self.with(|logins| logins.retain(|_, login| login.stale(lifetimes, now).is_none()))
    }
}
