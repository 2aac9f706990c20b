//! Checking signatures: an algorithm, a key and a signature give Good, Bad or Undecided.

use crate::der::Reader;
use crate::key::{KeyAlgorithm, PublicKey};
use crate::oid;

#[cfg(feature = "aws-lc")]
use aws_lc_rs::signature as extra;
use ring::signature as base;

/// What is to be checked.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
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
    /// No algorithm here can tell; never to be taken for [`SignatureCheck::Bad`].
    Undecided,
}

/// Checks a signature with every algorithm built in: ring's, and with the feature `aws-lc` P-521 and
/// ECDSA with SHA-512.
#[must_use]
pub fn check(signed: &Signed<'_>) -> SignatureCheck {
    let Ok(oid) = algorithm_oid(signed.algorithm) else { return SignatureCheck::Undecided };
    let bits = signed.key.bits();
    if let Some(algorithm) = base_algorithm(oid, signed.key.algorithm()) {
        let key = base::UnparsedPublicKey::new(algorithm, &bits);
        return answer(key.verify(signed.message, signed.signature).is_ok());
    }
    extra_check(oid, signed, &bits)
}

const fn answer(good: bool) -> SignatureCheck {
    if good { SignatureCheck::Good } else { SignatureCheck::Bad }
}

fn algorithm_oid(algorithm: &[u8]) -> Result<&[u8], crate::der::DerError> {
    Ok(Reader::new(algorithm).any()?.reader().any()?.content)
}

fn base_algorithm(
    oid: &[u8],
    key: &KeyAlgorithm,
) -> Option<&'static dyn base::VerificationAlgorithm> {
    use KeyAlgorithm as K;
    Some(match (oid, key) {
        (oid::ECDSA_SHA256, K::EcdsaP256) => &base::ECDSA_P256_SHA256_ASN1,
        (oid::ECDSA_SHA384, K::EcdsaP256) => &base::ECDSA_P256_SHA384_ASN1,
        (oid::ECDSA_SHA256, K::EcdsaP384) => &base::ECDSA_P384_SHA256_ASN1,
        (oid::ECDSA_SHA384, K::EcdsaP384) => &base::ECDSA_P384_SHA384_ASN1,
        (oid::ED25519, K::Ed25519) => &base::ED25519,
        (oid::RSA_SHA1, K::Rsa { bits: 1024..=8192 }) => {
            &base::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY
        }
        (oid::RSA_SHA256, K::Rsa { bits: 1024..=8192 }) => {
            &base::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
        }
        (oid::RSA_SHA384, K::Rsa { bits: 2048..=8192 }) => &base::RSA_PKCS1_2048_8192_SHA384,
        (oid::RSA_SHA512, K::Rsa { bits: 1024..=8192 }) => {
            &base::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
        }
        _ => return None,
    })
}

#[cfg(feature = "aws-lc")]
fn extra_check(oid: &[u8], signed: &Signed<'_>, bits: &[u8]) -> SignatureCheck {
    use KeyAlgorithm as K;
    let algorithm: &'static dyn extra::VerificationAlgorithm = match (oid, signed.key.algorithm()) {
        (oid::ECDSA_SHA1, K::EcdsaP256) => &extra::ECDSA_P256_SHA1_ASN1,
        (oid::ECDSA_SHA512, K::EcdsaP256) => &extra::ECDSA_P256_SHA512_ASN1,
        (oid::ECDSA_SHA512, K::EcdsaP384) => &extra::ECDSA_P384_SHA512_ASN1,
        (oid::ECDSA_SHA1, K::EcdsaP521) => &extra::ECDSA_P521_SHA1_ASN1,
        (oid::ECDSA_SHA256, K::EcdsaP521) => &extra::ECDSA_P521_SHA256_ASN1,
        (oid::ECDSA_SHA384, K::EcdsaP521) => &extra::ECDSA_P521_SHA384_ASN1,
        (oid::ECDSA_SHA512, K::EcdsaP521) => &extra::ECDSA_P521_SHA512_ASN1,
        _ => return SignatureCheck::Undecided,
    };
    answer(
        extra::UnparsedPublicKey::new(algorithm, bits)
            .verify(signed.message, signed.signature)
            .is_ok(),
    )
}

#[cfg(not(feature = "aws-lc"))]
fn extra_check(_: &[u8], _: &Signed<'_>, _: &[u8]) -> SignatureCheck {
    SignatureCheck::Undecided
}
