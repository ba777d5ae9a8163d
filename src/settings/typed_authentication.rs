//! The typed settings of who visits.

use std::time::Duration;

use super::typed::Settings;
use super::values::Network;
use crate::visitors::AccessLimits;

/// `[Authentication]` and `[ProxyAuth]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// `Authentication.Provider`.
    pub provider: Provider,
    /// `Authentication.Lifetime`: how long a log-in counts; zero is for ever.
    pub lifetime: Duration,
    /// `Authentication.Inactivity`: how long it counts without its visitor; zero is for ever.
    pub inactivity: Duration,
    /// `Authentication.Notice`: said on the page to log in.
    pub notice: String,
    /// `ProxyAuth.Header`: the header with the user's name.
    pub proxy_header: String,
    /// `ProxyAuth.GroupsHeader`: the header with the groups.
    pub proxy_groups_header: Option<String>,
    /// `ProxyAuth.From`: the proxies whose word counts.
    pub proxy_from: Vec<Network>,
    /// `ProxyAuth.Cookie`: the cookie with the proxy's log-in; content does not get it.
    pub proxy_cookie: String,
}

impl Default for Authentication {
    fn default() -> Self {
        Self {
            provider: Provider::None,
            lifetime: Duration::from_secs(24 * 3600),
            inactivity: Duration::from_secs(8 * 3600),
            notice: String::new(),
            proxy_header: "X-Auth-Username".to_owned(),
            proxy_groups_header: None,
            proxy_from: Vec::new(),
            proxy_cookie: "_oauth2_proxy".to_owned(),
        }
    }
}

impl Settings {
    /// What content items can ask for, of who may see them.
    #[must_use]
    pub fn access_limits(&self) -> AccessLimits {
        AccessLimits {
            has_provider: matches!(self.authentication.provider, Provider::Pam | Provider::Proxy),
            most: self.applications.most_permissive_access,
        }
    }
}

/// How visitors say who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// They do not.
    None,
    /// With a password that PAM checks.
    Pam,
    /// A reverse proxy says it.
    Proxy,
    /// In a way that this system does not have: nothing is served then.
    Other(&'static str),
}
