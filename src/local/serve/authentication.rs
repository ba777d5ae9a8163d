//! How visitors say who they are, as the settings have it.

use std::net::IpAddr;
use std::sync::Arc;

use super::run::RunError;
use super::tally::Tally;
use crate::check::Check;
use crate::gateway::{Door, LogIns, LogInsOptions, LoginStore, Proxied};
use crate::local::error::LocalError;
use crate::local::own_addresses;
use crate::local::pam::{PamPasswords, Sessions};
use crate::local::server::Server;
use crate::settings::values::Network;
use crate::settings::{Authentication, Provider, Settings};
use crate::visitors::{Lifetimes, Passwords};

/// Why the settings are none that visitors can log in with. Nothing is served then.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// In a way that this system does not have.
    #[error(
        "Authentication.Provider is '{0}', which this system does not have; set it to none, pam or proxy"
    )]
    Foreign(&'static str),
    /// There is no machine with accounts.
    #[error(
        "Authentication.Provider is 'pam', and passwords are not checked here; set it to proxy and put a proxy \
         before this gateway that knows who visits"
    )]
    NoPasswords,
    /// Everybody could say who they are.
    #[error(
        "Authentication.Provider is 'proxy', and ProxyAuth.From names no proxy; add the addresses of those whose word \
         counts, such as From = 127.0.0.1"
    )]
    NoProxies,
    /// A header that is none.
    #[error("ProxyAuth.Header or ProxyAuth.GroupsHeader is '{0}', which is no name of a header; correct it")]
    Header(String),
}

/// The door that the settings ask for; `passwords` and `store` are those of this machine, where there are any.
///
/// # Errors
/// [`DoorError`].
pub fn door(
    settings: &Authentication,
    passwords: Option<Arc<dyn Passwords>>,
    store: Arc<dyn LoginStore>,
) -> Result<Door, DoorError> {
    match settings.provider {
        Provider::None => Ok(Door::Open),
        Provider::Other(name) => Err(DoorError::Foreign(name)),
        Provider::Proxy => proxied(settings).map(Door::Proxy),
        Provider::Pam => Ok(Door::Page(Box::new(LogIns::new(LogInsOptions {
            passwords: passwords.ok_or(DoorError::NoPasswords)?,
            store,
            lifetimes: Lifetimes {
                lifetime: settings.lifetime,
                inactivity: settings.inactivity,
            },
            notice: settings.notice.clone(),
        })))),
    }
}

/// Whether visitors can log in, and are safe then.
#[must_use]
pub fn check(settings: &Settings) -> Check {
    const NAME: &str = "log-in";
    let (authentication, gateway) = (&settings.authentication, &settings.gateway);
    match authentication.provider {
        Provider::None => Check::pass(NAME, "nobody logs in; everything is shown to everybody"),
        Provider::Other(name) => Check::fail(NAME, DoorError::Foreign(name)),
        Provider::Proxy => match proxied(authentication) {
            Ok(proxied) => {
                let how = format!("by the header {} of a proxy", proxied.header);
                match imitated(authentication, &own_addresses::read()) {
                    Some(from) => Check::warn(NAME, format!("{how}; {}", content_as(&from)), REMEDY),
                    None => Check::pass(NAME, how),
                }
            }
            Err(error) => Check::fail(NAME, error),
        },
        Provider::Pam if gateway.https.is_none() && gateway.trusted_proxies.is_empty() => Check::warn(
            NAME,
            "with passwords, which can be read on the way to the server",
            "set HTTPS.Listen, or name the proxy that ends TLS in Gateway.TrustedProxies",
        ),
        Provider::Pam => Check::pass(NAME, "with passwords that PAM checks"),
    }
}

/// What is done about content that can imitate a proxy.
const REMEDY: &str = "let the proxy run on a machine of its own and name only that in ProxyAuth.From, or let only the \
                      proxy's account get to the server (the rule for nft in log-in.md)";

/// The first of the trusted addresses that processes of this machine have too, and so content: in local mode it shares the
/// machine's network.
fn imitated(settings: &Authentication, own: &[IpAddr]) -> Option<Network> {
    let is_own =
        |network: &Network| network.has_loopback() || own.iter().any(|address| network.contains(*address));
    let mut trusted = settings.proxy_from.iter().copied();
    trusted.find(|network| settings.provider == Provider::Proxy && is_own(network))
}

fn content_as(from: &Network) -> String {
    format!(
        "ProxyAuth.From trusts {from}, where this machine is as well, so that content can send the header itself and be anybody"
    )
}

