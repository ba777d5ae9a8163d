//! Answers of applications that do not know their path: where they send the visitor, and for which path their cookies are.

use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use super::peer::Public;
use super::route::Entry;
use super::routes::{Found, Routes};

/// Puts the application's path before an address on this host that lacks it.
pub fn location(headers: &mut HeaderMap, entry: &Entry, public: &Public, routes: &Routes) {
    let Some(given) = headers.get(LOCATION).and_then(|value| value.to_str().ok()) else {
        return;
    };
    let Some(begin) = own_path(given, public) else {
        return;
    };
    let (host, path) = given.split_at(begin);
    let bare = path.split(['?', '#']).next().unwrap_or_default();
    let is_app = !matches!(
        routes.find(super::peer::split(public.host()).0, bare),
        Found::Nothing
    );
    if is_below(bare, &entry.route.path) || is_app && bare != "/" {
        return;
    }
    if let Ok(value) = HeaderValue::from_str(&format!("{host}{}{path}", entry.route.path)) {
        headers.insert(LOCATION, value);
    }
}

/// Where the path begins in an address that leads to this host; `None` where it leads elsewhere, or is relative.
fn own_path(given: &str, public: &Public) -> Option<usize> {
    let after_scheme = ["http://", "https://", "//"].iter().find_map(|scheme| {
        let begins = given.get(..scheme.len())?.eq_ignore_ascii_case(scheme);
        begins.then_some(scheme.len())
    });
    let Some(begin) = after_scheme else {
        return given.starts_with('/').then_some(0);
    };
    let rest = &given[begin..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let is_own = rest[..end].eq_ignore_ascii_case(public.host());
    (is_own && rest[end..].starts_with('/')).then_some(begin + end)
}

/// Whether a path is the application's, or below it.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Bounds cookies for the whole host to the application: on one host applications would overwrite each other's.
pub fn cookies(headers: &mut HeaderMap, entry: &Entry) {
    let needed = |value: &HeaderValue| bounded(value, &entry.route.path).is_some();
    if !headers.get_all(SET_COOKIE).into_iter().any(needed) {
        return;
    }
    let fields = headers.get_all(SET_COOKIE).into_iter();
    let fields: Vec<HeaderValue> = fields
        .map(|value| bounded(value, &entry.route.path).unwrap_or_else(|| value.clone()))
        .collect();
    headers.remove(SET_COOKIE);
    for field in fields {
        headers.append(SET_COOKIE, field);
    }
}

/// The cookie with the application's path before its own; `None` where it has one below it, or none, or may have none.
fn bounded(value: &HeaderValue, prefix: &str) -> Option<HeaderValue> {
    let text = std::str::from_utf8(value.as_bytes()).ok()?;
    // A browser takes such a cookie for the whole host or not at all.
    if text
        .get(..7)
        .is_some_and(|name| name.eq_ignore_ascii_case("__Host-"))
    {
        return None;
    }
    let attribute = |part: &str| {
        let (name, path) = part.split_once('=')?;
        let is_path = name.trim().eq_ignore_ascii_case("path");
        is_path.then(|| path.trim().to_owned())
    };
    let path = text.split(';').skip(1).filter_map(attribute).last()?;
    if !path.starts_with('/') || is_below(&path, prefix) {
        return None;
    }
    let parts = text.split(';').enumerate();
    let kept = parts.filter(|(at, part)| *at == 0 || attribute(part).is_none());
    let kept: Vec<&str> = kept.map(|(_, part)| part).collect();
    HeaderValue::from_str(&format!("{}; Path={prefix}{path}", kept.join(";"))).ok()
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
