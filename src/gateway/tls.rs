//! Certificate and key of HTTPS, read again when they change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, version};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

use super::options::{Https, MinimumTls};
use super::shared::{Acceptor, Shared};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Why HTTPS can not be had.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file with the certificate.
    #[error("can not read the certificate '{}': {reason}; name a PEM file in 'HTTPS.Certificate'", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file with the key.
    #[error("can not read the key '{}': {reason}; name a PEM file in 'HTTPS.Key'", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Both are fine and do not fit.
    #[error("the certificate '{}' and its key can not be used: {source}", path.display())]
    Pair {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// Reads certificate and key.
///
/// # Errors
/// [`TlsError`].
pub fn read(https: &Https) -> Result<Acceptor, TlsError> {
    let chain = certificates(&https.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&https.key).map_err(|error| TlsError::Key {
        path: https.key.clone(),
        reason: error.to_string(),
    })?;
    let pair = |source| TlsError::Pair {
        path: https.certificate.clone(),
        source,
    };
    let versions: &[_] = match https.minimum {
        MinimumTls::V12 => &[&version::TLS13, &version::TLS12],
        MinimumTls::V13 => &[&version::TLS13],
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let config = config.map_err(pair)?.with_no_client_auth();
    let mut config = config.with_single_cert(chain, key).map_err(pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Acceptor(TlsAcceptor::from(Arc::new(config))))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |reason: String| TlsError::Certificate {
        path: path.to_owned(),
        reason,
    };
    let read = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
    let chain: Result<Vec<_>, _> = read.collect();
    let chain = chain.map_err(|error| failed(error.to_string()))?;
    if chain.is_empty() {
        return Err(failed("there is no certificate in it".to_owned()));
    }
    Ok(chain)
}

/// When the files were last written, and how long they are.
type Stamp = [Option<(SystemTime, u64)>; 2];

fn stamp(https: &Https) -> Stamp {
    [&https.certificate, &https.key].map(|path| {
        let meta: io::Result<_> = std::fs::metadata(path);
        meta.ok()
            .and_then(|meta| Some((meta.modified().ok()?, meta.len())))
    })
}

/// Reads the files again; connections from now on use them. What can not be used changes nothing.
///
/// # Errors
/// [`TlsError`].
pub fn refresh(shared: &Shared) -> Result<(), TlsError> {
    if let Some(https) = &shared.options.https {
        shared.tls.store(Some(Arc::new(read(https)?)));
    }
    Ok(())
}

/// Follows the files for as long as it is polled.
pub(super) async fn follow(shared: Arc<Shared>) {
    let Some(https) = shared.options.https.clone() else {
        return;
    };
    let mut seen = stamp(&https);
    loop {
        tokio::time::sleep(EVERY).await;
        let now = stamp(&https);
        if now == seen {
            continue;
        }
        seen = now;
        match refresh(&shared) {
            Ok(()) => tracing::info!(file = %https.certificate.display(), "certificate read again"),
            Err(error) => tracing::warn!(%error, "the last good certificate stays in use"),
        }
    }
}
