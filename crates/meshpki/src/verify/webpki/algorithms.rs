//! The signature algorithms of rustls' providers (`rustls/src/crypto/{ring,aws_lc_rs}/mod.rs: SUPPORTED_SIG_ALGS`).

use alloc::vec::Vec;

use ::webpki::Error;
use rustls_pki_types::{SignatureVerificationAlgorithm, alg_id};

use super::Release;

#[cfg(feature = "aws-lc")]
use ::webpki::aws_lc_rs as provider;
#[cfg(all(feature = "ring", not(feature = "aws-lc")))]
use ::webpki::ring as provider;

type Algorithms = Vec<&'static dyn SignatureVerificationAlgorithm>;

/// What a release verifies signatures with, as far as the features of this crate have it.
#[must_use]
pub fn algorithms(release: Release) -> Algorithms {
    let mut all = base();
    if release >= Release::V1_26 {
        all.extend(p521());
    }
    if release >= Release::V1_28 {
        all.extend(rsa_without_parameters());
    }
    if release >= Release::V1_29 {
        all.extend(sha512());
    }
    all
}

/// Whether the release has the algorithm that webpki misses, but this crate is built without it.
pub(super) fn may_lack(release: Release, error: &Error) -> bool {
    let oid: &[u8] = match error {
        Error::UnsupportedSignatureAlgorithmContext(found) => &found.signature_algorithm_id,
        Error::UnsupportedSignatureAlgorithmForPublicKeyContext(found) => {
            &found.signature_algorithm_id
        }
        _ => return false,
    };
    let is_ecdsa = [alg_id::ECDSA_SHA256, alg_id::ECDSA_SHA384, alg_id::ECDSA_SHA512]
        .iter()
        .any(|known| known.as_ref() == oid);
    match (cfg!(feature = "aws-lc"), cfg!(feature = "ring")) {
        (true, _) => false,
        (false, true) => is_ecdsa && release >= Release::V1_26,
        (false, false) => true,
    }
}

#[cfg(any(feature = "aws-lc", feature = "ring"))]
fn base() -> Algorithms {
    Vec::from([
        provider::ECDSA_P256_SHA256,
        provider::ECDSA_P256_SHA384,
        provider::ECDSA_P384_SHA256,
        provider::ECDSA_P384_SHA384,
        provider::ED25519,
        provider::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        provider::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        provider::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        provider::RSA_PKCS1_2048_8192_SHA256,
        provider::RSA_PKCS1_2048_8192_SHA384,
        provider::RSA_PKCS1_2048_8192_SHA512,
    ])
}

#[cfg(any(feature = "aws-lc", feature = "ring"))]
const fn rsa_without_parameters() -> [&'static dyn SignatureVerificationAlgorithm; 3] {
    [
        provider::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        provider::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        provider::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ]
}

#[cfg(feature = "aws-lc")]
const fn p521() -> [&'static dyn SignatureVerificationAlgorithm; 3] {
    [provider::ECDSA_P521_SHA256, provider::ECDSA_P521_SHA384, provider::ECDSA_P521_SHA512]
}

#[cfg(feature = "aws-lc")]
const fn sha512() -> [&'static dyn SignatureVerificationAlgorithm; 2] {
    [provider::ECDSA_P256_SHA512, provider::ECDSA_P384_SHA512]
}

#[cfg(not(any(feature = "aws-lc", feature = "ring")))]
const fn base() -> Algorithms {
    Vec::new()
}

#[cfg(not(any(feature = "aws-lc", feature = "ring")))]
const fn rsa_without_parameters() -> Algorithms {
    Vec::new()
}

#[cfg(not(feature = "aws-lc"))]
const fn p521() -> Algorithms {
    Vec::new()
}

#[cfg(not(feature = "aws-lc"))]
const fn sha512() -> Algorithms {
    Vec::new()
}
