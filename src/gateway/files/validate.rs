//! Whether a visitor has what it asks for already (RFC 9110, section 13). Pure.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

/// Appended to the tag of a file where its compressed form is sent.
pub(super) const GZIP_MARK: &str = "-gz";
/// The last second that has a date in HTTP: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// What tells one state of a file from any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// Tag without its quotes.
    pub(super) tag: String,
    /// Seconds since 1970.
    pub(super) modified: u64,
}

/// What follows from the conditions of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is sent.
    Send,
    /// 304: the visitor has it.
    NotModified,
    /// 412: it is not what the visitor has.
    Failed,
}

impl Version {
    /// As `ETag` has it.
    pub(super) fn etag(&self, is_gzip: bool) -> String {
        let mark = if is_gzip { GZIP_MARK } else { "" };
        format!("\"{}{mark}\"", self.tag)
    }

    /// As `Last-Modified` has it.
    pub(super) fn last_modified(&self) -> String {
        httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(self.modified.min(LAST_SECOND)))
    }

    /// In the order that section 13.2.2 gives.
    pub(super) fn check(&self, headers: &HeaderMap) -> Verdict {
        let has = |name: HeaderName| headers.contains_key(name);
        let same_time = |name: HeaderName| text(headers, &name).and_then(|date| self.is_date(date));
        if has(IF_MATCH) {
            if !self.is_listed(headers, &IF_MATCH, false) {
                return Verdict::Failed;
            }
        } else if same_time(IF_UNMODIFIED_SINCE) == Some(false) {
            return Verdict::Failed;
        }
        let is_known = if has(IF_NONE_MATCH) {
            self.is_listed(headers, &IF_NONE_MATCH, true)
        } else {
            same_time(IF_MODIFIED_SINCE) == Some(true)
        };
        if is_known {
            Verdict::NotModified
        } else {
            Verdict::Send
        }
    }

    /// Whether parts may be sent: the visitor has the rest of this very state.
    pub(super) fn allows_parts(&self, headers: &HeaderMap, now: SystemTime) -> bool {
        let Some(condition) = headers.get(IF_RANGE) else {
            return true;
        };
        let condition = condition.to_str().unwrap_or_default().trim();
        if condition.starts_with('"') {
            return condition == self.etag(false);
        }
        // A date only tells states apart when it is over (section 8.8.2.2).
        let is_over = UNIX_EPOCH + Duration::from_secs(self.modified.saturating_add(1)) < now;
        is_over && self.is_date(condition) == Some(true)
    }

    /// Dates are compared for being the same: an older result or bundle may be activated again, and then what was
    /// modified later is no newer state.
    fn is_date(&self, date: &str) -> Option<bool> {
        let date = httpdate::parse_http_date(date.trim()).ok()?;
        let seconds = date.duration_since(UNIX_EPOCH).ok()?.as_secs();
        Some(seconds == self.modified.min(LAST_SECOND))
    }

    fn is_listed(&self, headers: &HeaderMap, name: &HeaderName, weakly: bool) -> bool {
        let fields = headers.get_all(name).into_iter();
        let mut tags = fields.flat_map(|field| field.to_str().unwrap_or_default().split(','));
        tags.any(|tag| {
            let tag = tag.trim();
            let tag = tag.strip_prefix("W/").filter(|_| weakly).unwrap_or(tag);
            let bare = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
            let bare = bare.map(|bare| bare.strip_suffix(GZIP_MARK).unwrap_or(bare));
            tag == "*" || bare == Some(&self.tag)
        })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const DATE: &str = "Sun, 22 Nov 2026 08:00:00 GMT";

    fn version() -> Version {
        Version {
            tag: "a-1".into(),
            modified: 1_795_334_400,
        }
    }

    fn headers(list: &[(HeaderName, &'static str)]) -> HeaderMap {
        let pairs = list
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        pairs.collect()
    }

    /// Proves: PK7 (L, P)
    #[test]
    fn conditions_are_judged_in_their_order() {
        assert_eq!(version().last_modified(), DATE);
        let earlier = "Sun, 22 Nov 2026 07:59:59 GMT";
        let later = "Sun, 22 Nov 2026 08:00:01 GMT";
        for (given, expected) in [
            (&[][..], Verdict::Send),
            (&[(IF_NONE_MATCH, "\"a-1\"")], Verdict::NotModified),
            (&[(IF_NONE_MATCH, "W/\"a-1\"")], Verdict::NotModified),
            (&[(IF_NONE_MATCH, "\"a-1-gz\"")], Verdict::NotModified),
            (&[(IF_NONE_MATCH, "\"x\", \"a-1\"")], Verdict::NotModified),
            (&[(IF_NONE_MATCH, "*")], Verdict::NotModified),
            (&[(IF_NONE_MATCH, "\"a-2\"")], Verdict::Send),
            (&[(IF_NONE_MATCH, "a-1")], Verdict::Send),
            (
                &[(IF_NONE_MATCH, "\"a-2\""), (IF_MODIFIED_SINCE, DATE)],
                Verdict::Send,
            ),
            (&[(IF_MODIFIED_SINCE, DATE)], Verdict::NotModified),
            (&[(IF_MODIFIED_SINCE, earlier)], Verdict::Send),
            (&[(IF_MODIFIED_SINCE, later)], Verdict::Send),
            (&[(IF_MODIFIED_SINCE, "yesterday")], Verdict::Send),
            (
                &[(IF_MODIFIED_SINCE, "Sunday, 22-Nov-26 08:00:00 GMT")],
                Verdict::NotModified,
            ),
            (&[(IF_MATCH, "\"a-1\"")], Verdict::Send),
            (&[(IF_MATCH, "W/\"a-1\"")], Verdict::Failed),
            (&[(IF_MATCH, "\"x\"")], Verdict::Failed),
            (&[(IF_UNMODIFIED_SINCE, earlier)], Verdict::Failed),
            (&[(IF_UNMODIFIED_SINCE, DATE)], Verdict::Send),
            (
                &[(IF_MATCH, "*"), (IF_NONE_MATCH, "\"a-1\"")],
                Verdict::NotModified,
            ),
        ] {
            assert_eq!(version().check(&headers(given)), expected, "{given:?}");
        }
    }

    /// Proves: PK7 (L, P)
    #[test]
    fn the_rest_of_another_state_is_not_sent() {
        let now = UNIX_EPOCH + Duration::from_secs(version().modified + 100);
        let allows = |value: &'static str| version().allows_parts(&headers(&[(IF_RANGE, value)]), now);
        assert!(version().allows_parts(&HeaderMap::new(), now));
        assert!(allows("\"a-1\"") && allows(DATE));
        for bad in [
            "\"a-2\"",
            "W/\"a-1\"",
            "\"a-1-gz\"",
            "Sun, 22 Nov 2026 07:59:59 GMT",
            "",
            "x",
        ] {
            assert!(!allows(bad), "{bad}");
        }
        let at_once = UNIX_EPOCH + Duration::from_secs(version().modified);
        assert!(!version().allows_parts(&headers(&[(IF_RANGE, DATE)]), at_once));
    }

    #[test]
    fn a_time_without_a_date_does_no_harm() {
        let last = Version {
            tag: "t".into(),
            modified: u64::MAX,
        };
        assert_eq!(last.last_modified(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
