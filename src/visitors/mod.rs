//! Who visits, and what they may see. Pure: the gateway asks, and does what is decided here.

mod access;
mod back;
mod credentials;
mod form;
mod login;
mod passwords;
mod proxied;
mod standing;
mod throttle;

use sha2::{Digest as _, Sha256};

pub use access::{AccessLimits, AccessRefused, AccessRule, Verdict, rule_of};
pub use back::{LOGIN, LOGOUT, OWN, back, login_address};
pub use credentials::credentials;
pub use form::{Form, NoForm};
pub use login::{Lifetimes, Login, LoginId, Stale};
pub use passwords::{CheckError, Checked, Passwords};
pub use proxied::{ProxiedRefused, groups, user};
pub use standing::{NotTold, Standing};
pub use throttle::{Throttle, ThrottleLimits};

/// Stands for a visitor in a signed cookie.
pub type Tag = [u8; 16];

/// Somebody who is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Visitor {
    /// The user's name.
    pub user: String,
    /// The user's groups, as the way of logging in names them.
    pub groups: Vec<String>,
    /// The number of the user's account, where the log-in was made with one of this machine: an account that is made anew
    /// under the same name is somebody else.
    pub uid: Option<u32>,
}

impl Visitor {
    /// What stands for the visitor in a signed cookie.
    #[must_use]
    pub fn tag(&self) -> Tag {
        let digest = Sha256::new_with_prefix("offhost visitor\0")
            .chain_update(&self.user)
            .chain_update(self.uid.map(|uid| format!("\0{uid}")).unwrap_or_default())
            .finalize();
        let mut tag = [0; 16];
        tag.copy_from_slice(&digest[..16]);
        tag
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann(uid: Option<u32>) -> Visitor {
        Visitor {
            user: "ann".to_owned(),
            groups: Vec::new(),
            uid,
        }
    }

    /// Proves: CU3 (L)
    #[test]
    fn an_account_made_anew_has_no_share_in_the_sessions_of_the_one_before() {
        assert_eq!(ann(Some(1000)).tag(), ann(Some(1000)).tag());
        assert_ne!(ann(Some(1000)).tag(), ann(Some(1001)).tag());
        assert_ne!(ann(Some(1000)).tag(), ann(None).tag());
    }
}
