//! The settings of who visits. One a line.

use super::Feeds::Field;
use super::Kind::{Choice, Duration, Name, Networks, Text};
use super::{Setting, setting};

/// Ways to log in. `none`, `pam` and `proxy` are this system's; with the others nothing is served.
pub(in crate::settings) const PROVIDERS: &[&str] =
    &["none", "pam", "proxy", "password", "ldap", "saml", "oauth2"];

#[rustfmt::skip]
pub(super) const SETTINGS: &[Setting] = &[
    setting("Authentication", "Provider", Choice(PROVIDERS), "none", Field("authentication.provider"), "How visitors say who they are: `none`, by a log-in with a password that `pam` checks, or by the word of a reverse `proxy`. Nothing is served with the others, which this system does not have."),
    setting("Authentication", "Lifetime", Duration, "24h", Field("authentication.lifetime"), "How long a log-in counts; 0 is for ever."),
    setting("Authentication", "Inactivity", Duration, "8h", Field("authentication.inactivity"), "How long a log-in counts while its visitor is away; 0 is for ever."),
    setting("Authentication", "Notice", Text, "", Field("authentication.notice"), "What everybody is told on the page to log in."),
    setting("ProxyAuth", "Header", Name, "X-Auth-Username", Field("authentication.proxy_header"), "The header in which a reverse proxy names the visitor."),
    setting("ProxyAuth", "GroupsHeader", Text, "", Field("authentication.proxy_groups_header"), "The header in which it names the visitor's groups, with commas between them."),
    setting("ProxyAuth", "From", Networks, "", Field("authentication.proxy_from"), "Addresses of the proxies, as `10.0.0.7` or `10.0.0.0/8`, whose word counts: nobody else may be able to use one of them."),
    setting("ProxyAuth", "Cookie", Text, "_oauth2_proxy", Field("authentication.proxy_cookie"), "The cookie in which a proxy keeps the visitor's log-in, and whose name those of its parts begin with. Content does not get it, since whoever has it is the visitor."),
    setting("Applications", "MostPermissiveAccessType", Choice(&["all", "logged_in", "acl"]), "all", Field("applications.most_permissive_access"), "To whom content may show itself at most: `all`, `logged_in`, or `acl` for users and groups that it names. Content that says nothing gets that."),
];