/// Tells at the start what the settings let content do.
fn tell(settings: &Authentication, tally: &Tally) {
    let imitated = imitated(settings, &own_addresses::read());
    tally.weakened("ProxyAuth.From", imitated.is_some());
    if let Some(from) = imitated {
        tracing::warn!("{}; {REMEDY}", content_as(&from));
    }
}

/// The door of this machine's server.
///
/// # Errors
/// Those of [`door`], and the program that checks passwords is missing where visitors log in with one.
pub fn of_server(server: &Server, tally: &Tally) -> Result<Door, RunError> {
    let settings = &server.settings;
    tell(&settings.authentication, tally);
    let mut passwords: Option<Arc<dyn Passwords>> = None;
    if settings.authentication.provider == Provider::Pam {
        let credentials = server.sessions.as_ref().and_then(Sessions::credentials);
        let checked = PamPasswords::open(&settings.pam, credentials).map_err(LocalError::from)?;
        passwords = Some(Arc::new(checked));
    }
    let logins = Arc::new(server.state.clone());
    Ok(door(&settings.authentication, passwords, logins)?)
}

fn proxied(settings: &Authentication) -> Result<Proxied, DoorError> {
    let from = settings.proxy_from.clone();
    if from.is_empty() {
        return Err(DoorError::NoProxies);
    }
    let header = |name: &String| {
        name.to_ascii_lowercase()
            .parse()
            .map_err(|_| DoorError::Header(name.clone()))
    };
    Ok(Proxied {
        header: header(&settings.proxy_header)?,
        groups: settings.proxy_groups_header.as_ref().map(header).transpose()?,
        from,
        cookie: settings.proxy_cookie.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::MemoryLogins;

    fn made(settings: &Authentication) -> Result<Door, String> {
        let store = Arc::new(MemoryLogins::default());
        door(settings, None, store).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_that_let_nobody_in_are_refused() {
        let with = |provider| Authentication {
            provider,
            ..Authentication::default()
        };
        assert!(matches!(made(&with(Provider::None)), Ok(Door::Open)));
        let error = made(&with(Provider::Other("ldap"))).unwrap_err();
        assert!(error.starts_with("Authentication.Provider is 'ldap'"), "{error}");
        let error = made(&with(Provider::Pam)).unwrap_err();
        assert!(error.contains("passwords are not checked here"), "{error}");
        let error = made(&with(Provider::Proxy)).unwrap_err();
        assert!(error.contains("ProxyAuth.From names no proxy"), "{error}");
        let proxy = Authentication {
            proxy_from: vec![crate::settings::values::parse_network("10.0.0.0/8").unwrap()],
            ..with(Provider::Proxy)
        };
        assert!(matches!(made(&proxy), Ok(Door::Proxy(_))));
    }

    #[test]
    fn a_proxy_that_content_can_imitate_is_told() {
        let own: Vec<IpAddr> = ["127.0.0.1", "10.0.0.8", "2001:db8::7"]
            .map(|text| text.parse().unwrap())
            .into();
        let of = |provider, from: &[&str]| {
            let network = |text: &&str| crate::settings::values::parse_network(text).unwrap();
            let settings = Authentication {
                provider,
                proxy_from: from.iter().map(network).collect(),
                ..Authentication::default()
            };
            imitated(&settings, &own).map(|network| network.to_string())
        };
        for (from, told) in [
            (&["10.0.0.7", "192.0.2.0/24"][..], None),
            (&["10.0.0.7", "10.0.0.8"], Some("10.0.0.8/32")),
            (&["10.0.0.0/24"], Some("10.0.0.0/24")),
            (&["127.0.0.9"], Some("127.0.0.9/32")),
            (&["0.0.0.0/0"], Some("0.0.0.0/0")),
            (&["::1"], Some("::1/128")),
            (&["2001:db8::/64"], Some("2001:db8::/64")),
        ] {
            assert_eq!(of(Provider::Proxy, from).as_deref(), told, "{from:?}");
        }
        assert_eq!(of(Provider::Pam, &["127.0.0.1"]), None);
    }

    #[test]
    fn doctor_warns_of_a_proxy_on_this_machine_and_names_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rstudio-connect.gcfg");
        std::fs::write(
            &path,
            "[Authentication]\nProvider = proxy\n[ProxyAuth]\nFrom = 127.0.0.1\n",
        )
        .unwrap();
        let options = crate::settings::LoadOptions {
            config: Some(path),
            env: std::collections::BTreeMap::new(),
            ordinary_user: None,
        };
        let check = check(&crate::settings::load(options).unwrap().settings);
        assert_eq!(check.status, crate::check::Status::Warn);
        assert!(check.found.contains("trusts 127.0.0.1/32"), "{}", check.found);
        assert!(check.remedy.unwrap().contains("log-in.md"));
    }
}
