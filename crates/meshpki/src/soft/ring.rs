//! Keys by ring alone: P-256, P-384 and Ed25519; RSA keys can be read but not generated.

use alloc::vec;
use alloc::vec::Vec;

use ring::rand::SystemRandom;
use ring::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::{KeyType, public_key, rejected};
use crate::error::KeyProblem;
use crate::key::{KeyAlgorithm, PublicKey, SignError};

pub(super) enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

pub(super) fn generate(kind: KeyType) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let rng = SystemRandom::new();
    let document = match kind {
        KeyType::EcdsaP256 => {
            EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &rng)
        }
        KeyType::EcdsaP384 => {
            EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P384_SHA384_ASN1_SIGNING, &rng)
        }
        KeyType::Ed25519 => Ed25519KeyPair::generate_pkcs8(&rng),
        _ => return Err(KeyProblem::Unsupported(kind.name().into())),
    };
    document
        .map(|d| Zeroizing::new(d.as_ref().to_vec()))
        .map_err(|ring::error::Unspecified| KeyProblem::Unsupported(kind.name().into()))
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
        KeyAlgorithm::Rsa { .. } => Pair::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(failed)?),
        other => return Err(KeyProblem::Unsupported(alloc::format!("{other}").into())),
    };
    let bits = match &pair {
        Pair::Ecdsa(pair) => pair.public_key().as_ref().to_vec(),
        Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
    };
    Ok((pair, public_key(algorithm, &bits)))
}

pub(super) fn sign(
    pair: &Pair,
    algorithm: &KeyAlgorithm,
    message: &[u8],
) -> Result<Vec<u8>, SignError> {
    let rng = SystemRandom::new();
    match pair {
        Pair::Ecdsa(pair) => pair.sign(&rng, message).map(|s| s.as_ref().to_vec()),
        Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        Pair::Rsa(pair) => {
            let padding: &'static dyn signature::RsaEncoding = match algorithm {
                KeyAlgorithm::Rsa { bits: ..3072 } => &signature::RSA_PKCS1_SHA256,
                KeyAlgorithm::Rsa { bits: ..4096 } => &signature::RSA_PKCS1_SHA384,
                _ => &signature::RSA_PKCS1_SHA512,
            };
            let mut out = vec![0; pair.public().modulus_len()];
            pair.sign(padding, &rng, message, &mut out).map(|()| out)
        }
    }
    .map_err(|e| SignError::new(alloc::format!("ring: {e}")))
}
