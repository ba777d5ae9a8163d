//! `[Authentication]` and `[ProxyAuth]`.

use super::{Built, Reader, read};
use crate::api::access::AccessType;
use crate::settings::table::PROVIDERS;
use crate::settings::typed_authentication::{Authentication, Provider};
use crate::settings::values::{self, ValueError};

impl Reader<'_> {
    pub(super) fn authentication(&self) -> Built<Authentication> {
        const SECTION: &str = "Authentication";
        let networks = self.0.all("ProxyAuth", "From").iter();
        let networks = networks.map(|found| read(found, "ProxyAuth.From", values::parse_network));
        let groups: String = self.parsed("ProxyAuth", "GroupsHeader", parse_optional_header)?;
        Ok(Authentication {
            provider: self.parsed(SECTION, "Provider", parse_provider)?,
            lifetime: self.parsed(SECTION, "Lifetime", values::parse_duration)?,
            inactivity: self.parsed(SECTION, "Inactivity", values::parse_duration)?,
            notice: self.text(SECTION, "Notice"),
            proxy_header: self.parsed("ProxyAuth", "Header", parse_header)?,
            proxy_groups_header: Some(groups).filter(|header| !header.is_empty()),
            proxy_from: networks.collect::<Built<Vec<_>>>()?,
            proxy_cookie: self.text("ProxyAuth", "Cookie"),
        })
    }

    pub(super) fn most_permissive_access(&self) -> AccessType {
        let word = self.text("Applications", "MostPermissiveAccessType");
        match word.to_ascii_lowercase().as_str() {
            "acl" => AccessType::Named,
            "logged_in" => AccessType::LoggedIn,
            _ => AccessType::All,
        }
    }
}

fn parse_provider(text: &str) -> Result<Provider, ValueError> {
    let known = PROVIDERS
        .iter()
        .find(|known| known.eq_ignore_ascii_case(text.trim()));
    match known.copied() {
        Some("none") => Ok(Provider::None),
        Some("pam") => Ok(Provider::Pam),
        Some("proxy") => Ok(Provider::Proxy),
        Some(other) => Ok(Provider::Other(other)),
        None => Err(ValueError::Choice {
            given: text.to_owned(),
            choices: PROVIDERS,
        }),
    }
}

fn parse_optional_header(text: &str) -> Result<String, ValueError> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    parse_header(text)
}

/// A header's name, as requests spell it: in lower case. What requests are made of can not say who visits.
fn parse_header(text: &str) -> Result<String, ValueError> {
    const TAKEN: [&str; 8] = [
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "cookie",
        "host",
        "transfer-encoding",
        "upgrade",
    ];
    let name = text.trim().to_ascii_lowercase();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_header = !name.is_empty() && name.len() <= 100 && name.bytes().all(is_part);
    if !is_header || TAKEN.contains(&name.as_str()) {
        return Err(ValueError::Header(text.to_owned()));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_can_name_a_visitor_are_told_from_others() {
        assert_eq!(parse_header(" X-Forwarded-User").unwrap(), "x-forwarded-user");
        assert_eq!(parse_optional_header(" ").unwrap(), "");
        for bad in ["", "Cookie", "X Auth", "X:Auth", "X-Ä", &"x".repeat(101)] {
            assert_eq!(parse_header(bad), Err(ValueError::Header(bad.to_owned())));
        }
    }

    #[test]
    fn providers_of_other_systems_are_known_and_not_taken_for_none() {
        assert_eq!(parse_provider("PAM"), Ok(Provider::Pam));
        assert_eq!(parse_provider("Ldap"), Ok(Provider::Other("ldap")));
        let error = parse_provider("pan").unwrap_err().to_string();
        assert!(error.contains("did you mean 'pam'"), "{error}");
    }
}
