//! The cookies of log-ins. Over HTTPS their names have the prefix that keeps other hosts, and pages below other paths,
//! from setting them.

use http::{HeaderMap, HeaderValue};

use crate::gateway::cookie_header;

/// A cookie, by its two names.
#[derive(Debug)]
pub(in crate::gateway) struct Cookie {
    plain: &'static str,
    secure: &'static str,
}

/// The log-in.
pub(in crate::gateway) const LOGIN: Cookie = Cookie {
    plain: "offhost-login",
    secure: "__Host-offhost-login",
};
/// What a form is answered from the browser with to which it was sent.
pub(in crate::gateway) const FORM: Cookie = Cookie {
    plain: "offhost-form",
    secure: "__Host-offhost-form",
};

impl Cookie {
    fn name(&self, is_https: bool) -> &'static str {
        if is_https { self.secure } else { self.plain }
    }

    /// Whether this is one of its names.
    pub(in crate::gateway) fn is_named(&self, name: &[u8]) -> bool {
        [self.plain, self.secure].iter().any(|own| own.as_bytes() == name)
    }

    /// Its values in a request.
    pub(super) fn values<'a>(
        &self,
        headers: &'a HeaderMap,
        is_https: bool,
    ) -> impl Iterator<Item = &'a [u8]> {
        cookie_header::values(headers, self.name(is_https))
    }

    /// The header that sets it until the browser ends.
    pub(super) fn set(&self, value: &str, is_https: bool) -> Option<HeaderValue> {
        self.header(value, "", is_https)
    }

    /// The header that takes it away.
    pub(super) fn clear(&self, is_https: bool) -> Option<HeaderValue> {
        self.header("", "; Max-Age=0", is_https)
    }

    fn header(&self, value: &str, age: &str, is_https: bool) -> Option<HeaderValue> {
        let name = self.name(is_https);
        let secure = if is_https { "; Secure" } else { "" };
        HeaderValue::from_str(&format!(
            "{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}"
        ))
        .ok()
    }
}
