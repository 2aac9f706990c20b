//! Checking signatures: an algorithm, a key and a signature give Good, Bad or Undecided.
//!
//! ring answers first (feature `ring`), then aws-lc-rs (feature `aws-lc`), then the arithmetic of [`num_bigint`] with the
//! digests of RustCrypto (feature `legacy-algorithms`). All three together reach everything `openssl verify` 3.6
//! decides but curves over binary fields and GOST. What only some releases know is known here;
//! `verify/algorithms.rs` tells them apart.

use alloc::borrow::Cow;

use crate::algorithm::{Digest, algorithm_parts};
use crate::key::decode::Kind;
use crate::key::post_quantum::ParameterSet;
use crate::key::{PublicKey, decode, ec};
use crate::oid;

#[cfg(feature = "aws-lc")]
use aws_lc_rs::signature as extra;

#[cfg_attr(not(feature = "ring"), path = "signature/without_ring.rs")]
mod base;
#[cfg(feature = "legacy-algorithms")]
mod legacy;
mod pss;
mod scheme;

pub(crate) use scheme::{Scheme, security_bits};

/// The signature to check.
#[derive(Clone, Copy, Debug)]
pub struct SignatureInput<'a> {
    /// AlgorithmIdentifier of the signature, whole element.
    pub algorithm: &'a [u8],
    /// The signed bytes.
    pub message: &'a [u8],
    /// The signature's bytes.
    pub signature: &'a [u8],
    /// The key it should be by.
    pub key: &'a PublicKey,
}

/// The answer to "is this signature by that key".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureCheck {
    /// It is.
    Good,
    /// It is not.
    Bad,
    /// No algorithm here can decide; never to be taken for [`SignatureCheck::Bad`].
    Undecided,
}

/// Checks a signature with every algorithm built in (`crypto/asn1/a_verify.c: ASN1_item_verify_ctx`).
///
/// An algorithm OpenSSL does not know, or one that does not fit the key, is Bad: OpenSSL fails it too.
#[must_use]
pub fn check(signed: &SignatureInput<'_>) -> SignatureCheck {
    check_for_id(signed, &[])
}

/// [`check`] for the signer's distinguishing id, which counts for SM2 only.
pub(crate) fn check_for_id(signed: &SignatureInput<'_>, id: &[u8]) -> SignatureCheck {
    let Ok((oid, parameters)) = algorithm_parts(signed.algorithm) else {
        return SignatureCheck::Bad;
    };
    if let Some(good) = base::plain(oid, signed) {
        return answer(good);
    }
    let Some(scheme) = Scheme::of(oid) else { return SignatureCheck::Bad };
    let Some(key) = decode::decode(signed.key) else { return SignatureCheck::Bad };
    match scheme {
        Scheme { kind: Kind::RsaPss, .. } if matches!(key.kind, Kind::Rsa | Kind::RsaPss) => {
            pss::check(parameters.as_ref(), signed)
        }
        Scheme { kind: kind @ (Kind::Ed25519 | Kind::Ed448), .. } => {
            if kind == key.kind {
                edwards(kind, signed)
            } else {
                SignatureCheck::Bad
            }
        }
        Scheme { kind: Kind::PostQuantum(set), .. } if key.kind == Kind::PostQuantum(set) => {
            post_quantum(set, signed)
        }
        Scheme { kind, .. } if kind != key.kind => SignatureCheck::Bad,
        Scheme { kind: Kind::Sm2, .. } => sm2(signed, id),
        Scheme { digest: Some(digest), kind: Kind::Ec } => ecdsa(oid, digest, signed),
        // ecdsa-with-Recommended and ecdsa-with-Specified: the digest an EC key has by default.
        Scheme { digest: None, kind: Kind::Ec } => ecdsa(oid::ECDSA_SHA256, Digest::Sha256, signed),
        Scheme { digest: Some(digest), kind } => legacy_check(digest, kind, signed),
        Scheme { digest: None, .. } => SignatureCheck::Bad,
    }
}

const fn answer(good: bool) -> SignatureCheck {
    if good { SignatureCheck::Good } else { SignatureCheck::Bad }
}

/// ECDSA, where ring did not take the key or the digest.
fn ecdsa(oid: &[u8], digest: Digest, signed: &SignatureInput<'_>) -> SignatureCheck {
    let Some(curve) = ec::curve_oid(signed.key.as_der()) else {
        return explicit_ecdsa(digest, signed);
    };
    let point = match signed.key.bits() {
        bits @ [4, ..] => Cow::Borrowed(bits),
        bits => match ec::uncompressed(curve, bits) {
            Some(point) => Cow::Owned(point),
            None => return SignatureCheck::Undecided,
        },
    };
    if *point == [0] {
        return legacy_ecdsa(curve, &point, digest, signed);
    }
    if let Some(good) = base::ecdsa(oid, &point, signed) {
        return answer(good);
    }
    #[cfg(feature = "aws-lc")]
    if let Some(algorithm) = extra_algorithm(oid, signed.key.algorithm()) {
        let key = extra::UnparsedPublicKey::new(algorithm, &point);
        return answer(key.verify(signed.message, signed.signature).is_ok());
    }
    legacy_ecdsa(curve, &point, digest, signed)
}

