//! Who asks, and by which address: from the connection, or from the proxies before the gateway that are trusted.

use std::net::{IpAddr, SocketAddr};

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};

use crate::settings::values::Network;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The other end of a connection.
#[derive(Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Its address as text.
    pub ip: HeaderValue,
    /// Whether it came by HTTPS.
    pub is_tls: bool,
    /// Whether it is a proxy whose word on the visitor is believed.
    pub is_trusted: bool,
    /// Whether another gateway passes on what came to it from there.
    pub is_passed_on: bool,
}

impl Peer {
    /// Of a connection from this address.
    #[must_use]
    pub fn new(address: SocketAddr, is_tls: bool, trusted: &[Network]) -> Self {
        let ip = address.ip().to_canonical();
        let text = HeaderValue::from_str(&ip.to_string());
        Self {
            address,
            ip: text.expect("an address is made of digits, points and colons"),
            is_tls,
            is_trusted: trusted.iter().any(|network| network.contains(ip)),
            is_passed_on: false,
        }
    }
}

/// How the visitor sees the gateway, and who the visitor is.
#[derive(Clone, Debug)]
pub struct Public {
    /// Whether the visitor came by HTTPS.
    pub is_https: bool,
    /// Host, and port where it is not the usual one, as the visitor wrote them.
    pub host: HeaderValue,
    /// The visitor's address.
    pub visitor: IpAddr,
}

/// What is wrong with the host of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadHost;

impl Public {
    /// Of a request.
    ///
    /// # Errors
    /// It names no host, several, or what can not be one.
    pub fn of<B>(peer: &Peer, request: &Request<B>, trusted: &[Network]) -> Result<Self, BadHost> {
        let own = own_host(request.uri(), request.headers())?;
        if !peer.is_trusted {
            return Ok(Self {
                is_https: peer.is_tls,
                host: own,
                visitor: peer.address.ip().to_canonical(),
            });
        }
        let headers = request.headers();
        let proto = last(headers, &FORWARDED_PROTO).map(|proto| proto.eq_ignore_ascii_case("https"));
        let host = first(headers, &FORWARDED_HOST).and_then(|host| HeaderValue::from_str(host).ok());
        let host = host.filter(|host| is_host(host.as_bytes()));
        Ok(Self {
            is_https: proto.unwrap_or(peer.is_tls),
            host: host.unwrap_or(own),
            visitor: visitor(peer, headers, trusted),
        })
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.is_https { "https" } else { "http" }
    }

    /// Host, and port where it is not the usual one.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.to_str().unwrap_or_default()
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        let usual = if self.is_https { 443 } else { 80 };
        split(self.host()).1.unwrap_or(usual)
    }
}

/// Host and port of what may have a port.
#[must_use]
pub fn split(host: &str) -> (&str, Option<u16>) {
    let port_at = host.rfind(':').filter(|at| !host[*at..].contains(']'));
    match port_at {
        Some(at) => (&host[..at], host[at + 1..].parse().ok()),
        None => (host, None),
    }
}

/// The one host that a request names. An absolute address counts more than the header (RFC 9112, section 3.2.2).
fn own_host(uri: &Uri, headers: &HeaderMap) -> Result<HeaderValue, BadHost> {
    let mut named = headers.get_all(HOST).into_iter();
    let header = named.next();
    if named.next().is_some() {
        return Err(BadHost);
    }
    let host = match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => return Err(BadHost),
        Some(authority) => HeaderValue::from_str(authority.as_str()).map_err(|_| BadHost)?,
        None => header.cloned().ok_or(BadHost)?,
    };
    is_host(host.as_bytes()).then_some(host).ok_or(BadHost)
}

/// Whether this can be a host and a port: no bytes that mean something else in an address.
fn is_host(host: &[u8]) -> bool {
    let is_part =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']');
    !host.is_empty() && host.len() <= 260 && host.iter().all(is_part)
}

fn first<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?;
    value.split(',').next().map(str::trim)
}

