//! Cookie headers: our cookie is read and taken out, and the bytes of the others stay as they are.

use http::header::{COOKIE as COOKIE_HEADER, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use super::cookie::{COOKIE, Keyring, Refusal, Session};
use super::login::{FORM, LOGIN};
use crate::apps::AppId;
use crate::visitors::Tag;

/// Cookies of our name that are looked at; a browser sends one for each path it knows one for.
const MOST: usize = 8;

/// The session of a request of `visitor` to `app`, or why none of its cookies counts; `None` where it has none.
#[must_use]
pub fn session(
    headers: &HeaderMap,
    keys: &Keyring,
    app: &AppId,
    visitor: Option<&Tag>,
    now: u64,
    lifetime: u64,
) -> Option<Result<Session, Refusal>> {
    let mut refused = None;
    for value in values(headers, COOKIE) {
        match keys.verify(value, app, visitor, now, lifetime) {
            Ok(session) => return Some(Ok(session)),
            Err(refusal) => refused = refused.or(Some(Err(refusal))),
        }
    }
    refused
}

/// Values of the first cookies of a name.
pub(super) fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    let fields = headers.get_all(COOKIE_HEADER).into_iter();
    let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    let of_name = pairs.filter_map(move |pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (own, value) = pair.split_at(equals);
        (own.trim_ascii() == name.as_bytes()).then(|| value[1..].trim_ascii())
    });
    of_name.take(MOST)
}

/// Takes our cookies, and those that `is_hidden`, out of a request that goes on to an application, and joins several
/// fields into one, as HTTP/1.1 wants it (RFC 9113, section 8.2.3). All else keeps its bytes.
pub fn forward(headers: &mut HeaderMap, is_hidden: impl Fn(&[u8]) -> bool) {
    let is_ours = |pair: &[u8]| is_ours(pair, &is_hidden);
    let fields = headers.get_all(COOKIE_HEADER).into_iter().count();
    let ours = |field: &HeaderValue| field.as_bytes().split(|byte| *byte == b';').any(is_ours);
    if fields == 0 || fields == 1 && !headers.get(COOKIE_HEADER).is_some_and(ours) {
        return;
    }
    let mut kept: Vec<u8> = Vec::new();
    let mut separator: &[u8] = b"";
    for field in headers.get_all(COOKIE_HEADER) {
        let mut is_first = true;
        for pair in field
            .as_bytes()
            .split(|byte| *byte == b';')
            .filter(|pair| !is_ours(pair))
        {
            kept.extend(separator);
            // What stood before the first of a field that stays was ours.
            kept.extend(if is_first { pair.trim_ascii_start() } else { pair });
            (separator, is_first) = (b";", false);
        }
        if !separator.is_empty() {
            separator = b"; ";
        }
    }
    headers.remove(COOKIE_HEADER);
    if let Ok(value) = HeaderValue::from_bytes(&kept)
        && !kept.is_empty()
    {
        headers.insert(COOKIE_HEADER, value);
    }
}

fn is_ours(pair: &[u8], is_hidden: impl Fn(&[u8]) -> bool) -> bool {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
    let name = name.trim_ascii();
    name == COOKIE.as_bytes() || LOGIN.is_named(name) || FORM.is_named(name) || is_hidden(name)
}

/// The header that gives a visitor the cookie `value` for the application at `path`.
#[must_use]
pub fn set_cookie(value: &str, path: &str, is_https: bool) -> Option<HeaderValue> {
    let secure = if is_https { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path={path}/; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).ok()
}

