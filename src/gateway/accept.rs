//! What forms of an answer a visitor takes (RFC 9110, section 12). Pure.

use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

/// The form of an answer in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A page.
    Html,
    /// RFC 9457.
    Json,
    /// Plain text.
    Text,
}

/// The form that a visitor likes best. Who does not ask for one gets text, because browsers do ask.
pub(super) fn form(headers: &HeaderMap) -> Form {
    let (mut html, mut json, mut text) = (0, 0, 0);
    each(headers, &ACCEPT, |kind, weight| match kind {
        "text/html" | "application/xhtml+xml" => html = weight.max(html),
        "application/json" | "application/problem+json" => json = weight.max(json),
        "text/plain" => text = weight.max(text),
        _ => {}
    });
    if html > 0 && html >= json && html >= text {
        Form::Html
    } else if json > 0 && json >= text {
        Form::Json
    } else {
        Form::Text
    }
}

/// Whether a visitor asks for a stream of events.
pub(super) fn wants_events(headers: &HeaderMap) -> bool {
    let mut is_wanted = false;
    each(headers, &ACCEPT, |kind, weight| {
        is_wanted |= kind == "text/event-stream" && weight > 0
    });
    is_wanted
}

/// Whether a visitor takes gzip, and likes it no less than what is not compressed.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, 0);
    each(headers, &ACCEPT_ENCODING, |coding, weight| match coding {
        "gzip" | "x-gzip" => gzip = Some(weight),
        "*" => any = Some(weight),
        "identity" => identity = weight,
        _ => {}
    });
    gzip.or(any)
        .is_some_and(|weight| weight > 0 && weight >= identity)
}

/// Calls `item` with every member of a list in lower case and its weight in thousandths.
fn each(headers: &HeaderMap, name: &HeaderName, mut item: impl FnMut(&str, u32)) {
    for field in headers.get_all(name) {
        for member in field.to_str().unwrap_or_default().split(',') {
            let mut words = member.split(';').map(str::trim);
            let what = words.next().unwrap_or_default().to_ascii_lowercase();
            let weight = words.find_map(|word| word.strip_prefix("q=").or_else(|| word.strip_prefix("Q=")));
            item(&what, weight.map_or(1000, thousandths));
        }
    }
}

/// A weight: 0 to 1 with up to three digits behind the point. What is none counts as 0.
fn thousandths(weight: &str) -> u32 {
    let (whole, rest) = weight.split_once('.').unwrap_or((weight, ""));
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    match whole {
        "0" => format!("{rest:0<3}").parse().unwrap_or(0),
        "1" => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        [(name, HeaderValue::from_str(value).unwrap())]
            .into_iter()
            .collect()
    }

    #[test]
    fn people_get_pages_and_programs_get_data() {
        for (accept, expected) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
                Form::Html,
            ),
            ("*/*", Form::Text),
            ("", Form::Text),
            ("application/json", Form::Json),
            ("application/json, text/plain, */*", Form::Json),
            ("application/problem+json", Form::Json),
            ("Application/JSON;q=0.9, text/html;q=0.5", Form::Json),
            ("text/html;q=0", Form::Text),
            ("text/plain, text/html;q=0.5", Form::Text),
            ("image/avif,image/webp,*/*;q=0.8", Form::Text),
            ("text/html;level=1;q=0.7, application/json;q=x", Form::Html),
        ] {
            assert_eq!(form(&headers(ACCEPT, accept)), expected, "{accept}");
        }
        assert_eq!(form(&HeaderMap::new()), Form::Text);
        assert!(wants_events(&headers(ACCEPT, "text/event-stream")));
        assert!(!wants_events(&headers(ACCEPT, "*/*")));
    }

    #[test]
    fn gzip_is_sent_to_who_takes_it() {
        for (accept, expected) in [
            ("gzip, deflate, br", true),
            ("x-gzip", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("br", false),
            ("", false),
            ("identity, gzip;q=0.5", false),
            ("identity;q=0.5, gzip", true),
            ("GZIP;Q=1.0", true),
            ("gzip;q=2", false),
        ] {
            assert_eq!(
                takes_gzip(&headers(ACCEPT_ENCODING, accept)),
                expected,
                "{accept}"
            );
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