fn last<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let value = headers.get_all(name).into_iter().next_back()?.to_str().ok()?;
    value.rsplit(',').next().map(str::trim)
}

/// An address, also with the port that some proxies put behind it.
fn address(word: &str) -> Option<IpAddr> {
    let bare = word
        .strip_prefix('[')
        .and_then(|word| word.strip_suffix(']'))
        .unwrap_or(word);
    let with_port = || word.parse::<SocketAddr>().ok().map(|with_port| with_port.ip());
    bare.parse().ok().or_else(with_port)
}

/// The last address on the way that is not a trusted proxy's.
fn visitor(peer: &Peer, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let mut visitor = peer.address.ip().to_canonical();
    for value in headers.get_all(&FORWARDED_FOR).into_iter().rev() {
        let Ok(value) = value.to_str() else {
            return visitor;
        };
        for word in value.rsplit(',') {
            let Some(address) = address(word.trim()) else {
                return visitor;
            };
            visitor = address.to_canonical();
            if !trusted.iter().any(|network| network.contains(visitor)) {
                return visitor;
            }
        }
    }
    visitor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::values::parse_network;

    fn peer(trusted: &[Network]) -> Peer {
        Peer::new("10.0.0.1:4000".parse().unwrap(), false, trusted)
    }

    fn request(headers: &[(&'static str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri("/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    /// Proves: PR1 (L, P)
    #[test]
    fn only_trusted_proxies_are_believed() {
        let headers = [
            ("host", "inner:3939"),
            ("x-forwarded-host", "outer.example.com"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-for", "198.51.100.7, 203.0.113.9, 10.9.9.9"),
        ];
        let stranger = Public::of(&peer(&[]), &request(&headers), &[]).unwrap();
        assert_eq!(
            (stranger.is_https, stranger.host(), stranger.port()),
            (false, "inner:3939", 3939)
        );
        assert_eq!(stranger.visitor.to_string(), "10.0.0.1");
        let trusted = [parse_network("10.0.0.0/8").unwrap()];
        let known = Public::of(&peer(&trusted), &request(&headers), &trusted).unwrap();
        assert_eq!(
            (known.is_https, known.host(), known.port()),
            (true, "outer.example.com", 443)
        );
        assert_eq!(
            known.visitor.to_string(),
            "203.0.113.9",
            "what is left of it anybody can write"
        );
    }

    #[test]
    fn an_address_on_the_way_may_have_a_port() {
        let trusted = [parse_network("10.0.0.0/8").unwrap()];
        for (word, expected) in [
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("unknown", "10.9.9.9"),
            ("203.0.113.9:http", "10.9.9.9"),
        ] {
            let way = format!("{word}, 10.9.9.9:80");
            let asked = request(&[("host", "a"), ("x-forwarded-for", &way)]);
            let public = Public::of(&peer(&trusted), &asked, &trusted).unwrap();
            assert_eq!(public.visitor.to_string(), expected, "{word}");
        }
    }

    /// Proves: PR1 (L, P)
    #[test]
    fn a_request_names_one_host() {
        for headers in [
            &[][..],
            &[("host", "a"), ("host", "a")],
            &[("host", "a/b")],
            &[("host", "")],
            &[("host", "a b")],
            &[("host", "u@a")],
        ] {
            assert_eq!(
                Public::of(&peer(&[]), &request(headers), &[]).unwrap_err(),
                BadHost,
                "{headers:?}"
            );
        }
        let mut absolute = request(&[("host", "b")]);
        *absolute.uri_mut() = "http://a:81/x".parse().unwrap();
        assert_eq!(Public::of(&peer(&[]), &absolute, &[]).unwrap().host(), "a:81");
    }

    #[test]
    fn ports_are_told_from_addresses() {
        assert_eq!(split("a.example:8443"), ("a.example", Some(8443)));
        assert_eq!(split("a.example"), ("a.example", None));
        assert_eq!(split("[::1]"), ("[::1]", None));
        assert_eq!(split("[::1]:80"), ("[::1]", Some(80)));
    }
}
