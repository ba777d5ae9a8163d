//! The settings of what visitors meet: `[HTTP]`, `[HTTPS]` and `[HTTPRedirect]` are the products' own, `[Gateway]` is
//! this system's. One a line.

use super::Feeds::Field;
use super::Kind::{Bool, Choice, Count, Duration, Host, Listen, Networks, Path, Size, Url};
use super::{Setting, setting};

#[rustfmt::skip]
pub(super) const SETTINGS: &[Setting] = &[
    setting("Server", "Address", Url, "", Field("gateway.address"), "The address by which visitors know the server, as `https://connect.example.org`; taken from each request when empty."),
    setting("HTTP", "Listen", Listen, ":3939", Field("gateway.http"), "Address and port for visitors; `:3939` is every address of the machine. An empty value listens nowhere."),
    setting("HTTPS", "Listen", Listen, "", Field("gateway.https"), "Address and port for visitors who come encrypted."),
    setting("HTTPS", "Certificate", Path, "", Field("gateway.certificate"), "The server's certificate and those it was signed with, in PEM form. A changed file is read again."),
    setting("HTTPS", "Key", Path, "", Field("gateway.key"), "The private key of that certificate, in PEM form."),
    setting("HTTPS", "MinimumTLS", Choice(&["1.2", "1.3"]), "1.2", Field("gateway.tls_1_3_only"), "The oldest version of TLS that is spoken."),
    setting("HTTPS", "Permanent", Bool, "false", Field("gateway.https_permanent"), "Tells browsers to come encrypted from now on."),
    setting("HTTPRedirect", "Listen", Listen, "", Field("gateway.redirect"), "Address and port at which visitors are sent on to HTTPS."),
    setting("Gateway", "AppDomain", Host, "", Field("gateway.app_domain"), "A domain whose names all lead here: each application then has a name of its own below it, and shares cookies and storage with no other."),
    setting("Gateway", "QueueLength", Count, "1000", Field("gateway.queue_length"), "Requests that are held for one application while its process starts; further ones are refused."),
    setting("Gateway", "SessionKeyFile", Path, "", Field("gateway.session_key_file"), "The keys that sign session cookies, one a line: the first signs, all are believed. A file of its own in the data directory when empty."),
    setting("Gateway", "SessionLifetime", Duration, "720h", Field("gateway.session_lifetime"), "How long a session cookie is believed."),
    setting("Gateway", "HubKeyFile", Path, "", Field("gateway.hub_key_file"), "The secret by which gateways and controllers of a cluster know each other."),
    setting("Gateway", "HeaderTimeout", Duration, "15s", Field("gateway.header_timeout"), "How long a visitor may take to send the head of a request."),
    setting("Gateway", "MaxHeaderSize", Size, "64 KiB", Field("gateway.max_header_size"), "Largest head of a request."),
    setting("Gateway", "MaxConnections", Count, "0", Field("gateway.max_connections"), "Connections of visitors at a time; 0 is as many as the system allows."),
    setting("Gateway", "DrainTimeout", Duration, "1h", Field("gateway.drain_timeout"), "How long established connections are kept when the gateway ends."),
    setting("Gateway", "TrustedProxies", Networks, "", Field("gateway.trusted_proxies"), "Addresses of reverse proxies, as `10.0.0.0/8`, whose `X-Forwarded-` headers are believed."),
    setting("Gateway", "AccessLog", Bool, "true", Field("gateway.access_log"), "Writes a line for each request."),
];
