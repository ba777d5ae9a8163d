//! HTTPS as the settings of a server have it: its certificate, HTTP/2 by ALPN, and the way there from HTTP.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{Request, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::site::{Site, free_port};
use super::{answers, may_run};
use crate::faults::place::LIMIT;
use crate::faults::wait_for;

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls")).join(name)
}

/// A visitor that believes this certificate and speaks this protocol.
async fn connect(port: u16, certificate: &str, protocol: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(fixture(certificate)).unwrap();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("gw.example").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Version, status, the field that keeps browsers at HTTPS, and the text.
type Answer = (Version, u16, Option<String>, String);

async fn visit(port: u16, path: &str, protocol: &[u8]) -> Answer {
    let stream = connect(port, "one.crt", protocol).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
    let uri = format!("https://gw.example:{port}{path}");
    let request = Request::builder()
        .uri(uri)
        .header("host", format!("gw.example:{port}"));
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let answer = if protocol == b"h2" {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    let field = answer.headers().get("strict-transport-security");
    let field = field.map(|value| value.to_str().unwrap().to_owned());
    let (version, status) = (answer.version(), answer.status().as_u16());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (version, status, field, String::from_utf8(body.to_vec()).unwrap())
}

/// Proves: PR1 (L)
#[test]
fn a_server_answers_by_https_in_both_versions_of_http_and_takes_a_new_certificate() {
    if !may_run() {
        return;
    }
    let (port, redirect) = (free_port(), free_port());
    let files = tempfile::tempdir().unwrap();
    let place = |name: &str| files.path().join(name);
    let put = |certificate: &str, key: &str| {
        std::fs::copy(fixture(certificate), place("crt")).unwrap();
        std::fs::copy(fixture(key), place("key")).unwrap();
    };
    put("one.crt", "one.key");
    let site = Site::new(&format!(
        "[HTTPS]\nListen = 127.0.0.1:{port}\nCertificate = {}\nKey = {}\nPermanent = true\n\
         [HTTPRedirect]\nListen = 127.0.0.1:{redirect}\n",
        place("crt").display(),
        place("key").display(),
    ));
    site.app("hello", "python-api", &answers("hello"), "");
    let server = site.start();
    site.visit_until("hello", 200);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let path = "/content/hello/";
    runtime.block_on(async {
        for (protocol, version) in [(&b"h2"[..], Version::HTTP_2), (b"http/1.1", Version::HTTP_11)] {
            let answer = visit(port, path, protocol).await;
            let permanent = Some("max-age=2592000".to_owned());
            assert_eq!(answer, (version, 200, permanent, "hello".to_owned()));
        }
    });
    let sent = site.get_at(redirect, "/content/hello/?a=1");
    assert_eq!(sent.status, 307);
    let there = format!("location: https://127.0.0.1:{port}/content/hello/?a=1");
    assert!(sent.head.to_lowercase().contains(&there), "{}", sent.head);
    // Whoever knows the new one alone is answered after a signal, without a new start.
    assert!(runtime.block_on(connect(port, "two.crt", b"h2")).is_err());
    put("two.crt", "two.key");
    server.signal(Signal::HUP);
    wait_for("the new certificate", LIMIT, || {
        runtime.block_on(connect(port, "two.crt", b"h2")).ok()
    });
    server.end();
    site.assert_gone();
}
