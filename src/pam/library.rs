//! What is asked of the PAM library, as a trait: the calls themselves are the program's own.

use super::conversation::Conversation;

/// The PAM library.
pub trait Library {
    /// Begins a transaction. Neither name holds a NUL byte.
    ///
    /// # Errors
    /// The service or the library can not be used.
    fn start(
        &self,
        service: &str,
        user: &str,
        conversation: Conversation,
    ) -> Result<Box<dyn Transaction>, Refusal>;
}

/// A transaction; it is ended when dropped.
pub trait Transaction {
    /// Tells the modules a fact.
    ///
    /// # Errors
    /// There is no memory.
    fn tell(&mut self, item: Item, value: &str) -> Result<(), Refusal>;

    /// Takes a step.
    ///
    /// # Errors
    /// A module refuses.
    fn step(&mut self, step: Step) -> Result<(), Refusal>;

    /// The user's name now; `None` where a module has put something there that is no text.
    fn user(&self) -> Option<String>;

    /// The variables that modules have set, `NAME=value`.
    fn environment(&self) -> Vec<Vec<u8>>;

    /// Wipes the password: from now on no question has an answer.
    fn forget_password(&mut self);

    /// What modules have said, and which questions had no answer.
    fn said(&self) -> Vec<String>;
}

/// Facts that modules ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// On whose behalf this is done.
    RemoteUser,
    /// Where the user is: an address.
    RemoteHost,
    /// What stands for a terminal where there is none.
    Terminal,
}

/// The steps of a log-in and of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is this user. An account without a password is nobody's.
    Authenticate,
    /// The account may be used now.
    Account,
    /// The user's credentials, such as tickets, are made.
    EstablishCredentials,
    /// The session is opened.
    OpenSession,
    /// The session is closed.
    CloseSession,
    /// The credentials are removed.
    DeleteCredentials,
}

impl Step {
    /// What it is called in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Authenticate => "authentication",
            Self::Account => "account check",
            Self::EstablishCredentials => "making credentials",
            Self::OpenSession => "opening the session",
            Self::CloseSession => "closing the session",
            Self::DeleteCredentials => "removing credentials",
        }
    }
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The password is wrong, or a rule forbids it.
    Denied,
    /// There is no such user.
    UnknownUser,
    /// The account has expired or is locked.
    AccountExpired,
    /// The password has to be changed first.
    PasswordExpired,
    /// A question had no answer.
    Conversation,
    /// A module or what it rests on is missing or broken.
    Unavailable,
}

/// Why a step was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// What it means.
    pub kind: Kind,
    /// The library's words.
    pub text: String,
}

impl Refusal {
    /// The meaning of an answer of Linux-PAM, with the library's words for it.
    #[must_use]
    pub fn of(code: i32, text: String) -> Self {
        let kind = match code {
            // PERM_DENIED, AUTH_ERR, CRED_INSUFFICIENT, MAXTRIES
            6 | 7 | 8 | 11 => Kind::Denied,
            // USER_UNKNOWN
            10 => Kind::UnknownUser,
            // NEW_AUTHTOK_REQD, AUTHTOK_EXPIRED
            12 | 27 => Kind::PasswordExpired,
            // ACCT_EXPIRED
            13 => Kind::AccountExpired,
            // CONV_ERR
            19 => Kind::Conversation,
            _ => Kind::Unavailable,
        };
        Self { kind, text }
    }

    /// A refusal that is not the library's.
    #[must_use]
    pub fn unavailable(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Unavailable,
            text: text.into(),
        }
    }
}
