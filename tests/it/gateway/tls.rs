//! HTTPS: its versions, its protocols, and a certificate that changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use offhost::gateway::{Https, MinimumTls, Options, Processes};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::client::get;
use super::process::Process;
use super::rig::{Rig, options, processes};

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls")).join(name)
}

fn https(directory: &Path, minimum: MinimumTls) -> Options {
    for (kind, name) in [("crt", "one.crt"), ("key", "one.key")] {
        std::fs::copy(fixture(name), directory.join(kind)).unwrap();
    }
    Options {
        https: Some(Https {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            certificate: directory.join("crt"),
            key: directory.join("key"),
            minimum,
        }),
        redirect: vec!["127.0.0.1:0".parse().unwrap()],
        ..options()
    }
}

async fn connect(
    rig: &Rig,
    certificate: &str,
    versions: &[&'static SupportedProtocolVersion],
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(fixture(certificate)).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(rig.gateway.https()[0]).await?;
    let name = ServerName::try_from("gw.example").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn ask(mut stream: TlsStream<TcpStream>) -> String {
    let request = "GET /content/app/ HTTP/1.1\r\nHost: gw.example\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn visitors_come_by_https_and_the_application_knows() {
    let process = Process::echo().await;
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::with(
        &process.address,
        https(directory.path(), MinimumTls::V12),
        processes(),
    );
    for versions in [[&version::TLS12], [&version::TLS13]] {
        let answer = ask(connect(&rig, "one.crt", &versions, b"http/1.1").await.unwrap()).await;
        assert!(answer.contains("x-forwarded-proto: https\r\n"), "{answer}");
        assert!(
            answer.contains("rstudio-connect-app-base-url: https://gw.example/content/app\r\n"),
            "{answer}"
        );
    }
    let two = connect(&rig, "one.crt", &[&version::TLS13], b"h2").await.unwrap();
    assert_eq!(two.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let sent = get(rig.gateway.redirect()[0], "/content/app/x?y=1", "").await;
    assert_eq!(sent.status(), 307);
    assert!(sent.field("location").unwrap().starts_with("https://gw.example"));
    assert!(sent.field("location").unwrap().ends_with("/content/app/x?y=1"));
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn browsers_are_told_to_come_encrypted_where_the_settings_say_so() {
    let process = Process::echo().await;
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        is_https_only: true,
        ..https(directory.path(), MinimumTls::V12)
    };
    let rig = Rig::with(
        &process.address,
        options,
        Processes {
            affinity: true,
            ..processes()
        },
    );
    let stream = connect(&rig, "one.crt", &[&version::TLS13], b"http/1.1").await;
    let answer = ask(stream.unwrap()).await;
    assert!(
        answer.contains("strict-transport-security: max-age=2592000\r\n"),
        "{answer}"
    );
    let plain = get(rig.at, "/content/app/", "").await;
    assert_eq!(plain.field("strict-transport-security"), None);
    assert!(plain.field("set-cookie").unwrap().contains("; Secure"));
}

/// Proves: PR1 (L, P)
#[tokio::test]
async fn old_versions_are_refused_and_a_new_certificate_is_taken() {
    let process = Process::echo().await;
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::with(
        &process.address,
        https(directory.path(), MinimumTls::V13),
        processes(),
    );
    assert!(
        connect(&rig, "one.crt", &[&version::TLS12], b"http/1.1")
            .await
            .is_err()
    );
    assert!(
        connect(&rig, "one.crt", &[&version::TLS13], b"http/1.1")
            .await
            .is_ok()
    );
    std::fs::write(directory.path().join("crt"), "nonsense").unwrap();
    let error = rig.gateway.reload().unwrap_err().to_string();
    assert!(error.contains("HTTPS.Certificate"), "{error}");
    assert!(
        connect(&rig, "one.crt", &[&version::TLS13], b"http/1.1")
            .await
            .is_ok(),
        "the last good one stays"
    );
    for (kind, name) in [("crt", "two.crt"), ("key", "two.key")] {
        std::fs::copy(fixture(name), directory.path().join(kind)).unwrap();
    }
    rig.gateway.reload().unwrap();
    assert!(
        connect(&rig, "one.crt", &[&version::TLS13], b"http/1.1")
            .await
            .is_err()
    );
    assert!(
        connect(&rig, "two.crt", &[&version::TLS13], b"http/1.1")
            .await
            .is_ok()
    );
}
