//! Whose results are whose: a visitor who has logged in by their name, others by a cookie that only the browser and this
//! server know. The token of a form belongs to the cookie, so that no other site can send a form for a visitor.

use http::header::COOKIE as COOKIE_HEADER;
use http::{HeaderMap, HeaderValue};

use crate::apps::AppId;
use crate::asked::Owner;
use crate::gateway::cookie::{Keyring, Session};
use crate::gateway::cookie_keys::random_id;

/// Its name.
pub(super) const COOKIE: &str = "offhost-parameters";
/// What stands for a process in the cookie and in the token: neither can take the place of the other or of a session.
const VISITOR: &str = "-parameters-visitor";
const TOKEN: &str = "-parameters-token";
/// How long a browser is known.
const KNOWN: u64 = 90 * 24 * 3600;
/// How long a form may stay open.
const OPEN: u64 = 24 * 3600;
/// Cookies of the name that are looked at.
const MOST: usize = 8;

/// A browser, by its random number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Browser(u128);

impl std::fmt::Debug for Browser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Browser")
    }
}

impl Browser {
    /// One that was never here.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(super) fn new() -> std::io::Result<Self> {
        random_id().map(Self)
    }

    /// What it owns, it owns by this.
    pub(super) fn owner(self) -> Owner {
        Owner::browser(self.0)
    }

    /// The browser of a request.
    pub(super) fn of(headers: &HeaderMap, keys: &Keyring, app: &AppId, now: u64) -> Option<Self> {
        let fields = headers.get_all(COOKIE_HEADER).into_iter();
        let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
        let values = pairs.filter_map(|pair| {
            let equals = pair.iter().position(|byte| *byte == b'=')?;
            let (name, value) = pair.split_at(equals);
            (name.trim_ascii() == COOKIE.as_bytes()).then(|| value[1..].trim_ascii())
        });
        values
            .take(MOST)
            .find_map(|value| read(value, keys, app, VISITOR, now, KNOWN))
    }

    /// The header that makes it known, for the pages of the form at `path` and the results below.
    pub(super) fn cookie(
        self,
        keys: &Keyring,
        app: &AppId,
        now: u64,
        path: &str,
        is_https: bool,
    ) -> Option<HeaderValue> {
        let value = self.sign(keys, app, VISITOR, now)?;
        let secure = if is_https { "; Secure" } else { "" };
        let text = format!("{COOKIE}={value}; Path={path}/; Max-Age={KNOWN}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&text).ok()
    }

    /// What a form of this browser carries.
    pub(super) fn token(self, keys: &Keyring, app: &AppId, now: u64) -> Option<String> {
        self.sign(keys, app, TOKEN, now)
    }

    /// Whether a form was made for this browser, and not too long ago.
    pub(super) fn has_token(self, token: &str, keys: &Keyring, app: &AppId, now: u64) -> bool {
        read(token.as_bytes(), keys, app, TOKEN, now, OPEN) == Some(self)
    }

    fn sign(self, keys: &Keyring, app: &AppId, what: &str, now: u64) -> Option<String> {
        let session = Session {
            app: app.clone(),
            process: what.into(),
            id: self.0,
            visitor: None,
            issued: now,
        };
        keys.sign(&session).ok()
    }
}

fn read(value: &[u8], keys: &Keyring, app: &AppId, what: &str, now: u64, lifetime: u64) -> Option<Browser> {
    let session = keys.verify(value, app, None, now, lifetime).ok()?;
    (session.process.as_str() == what).then_some(Browser(session.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> HeaderMap {
        [(COOKIE_HEADER, HeaderValue::from_str(text).unwrap())]
            .into_iter()
            .collect()
    }

    /// Proves: PK6 (L)
    #[test]
    fn a_cookie_is_one_browser_at_one_application_and_no_token() {
        let keys = Keyring::parse(&"k".repeat(40)).unwrap();
        let (app, other) = (AppId::from("a"), AppId::from("b"));
        let browser = Browser::new().unwrap();
        let cookie = browser
            .cookie(&keys, &app, 100, "/content/a/__offhost__", true)
            .unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(
            cookie
                .ends_with("; Path=/content/a/__offhost__/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure")
        );
        let pair = cookie.split(';').next().unwrap();
        let token = browser.token(&keys, &app, 100).unwrap();
        let of = |text: &str, app, now| Browser::of(&headers(text), &keys, app, now);
        assert_eq!(
            of(&format!("x=1; {COOKIE}=junk; {pair}"), &app, 100),
            Some(browser)
        );
        assert_eq!(of(pair, &other, 100), None);
        assert_eq!(of(pair, &app, 101 + KNOWN), None);
        assert_eq!(of(&format!("{COOKIE}={token}"), &app, 100), None);
        let session = Session {
            app: app.clone(),
            process: "p".into(),
            id: browser.0,
            visitor: None,
            issued: 100,
        };
        assert_eq!(
            of(&format!("{COOKIE}={}", keys.sign(&session).unwrap()), &app, 100),
            None
        );
        assert!(browser.has_token(&token, &keys, &app, 100 + OPEN));
        assert!(!browser.has_token(&token, &keys, &app, 101 + OPEN));
        assert!(!Browser::new().unwrap().has_token(&token, &keys, &app, 100));
        assert!(!browser.has_token(pair.split_once('=').unwrap().1, &keys, &app, 100));
        assert!(!browser.has_token("", &keys, &app, 100));
    }

    #[test]
    fn what_is_written_of_a_browser_is_not_its_number() {
        let browser = Browser::new().unwrap();
        let owner = format!("{:?}", browser.owner());
        assert!(!owner.contains(&browser.0.to_string()) && !owner.contains(&format!("{:x}", browser.0)));
        assert_ne!(browser.owner(), Browser::new().unwrap().owner());
    }
}
