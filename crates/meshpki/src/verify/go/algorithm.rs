//! Signature algorithms as Go knows them, and the check of a signature
//! (`crypto/x509/x509.go: signatureAlgorithmDetails`, `getSignatureAlgorithmFromAI`, `checkSignature`).

use alloc::string::String;
use alloc::vec::Vec;

use super::bytes::Bytes;
use super::public_key::{Key, algorithm_identifier};
use super::{Certificate, Release};
use crate::der::{self, tlv};
use crate::oid;
use crate::signature::{self, SignatureCheck, SignatureInput};
use crate::verify::Reason;

/// A signature algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Md5Rsa,
    Sha1Rsa,
    Rsa(Hash),
    Pss(Hash),
    DsaSha1,
    DsaSha256,
    EcdsaSha1,
    Ecdsa(Hash),
    Ed25519,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// A signature that is not taken: why, and Go's words.
pub(super) type Refused = (Reason, String);

/// OIDs of the algorithms without a choice in their parameters.
const KNOWN: &[(&[u8], Algorithm)] = &[
    (oid::RSA_MD5, Algorithm::Md5Rsa),
    (oid::RSA_SHA1, Algorithm::Sha1Rsa),
    // sha1WithRSASignature of OIW.
    (&[0x2b, 14, 3, 2, 29], Algorithm::Sha1Rsa),
    (oid::RSA_SHA256, Algorithm::Rsa(Hash::Sha256)),
    (oid::RSA_SHA384, Algorithm::Rsa(Hash::Sha384)),
    (oid::RSA_SHA512, Algorithm::Rsa(Hash::Sha512)),
    (oid::DSA_SHA1, Algorithm::DsaSha1),
    (oid::DSA_SHA256, Algorithm::DsaSha256),
    (oid::ECDSA_SHA1, Algorithm::EcdsaSha1),
    (oid::ECDSA_SHA256, Algorithm::Ecdsa(Hash::Sha256)),
    (oid::ECDSA_SHA384, Algorithm::Ecdsa(Hash::Sha384)),
    (oid::ECDSA_SHA512, Algorithm::Ecdsa(Hash::Sha512)),
    (oid::ED25519, Algorithm::Ed25519),
];

impl Hash {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    const fn oid(self) -> &'static [u8] {
        match self {
            Self::Sha256 => oid::SHA256,
            Self::Sha384 => oid::SHA384,
            Self::Sha512 => oid::SHA512,
        }
    }

    /// Octets of a digest.
    const fn size(self) -> u8 {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl Algorithm {
    /// `getSignatureAlgorithmFromAI`: only Ed25519 and RSASSA-PSS have parameters that count.
    pub(super) fn of(kind: &[u8], parameters: &[u8]) -> Self {
        if kind == oid::RSA_PSS {
            return pss(parameters).map_or(Self::Unknown, Self::Pss);
        }
        if kind == oid::ED25519 && !parameters.is_empty() {
            return Self::Unknown;
        }
        let found = KNOWN.iter().find(|(oid, _)| *oid == kind);
        found.map_or(Self::Unknown, |(_, algorithm)| *algorithm)
    }

    /// `SignatureAlgorithm.String`, of those that can be called insecure.
    pub(super) const fn insecure_name(self) -> Option<&'static str> {
        Some(match self {
            Self::Md5Rsa => "MD5-RSA",
            Self::Sha1Rsa => "SHA1-RSA",
            Self::DsaSha1 => "DSA-SHA1",
            Self::EcdsaSha1 => "ECDSA-SHA1",
            _ => return None,
        })
    }

    /// The kind of key it needs, in Go's words.
    const fn key(self) -> &'static str {
        match self {
            Self::Md5Rsa | Self::Sha1Rsa | Self::Rsa(_) | Self::Pss(_) => "RSA",
            Self::DsaSha1 | Self::DsaSha256 => "DSA",
            Self::EcdsaSha1 | Self::Ecdsa(_) => "ECDSA",
            Self::Ed25519 => "Ed25519",
            Self::Unknown => "0",
        }
    }

    /// An AlgorithmIdentifier that says the same and nothing else.
    fn identifier(self) -> Vec<u8> {
        let null = [der::NULL, 0];
        if let Self::Pss(hash) = self {
            let digest = der::sequence(&[&tlv(der::OID, hash.oid()), &null]);
            let mask = der::sequence(&[&tlv(der::OID, oid::MGF1), &digest]);
            let salt = tlv(der::INTEGER, &[hash.size()]);
            let parameters =
                der::sequence(&[&tlv(0xa0, &digest), &tlv(0xa1, &mask), &tlv(0xa2, &salt)]);
            return der::sequence(&[&tlv(der::OID, oid::RSA_PSS), &parameters]);
        }
        let known = KNOWN.iter().find(|(_, algorithm)| *algorithm == self);
        let oid = known.map_or(&[][..], |(oid, _)| oid);
        let parameters: &[u8] = if self.key() == "RSA" { &null } else { &[] };
        der::sequence(&[&tlv(der::OID, oid), parameters])
    }
}

