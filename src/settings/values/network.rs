//! Values of networks: addresses to listen at, host names, addresses of the web, networks.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::fmt;

use super::ValueError;

/// A value that no network knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not an address to listen at.
    #[error(
        "'{0}' is not an address and port; write :3939 for every address of the machine, or 127.0.0.1:3939"
    )]
    Listen(String),
    /// Not the name of a host.
    #[error("'{0}' is not the name of a host; write one in lower case, such as apps.example.org")]
    Host(String),
    /// Not an address of the web.
    #[error("'{0}' is not an address of the web; write one with http:// or https:// and without a path")]
    Address(String),
    /// Not a network.
    #[error(
        "'{0}' is not a network; write an address, or one with the length of its prefix such as 10.0.0.0/8"
    )]
    Network(String),
}

/// Addresses with a common prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether an address belongs to it. An IPv4 address is the same in its IPv6 form.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address.to_canonical() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, true),
            IpAddr::V6(v6) => (v6.to_bits(), false),
        };
        let ((base, base_is_v4), (given, given_is_v4)) = (bits(self.base), bits(address));
        let differing = (base ^ given)
            .checked_shr(128 - u32::from(self.prefix))
            .unwrap_or(0);
        base_is_v4 == given_is_v4 && differing == 0
    }

    /// Whether a process can send from one of these addresses to its own machine over the loopback.
    #[must_use]
    pub fn has_loopback(&self) -> bool {
        let usual = [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            IpAddr::from(Ipv6Addr::LOCALHOST),
        ];
        self.base.to_canonical().is_loopback() || usual.into_iter().any(|address| self.contains(address))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// Reads an address to listen at: `:3939`, `127.0.0.1:3939`, `[::1]:3939`, `localhost:3939`. An empty one is none.
///
/// # Errors
/// [`NetworkError::Listen`].
pub fn parse_listen(text: &str) -> Result<Option<SocketAddr>, ValueError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    let wrong = || NetworkError::Listen(text.to_owned());
    if let Some(port) = trimmed.strip_prefix(':') {
        let port = port.parse().map_err(|_| wrong())?;
        return Ok(Some(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))));
    }
    let spelt = trimmed.replacen("localhost:", "127.0.0.1:", 1);
    Ok(Some(spelt.parse().map_err(|_| wrong())?))
}

/// Reads the name of a host. An empty one is none.
///
/// # Errors
/// [`NetworkError::Host`].
pub fn parse_host(text: &str) -> Result<Option<String>, ValueError> {
    let trimmed = text.trim().trim_end_matches('.');
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match trimmed {
        "" => Ok(None),
        host if host.len() <= 253 && host.split('.').all(fits) => Ok(Some(host.to_owned())),
        _ => Err(NetworkError::Host(text.to_owned()).into()),
    }
}

/// Reads an address of the web, and gives it without the slash at its end. An empty one is none.
///
/// # Errors
/// [`NetworkError::Address`].
pub fn parse_address(text: &str) -> Result<Option<String>, ValueError> {
    let trimmed = text.trim().trim_end_matches('/');
    if trimmed.is_empty() {
        return Ok(None);
    }
    let rest = trimmed
        .strip_prefix("https://")
        .or_else(|| trimmed.strip_prefix("http://"));
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    match rest {
        Some(host) if !host.is_empty() && host.chars().all(plain) => Ok(Some(trimmed.to_owned())),
        _ => Err(NetworkError::Address(text.to_owned()).into()),
    }
}

/// Reads a network: an address, or one with the length of its prefix.
///
/// # Errors
/// [`NetworkError::Network`].
pub fn parse_network(text: &str) -> Result<Network, ValueError> {
    let trimmed = text.trim();
    let wrong = || ValueError::from(NetworkError::Network(text.to_owned()));
    let (base, prefix) = match trimmed.split_once('/') {
        Some((base, prefix)) => (base, Some(prefix)),
        None => (trimmed, None),
    };
    let base: IpAddr = base.parse().map_err(|_| wrong())?;
    let longest = if base.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(digits) => digits.parse().map_err(|_| wrong())?,
        None => longest,
    };
    if prefix > longest {
        return Err(wrong());
    }
    Ok(Network { base, prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_at_are_read() {
        let read = |text: &str| parse_listen(text).map(|found| found.map(|address| address.to_string()));
        for (text, address) in [
            (":3939", "[::]:3939"),
            (" 127.0.0.1:80 ", "127.0.0.1:80"),
            ("localhost:81", "127.0.0.1:81"),
            ("[::1]:82", "[::1]:82"),
        ] {
            assert_eq!(read(text), Ok(Some(address.to_owned())));
        }
        assert_eq!(read(" "), Ok(None));
        for text in ["3939", ":70000", "host:1", "1.2.3.4"] {
            assert_eq!(read(text), Err(NetworkError::Listen(text.to_owned()).into()));
        }
    }

    #[test]
    fn hosts_and_addresses_of_the_web_are_read() {
        assert_eq!(
            parse_host("apps.example.org."),
            Ok(Some("apps.example.org".to_owned()))
        );
        for text in ["Apps.org", "a..b", "-a.org", "a b", "*.org"] {
            assert!(parse_host(text).is_err(), "{text}");
        }
        let address = parse_address("https://connect.example.org:8443/");
        assert_eq!(address, Ok(Some("https://connect.example.org:8443".to_owned())));
        for text in [
            "connect.example.org",
            "ftp://x",
            "https://x/path",
            "https://u@x",
            "https://",
        ] {
            assert!(parse_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_holds_the_addresses_of_its_prefix() {
        let holds =
            |network: &str, address: &str| parse_network(network).unwrap().contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.1.2"));
        assert!(
            holds("10.0.0.0/8", "::ffff:10.1.2.3"),
            "the IPv6 form of an IPv4 address"
        );
        assert!(!holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "1.2.3.4"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"), "another family");
        assert!(holds("::/0", "2001:db8::1"));
        assert!(holds("127.0.0.1", "127.0.0.1"));
        assert!(!holds("127.0.0.1", "127.0.0.2"));
        for text in ["10.0.0.0/33", "ten/8", "10.0.0.0/x", ""] {
            assert!(parse_network(text).is_err(), "{text}");
        }
    }
}
