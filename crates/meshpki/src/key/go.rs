//! Public keys that OpenSSL accepts and Go, and therefore istiod, does not.

use super::decode::rsa_numbers;
use super::{KeyAlgorithm, PublicKey, ec};
use crate::algorithm::algorithm_parts;
use crate::der::shape::bit_length;
use crate::der::{self, Reader};
use crate::oid;

/// Why Go does not read a certificate with this key (`crypto/x509/parser.go: parsePublicKey`).
pub(crate) fn unreadable(key: &PublicKey) -> Option<&'static str> {
    let whole = Reader::new(key.as_der()).any().ok()?;
    let identifier = whole.reader().any().ok()?;
    let (_, parameters) = algorithm_parts(identifier.raw).ok()?;
    let bits = key.bits();
    match key.algorithm() {
        KeyAlgorithm::Rsa { .. } => {
            let is_null = parameters.is_some_and(|p| p.raw == [der::NULL, 0]);
            if !is_null {
                return Some("its RSA key has no NULL parameters");
            }
            let is_positive = |number: &[u8]| match number {
                [0, second, ..] => second & 0x80 != 0,
                [first, ..] => *first != 0 && first & 0x80 == 0,
                [] => false,
            };
            let (modulus, exponent) = rsa_numbers(bits).ok()?;
            let is_sound = is_positive(modulus) && is_positive(exponent);
            (!is_sound || bit_length(exponent) > 63).then_some("its RSA key is not valid DER")
        }
        KeyAlgorithm::Ed25519 => (parameters.is_some() || bits.len() != 32)
            .then_some("its Ed25519 key has parameters, or is not 32 bytes long"),
        KeyAlgorithm::EcdsaP256 => point(oid::P256, bits),
        KeyAlgorithm::EcdsaP384 => point(oid::P384, bits),
        KeyAlgorithm::EcdsaP521 => point(oid::P521, bits),
        KeyAlgorithm::Other { .. } => None,
    }
}

/// Go reads uncompressed points alone (`crypto/elliptic/elliptic.go: Unmarshal`).
fn point(curve: &[u8], bits: &[u8]) -> Option<&'static str> {
    let is_read = bits.first() == Some(&4) && ec::uncompressed(curve, bits).is_some();
    (!is_read).then_some("its EC key is not an uncompressed point of the curve")
}

/// Why Go reads this key and verifies nothing with it (`crypto/rsa/rsa.go: checkPublicKeySize`).
pub(crate) fn unusable(key: &PublicKey) -> Option<&'static str> {
    let (_, exponent) = match key.algorithm() {
        KeyAlgorithm::Rsa { .. } => rsa_numbers(key.bits()).ok()?,
        _ => return None,
    };
    (bit_length(exponent) > 31).then_some("Go refuses RSA exponents above 2^31 - 1")
}
