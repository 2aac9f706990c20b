//! The members with which a JSON Web Key describes a public key (RFC 7518 section 6, RFC 8037 section 2).

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::key::decode::rsa_numbers;
use crate::key::{KeyAlgorithm, PublicKey};

/// `kty` and the members that hold the key, in the order SPIRE writes them
/// (`github.com/go-jose/go-jose/v4/jwk.go: rawJSONWebKey`).
pub(super) type Members = Vec<(&'static str, String)>;

/// The members of a key; `None` for a key that a JSON Web Key of SPIRE cannot hold.
pub(super) fn members(key: &PublicKey) -> Option<Members> {
    match key.algorithm() {
        KeyAlgorithm::EcdsaP256 => curve(key, "P-256", 32),
        KeyAlgorithm::EcdsaP384 => curve(key, "P-384", 48),
        KeyAlgorithm::EcdsaP521 => curve(key, "P-521", 66),
        KeyAlgorithm::Ed25519 => Some(Vec::from([
            ("kty", "OKP".into()),
            ("crv", "Ed25519".into()),
            ("x", URL_SAFE_NO_PAD.encode(key.bits())),
        ])),
        KeyAlgorithm::Rsa { .. } => {
            let (modulus, exponent) = rsa_numbers(key.bits()).ok()?;
            Some(Vec::from([
                ("kty", "RSA".into()),
                ("n", number(modulus)),
                ("e", number(exponent)),
            ]))
        }
        KeyAlgorithm::Other { .. } => None,
    }
}

/// A point that is not compressed; each coordinate has `size` bytes.
fn curve(key: &PublicKey, name: &str, size: usize) -> Option<Members> {
    let point = key.bits().strip_prefix(&[4]).filter(|point| point.len() == 2 * size)?;
    let (x, y) = point.split_at(size);
    Some(Vec::from([
        ("kty", "EC".into()),
        ("crv", name.into()),
        ("x", URL_SAFE_NO_PAD.encode(x)),
        ("y", URL_SAFE_NO_PAD.encode(y)),
    ]))
}

/// A number without leading zeros.
fn number(octets: &[u8]) -> String {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    URL_SAFE_NO_PAD.encode(&octets[zeros..])
}
