//! What ring decides: the everyday algorithms.

use ring::signature as base;

use super::SignatureInput;
use crate::algorithm::Digest;
use crate::der::shape::bit_length;
use crate::der::{self, Reader};
use crate::key::KeyAlgorithm;
use crate::key::decode::rsa_numbers;
use crate::oid;

/// A signature by a key that ring takes as it is; `None`: it does not decide.
pub(super) fn plain(oid: &[u8], signed: &SignatureInput<'_>) -> Option<bool> {
    let bits = signed.key.bits();
    let algorithm = algorithm(oid, signed.key.algorithm())?;
    let plain = match signed.key.algorithm() {
        KeyAlgorithm::Rsa { .. } => is_plain_rsa(bits),
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => bits.first() == Some(&4),
        _ => false,
    };
    plain.then(|| verify(algorithm, bits, signed))
}

/// ECDSA with a point that is not compressed.
pub(super) fn ecdsa(oid: &[u8], point: &[u8], signed: &SignatureInput<'_>) -> Option<bool> {
    let algorithm = algorithm(oid, signed.key.algorithm())?;
    Some(verify(algorithm, point, signed))
}

pub(super) fn ed25519(signed: &SignatureInput<'_>) -> Option<bool> {
    Some(verify(&base::ED25519, signed.key.bits(), signed))
}

/// RSASSA-PSS with one digest for the message and the mask, and this many bytes of salt.
pub(super) fn pss(digest: Digest, salt: i64, signed: &SignatureInput<'_>) -> Option<bool> {
    let algorithm: &'static dyn base::VerificationAlgorithm = match (digest, salt) {
        (Digest::Sha256, 32) => &base::RSA_PSS_2048_8192_SHA256,
        (Digest::Sha384, 48) => &base::RSA_PSS_2048_8192_SHA384,
        (Digest::Sha512, 64) => &base::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    };
    let KeyAlgorithm::Rsa { bits: 2048..=8192 } = signed.key.algorithm() else { return None };
    let bits = signed.key.bits();
    is_plain_rsa(bits).then(|| verify(algorithm, bits, signed))
}

fn verify(
    algorithm: &'static dyn base::VerificationAlgorithm,
    bits: &[u8],
    signed: &SignatureInput<'_>,
) -> bool {
    base::UnparsedPublicKey::new(algorithm, bits).verify(signed.message, signed.signature).is_ok()
}

fn algorithm(oid: &[u8], key: &KeyAlgorithm) -> Option<&'static dyn base::VerificationAlgorithm> {
    use KeyAlgorithm as K;
    Some(match (oid, key) {
        (oid::ECDSA_SHA256, K::EcdsaP256) => &base::ECDSA_P256_SHA256_ASN1,
        (oid::ECDSA_SHA384, K::EcdsaP256) => &base::ECDSA_P256_SHA384_ASN1,
        (oid::ECDSA_SHA256, K::EcdsaP384) => &base::ECDSA_P384_SHA256_ASN1,
        (oid::ECDSA_SHA384, K::EcdsaP384) => &base::ECDSA_P384_SHA384_ASN1,
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

/// A key whose numbers ring takes: DER, positive, odd modulus, odd exponent from 3 to 2^33.
fn is_plain_rsa(bits: &[u8]) -> bool {
    let Ok((modulus, exponent)) = rsa_numbers(bits) else { return false };
    let minimal = |number: &[u8]| match number {
        [0, second, ..] => second & 0x80 != 0,
        [first, ..] => first & 0x80 == 0,
        [] => false,
    };
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    let is_der = Reader::new(bits).any().is_ok_and(|sequence| {
        sequence.raw.len() == bits.len()
            && der::sequence(&[&der::tlv(der::INTEGER, modulus), &der::tlv(der::INTEGER, exponent)])
                == bits
    });
    minimal(modulus)
        && minimal(exponent)
        && odd(modulus)
        && odd(exponent)
        && exponent != [1]
        && bit_length(exponent) <= 33
        && is_der
}
