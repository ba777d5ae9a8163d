//! What has become of the account that somebody logged in with.

use thiserror::Error;

/// The account of a log-in, as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the same.
    Same,
    /// There is none of this name. It may come again: a directory service that is away knows nobody.
    Gone,
    /// The name is another account's.
    Other,
}

impl Standing {
    /// By the number of the account at the log-in and now; none where the machine knows no such account.
    #[must_use]
    pub fn of(then: Option<u32>, now: Option<u32>) -> Self {
        match (then, now) {
            (then, now) if then == now => Self::Same,
            (_, None) => Self::Gone,
            _ => Self::Other,
        }
    }
}

/// The name service does not say what has become of an account.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("it can not be told whether the account of a log-in is still the same: {0}")]
pub struct NotTold(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_account_only_together_with_its_number() {
        for (then, now, standing) in [
            (Some(1000), Some(1000), Standing::Same),
            (Some(1000), Some(1001), Standing::Other),
            (Some(1000), None, Standing::Gone),
            // Somebody whom only the PAM service knows, and an account of that name later.
            (None, None, Standing::Same),
            (None, Some(1000), Standing::Other),
        ] {
            assert_eq!(Standing::of(then, now), standing, "{then:?} {now:?}");
        }
    }
}