#[cfg(feature = "aws-lc")]
fn extra_algorithm(
    oid: &[u8],
    key: &crate::key::KeyAlgorithm,
) -> Option<&'static dyn extra::VerificationAlgorithm> {
    use crate::key::KeyAlgorithm as K;
    Some(match (oid, key) {
        (oid::ECDSA_SHA1, K::EcdsaP256) => &extra::ECDSA_P256_SHA1_ASN1,
        (oid::ECDSA_SHA512, K::EcdsaP256) => &extra::ECDSA_P256_SHA512_ASN1,
        (oid::ECDSA_SHA512, K::EcdsaP384) => &extra::ECDSA_P384_SHA512_ASN1,
        (oid::ECDSA_SHA1, K::EcdsaP521) => &extra::ECDSA_P521_SHA1_ASN1,
        (oid::ECDSA_SHA256, K::EcdsaP521) => &extra::ECDSA_P521_SHA256_ASN1,
        (oid::ECDSA_SHA384, K::EcdsaP521) => &extra::ECDSA_P521_SHA384_ASN1,
        (oid::ECDSA_SHA512, K::EcdsaP521) => &extra::ECDSA_P521_SHA512_ASN1,
        _ => return None,
    })
}

/// Ed25519 and Ed448. RFC 8410 section 3 has them without parameters; 3.0.19 takes any, as the binary shows: it does
/// not come to the check in `crypto/ec/ecx_meth.c: ecd_item_verify`.
fn edwards(kind: Kind, signed: &SignatureInput<'_>) -> SignatureCheck {
    if kind == Kind::Ed25519 {
        return base::ed25519(signed).map_or(SignatureCheck::Undecided, answer);
    }
    #[cfg(feature = "legacy-algorithms")]
    return answer(legacy::ed448(signed));
    #[cfg(not(feature = "legacy-algorithms"))]
    SignatureCheck::Undecided
}

/// ML-DSA and SLH-DSA, whatever the parameters next to the algorithm are: OpenSSL does not look at them
/// (`crypto/asn1/a_verify.c: ASN1_item_verify_ctx`).
fn post_quantum(set: &ParameterSet, signed: &SignatureInput<'_>) -> SignatureCheck {
    if signed.signature.len() != set.signature {
        return SignatureCheck::Bad;
    }
    #[cfg(feature = "aws-lc")]
    if let Some(algorithm) = ml_dsa(set) {
        let key = extra::UnparsedPublicKey::new(algorithm, signed.key.bits());
        return answer(key.verify(signed.message, signed.signature).is_ok());
    }
    #[cfg(feature = "legacy-algorithms")]
    if set.name.starts_with("SLH-DSA") {
        return answer(legacy::slh_dsa(set, signed));
    }
    SignatureCheck::Undecided
}

#[cfg(feature = "aws-lc")]
fn ml_dsa(set: &ParameterSet) -> Option<&'static extra::PqdsaVerificationAlgorithm> {
    match set.name {
        "ML-DSA-44" => Some(&extra::ML_DSA_44),
        "ML-DSA-65" => Some(&extra::ML_DSA_65),
        "ML-DSA-87" => Some(&extra::ML_DSA_87),
        _ => None,
    }
}

#[cfg(feature = "legacy-algorithms")]
fn legacy_ecdsa(
    curve: &[u8],
    point: &[u8],
    digest: Digest,
    signed: &SignatureInput<'_>,
) -> SignatureCheck {
    legacy::ecdsa(curve, point, digest, signed)
}

#[cfg(not(feature = "legacy-algorithms"))]
const fn legacy_ecdsa(_: &[u8], _: &[u8], _: Digest, _: &SignatureInput<'_>) -> SignatureCheck {
    SignatureCheck::Undecided
}

#[cfg(feature = "legacy-algorithms")]
fn explicit_ecdsa(digest: Digest, signed: &SignatureInput<'_>) -> SignatureCheck {
    legacy::ecdsa_explicit(digest, signed)
}

#[cfg(not(feature = "legacy-algorithms"))]
const fn explicit_ecdsa(_: Digest, _: &SignatureInput<'_>) -> SignatureCheck {
    SignatureCheck::Undecided
}

#[cfg(feature = "legacy-algorithms")]
fn sm2(signed: &SignatureInput<'_>, id: &[u8]) -> SignatureCheck {
    answer(legacy::sm2(signed, id))
}

#[cfg(not(feature = "legacy-algorithms"))]
const fn sm2(_: &SignatureInput<'_>, _: &[u8]) -> SignatureCheck {
    SignatureCheck::Undecided
}

/// RSA with PKCS#1 padding and DSA, where ring does not decide.
#[cfg(feature = "legacy-algorithms")]
fn legacy_check(digest: Digest, kind: Kind, signed: &SignatureInput<'_>) -> SignatureCheck {
    match kind {
        Kind::Rsa => legacy::rsa_pkcs1(digest, signed),
        Kind::Dsa => legacy::dsa(digest, signed),
        _ => SignatureCheck::Undecided,
    }
}

#[cfg(not(feature = "legacy-algorithms"))]
const fn legacy_check(_: Digest, _: Kind, _: &SignatureInput<'_>) -> SignatureCheck {
    SignatureCheck::Undecided
}

#[cfg(test)]
mod tests;
