//! Verifiers for `rustls` that accept the workloads of a mesh (feature `rustls`).
//!
//! [`MeshVerifier`] checks both sides of a mutual TLS connection: that a peer's certificate has exactly one SPIFFE ID,
//! that there are roots for its trust domain, and that [`verify()`](crate::verify::verify) accepts the chain under those
//! roots and no others. Host names are not compared: who a peer is, its SPIFFE ID says.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertRevocationListError, CertificateError, DigitallySignedStruct, DistinguishedName, Error,
    OtherError, SignatureScheme,
};

use crate::cert::{Cert, GeneralName, KeyUsage};
use crate::crl::Crl;
use crate::spiffe::id::{SpiffeId, SpiffeIdError, TrustDomain};
use crate::time::Time;
use crate::verify::{Anchor, Code, Inputs, Policy, Purpose, Revocation, Verdict, verify};

mod scheme;

/// Verifies clients and servers of a mesh by SPIFFE ID.
///
/// # What is refused
///
/// | a certificate | error |
/// |---|---|
/// | without a URI name, or with several | `Other` with [`PeerError::UriCount`] |
/// | whose URI is not a SPIFFE ID | `Other` with [`PeerError::SpiffeId`] |
/// | of a trust domain without roots | `Other` with [`PeerError::TrustDomain`] |
/// | of an identity that is not accepted | `Other` with [`PeerError::Identity`] |
/// | of a CA, or one that may sign certificates or CRLs, or lacks the purpose | `InvalidPurpose` |
/// | that does not lead to a root of its trust domain | `UnknownIssuer` |
/// | that is over, or not yet valid | `ExpiredContext`, `NotValidYetContext` |
/// | that a CRL lists | `Revoked` |
/// | whose revocation is unknown | `UnknownRevocationStatus`, `ExpiredRevocationListContext` |
/// | that is wrong in any other way | `Other` with [`PeerError::Chain`], or the error that says it |
///
/// Keys and signatures of less than 112 bits of security are refused, as OpenSSL does at level 2: RSA below 2048
/// bits, SHA-1.
#[derive(Clone, Debug)]
pub struct MeshVerifier {
    roots: BTreeMap<TrustDomain, Vec<Anchor>>,
    accepted: Option<BTreeSet<SpiffeId>>,
    crls: Vec<Crl>,
    revocation: Revocation,
}

/// Why a peer is refused, where `rustls` has no name for it: inside [`CertificateError::Other`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// The certificate has no URI name, or several.
    #[error("the certificate has {count} URI names, expected one, a SPIFFE ID")]
    UriCount {
        /// How many it has.
        count: usize,
    },
    /// The URI is not a SPIFFE ID.
    #[error(transparent)]
    SpiffeId(
        /// The rule it breaks.
        #[from]
        SpiffeIdError,
    ),
    /// No roots are known for the trust domain of the identity.
    #[error("there are no roots for the trust domain of `{id}`")]
    TrustDomain {
        /// The identity.
        id: SpiffeId,
    },
    /// The identity is not among those accepted.
    #[error("`{id}` is not among the accepted identities")]
    Identity {
        /// The identity.
        id: SpiffeId,
    },
    /// The chain does not verify.
    #[error("the chain does not verify: {code}")]
    Chain {
        /// The first finding.
        code: Code,
    },
    /// The certificate's key, or that of an issuer, cannot be decoded.
    #[error("a public key of the chain cannot be decoded")]
    Key,
}

impl MeshVerifier {
    /// A verifier that accepts every identity of these trust domains, each under its own roots; without CRLs.
    #[must_use]
    pub fn new(roots: BTreeMap<TrustDomain, Vec<Cert>>) -> Self {
        let anchors = |roots: Vec<Cert>| roots.into_iter().map(Anchor::new).collect();
        Self {
            roots: roots.into_iter().map(|(domain, roots)| (domain, anchors(roots))).collect(),
            accepted: None,
            crls: Vec::new(),
            revocation: Revocation::Ignore,
        }
    }

    /// The same, but of these identities only.
    #[must_use]
    pub fn with_identities(self, ids: impl IntoIterator<Item = SpiffeId>) -> Self {
        Self { accepted: Some(ids.into_iter().collect()), ..self }
    }

    /// The same with CRLs: [`Revocation::Leaf`] needs one of the issuer of each peer's certificate,
    /// [`Revocation::Chain`] one of every issuer.
    #[must_use]
    pub fn with_crls(self, crls: Vec<Crl>, revocation: Revocation) -> Self {
        Self { crls, revocation, ..self }
    }

    /// Verifies a peer's chain, its own certificate apart, for [`Purpose::SslClient`] or [`Purpose::SslServer`]; the
    /// peer's identity.
    ///
    /// # Errors
    /// As the table of [`MeshVerifier`] says.
    pub fn verify_peer(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        purpose: Purpose,
        now: UnixTime,
    ) -> Result<SpiffeId, Error> {
        let target = cert(end_entity)?;
        let untrusted: Vec<Cert> = intermediates.iter().map(cert).collect::<Result<_, _>>()?;
        let id = identity(&target).map_err(other)?;
        let Some(trusted) = self.roots.get(id.trust_domain()) else {
            return Err(other(PeerError::TrustDomain { id }));
        };
        if self.accepted.as_ref().is_some_and(|accepted| !accepted.contains(&id)) {
            return Err(other(PeerError::Identity { id }));
        }
        if may_sign(&target) {
            return Err(CertificateError::InvalidPurpose.into());
        }
        let inputs = Inputs::new(&target, &untrusted, trusted).with_crls(&self.crls);
        let mut policy = Policy::like_openssl(Time::from(now)).with_purpose(purpose);
        policy.auth_level = 2;
        policy.revocation = self.revocation;
        let verdict = verify(&inputs, &policy);
        if verdict.is_ok() { Ok(id) } else { Err(self.refusal(&verdict, now)) }
    }

