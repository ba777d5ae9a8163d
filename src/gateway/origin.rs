//! Whether a WebSocket was opened by a page of this host: several frameworks do not ask, and a browser lets any page open
//! one to anywhere, with the visitor's cookies.

use http::HeaderMap;
use http::header::ORIGIN;

use super::peer::{Public, split};

/// Why a WebSocket is not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    /// A page of another host.
    #[error("A page of {page} may not open a WebSocket to {host}.")]
    Page {
        /// Its origin.
        page: String,
        /// This host.
        host: String,
    },
    /// A browser that does not say which page.
    #[error("A page of another site may not open a WebSocket to {0}.")]
    Site(String),
}

/// Refuses what a page of another origin opens. Programs that are no browsers name no origin.
///
/// # Errors
/// [`Foreign`].
pub fn check(headers: &HeaderMap, public: &Public) -> Result<(), Foreign> {
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    // Browsers alone can say this, and they know better than we do behind a proxy that changes the host.
    if site == Some(b"same-origin") {
        return Ok(());
    }
    let host = || public.host().to_owned();
    let mut origins = headers.get_all(ORIGIN).into_iter();
    match (origins.next(), origins.next()) {
        (None, _) => match site {
            None | Some(b"none") => Ok(()),
            Some(_) => Err(Foreign::Site(host())),
        },
        (Some(origin), None) if origin.to_str().is_ok_and(|origin| is_own(origin, public)) => Ok(()),
        (Some(origin), _) => Err(Foreign::Page {
            page: String::from_utf8_lossy(origin.as_bytes()).into_owned(),
            host: host(),
        }),
    }
}

fn is_own(origin: &str, public: &Public) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else {
        return false;
    };
    let usual = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return false,
    };
    let (name, port) = split(host);
    let (own, own_port) = split(public.host());
    // Behind a proxy that ends TLS and says nothing of it, only the usual ports differ.
    let is_same_port = port.unwrap_or(usual) == own_port.unwrap_or(usual);
    name.eq_ignore_ascii_case(own) && is_same_port
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn answer(host: &'static str, headers: &[(&'static str, &'static str)]) -> bool {
        let public = Public {
            is_https: false,
            host: HeaderValue::from_static(host),
            visitor: [127, 0, 0, 1].into(),
        };
        let headers = headers.iter().map(|(name, value)| {
            (
                http::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        check(&headers.collect(), &public).is_ok()
    }

    /// Proves: PR1 (L, P)
    #[test]
    fn only_pages_of_this_host_and_programs_open_sockets() {
        assert!(answer("a.example", &[("origin", "http://a.example")]));
        assert!(answer("a.example", &[("origin", "https://A.example")]));
        assert!(answer("a.example:3939", &[("origin", "http://a.example:3939")]));
        assert!(answer("a.example:443", &[("origin", "https://a.example")]));
        assert!(answer("a.example", &[]), "no browser");
        assert!(answer(
            "inner",
            &[("origin", "https://a.example"), ("sec-fetch-site", "same-origin")]
        ));
        for headers in [
            &[("origin", "http://b.example")][..],
            &[("origin", "http://a.example:81")],
            &[("origin", "http://a.example.evil.example")],
            &[("origin", "null")],
            &[("origin", "file://")],
            &[("origin", "")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("origin", "http://a.example"), ("origin", "http://b.example")],
        ] {
            assert!(!answer("a.example", headers), "{headers:?}");
        }
    }
}
