//! The check of a password, whoever makes it.

use core::net::IpAddr;
use std::fmt;

use futures::future::BoxFuture;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{NotTold, Standing, Visitor};

/// Checks passwords.
pub trait Passwords: Send + Sync + fmt::Debug {
    /// Whether this is the user's password. It may be of any length and hold any bytes. An answer takes as long as it
    /// takes; who asks waits, and gives it up by dropping the future. `from` is the visitor's address.
    fn check(
        &self,
        user: &str,
        password: Zeroizing<Vec<u8>>,
        from: IpAddr,
    ) -> BoxFuture<'_, Result<Checked, CheckError>>;

    /// What has become of the account of somebody who has logged in. Asked with every request.
    fn standing<'a>(&'a self, visitor: &'a Visitor) -> BoxFuture<'a, Result<Standing, NotTold>>;

    /// The user has no log-in any more: what was kept of the password is forgotten.
    fn forget(&self, user: &str) {
        let _ = user;
    }
}

/// Who it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The name, which may be another one than was given: an account has one, however often it is spelled otherwise.
    pub user: String,
    /// The user's groups.
    pub groups: Vec<String>,
    /// The number of the user's account, where this machine knows one.
    pub uid: Option<u32>,
}

impl From<Checked> for Visitor {
    fn from(checked: Checked) -> Self {
        Self {
            user: checked.user,
            groups: checked.groups,
            uid: checked.uid,
        }
    }
}

/// Why nobody is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckError {
    /// The user is unknown, the password wrong, or the user may not log in now: visitors are not told which.
    #[error("the name or the password is wrong")]
    Refused {
        /// Whether there is such a user. Only known names are logged: others may be passwords at the wrong place.
        is_known: bool,
        /// Why, for the log alone.
        why: String,
    },
    /// The password is right and has to be changed first.
    #[error("the password has expired; change it and log in again")]
    Expired,
    /// It can not be checked at present.
    #[error("passwords can not be checked: {0}")]
    Unavailable(String),
}
