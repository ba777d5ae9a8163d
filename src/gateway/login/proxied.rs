//! Identity by the word of a reverse proxy.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::gateway::peer::Peer;
use crate::settings::values::Network;
use crate::visitors::{self, ProxiedRefused, Visitor};

/// Which proxies say who visits, and in which headers.
#[derive(Clone, Debug)]
pub struct Proxied {
    /// `ProxyAuth.Header`: holds the user's name.
    pub header: HeaderName,
    /// `ProxyAuth.GroupsHeader`: holds the groups.
    pub groups: Option<HeaderName>,
    /// `ProxyAuth.From`: only from these addresses it counts.
    pub from: Vec<Network>,
    /// `ProxyAuth.Cookie`: holds the proxy's log-in; empty where there is none.
    pub cookie: String,
}

impl Proxied {
    /// Who asks. What anybody else says in these headers is as if it were not said.
    pub(super) fn who(&self, peer: &Peer, headers: &HeaderMap) -> Result<Option<Visitor>, ProxiedRefused> {
        let address = peer.address.ip().to_canonical();
        if !self.from.iter().any(|network| network.contains(address)) {
            return Ok(None);
        }
        let Some(user) = visitors::user(self.header.as_str(), &values(headers, &self.header))? else {
            return Ok(None);
        };
        let groups = match &self.groups {
            Some(header) => visitors::groups(header.as_str(), &values(headers, header))?,
            None => Vec::new(),
        };
        Ok(Some(Visitor {
            user,
            groups,
            uid: None,
        }))
    }

    /// Whether a cookie has the name of the proxy's, or this name with `_` and more: long ones come in parts, and a
    /// log-in that has begun has one of its own.
    pub(super) fn is_cookie(&self, name: &[u8]) -> bool {
        !self.cookie.is_empty()
            && name
                .strip_prefix(self.cookie.as_bytes())
                .is_some_and(|more| more.is_empty() || more[0] == b'_')
    }

    /// Whether a header has one of these names; `_` counts as `-`.
    pub(super) fn is_named(&self, name: &str) -> bool {
        let fold = |byte: u8| if byte == b'_' { b'-' } else { byte };
        let own = std::iter::once(&self.header).chain(&self.groups);
        own.into_iter()
            .any(|own| own.as_str().bytes().map(fold).eq(name.bytes().map(fold)))
    }
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a [u8]> {
    headers
        .get_all(name)
        .into_iter()
        .map(HeaderValue::as_bytes)
        .collect()
}
