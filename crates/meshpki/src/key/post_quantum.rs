//! The signatures that quantum computers are not known to break: ML-DSA (FIPS 204) and SLH-DSA (FIPS 205), with the
//! message as it is. Key and signature have one OID, `2.16.840.1.101.3.4.3.N` (RFC 9881, RFC 9909).

use alloc::string::String;

use crate::{der, oid};

/// A parameter set: what a key and its signatures are measured by.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ParameterSet {
    /// Its name in FIPS 204 and FIPS 205, which is OpenSSL's long name.
    pub(crate) name: &'static str,
    /// The last number of its OID.
    arc: u8,
    /// Octets of a public key.
    pub(crate) key: usize,
    /// Octets of a signature.
    pub(crate) signature: usize,
    /// Its strength in bits (`EVP_PKEY_get_security_bits`).
    pub(crate) security_bits: u32,
}

const fn set(
    name: &'static str,
    arc: u8,
    key: usize,
    signature: usize,
    security_bits: u32,
) -> ParameterSet {
    ParameterSet { name, arc, key, signature, security_bits }
}

/// Every parameter set of OpenSSL 3.5 (`crypto/ml_dsa/ml_dsa_params.c`, `crypto/slh_dsa/slh_params.c`).
pub(crate) static SETS: [ParameterSet; 15] = [
    set("ML-DSA-44", 17, 1312, 2420, 128),
    set("ML-DSA-65", 18, 1952, 3309, 192),
    set("ML-DSA-87", 19, 2592, 4627, 256),
    set("SLH-DSA-SHA2-128s", 20, 32, 7856, 128),
    set("SLH-DSA-SHA2-128f", 21, 32, 17088, 128),
    set("SLH-DSA-SHA2-192s", 22, 48, 16224, 192),
    set("SLH-DSA-SHA2-192f", 23, 48, 35664, 192),
    set("SLH-DSA-SHA2-256s", 24, 64, 29792, 256),
    set("SLH-DSA-SHA2-256f", 25, 64, 49856, 256),
    set("SLH-DSA-SHAKE-128s", 26, 32, 7856, 128),
    set("SLH-DSA-SHAKE-128f", 27, 32, 17088, 128),
    set("SLH-DSA-SHAKE-192s", 28, 48, 16224, 192),
    set("SLH-DSA-SHAKE-192f", 29, 48, 35664, 192),
    set("SLH-DSA-SHAKE-256s", 30, 64, 29792, 256),
    set("SLH-DSA-SHAKE-256f", 31, 64, 49856, 256),
];

/// sigAlgs of NIST, 2.16.840.1.101.3.4.3.
const SIGNATURES: [u8; 8] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3];

/// The name of the parameter set with those content octets as OID, such as `ML-DSA-65`.
#[must_use]
pub fn parameter_set(oid: &[u8]) -> Option<&'static str> {
    ParameterSet::of(oid).map(|set| set.name)
}

/// What messages call a signature algorithm or a key with those content octets as OID.
#[must_use]
pub fn name(oid: &[u8]) -> String {
    parameter_set(oid).map_or_else(|| oid::long_name_or_dotted(oid), Into::into)
}

impl ParameterSet {
    /// The parameter set with those content octets as OID.
    pub(crate) fn of(oid: &[u8]) -> Option<&'static Self> {
        let (arc, rest) = oid.split_last()?;
        SETS.iter().find(|set| set.arc == *arc && rest == SIGNATURES)
    }

    /// Content octets of its OID.
    fn oid(&self) -> [u8; 9] {
        let [a, b, c, d, e, f, g, h] = SIGNATURES;
        [a, b, c, d, e, f, g, h, self.arc]
    }

    /// Whether `spki` is a SubjectPublicKeyInfo in the one encoding that OpenSSL decodes
    /// (`providers/implementations/encode_decode/ml_dsa_codecs.c: ossl_ml_dsa_d2i_PUBKEY`,
    /// `decode_der2key.c: slh_dsa_d2i_PUBKEY`): DER, without parameters.
    pub(crate) fn decodes(&self, spki: &[u8], bits: &[u8]) -> bool {
        let algorithm = der::sequence(&[&der::tlv(der::OID, &self.oid())]);
        bits.len() == self.key && spki == der::sequence(&[&algorithm, &der::bit_string(bits)])
    }
}