/// One of three forms of RSASSA-PSS: MGF1 with the hash of the message, and a salt of its length.
fn pss(parameters: &[u8]) -> Option<Hash> {
    let mut parameters = Bytes(parameters).read(der::SEQUENCE)?;
    let digest = parameters.read(0xa0)?.read(der::SEQUENCE)?;
    let mut mask = parameters.read(0xa1)?.read(der::SEQUENCE)?;
    let salt = parameters.read(0xa2)?.small_integer(der::INTEGER)?;
    let trailer = match parameters.optional(0xa3)? {
        Some(mut trailer) => trailer.small_integer(der::INTEGER)?,
        None => 1,
    };
    let is_mgf1 = mask.oid()? == oid::MGF1;
    let inner = mask.read(der::SEQUENCE)?;
    let (outer, outer_parameters) = algorithm_identifier(digest).ok()?;
    let (inner, inner_parameters) = algorithm_identifier(inner).ok()?;
    let is_plain = |parameters: &[u8]| parameters.is_empty() || parameters == [der::NULL, 0];
    let is_sound = is_mgf1
        && inner == outer
        && is_plain(outer_parameters)
        && is_plain(inner_parameters)
        && trailer == 1;
    let hash = Hash::ALL.into_iter().find(|hash| hash.oid() == outer)?;
    (is_sound && salt == i64::from(hash.size())).then_some(hash)
}

/// `checkSignature`: of a certificate's or a CRL's signed bytes, by the key of `parent`.
pub(super) fn check(
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
    parent: &Certificate,
    release: Release,
    allow_sha1: bool,
) -> Result<(), Refused> {
    let unsupported = || {
        let text = "x509: cannot verify signature: algorithm unimplemented";
        Err((Reason::Algorithm, text.into()))
    };
    let is_insecure = match algorithm {
        Algorithm::Md5Rsa => true,
        _ => !allow_sha1 && release.since(18),
    };
    match algorithm.insecure_name().filter(|_| is_insecure) {
        _ if algorithm == Algorithm::Unknown => return unsupported(),
        Some(name) => {
            let text = alloc::format!("x509: cannot verify signature: insecure algorithm {name}");
            return Err((Reason::Algorithm, text));
        }
        None => {}
    }
    let (kind, go_type, failure) = match parent.key() {
        Key::Rsa { .. } => ("RSA", "*rsa.PublicKey", "crypto/rsa: verification error"),
        Key::Ecdsa => ("ECDSA", "*ecdsa.PublicKey", "x509: ECDSA verification failure"),
        Key::Ed25519 => ("Ed25519", "ed25519.PublicKey", "x509: Ed25519 verification failure"),
        Key::Dsa | Key::Unknown => return unsupported(),
    };
    if algorithm.key() != kind {
        let wanted = algorithm.key();
        let text = alloc::format!(
            "x509: signature algorithm specifies an {wanted} public key, but have public key of type {go_type}"
        );
        return Err((Reason::BadSignature, text));
    }
    usable(parent.key(), release).map_err(|why| (Reason::Algorithm, why))?;
    let Some(key) = parent.public_key() else { return unsupported() };
    let identifier = algorithm.identifier();
    let signed = SignatureInput { algorithm: &identifier, message, signature, key };
    match signature::check(&signed) {
        SignatureCheck::Good => Ok(()),
        SignatureCheck::Bad => Err((Reason::BadSignature, failure.into())),
        SignatureCheck::Undecided => {
            Err((Reason::Undecided, "the algorithm of a signature is not built in".into()))
        }
    }
}

/// Why Go verifies nothing with an RSA key (`crypto/rsa/rsa.go: checkKeySize`,
/// `crypto/internal/fips140/rsa/rsa.go: checkPublicKey`).
pub(super) fn usable(key: &Key, release: Release) -> Result<(), String> {
    let Key::Rsa { modulus, exponent } = key else { return Ok(()) };
    let leading = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    let bits = (modulus.len() * 8).saturating_sub(leading);
    if bits < 1024 && release.since(24) {
        return Err(alloc::format!(
            "crypto/rsa: {bits}-bit keys are insecure (see https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size)"
        ));
    }
    let is_even = modulus.last().is_none_or(|last| last & 1 == 0);
    let why = match *exponent {
        _ if is_even => "crypto/rsa: public modulus is even",
        ..2 => "crypto/rsa: public exponent too small or negative",
        exponent if exponent & 1 == 0 => "crypto/rsa: public exponent is even",
        exponent if exponent > i64::from(i32::MAX) => "crypto/rsa: public exponent too large",
        _ => return Ok(()),
    };
    Err(why.into())
}
