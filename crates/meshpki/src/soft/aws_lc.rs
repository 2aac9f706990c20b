//! Keys by aws-lc-rs: every key type, and the fastest RSA generation measured.

use alloc::vec;
use alloc::vec::Vec;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair};
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
    let failed = |_| KeyProblem::Unsupported(kind.name().into());
    let ecdsa = |algorithm| {
        EcdsaKeyPair::generate(algorithm).and_then(|pair| pair.to_pkcs8v1()).map_err(failed)
    };
    let rsa = |size| {
        let document = RsaKeyPair::generate(size).and_then(|pair| AsDer::as_der(&pair));
        document
            .map(|der: aws_lc_rs::encoding::Pkcs8V1Der<'_>| Zeroizing::new(der.as_ref().to_vec()))
            .map_err(failed)
    };
    let document = match kind {
        KeyType::EcdsaP256 => ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING)?,
        KeyType::EcdsaP384 => ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING)?,
        KeyType::EcdsaP521 => ecdsa(&signature::ECDSA_P521_SHA512_ASN1_SIGNING)?,
        KeyType::Ed25519 => {
            Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(failed)?
        }
        KeyType::Rsa2048 => return rsa(KeySize::Rsa2048),
        KeyType::Rsa3072 => return rsa(KeySize::Rsa3072),
        KeyType::Rsa4096 => return rsa(KeySize::Rsa4096),
        KeyType::Rsa8192 => return rsa(KeySize::Rsa8192),
    };
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

pub(super) fn load(
    algorithm: &KeyAlgorithm,
    pkcs8: &[u8],
) -> Result<(Pair, PublicKey), KeyProblem> {
    let failed = |_| rejected(algorithm);
    let ecdsa = |scheme: &'static EcdsaSigningAlgorithm| {
        EcdsaKeyPair::from_pkcs8(scheme, pkcs8).map_err(failed)
    };
    let pair = match algorithm {
        KeyAlgorithm::EcdsaP256 => Pair::Ecdsa(ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING)?),
        KeyAlgorithm::EcdsaP384 => Pair::Ecdsa(ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING)?),
        KeyAlgorithm::EcdsaP521 => Pair::Ecdsa(ecdsa(&signature::ECDSA_P521_SHA512_ASN1_SIGNING)?),
        KeyAlgorithm::Ed25519 => Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8).map_err(failed)?),
        _ => Pair::Rsa(RsaKeyPair::from_pkcs8(pkcs8).map_err(failed)?),
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
        Pair::Ed25519(pair) => pair.try_sign(message).map(|s| s.as_ref().to_vec()),
        Pair::Rsa(pair) => {
            let padding: &'static dyn signature::RsaEncoding = match algorithm {
                KeyAlgorithm::Rsa { bits: ..3072 } => &signature::RSA_PKCS1_SHA256,
                KeyAlgorithm::Rsa { bits: ..4096 } => &signature::RSA_PKCS1_SHA384,
                _ => &signature::RSA_PKCS1_SHA512,
            };
            let mut out = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &rng, message, &mut out).map(|()| out)
        }
    }
    .map_err(|e| SignError::new(alloc::format!("aws-lc: {e}")))
}
