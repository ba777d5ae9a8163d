//! Where an application is found: its path, its host name, its address for people. Pure.

use crate::api::app::ContentAppSpec;

/// The place of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPlace {
    /// Its path, without a slash at its end.
    pub path: String,
    /// A host name of its own, if it has one.
    pub host: Option<String>,
}

impl AppPlace {
    /// The place of the application with this name, where applications have hosts of their own below `domain` if that is
    /// given.
    #[must_use]
    pub fn of(name: &str, spec: &ContentAppSpec, domain: Option<&str>) -> Self {
        let own = || domain.map(|domain| format!("{name}.{}", domain.trim_start_matches('.')));
        Self {
            path: spec.path_of(name),
            host: spec.host.clone().or_else(own),
        }
    }

    /// Its address for people: at `address`, the public one of the installation, or at its own host, with the scheme and
    /// the port of that. Only a path where no host is known.
    #[must_use]
    pub fn url(&self, address: Option<&str>) -> String {
        let path = &self.path;
        let address = address.map(|address| address.trim_end_matches('/'));
        let Some(host) = &self.host else {
            return format!("{}{path}/", address.unwrap_or_default());
        };
        let (scheme, rest) = address
            .and_then(|address| address.split_once("://"))
            .unwrap_or(("http", ""));
        let authority = rest.split('/').next().unwrap_or_default();
        let port = authority
            .rsplit_once(':')
            .map(|(_, port)| port)
            .filter(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{host}{port}{path}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(path: Option<&str>, host: Option<&str>) -> ContentAppSpec {
        ContentAppSpec {
            path: path.map(str::to_owned),
            host: host.map(str::to_owned),
            ..ContentAppSpec::default()
        }
    }

    #[test]
    fn an_application_has_a_path_and_perhaps_a_host() {
        let place = AppPlace::of("sales", &spec(None, None), None);
        assert_eq!((place.path.as_str(), place.host), ("/content/sales", None));
        let place = AppPlace::of("sales", &spec(Some("/s"), None), Some("apps.example.com"));
        assert_eq!(
            (place.path.as_str(), place.host.as_deref()),
            ("/s", Some("sales.apps.example.com"))
        );
        let place = AppPlace::of(
            "sales",
            &spec(None, Some("sales.example.com")),
            Some("apps.example.com"),
        );
        assert_eq!(place.host.as_deref(), Some("sales.example.com"));
    }

    #[test]
    fn its_address_has_the_scheme_and_the_port_of_the_public_one() {
        let shared = AppPlace::of("a", &spec(None, None), None);
        assert_eq!(shared.url(None), "/content/a/");
        assert_eq!(
            shared.url(Some("https://c.example.com/")),
            "https://c.example.com/content/a/"
        );
        let own = AppPlace::of("a", &spec(None, None), Some("example.com"));
        for (address, url) in [
            (None, "http://a.example.com/content/a/"),
            (Some("https://c.example.com"), "https://a.example.com/content/a/"),
            (
                Some("http://c.example.com:3939/x"),
                "http://a.example.com:3939/content/a/",
            ),
        ] {
            assert_eq!(own.url(address), url);
        }
    }
}
