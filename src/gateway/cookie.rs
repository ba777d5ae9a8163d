//! The cookie that keeps a visitor with a process (SC5): signed, so that no gateway has to remember anything. Pure.

pub use super::keyring::{KeyError, Keyring, Refusal};
use super::keyring::{Seal, Sealed};
use crate::apps::{AppId, ProcessId};
use crate::visitors::Tag;

/// Its name.
pub const COOKIE: &str = "offhost-session";
/// Ids longer than this do not fit: names and uids of Kubernetes do, and so do job keys.
pub(super) const MAX_ID: usize = 80;

/// What the cookie says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The application.
    pub app: AppId,
    /// The process that the session began with.
    pub process: ProcessId,
    /// Its random number.
    pub id: u128,
    /// Whose it is: nobody else is seated in it. None is the session of somebody who is not known.
    pub visitor: Option<Tag>,
    /// When it began, in seconds since 1970.
    pub issued: u64,
}

impl Keyring {
    /// The value of a session's cookie.
    ///
    /// # Errors
    /// An id is too long.
    pub fn sign(&self, session: &Session) -> Result<String, KeyError> {
        let mut body = Vec::with_capacity(64);
        body.extend(session.id.to_be_bytes());
        let seal = match &session.visitor {
            None => Seal::Session,
            Some(visitor) => {
                body.extend(visitor);
                Seal::VisitorsSession
            }
        };
        for id in [session.app.as_str(), session.process.as_str()] {
            let long = || KeyError::LongId(id.to_owned());
            let length = u8::try_from(id.len()).map_err(|_| long())?;
            if id.len() > MAX_ID {
                return Err(long());
            }
            body.push(length);
            body.extend(id.as_bytes());
        }
        Ok(self.seal(seal, session.issued, &body))
    }

    /// Reads a cookie's value, as it was received from `visitor` for `app` at `now`; `lifetime` is in seconds, as `now`
    /// is.
    ///
    /// # Errors
    /// It does not count.
    pub fn verify(
        &self,
        value: &[u8],
        app: &AppId,
        visitor: Option<&Tag>,
        now: u64,
        lifetime: u64,
    ) -> Result<Session, Refusal> {
        let sealed = self.open(&[Seal::Session, Seal::VisitorsSession], value, now, lifetime)?;
        let session = read(&sealed).ok_or(Refusal::Malformed)?;
        if session.app != *app {
            return Err(Refusal::OtherApp);
        }
        if session.visitor.as_ref() != visitor {
            return Err(Refusal::OtherVisitor);
        }
        Ok(session)
    }
}

/// Takes what was signed apart; nothing may be left over.
fn read(sealed: &Sealed) -> Option<Session> {
    let (id, rest) = sealed.body.split_first_chunk::<16>()?;
    let (visitor, rest) = match sealed.seal {
        Seal::VisitorsSession => {
            let (visitor, rest) = rest.split_first_chunk()?;
            (Some(*visitor), rest)
        }
        _ => (None, rest),
    };
    let (app, rest) = text(rest)?;
    let (process, rest) = text(rest)?;
    let session = Session {
        app: app.into(),
        process: process.into(),
        id: u128::from_be_bytes(*id),
        visitor,
        issued: sealed.issued,
    };
    rest.is_empty().then_some(session)
}

fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

#[cfg(test)]
#[path = "cookie_tests.rs"]
mod tests;
