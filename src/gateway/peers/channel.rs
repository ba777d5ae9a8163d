//! TLS between gateways. The only key that either side takes is the one that comes from the secret which all share: who
//! does not know that is neither listened to nor told anything.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::apps::wire::PeerGateway;
use crate::hub::net::HubKey;

/// What comes before the 32 bytes of a private key (RFC 8410).
const PRIVATE: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// What the key is for.
const PURPOSE: &str = "between gateways";
/// After how long without a word the other side of a connection counts as lost.
const LOST: Duration = Duration::from_secs(30);

/// Both ends.
pub(super) struct Channel {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channel")
    }
}

impl Channel {
    pub(super) fn new(key: &HubKey) -> Result<Self, Error> {
        let mut private = PRIVATE.to_vec();
        private.extend_from_slice(&key.seed(PURPOSE));
        let signs = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(private))?;
        let public = signs
            .public_key()
            .ok_or(Error::General("the key is not whole".to_owned()))?;
        let public = public.into_owned();
        let own = Arc::new(CertifiedKey::new(
            vec![CertificateDer::from(public.to_vec())],
            signs,
        ));
        let provider = Arc::new(ring::default_provider());
        let same = Arc::new(Same {
            public,
            provider: provider.clone(),
        });
        let mut outward = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(same.clone())
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(own.clone())));
        outward.resumption = Resumption::disabled();
        let mut inward = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(same)
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(own)));
        inward.send_tls13_tickets = 0;
        Ok(Self {
            connector: TlsConnector::from(Arc::new(outward)),
            acceptor: TlsAcceptor::from(Arc::new(inward)),
        })
    }

    pub(super) async fn connect(&self, to: &PeerGateway) -> io::Result<client::TlsStream<TcpStream>> {
        let stream = TcpStream::connect(to.address).await?;
        stream.set_nodelay(true)?;
        rustix::net::sockopt::set_tcp_user_timeout(
            &stream,
            u32::try_from(LOST.as_millis()).unwrap_or(u32::MAX),
        )?;
        rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
        rustix::net::sockopt::set_tcp_keepidle(&stream, LOST)?;
        let name = ServerName::from(to.address.ip());
        self.connector.connect(name, stream).await
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<server::TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }
}

/// Takes one key only.
#[derive(Debug)]
struct Same {
    public: SubjectPublicKeyInfoDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl Same {
    fn is_same(&self, given: &CertificateDer<'_>) -> Result<(), Error> {
        // Both are public.
        if given.as_ref() == self.public.as_ref() {
            return Ok(());
        }
        Err(Error::InvalidCertificate(
            CertificateError::ApplicationVerificationFailure,
        ))
    }

    fn signature(
        &self,
        message: &[u8],
        given: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let given = SubjectPublicKeyInfoDer::from(given.as_ref());
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &given, signed, known)
    }
}

fn older() -> Error {
    Error::General("gateways speak TLS 1.3 with each other".to_owned())
}

impl ServerCertVerifier for Same {
    fn verify_server_cert(
        &self,
        given: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.is_same(given).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(older())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        given: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, given, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Same {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        given: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.is_same(given).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(older())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        given: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, given, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn meet(one: &'static str, other: &'static str) -> (io::Result<String>, io::Result<()>) {
        let (here, there) = (
            HubKey::new(one.as_bytes()).unwrap(),
            HubKey::new(other.as_bytes()).unwrap(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = PeerGateway {
            gateway: "b".into(),
            address: listener.local_addr().unwrap(),
        };
        let listens = async {
            let (stream, _) = listener.accept().await?;
            let mut stream = Channel::new(&there).unwrap().accept(stream).await?;
            let mut said = String::new();
            stream.read_to_string(&mut said).await?;
            Ok(said)
        };
        let calls = async {
            let mut stream = Channel::new(&here).unwrap().connect(&to).await?;
            stream.write_all(b"a visitor's cookie").await?;
            stream.shutdown().await
        };
        tokio::join!(listens, calls)
    }

    /// Proves: PR2 (P)
    #[tokio::test]
    async fn only_gateways_of_one_secret_speak_with_each_other() {
        const ONE: &str = "0123456789abcdef0123456789abcdef";
        let (heard, said) = meet(ONE, ONE).await;
        said.unwrap();
        assert_eq!(heard.unwrap(), "a visitor's cookie");
        let (heard, said) = meet(ONE, "another secret, as long as it needs to be").await;
        assert!(
            heard.is_err() && said.is_err(),
            "nothing is said before both know each other"
        );
    }
}
