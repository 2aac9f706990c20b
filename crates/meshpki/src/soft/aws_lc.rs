//! What ring lacks, by aws-lc-rs: RSA with the fastest generation measured, P-521, and EC keys without
//! their public half. The other keys stay with ring, because aws-lc spends 40 ms on its entropy at the
//! first random number of a process.

use alloc::vec::Vec;

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair};
use zeroize::Zeroizing;

use super::{KeyType, Made, public_key, rejected};
use crate::error::KeyProblem;
use crate::key::{KeyAlgorithm, PublicKey, SignError};
use crate::{der, oid};

pub(super) enum Pair {
    EcdsaP521(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// A new key; `None` for a type that is ring's.
pub(super) fn generate(kind: KeyType) -> Option<Result<Made<Pair>, KeyProblem>> {
    let rsa = |size| RsaKeyPair::generate(size).map(Pair::Rsa);
    let pair = match kind {
        KeyType::EcdsaP521 => {
            EcdsaKeyPair::generate(&signature::ECDSA_P521_SHA512_ASN1_SIGNING).map(Pair::EcdsaP521)
        }
        KeyType::Rsa2048 => rsa(KeySize::Rsa2048),
        KeyType::Rsa3072 => rsa(KeySize::Rsa3072),
        KeyType::Rsa4096 => rsa(KeySize::Rsa4096),
        KeyType::Rsa8192 => rsa(KeySize::Rsa8192),
        KeyType::EcdsaP256 | KeyType::EcdsaP384 | KeyType::Ed25519 => return None,
    };
    let made = pair.and_then(|pair| Ok((pkcs8(&pair)?, pair)));
    Some(match made {
        Ok((pkcs8, pair)) => {
            let public = public(&pair);
            Ok((pkcs8, pair, public))
        }
        Err(aws_lc_rs::error::Unspecified) => Err(KeyProblem::Unsupported(kind.name().into())),
    })
}

pub(super) fn load(
    algorithm: &KeyAlgorithm,
    pkcs8: &[u8],
) -> Result<(Pair, PublicKey), KeyProblem> {
    let pair = match algorithm {
        KeyAlgorithm::EcdsaP521 => {
            EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P521_SHA512_ASN1_SIGNING, pkcs8)
                .map(Pair::EcdsaP521)
        }
        _ => RsaKeyPair::from_pkcs8(pkcs8).map(Pair::Rsa),
    };
    let pair = pair.ok().ok_or_else(|| rejected(algorithm))?;
    let public = public(&pair);
    Ok((pair, public))
}

/// The same EC key with its public half, uncompressed, which ring insists on.
///
/// aws-lc itself writes a key again as it was read, so the ECPrivateKey (RFC 5915) is put together here.
pub(super) fn completed(algorithm: &KeyAlgorithm, pkcs8: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (scheme, curve): (&'static EcdsaSigningAlgorithm, _) = match algorithm {
        KeyAlgorithm::EcdsaP256 => (&signature::ECDSA_P256_SHA256_ASN1_SIGNING, oid::P256),
        KeyAlgorithm::EcdsaP384 => (&signature::ECDSA_P384_SHA384_ASN1_SIGNING, oid::P384),
        _ => return None,
    };
    let pair = EcdsaKeyPair::from_pkcs8(scheme, pkcs8).ok()?;
    let scalar: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
    let scalar = Zeroizing::new(der::tlv(der::OCTET_STRING, scalar.as_ref()));
    let public = der::constructed(0xa1, &[&der::bit_string(pair.public_key().as_ref())]);
    let key = Zeroizing::new(der::sequence(&[&der::integer(&[1]), &scalar, &public]));
    Some(super::pkcs8(oid::EC_PUBLIC_KEY, &der::tlv(der::OID, curve), &key))
}

pub(super) fn sign(
    pair: &Pair,
    algorithm: &KeyAlgorithm,
    message: &[u8],
) -> Result<Vec<u8>, SignError> {
    let rng = SystemRandom::new();
    match pair {
        Pair::EcdsaP521(pair) => pair.sign(&rng, message).map(|s| s.as_ref().to_vec()),
        Pair::Rsa(pair) => {
            let padding: &'static dyn signature::RsaEncoding = match algorithm {
                KeyAlgorithm::Rsa { bits: ..3072 } => &signature::RSA_PKCS1_SHA256,
                KeyAlgorithm::Rsa { bits: ..4096 } => &signature::RSA_PKCS1_SHA384,
                _ => &signature::RSA_PKCS1_SHA512,
            };
            let mut out = alloc::vec![0; pair.public_modulus_len()];
            pair.sign(padding, &rng, message, &mut out).map(|()| out)
        }
    }
    .map_err(|e| SignError::new(alloc::format!("aws-lc: {e}")))
}

fn pkcs8(pair: &Pair) -> Result<Zeroizing<Vec<u8>>, aws_lc_rs::error::Unspecified> {
    match pair {
        Pair::EcdsaP521(pair) => pair.to_pkcs8v1().map(|d| Zeroizing::new(d.as_ref().to_vec())),
        Pair::Rsa(pair) => {
            let der: Pkcs8V1Der<'_> = pair.as_der()?;
            Ok(Zeroizing::new(der.as_ref().to_vec()))
        }
    }
}

fn public(pair: &Pair) -> PublicKey {
    match pair {
        Pair::EcdsaP521(pair) => public_key(&KeyAlgorithm::EcdsaP521, pair.public_key().as_ref()),
        Pair::Rsa(pair) => public_key(&KeyAlgorithm::Rsa { bits: 0 }, pair.public_key().as_ref()),
    }
}
