//! Headers on their way to an application: what is between the visitor and the gateway alone, and what only the gateway
//! may say, is taken out; what the application has to know of the visitor's side is put in.

use http::header::{
    CONNECTION, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::peer::{Peer, Public};
use super::route::Entry;
use crate::visitors::{Visitor, credentials};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const BASE_URL: HeaderName = HeaderName::from_static("rstudio-connect-app-base-url");
const FULL_URL: HeaderName = HeaderName::from_static("x-rsc-request");
const CREDENTIALS: HeaderName = HeaderName::from_static("rstudio-connect-credentials");
const SHINY_CREDENTIALS: HeaderName = HeaderName::from_static("shiny-server-credentials");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// Names a request in the logs of all who handle it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names and beginnings of names that a visitor may not say; `_` counts as `-`, since CGI's successors read both alike.
const NOT_FROM_VISITORS: [&str; 17] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "http2-settings",
    "forwarded",
    "x-forwarded-",
    "x-real-ip",
    "x-correlation-id",
    "x-rsc-",
    "x-rstudio-",
    "x-offhost-",
    "rstudio-connect-",
    "posit-connect-",
    "shiny-server-",
    "shiny-shared-secret",
    "script-name",
    "path-info",
];

/// Whether a visitor may not say this: names that end in a hyphen stand for all that begin so.
fn is_ours(name: &str) -> bool {
    let first = name.as_bytes()[0];
    // Most names are told by their first letter.
    if !matches!(first, b'c' | b'k' | b'p' | b'h' | b'f' | b'x' | b'r' | b's') {
        return false;
    }
    let same = |(own, other): (u8, u8)| own == other || own == b'-' && other == b'_';
    NOT_FROM_VISITORS.iter().any(|own| {
        let begins = name.len() >= own.len() && own.bytes().zip(name.bytes()).all(same);
        begins && (own.ends_with('-') || own.len() == name.len())
    })
}

/// Takes out what ends here and what a visitor may not say.
pub fn clean(headers: &mut HeaderMap) {
    const ENDS_HERE: [HeaderName; 6] = [
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
        EXPECT,
        PROXY_AUTHORIZATION,
        PROXY_AUTHENTICATE,
    ];
    remove_named_by_connection(headers);
    remove(headers, |name| is_ours(name.as_str()) || ENDS_HERE.contains(name));
}

/// Takes out what is between the process and the gateway alone.
pub fn clean_answer(headers: &mut HeaderMap) {
    const ENDS_HERE: [HeaderName; 6] = [
        CONNECTION,
        TRANSFER_ENCODING,
        UPGRADE,
        TE,
        KEEP_ALIVE,
        PROXY_CONNECTION,
    ];
    remove_named_by_connection(headers);
    remove(headers, |name| ENDS_HERE.contains(name));
}

/// Takes out what would be said for a whole host that applications share: that scripts of this one may answer for the
/// others, and for the page to log in, or that all cookies are to go.
pub fn clean_shared(headers: &mut HeaderMap) {
    headers.remove("service-worker-allowed");
    headers.remove("clear-site-data");
}

/// Takes out the names that are meant. Most requests have none of them, so that looking at each name once costs less than
/// looking each of them up.
fn remove(headers: &mut HeaderMap, is_meant: impl Fn(&HeaderName) -> bool) {
    let meant: Vec<HeaderName> = headers.keys().filter(|name| is_meant(name)).cloned().collect();
    for name in meant {
        headers.remove(name);
    }
}

/// `Connection` names the fields that go no further than it does. The host is none of them, nor what frames the body.
fn remove_named_by_connection(headers: &mut HeaderMap) {
    let mut named = Vec::new();
    for value in headers.get_all(CONNECTION) {
        let words = value.to_str().unwrap_or_default().split(',').map(str::trim);
        let others = words.filter(|word| {
            ![
                "",
                "close",
                "keep-alive",
                "upgrade",
                "host",
                "content-length",
                "cookie",
            ]
            .iter()
            .any(|usual| word.eq_ignore_ascii_case(usual))
        });
        named.extend(others.filter_map(|word| HeaderName::from_bytes(word.as_bytes()).ok()));
    }
    for name in named {
        headers.remove(name);
    }
}

/// What an application is told of how it was asked.
#[derive(Debug)]
pub struct Telling<'a> {
    /// The connection.
    pub peer: &'a Peer,
    /// How the visitor sees the gateway.
    pub public: &'a Public,
    /// The application.
    pub entry: &'a Entry,
    /// The visitor's path and query.
    pub target: &'a str,
    /// Names the request.
    pub id: &'a HeaderValue,
    /// What a trusted proxy said of the way before it.
    pub before: Option<HeaderValue>,
    /// Who asks, if it is known, and whether the application learns it as Shiny does.
    pub visitor: Option<(&'a Visitor, bool)>,
}

/// What a trusted proxy said of the way before it; to be asked before [`clean`].
#[must_use]
pub fn way_before(peer: &Peer, headers: &HeaderMap) -> Option<HeaderValue> {
    if !peer.is_trusted {
        return None;
    }
    let values: Vec<&[u8]> = headers
        .get_all(&FORWARDED_FOR)
        .into_iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let joined = values.join(&b", "[..]);
    (!joined.is_empty())
        .then(|| HeaderValue::from_bytes(&joined).ok())
        .flatten()
}

impl Telling<'_> {
    /// Puts it into a request that was cleaned.
    pub fn put(&self, headers: &mut HeaderMap) {
        // As many as follow, so that the map grows once.
        headers.reserve(9);
        headers.insert(HOST, self.public.host.clone());
        headers.insert(FORWARDED_FOR, self.way());
        headers.insert(FORWARDED_HOST, self.public.host.clone());
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(self.public.scheme()));
        headers.insert(FORWARDED_PORT, self.port());
        headers.insert(FORWARDED_PREFIX, self.entry.prefix.clone());
        headers.insert(REQUEST_ID, self.id.clone());
        let (scheme, host) = (self.public.scheme(), self.public.host());
        let mut url = String::with_capacity(scheme.len() + 3 + host.len() + self.target.len());
        url.extend([scheme, "://", host]);
        let base = url.len();
        url.push_str(&self.entry.route.path);
        insert(headers, BASE_URL, &url);
        url.truncate(base);
        url.push_str(self.target);
        insert(headers, FULL_URL, &url);
        if let Some((visitor, is_shiny)) = self.visitor {
            let credentials = credentials(visitor);
            insert(headers, CREDENTIALS, &credentials);
            if is_shiny {
                insert(headers, SHINY_CREDENTIALS, &credentials);
            }
        }
    }

    fn way(&self) -> HeaderValue {
        let Some(before) = &self.before else {
            return self.peer.ip.clone();
        };
        let joined = [before.as_bytes(), b", ", self.peer.ip.as_bytes()].concat();
        HeaderValue::from_bytes(&joined).unwrap_or_else(|_| self.peer.ip.clone())
    }

    fn port(&self) -> HeaderValue {
        match self.public.port() {
            80 => HeaderValue::from_static("80"),
            443 => HeaderValue::from_static("443"),
            other => other.into(),
        }
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
