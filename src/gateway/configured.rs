//! A gateway as the settings have it, in both modes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::options::{AccessLog, Https, MinimumTls, Options};
use crate::settings;

/// The file of session keys in the data directory, where the settings name none.
const KEYS: &str = ".session-keys";

/// Why the settings are none that a gateway can work with.
#[derive(Debug, thiserror::Error)]
pub enum ListenSettingsError {
    /// Nothing to listen at.
    #[error(
        "neither HTTP.Listen nor HTTPS.Listen names an address; set one of them, such as HTTP.Listen = :3939"
    )]
    Nowhere,
    /// HTTPS without what it needs.
    #[error("HTTPS.Listen is set, but {0} is not; name the file, or leave HTTPS.Listen empty")]
    NoCertificate(&'static str),
}

/// The gateway's options.
///
/// # Errors
/// [`ListenSettingsError`].
pub fn options(
    gateway: &settings::Gateway,
    admin: Option<SocketAddr>,
) -> Result<Options, ListenSettingsError> {
    if gateway.http.is_none() && gateway.https.is_none() {
        return Err(ListenSettingsError::Nowhere);
    }
    let https = match gateway.https {
        None => None,
        Some(address) => Some(Https {
            listen: vec![address],
            certificate: named(&gateway.certificate, "HTTPS.Certificate")?,
            key: named(&gateway.key, "HTTPS.Key")?,
            minimum: if gateway.tls_1_3_only {
                MinimumTls::V13
            } else {
                MinimumTls::V12
            },
        }),
    };
    let plain = Options::default();
    let many = usize::try_from(gateway.max_connections).unwrap_or(usize::MAX);
    Ok(Options {
        http: gateway.http.into_iter().collect(),
        https,
        redirect: gateway.redirect.into_iter().collect(),
        admin: admin.into_iter().collect(),
        header_timeout: gateway.header_timeout,
        max_header_size: usize::try_from(gateway.max_header_size).unwrap_or(plain.max_header_size),
        max_connections: if many == 0 { usize::MAX } else { many },
        session_lifetime: gateway.session_lifetime,
        is_https_only: gateway.https_permanent,
        trusted: gateway.trusted_proxies.clone(),
        drain_timeout: gateway.drain_timeout,
        access_log: if gateway.access_log {
            AccessLog::Log
        } else {
            AccessLog::Off
        },
        ..plain
    })
}

fn named(file: &Option<PathBuf>, setting: &'static str) -> Result<PathBuf, ListenSettingsError> {
    file.clone().ok_or(ListenSettingsError::NoCertificate(setting))
}

/// Where the keys of session cookies are.
#[must_use]
pub fn session_keys(gateway: &settings::Gateway, data_dir: &Path) -> PathBuf {
    let own = || data_dir.join(KEYS);
    gateway.session_key_file.clone().unwrap_or_else(own)
}