    /// What `rustls` calls the first finding.
    fn refusal(&self, verdict: &Verdict, now: UnixTime) -> Error {
        let Some(finding) = verdict.findings.first() else {
            return if verdict.undecided.is_some() {
                scheme::unsupported(&verdict.chain)
            } else {
                other(PeerError::Key)
            };
        };
        let cert = finding.cert.as_ref();
        let ends = cert.and_then(|cert| unix(cert.not_after().time()));
        let begins = cert.and_then(|cert| unix(cert.not_before().time()));
        let next = self.next_update(cert);
        match (finding.code, ends, begins, next) {
            (Code::CERT_HAS_EXPIRED, Some(not_after), ..) => {
                CertificateError::ExpiredContext { time: now, not_after }.into()
            }
            (Code::CERT_NOT_YET_VALID, _, Some(not_before), _) => {
                CertificateError::NotValidYetContext { time: now, not_before }.into()
            }
            (Code::CRL_HAS_EXPIRED, _, _, Some(next_update)) => {
                CertificateError::ExpiredRevocationListContext { time: now, next_update }.into()
            }
            (code, ..) => refusal(code),
        }
    }

    /// When the CRLs of the issuer of a certificate end.
    fn next_update(&self, cert: Option<&Cert>) -> Option<UnixTime> {
        let of_issuer = |crl: &&Crl| cert.is_some_and(|cert| crl.issuer() == cert.issuer());
        let times = self.crls.iter().filter(of_issuer).filter_map(|crl| crl.next_update()?.time());
        unix(times.max())
    }
}

/// A finding without numbers of its own.
fn refusal(code: Code) -> Error {
    match code {
        Code::CERT_HAS_EXPIRED => CertificateError::Expired.into(),
        Code::CERT_NOT_YET_VALID => CertificateError::NotValidYet.into(),
        Code::ERROR_IN_CERT_NOT_BEFORE_FIELD | Code::ERROR_IN_CERT_NOT_AFTER_FIELD => {
            CertificateError::BadEncoding.into()
        }
        Code::UNABLE_TO_GET_ISSUER_CERT
        | Code::UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | Code::UNABLE_TO_VERIFY_LEAF_SIGNATURE
        | Code::DEPTH_ZERO_SELF_SIGNED_CERT
        | Code::SELF_SIGNED_CERT_IN_CHAIN => CertificateError::UnknownIssuer.into(),
        Code::CERT_SIGNATURE_FAILURE => CertificateError::BadSignature.into(),
        Code::CERT_REVOKED => CertificateError::Revoked.into(),
        Code::CRL_HAS_EXPIRED => CertificateError::ExpiredRevocationList.into(),
        Code::UNABLE_TO_GET_CRL | Code::UNABLE_TO_GET_CRL_ISSUER | Code::DIFFERENT_CRL_SCOPE => {
            CertificateError::UnknownRevocationStatus.into()
        }
        Code::CRL_SIGNATURE_FAILURE => CertRevocationListError::BadSignature.into(),
        Code::UNHANDLED_CRITICAL_EXTENSION => CertificateError::UnhandledCriticalExtension.into(),
        Code::INVALID_PURPOSE => CertificateError::InvalidPurpose.into(),
        code => other(PeerError::Chain { code }),
    }
}

fn other(error: PeerError) -> Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}

fn unix(time: Option<Time>) -> Option<UnixTime> {
    let seconds = u64::try_from(time?.0).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

fn cert(der: &CertificateDer<'_>) -> Result<Cert, Error> {
    Cert::try_from(der).ok().ok_or_else(|| CertificateError::BadEncoding.into())
}

/// The identity of a workload: its only URI name (X509-SVID section 2).
fn identity(cert: &Cert) -> Result<SpiffeId, PeerError> {
    let names = cert.extensions().subject_alt_name.iter().flatten();
    let uris: Vec<&[u8]> = names
        .filter_map(|name| match name {
            GeneralName::Uri(uri) => Some(uri.as_slice()),
            _ => None,
        })
        .collect();
    let [uri] = uris.as_slice() else { return Err(PeerError::UriCount { count: uris.len() }) };
    // A URI with other than ASCII is not a SPIFFE ID, however it is written.
    Ok(alloc::format!("{}", uri.escape_ascii()).parse::<SpiffeId>()?)
}

/// Whether a certificate is one of a CA, or may sign certificates or CRLs, which none of a workload may (X509-SVID
/// section 4).
fn may_sign(cert: &Cert) -> bool {
    let usage = cert.extensions().key_usage;
    let signs = KeyUsage::KEY_CERT_SIGN.with(KeyUsage::CRL_SIGN);
    cert.is_ca() || usage.is_some_and(|usage| usage.0 & signs.0 != 0)
}

impl ClientCertVerifier for MeshVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify_peer(end_entity, intermediates, Purpose::SslClient, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        scheme::verify_tls12(message, &self::cert(cert)?, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        scheme::verify_tls13(message, &self::cert(cert)?, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        scheme::supported()
    }
}

impl ServerCertVerifier for MeshVerifier {
    /// The server's name is not compared: see [`MeshVerifier::with_identities`].
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify_peer(end_entity, intermediates, Purpose::SslServer, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        scheme::verify_tls12(message, &self::cert(cert)?, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        scheme::verify_tls13(message, &self::cert(cert)?, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        scheme::supported()
    }
}
