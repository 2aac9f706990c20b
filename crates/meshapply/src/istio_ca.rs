//! Istio's certificate service over one TLS connection: what istiod presents, and a certificate it signs.
//!
//! `security/proto/istio/v1/auth/ca.proto`, `security/pkg/server/ca/server.go: CreateCertificate`.

use std::sync::{Arc, Mutex};

use hyper_util::rt::TokioIo;
use meshpki::cacerts::pool;
use meshpki::{Cert, Csr, KeyType, Name, Role, SoftKey};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;
use tonic_prost::ProstCodec;
use tower::service_fn;
use zeroize::Zeroizing;

use crate::proof::Canary;

/// The lifetime of a canary certificate: it is never used.
const CANARY_SECONDS: i64 = 600;

/// A bearer token; never shown.
pub(crate) struct Token(Zeroizing<String>);

impl Token {
    pub(crate) fn new(token: String) -> Self {
        Self(Zeroizing::new(token))
    }
}

/// A TLS connection to istiod.
pub(crate) struct Connection<S>(TlsStream<S>);

/// Connects and lets istiod present what it has. Whether that is good is not decided here, but that it holds the
/// key of what it presents is proven.
pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    namespace: &str,
) -> Result<Connection<S>, String> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyIssuer(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name =
        ServerName::try_from(format!("istiod.{namespace}.svc")).map_err(|e| e.to_string())?;
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.map(Connection).map_err(|error| error.to_string())
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Connection<S> {
    /// The chain istiod presented, its own certificate first.
    pub(crate) fn served(&self) -> Result<Vec<Cert>, String> {
        let chain = self.0.get_ref().1.peer_certificates().unwrap_or_default();
        chain.iter().map(|der| Cert::from_der(der).map_err(|error| error.to_string())).collect()
    }

    /// Has istiod sign a certificate for a key that is forgotten at once.
    pub(crate) async fn sign(self, token: &Token) -> Result<Canary, String> {
        let csr = csr()?;
        let stream = Mutex::new(Some(TokioIo::new(self.0)));
        let once = service_fn(move |_| {
            let taken = stream.lock().ok().and_then(|mut stream| stream.take());
            async move { taken.ok_or_else(|| std::io::Error::other("the connection was already used")) }
        });
        let channel = Endpoint::from_static("http://istiod")
            .connect_with_connector(once)
            .await
            .map_err(|error| error.to_string())?;
        let mut client = Grpc::new(channel);
        client.ready().await.map_err(|error| error.to_string())?;
        let mut request = tonic::Request::new(CertificateRequest { csr, validity: CANARY_SECONDS });
        let bearer = Zeroizing::new(format!("Bearer {}", *token.0));
        // The cause would not show the token, but is left out to be sure.
        let Ok(mut bearer) = bearer.parse::<MetadataValue<_>>() else {
            return Err("the token is not a valid header value".to_owned());
        };
        bearer.set_sensitive(true);
        request.metadata_mut().insert("authorization", bearer);
        let path =
            PathAndQuery::from_static("/istio.v1.auth.IstioCertificateService/CreateCertificate");
        let answer: tonic::Response<CertificateResponse> = client
            .unary(request, path, ProstCodec::<CertificateRequest, CertificateResponse>::default())
            .await
            .map_err(|status| format!("{:?}: {}", status.code(), status.message()))?;
        Ok(canary(&answer.into_inner().chain))
    }
}

/// The last element of the answer is the bundle of roots, the others are the chain.
fn canary(elements: &[String]) -> Canary {
    let (last, chain) = elements.split_last().map_or(("", &[][..]), |(last, rest)| (last, rest));
    let chain = chain.iter().flat_map(|text| pool(text.as_bytes())).collect();
    Canary { chain, roots: pool(last.as_bytes()) }
}

/// A request for a key of its own; istiod takes the name from the token.
fn csr() -> Result<String, String> {
    let key = SoftKey::generate(KeyType::EcdsaP256).map_err(|error| error.to_string())?;
    let csr = Csr::create(&Name::empty(), &[], Role::EndEntity, &key)
        .map_err(|error| error.to_string())?;
    Ok(csr.to_pem())
}

#[derive(Clone, PartialEq, prost::Message)]
struct CertificateRequest {
    #[prost(string, tag = "1")]
    csr: String,
    #[prost(int64, tag = "3")]
    validity: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct CertificateResponse {
    #[prost(string, repeated, tag = "1")]
    chain: Vec<String>,
}

/// Takes any chain, which [`crate::proof`] judges, but not a signature by another key.
#[derive(Debug)]
struct AnyIssuer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyIssuer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
