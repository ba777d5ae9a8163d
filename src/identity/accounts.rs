//! Accounts as they were looked up before a plan is made. Plain data and the reading of what names them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use thiserror::Error;

/// One account with its complete groups (RA6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// All group ids, the primary one included, sorted.
    pub groups: Vec<u32>,
    /// Home directory, where the account has one of its own.
    pub home: Option<PathBuf>,
}

/// Everything about accounts that a plan may ask for, gathered beforehand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// Accounts by what was asked for: a name or a number, as it was written.
    pub accounts: BTreeMap<String, Account>,
    /// Group ids by the name that was asked for.
    pub groups: BTreeMap<String, u32>,
    /// The account of the person who runs this program, where that is not root: the only one there is then (SB9).
    pub ordinary_user: Option<Account>,
}

/// How an account is named: by name or by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountSpec {
    /// By name.
    Name(String),
    /// By number.
    Uid(u32),
}

/// What was written names no account, whatever accounts there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AccountSpecError {
    /// Nothing was written.
    #[error("it is empty")]
    Empty,
    /// All digits, but no user id: (uid_t)-1 means "leave as it is" to the kernel (the class of CVE-2019-14287).
    #[error("a user id is a number from 1 to 4294967294")]
    Number,
    /// A character that no account name has, such as a blank, a sign in front or a control character.
    #[error(
        "an account name has letters, digits and any of . _ - @ \\ $, and starts with none of - . @ \\ $"
    )]
    Name,
}

impl AccountSpec {
    /// Reads a name or a number. A number is digits only: no sign, no blank, no `0x` (RA1).
    ///
    /// # Errors
    /// When the text can name no account.
    pub fn parse(text: &str) -> Result<Self, AccountSpecError> {
        if text.is_empty() {
            return Err(AccountSpecError::Empty);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return parse_uid(text).map(Self::Uid).ok_or(AccountSpecError::Number);
        }
        let name_start = |c: char| c.is_alphanumeric() || c == '_';
        let name_rest = |c: char| name_start(c) || matches!(c, '.' | '-' | '@' | '\\' | '$');
        if text.starts_with(name_start) && text.chars().all(name_rest) {
            Ok(Self::Name(text.to_owned()))
        } else {
            Err(AccountSpecError::Name)
        }
    }
}

fn parse_uid(digits: &str) -> Option<u32> {
    if digits.len() > 10 {
        return None;
    }
    digits.parse().ok().filter(|uid| *uid != u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Proves: RA1 (L, P)
    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(AccountSpec::parse("1000"), Ok(AccountSpec::Uid(1000)));
        assert_eq!(AccountSpec::parse("0000000000"), Ok(AccountSpec::Uid(0)));
        assert_eq!(
            AccountSpec::parse("4294967294"),
            Ok(AccountSpec::Uid(u32::MAX - 1))
        );
        for bad in ["4294967295", "4294967296", "00000000000", "99999999999"] {
            assert_eq!(AccountSpec::parse(bad), Err(AccountSpecError::Number), "{bad}");
        }
        for bad in [
            "-1", "+0", " 0", "0\n", "0 ", "-", "a b", "a\0", "a:b", "../x", "a/b",
        ] {
            assert_eq!(AccountSpec::parse(bad), Err(AccountSpecError::Name), "{bad:?}");
        }
        assert_eq!(AccountSpec::parse(""), Err(AccountSpecError::Empty));
    }

    #[test]
    fn directory_service_names_are_names() {
        for name in [
            "rstudio-connect",
            "CORP\\ana",
            "ana@corp.example",
            "svc$",
            "_apt",
            "0x0",
        ] {
            assert_eq!(AccountSpec::parse(name), Ok(AccountSpec::Name(name.to_owned())));
        }
    }

    proptest! {
        /// Proves: RA1 (L, P)
        #[test]
        fn a_number_is_read_as_itself_or_refused(text in "[ +-]?[0-9]{1,12}") {
            if let Ok(AccountSpec::Uid(uid)) = AccountSpec::parse(&text) {
                prop_assert_eq!(text.parse::<u64>().unwrap(), u64::from(uid));
                prop_assert_ne!(uid, u32::MAX);
            }
        }
    }
}
