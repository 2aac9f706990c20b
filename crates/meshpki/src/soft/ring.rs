//! Keys by ring: P-256, P-384 and Ed25519 always, RSA (reading and signing only) where aws-lc is off.

use alloc::vec::Vec;

use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair};
use zeroize::Zeroizing;

use super::{KeyType, Made, ed25519_version_1, pkcs8_parts, public_key, rejected};
use crate::error::KeyProblem;
use crate::key::{KeyAlgorithm, PublicKey, SignError};

pub(super) enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    #[cfg(not(feature = "aws-lc"))]
    Rsa(signature::RsaKeyPair),
}

/// A new key; `None` for a type that is not ring's.
pub(super) fn generate(kind: KeyType) -> Option<Result<Made<Pair>, KeyProblem>> {
    let rng = SystemRandom::new();
    let (document, algorithm) = match kind {
        KeyType::EcdsaP256 => (
            EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &rng),
            KeyAlgorithm::EcdsaP256,
        ),
        KeyType::EcdsaP384 => (
            EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P384_SHA384_ASN1_SIGNING, &rng),
            KeyAlgorithm::EcdsaP384,
        ),
        KeyType::Ed25519 => (Ed25519KeyPair::generate_pkcs8(&rng), KeyAlgorithm::Ed25519),
        _ => return None,
    };
    let Ok(document) = document else {
        return Some(Err(KeyProblem::Unsupported(kind.name().into())));
    };
    Some(made(&algorithm, document.as_ref()))
}

fn made(algorithm: &KeyAlgorithm, document: &[u8]) -> Result<Made<Pair>, KeyProblem> {
    let (pair, public) = load(algorithm, document)?;
    let pkcs8 = match algorithm {
        KeyAlgorithm::Ed25519 => ed25519_version_1(pkcs8_parts(document)?.2),
        _ => Zeroizing::new(document.to_vec()),
    };
    Ok((pkcs8, pair, public))
}

pub(super) fn load(
    algorithm: &KeyAlgorithm,
    pkcs8: &[u8],
) -> Result<(Pair, PublicKey), KeyProblem> {
    let rng = SystemRandom::new();
    let failed = |_| rejected(algorithm);
    let ecdsa = |scheme: &'static EcdsaSigningAlgorithm| {
        EcdsaKeyPair::from_pkcs8(scheme, pkcs8, &rng).map_err(failed)
    };
    let pair = match algorithm {
        KeyAlgorithm::EcdsaP256 => Pair::Ecdsa(ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING)?),
        KeyAlgorithm::EcdsaP384 => Pair::Ecdsa(ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING)?),
        KeyAlgorithm::Ed25519 => {
            Pair::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(failed)?)
        }
        #[cfg(not(feature = "aws-lc"))]
        KeyAlgorithm::Rsa { .. } => {
            Pair::Rsa(signature::RsaKeyPair::from_pkcs8(pkcs8).map_err(failed)?)
        }
        other => return Err(KeyProblem::Unsupported(alloc::format!("{other}").into())),
    };
    let public = match &pair {
        Pair::Ecdsa(pair) => public_key(algorithm, pair.public_key().as_ref()),
        Pair::Ed25519(pair) => public_key(algorithm, pair.public_key().as_ref()),
        #[cfg(not(feature = "aws-lc"))]
        Pair::Rsa(pair) => public_key(algorithm, pair.public_key().as_ref()),
    };
    Ok((pair, public))
}

pub(super) fn sign(
    pair: &Pair,
    _algorithm: &KeyAlgorithm,
    message: &[u8],
) -> Result<Vec<u8>, SignError> {
    let rng = SystemRandom::new();
    match pair {
        Pair::Ecdsa(pair) => pair.sign(&rng, message).map(|s| s.as_ref().to_vec()),
        Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        #[cfg(not(feature = "aws-lc"))]
        Pair::Rsa(pair) => {
            let padding: &'static dyn signature::RsaEncoding = match _algorithm {
                KeyAlgorithm::Rsa { bits: ..3072 } => &signature::RSA_PKCS1_SHA256,
                KeyAlgorithm::Rsa { bits: ..4096 } => &signature::RSA_PKCS1_SHA384,
                _ => &signature::RSA_PKCS1_SHA512,
            };
            let mut out = alloc::vec![0; pair.public().modulus_len()];
            pair.sign(padding, &rng, message, &mut out).map(|()| out)
        }
    }
    .map_err(|e| SignError::new(alloc::format!("ring: {e}")))
}
