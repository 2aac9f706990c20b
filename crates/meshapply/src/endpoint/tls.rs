//! TLS of endpoints: which servers a client accepts, by profile, and what a server presents.
//!
//! Versions 1.2 and 1.3 with AEAD and ECDHE only, which is Mozilla's intermediate configuration without finite-field
//! Diffie-Hellman. ALPN offers HTTP/1.1.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use meshpki::spiffe::{SvidProblem, svid};
use meshpki::tls::{MeshVerifier, PeerError};
use meshpki::{Cert, SpiffeId, Time};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, ServerConfig,
    SignatureScheme,
};

use super::error::Error;

/// What both sides offer: one request at a time is all that an endpoint needs.
const ALPN: &[u8] = b"http/1.1";

/// How the server of an endpoint is authenticated: its profile, with what that needs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EndpointAuth {
    /// `https_web` (SPIFFE Federation, section 5.2.1): a certificate of the Web PKI for the URL's host, under the roots
    /// of the system.
    SystemRoots,
    /// `https_web` under these roots.
    WebRoots(Vec<Cert>),
    /// `https_spiffe` (section 5.2.2): an X509-SVID with exactly this SPIFFE ID, under the roots of its trust domain.
    /// The URL's host is not compared.
    Spiffe {
        /// The SPIFFE ID of the endpoint.
        id: SpiffeId,
        /// The roots of its trust domain.
        roots: Vec<Cert>,
    },
}

/// The configuration of a client that verifies at `now`.
pub(super) fn client(auth: &EndpointAuth, now: Time) -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(auth, &provider)?;
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(Fixed(now)))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Roots { why: error.to_string() })?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would not verify the certificate again.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The verifier of a profile.
fn verifier(
    auth: &EndpointAuth,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let roots = match auth {
        EndpointAuth::Spiffe { id, roots } => return Ok(Arc::new(SvidVerifier::new(id, roots))),
        EndpointAuth::WebRoots(roots) => {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(roots.iter().map(CertificateDer::from));
            store
        }
        EndpointAuth::SystemRoots => {
            let found = rustls_native_certs::load_native_certs();
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(found.certs);
            if let Some(error) = found.errors.first().filter(|_| store.is_empty()) {
                return Err(Error::Roots { why: format!("the roots of the system: {error}") });
            }
            store
        }
    };
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| Error::Roots { why: error.to_string() })?;
    Ok(built)
}

/// The configuration of a server, which never asks for a client's certificate (section 5.1).
pub(super) fn server(resolver: Arc<dyn ResolvesServerCert>) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Key { why: error.to_string() })?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Every handshake shows the present certificate.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// What a handshake that failed says: whether the certificate was at fault, and why.
pub(super) fn refusal(error: &io::Error) -> Result<String, String> {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => Ok(certificate(why)),
        Some(rustls::Error::InvalidMessage(_)) => Err("what answers does not speak TLS".to_owned()),
        Some(other) => Err(other.to_string()),
        None => Err(error.to_string()),
    }
}

/// The fault of a certificate in a sentence.
fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Other(OtherError(inner)) => inner
            .downcast_ref::<SvidProblem>()
            .map(|problem| format!("not a valid X509-SVID: {problem}"))
            .or_else(|| inner.downcast_ref::<PeerError>().map(ToString::to_string))
            .unwrap_or_else(|| inner.to_string()),
        CertificateError::UnknownIssuer => "no root that is trusted vouches for it".to_owned(),
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the trusted root with the name of its issuer has a key of another kind".to_owned()
        }
        CertificateError::Expired => "it has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("it has expired, at {}", Time::from(*not_after))
        }
        CertificateError::NotValidYet => "it is not yet valid".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("it is not yet valid, before {}", Time::from(*not_before))
        }
        other => rustls::Error::from(other.clone()).to_string(),
    }
}

/// A clock that does not move: a fetch verifies at the time of its command.
#[derive(Debug)]
struct Fixed(Time);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.0).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// Accepts the X509-SVID of one endpoint: the clauses of a leaf, its chain under the roots of its trust domain, its ID.
#[derive(Debug)]
struct SvidVerifier(MeshVerifier);

impl SvidVerifier {
    fn new(id: &SpiffeId, roots: &[Cert]) -> Self {
        let roots = BTreeMap::from([(id.trust_domain().clone(), roots.to_vec())]);
        Self(MeshVerifier::new(roots).with_identities([id.clone()]))
    }
}

impl ServerCertVerifier for SvidVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let leaf = Cert::try_from(end_entity).ok().ok_or(CertificateError::BadEncoding)?;
        svid::check_leaf(&leaf)
            .map_err(|problem| CertificateError::Other(OtherError(Arc::new(problem))))?;
        self.0.verify_server_cert(end_entity, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls12_signature(&self.0, message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls13_signature(&self.0, message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(&self.0)
    }
}
