//! The signature schemes of TLS that [`signature::check`] decides.

use alloc::vec::Vec;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerIncompatible, PeerMisbehaved,
    SignatureScheme,
};

use crate::algorithm::algorithm_parts;
use crate::cert::Cert;
use crate::der;
use crate::key::KeyAlgorithm;
use crate::oid;
use crate::signature::{self, SignatureCheck, SignatureInput};

const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];

/// Preferred ones first. P-521 is decided with feature `aws-lc` or `legacy-algorithms`.
pub(super) fn supported() -> Vec<SignatureScheme> {
    let p521 = cfg!(any(feature = "aws-lc", feature = "legacy-algorithms"));
    let mut schemes = alloc::vec![
        SignatureScheme::ECDSA_NISTP384_SHA384,
        SignatureScheme::ECDSA_NISTP256_SHA256,
        SignatureScheme::ED25519,
        SignatureScheme::RSA_PSS_SHA512,
        SignatureScheme::RSA_PSS_SHA384,
        SignatureScheme::RSA_PSS_SHA256,
        SignatureScheme::RSA_PKCS1_SHA512,
        SignatureScheme::RSA_PKCS1_SHA384,
        SignatureScheme::RSA_PKCS1_SHA256,
    ];
    if p521 {
        schemes.insert(0, SignatureScheme::ECDSA_NISTP521_SHA512);
    }
    schemes
}

/// In TLS 1.2 a scheme names the digest and the kind of key alone (RFC 5246 section 7.4.1.4.1).
pub(super) fn verify_tls12(
    message: &[u8],
    cert: &Cert,
    dss: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    check(message, cert, dss, |scheme, key| match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
        | SignatureScheme::ECDSA_NISTP384_SHA384
        | SignatureScheme::ECDSA_NISTP521_SHA512 => matches!(
            key,
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521
        ),
        SignatureScheme::ED25519 => *key == KeyAlgorithm::Ed25519,
        _ => matches!(key, KeyAlgorithm::Rsa { .. }),
    })
}

/// In TLS 1.3 a scheme names the curve too, and PKCS#1 v1.5 is gone (RFC 8446 section 4.2.3).
pub(super) fn verify_tls13(
    message: &[u8],
    cert: &Cert,
    dss: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    use SignatureScheme as S;
    if matches!(dss.scheme, S::RSA_PKCS1_SHA256 | S::RSA_PKCS1_SHA384 | S::RSA_PKCS1_SHA512) {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    check(message, cert, dss, |scheme, key| match scheme {
        S::ECDSA_NISTP256_SHA256 => *key == KeyAlgorithm::EcdsaP256,
        S::ECDSA_NISTP384_SHA384 => *key == KeyAlgorithm::EcdsaP384,
        S::ECDSA_NISTP521_SHA512 => *key == KeyAlgorithm::EcdsaP521,
        S::ED25519 => *key == KeyAlgorithm::Ed25519,
        _ => matches!(key, KeyAlgorithm::Rsa { .. }),
    })
}

fn check(
    message: &[u8],
    cert: &Cert,
    dss: &DigitallySignedStruct,
    fits: impl Fn(SignatureScheme, &KeyAlgorithm) -> bool,
) -> Result<HandshakeSignatureValid, Error> {
    let key = cert.public_key();
    let Some(algorithm) = identifier(dss.scheme).filter(|_| supported().contains(&dss.scheme))
    else {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    };
    if !fits(dss.scheme, key.algorithm()) {
        return Err(wrong_key(&algorithm, key.as_der()));
    }
    let (algorithm, signature) = (algorithm.as_slice(), dss.signature());
    match signature::check(&SignatureInput { algorithm, message, signature, key }) {
        SignatureCheck::Good => Ok(HandshakeSignatureValid::assertion()),
        SignatureCheck::Bad => Err(CertificateError::BadSignature.into()),
        SignatureCheck::Undecided => Err(wrong_key(algorithm, key.as_der())),
    }
}

/// The AlgorithmIdentifier of a scheme.
fn identifier(scheme: SignatureScheme) -> Option<Vec<u8>> {
    let plain = |oid| der::sequence(&[&der::tlv(der::OID, oid)]);
    Some(match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => plain(oid::ECDSA_SHA256),
        SignatureScheme::ECDSA_NISTP384_SHA384 => plain(oid::ECDSA_SHA384),
        SignatureScheme::ECDSA_NISTP521_SHA512 => plain(oid::ECDSA_SHA512),
        SignatureScheme::ED25519 => plain(oid::ED25519),
        SignatureScheme::RSA_PKCS1_SHA256 => with_null(oid::RSA_SHA256),
        SignatureScheme::RSA_PKCS1_SHA384 => with_null(oid::RSA_SHA384),
        SignatureScheme::RSA_PKCS1_SHA512 => with_null(oid::RSA_SHA512),
        SignatureScheme::RSA_PSS_SHA256 => pss(SHA256, 32),
        SignatureScheme::RSA_PSS_SHA384 => pss(SHA384, 48),
        SignatureScheme::RSA_PSS_SHA512 => pss(SHA512, 64),
        _ => return None,
    })
}

fn with_null(oid: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::tlv(der::OID, oid), &der::tlv(der::NULL, &[])])
}

/// RSASSA-PSS-params (RFC 8017 appendix A.2.3): the salt is as long as the digest (RFC 8446 section 4.2.3).
fn pss(digest: &[u8], salt: u8) -> Vec<u8> {
    let hash = with_null(digest);
    let mask = der::sequence(&[&der::tlv(der::OID, MGF1), &hash]);
    let parameters = der::sequence(&[
        &der::constructed(0xa0, &[&hash]),
        &der::constructed(0xa1, &[&mask]),
        &der::constructed(0xa2, &[&der::integer(&[salt])]),
    ]);
    der::sequence(&[&der::tlv(der::OID, oid::RSA_PSS), &parameters])
}

fn wrong_key(algorithm: &[u8], spki: &[u8]) -> Error {
    let oid =
        |identifier: &[u8]| algorithm_parts(identifier).map_or(Vec::new(), |(oid, _)| oid.to_vec());
    let key = der::Reader::new(spki).any().and_then(|spki| spki.reader().any());
    CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
        signature_algorithm_id: oid(algorithm),
        public_key_algorithm_id: key.map_or(Vec::new(), |key| oid(key.raw)),
    }
    .into()
}

/// A signature of a chain that nothing here decides.
pub(super) fn unsupported(chain: &[Cert]) -> Error {
    match chain.first() {
        Some(cert) => wrong_key(cert.signature_algorithm(), cert.public_key().as_der()),
        None => PeerIncompatible::NoSignatureSchemesInCommon.into(),
    }
}