/// Takes cookies of our name, and those that `is_hidden`, out of an application's answer: it has no business with them.
pub fn drop_set_cookie(headers: &mut HeaderMap, is_hidden: impl Fn(&[u8]) -> bool) {
    // Browsers send the value of a cookie without a name as if it were a name and a value.
    let is_ours = |field: &HeaderValue| {
        let field = field.as_bytes().trim_ascii_start();
        let field = field.strip_prefix(b"=").unwrap_or(field);
        is_ours(
            field.split(|byte| *byte == b';').next().unwrap_or_default(),
            &is_hidden,
        )
    };
    if !headers.get_all(SET_COOKIE).into_iter().any(is_ours) {
        return;
    }
    let fields = headers.get_all(SET_COOKIE).into_iter();
    let kept: Vec<HeaderValue> = fields.filter(|field| !is_ours(field)).cloned().collect();
    headers.remove(SET_COOKIE);
    for field in kept {
        headers.append(SET_COOKIE, field);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(fields: &[&[u8]]) -> HeaderMap {
        let values = fields.iter().map(|field| HeaderValue::from_bytes(field).unwrap());
        values.map(|value| (COOKIE_HEADER, value)).collect()
    }

    fn forwarded(fields: &[&[u8]]) -> Option<Vec<u8>> {
        let mut headers = headers(fields);
        forward(&mut headers, |name| name == b"hidden");
        assert!(headers.get_all(COOKIE_HEADER).into_iter().count() <= 1);
        headers.get(COOKIE_HEADER).map(|value| value.as_bytes().to_vec())
    }

    /// Proves: PR1 (L, P)
    #[test]
    fn our_cookie_is_not_passed_on_and_others_keep_their_bytes() {
        for (given, expected) in [
            (&b"offhost-session=x"[..], None),
            (b"offhost-session", None),
            (b" offhost-session = x ", None),
            (b"a=1; offhost-session=x; b=2", Some(&b"a=1; b=2"[..])),
            (b"offhost-session=x; a=1", Some(b"a=1")),
            (b"a=1; offhost-session=x", Some(b"a=1")),
            (b"offhost-session=x;offhost-session=y;a=1", Some(b"a=1")),
            (b"a=1;b=2", Some(b"a=1;b=2")),
            (b"a=1;  b=\"2 \";;c", Some(b"a=1;  b=\"2 \";;c")),
            (b"a=1;  b=\"2 \";offhost-session=;;c", Some(b"a=1;  b=\"2 \";;c")),
            (
                b"xoffhost-session=1; offhost-sessionx=2",
                Some(b"xoffhost-session=1; offhost-sessionx=2"),
            ),
            (
                b"offhost-login=1; a=1; __Host-offhost-login=2; offhost-form=3; __Host-offhost-form=4",
                Some(b"a=1"),
            ),
            (b"Offhost-Session=1", Some(b"Offhost-Session=1")),
            (b"hidden=1; a=1; hidden2=1", Some(b"a=1; hidden2=1")),
            (b"a=offhost-session=1", Some(b"a=offhost-session=1")),
            (b"a=\xff\xfe; offhost-session=1", Some(b"a=\xff\xfe")),
        ] {
            let expected = expected.map(<[u8]>::to_vec);
            assert_eq!(forwarded(&[given]), expected, "{}", given.escape_ascii());
        }
        assert_eq!(forwarded(&[]), None);
        assert_eq!(forwarded(&[b"a=1", b"b=2"]), Some(b"a=1; b=2".to_vec()));
        assert_eq!(
            forwarded(&[b"a=1", b"offhost-session=x", b"b=2"]),
            Some(b"a=1; b=2".to_vec())
        );
    }

    /// Proves: SC5 (L, P)
    #[test]
    fn of_several_cookies_the_one_that_counts_is_taken() {
        let keys = Keyring::parse(&"k".repeat(40)).unwrap();
        let session = |app: &str| Session {
            app: app.into(),
            process: "p".into(),
            id: 7,
            visitor: None,
            issued: 100,
        };
        let (ours, other) = (
            keys.sign(&session("a")).unwrap(),
            keys.sign(&session("b")).unwrap(),
        );
        let find = |text: &str| {
            let headers = headers(&[text.as_bytes()]);
            super::session(&headers, &keys, &"a".into(), None, 100, 10)
        };
        assert_eq!(find("x=1"), None);
        let several = format!("offhost-session=junk; offhost-session={other}; offhost-session={ours}; x=1");
        assert_eq!(find(&several), Some(Ok(session("a"))));
        assert_eq!(
            find(&format!("offhost-session={other}")),
            Some(Err(Refusal::OtherApp))
        );
        assert_eq!(find("offhost-session=; a=1"), Some(Err(Refusal::Malformed)));
        let flood = "offhost-session=x; ".repeat(MOST);
        assert_eq!(
            find(&format!("{flood}offhost-session={ours}")),
            Some(Err(Refusal::Malformed))
        );
    }

    #[test]
    fn the_cookie_is_bound_to_the_application_and_hidden_from_scripts() {
        let text = |https| set_cookie("VALUE", "/content/shop", https).unwrap();
        let plain = "offhost-session=VALUE; Path=/content/shop/; HttpOnly; SameSite=Lax";
        assert_eq!(text(false), plain);
        assert_eq!(text(true), format!("{plain}; Secure"));
    }

    #[test]
    fn an_application_can_not_set_our_cookie() {
        let mut headers = HeaderMap::new();
        for field in [
            "a=1; Path=/",
            "offhost-session=x; Path=/",
            "offhost-sessions=y",
            "offhost-login=x",
            "__Host-offhost-login=x; Secure; Path=/",
            "=offhost-login=x",
            "hidden=x; Path=/",
            "hidden",
            " = offhost-form=x",
        ] {
            headers.append(SET_COOKIE, HeaderValue::from_static(field));
        }
        drop_set_cookie(&mut headers, |name| name == b"hidden");
        let left: Vec<_> = headers.get_all(SET_COOKIE).into_iter().collect();
        assert_eq!(left, ["a=1; Path=/", "offhost-sessions=y"]);
    }

    proptest! {
        #[test]
        fn whatever_the_header_ours_goes_and_the_rest_stays(
            pairs in proptest::collection::vec("( ?(offhost-session|a|b)?=?[!-:<-~]{0,6} ?)|", 0..8)
        ) {
            let text = pairs.join(";");
            let mut headers = headers(&[text.as_bytes()]);
            forward(&mut headers, |_| false);
            prop_assert_eq!(values(&headers, COOKIE).count(), 0);
            let left = headers.get(COOKIE_HEADER).map(|value| value.as_bytes().to_vec()).unwrap_or_default();
            let others: Vec<&str> = text.split(';').filter(|pair| !is_ours(pair.as_bytes(), |_| false)).collect();
            let others = others.join(";");
            // Only a blank before the first pair may go, where ours stood before it.
            prop_assert_eq!(left.trim_ascii(), others.as_bytes().trim_ascii());
        }
    }
}
