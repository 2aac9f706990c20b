//! Public keys as Go reads them (`crypto/x509/parser.go: parsePublicKey`).

use alloc::vec::Vec;

use super::bytes::{Bytes, right_aligned};
use crate::der::{self, tlv};
use crate::key::{PublicKey, ec};
use crate::oid;

/// What a key is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Modulus and exponent.
    Rsa {
        modulus: Vec<u8>,
        exponent: i64,
    },
    /// On P-224, P-256, P-384 or P-521.
    Ecdsa,
    Ed25519,
    Dsa,
    /// Go reads the certificate and verifies nothing with its key.
    Unknown,
}

/// The key of a SubjectPublicKeyInfo, and the same in the one form that every reader takes.
pub(super) fn read(mut spki: Bytes<'_>) -> Result<(Key, Option<PublicKey>), &'static str> {
    let algorithm =
        spki.read(der::SEQUENCE).ok_or("x509: malformed public key algorithm identifier")?;
    let (kind, parameters) = algorithm_identifier(algorithm)?;
    let (unused, bits) = spki.bit_string().ok_or("x509: malformed subjectPublicKey")?;
    let bits = right_aligned(unused, bits);
    let key = match kind {
        oid::RSA_ENCRYPTION => rsa(parameters, &bits)?,
        oid::EC_PUBLIC_KEY => ecdsa(parameters, &bits)?,
        oid::ED25519 if !parameters.is_empty() => {
            return Err("x509: Ed25519 key encoded with illegal parameters");
        }
        oid::ED25519 if bits.len() != 32 => return Err("x509: wrong Ed25519 public key size"),
        oid::ED25519 => Key::Ed25519,
        oid::DSA => dsa(parameters, &bits)?,
        _ => Key::Unknown,
    };
    let plain = der::sequence(&[
        &der::sequence(&[&tlv(der::OID, kind), parameters]),
        &der::bit_string(&bits),
    ]);
    Ok((key, PublicKey::from_der(&plain).ok()))
}

/// `parseAI`: the OID, and the parameters as a whole element, empty if there are none.
pub(super) fn algorithm_identifier(
    mut identifier: Bytes<'_>,
) -> Result<(&[u8], &[u8]), &'static str> {
    let kind = identifier.oid().ok_or("x509: malformed OID")?;
    if identifier.is_empty() {
        return Ok((kind, &[]));
    }
    let parameters = identifier.any().ok_or("x509: malformed parameters")?;
    Ok((kind, parameters.raw))
}

fn rsa(parameters: &[u8], bits: &[u8]) -> Result<Key, &'static str> {
    if parameters != [der::NULL, 0] {
        return Err("x509: RSA key missing NULL parameters");
    }
    let mut numbers = Bytes(bits).read(der::SEQUENCE).ok_or("x509: invalid RSA public key")?;
    let modulus = numbers.integer(der::INTEGER).ok_or("x509: invalid RSA modulus")?;
    let exponent =
        numbers.small_integer(der::INTEGER).ok_or("x509: invalid RSA public exponent")?;
    if modulus[0] & 0x80 != 0 || modulus == [0] {
        return Err("x509: RSA modulus is not a positive number");
    }
    if exponent <= 0 {
        return Err("x509: RSA public exponent is not a positive number");
    }
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus).to_vec();
    Ok(Key::Rsa { modulus, exponent })
}

/// Uncompressed points of four curves (`crypto/ecdsa/ecdsa.go: ParseUncompressedPublicKey`).
fn ecdsa(parameters: &[u8], bits: &[u8]) -> Result<Key, &'static str> {
    let curve = Bytes(parameters).oid().ok_or("x509: invalid ECDSA parameters")?;
    if ![oid::P224, oid::P256, oid::P384, oid::P521].contains(&curve) {
        return Err("x509: unsupported elliptic curve");
    }
    if bits.first() != Some(&4) {
        return Err("ecdsa: invalid uncompressed public key");
    }
    match ec::uncompressed(curve, bits) {
        Some(_) => Ok(Key::Ecdsa),
        None => Err("x509: invalid point of the elliptic curve"),
    }
}

fn dsa(parameters: &[u8], bits: &[u8]) -> Result<Key, &'static str> {
    let y = Bytes(bits).integer(der::INTEGER).ok_or("x509: invalid DSA public key")?;
    let mut all = Vec::from([y]);
    let mut numbers =
        Bytes(parameters).read(der::SEQUENCE).ok_or("x509: invalid DSA parameters")?;
    for _ in 0..3 {
        all.push(numbers.integer(der::INTEGER).ok_or("x509: invalid DSA parameters")?);
    }
    let is_positive = |number: &&[u8]| number[0] & 0x80 == 0 && **number != [0];
    if all.iter().all(is_positive) {
        Ok(Key::Dsa)
    } else {
        Err("x509: zero or negative DSA parameter")
    }
}
