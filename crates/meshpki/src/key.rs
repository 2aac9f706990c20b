//! Public keys, the algorithms they sign with, and the seam to whoever holds the private key.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::algorithm::check_algorithm;
use crate::der::shape::{bit_length, bit_string};
use crate::der::{self, DerError, Reader, Tlv};
use crate::digest;
use crate::oid::{self, Oid};

pub(crate) mod curves;
pub(crate) mod decode;
pub(crate) mod ec;
pub(crate) mod flaw;
pub(crate) mod post_quantum;

pub use flaw::KeyFlaw;
use post_quantum::ParameterSet;

/// Signs with a private key it does not show: a [`crate::SoftKey`], a PKCS#11 token, a cloud KMS.
pub trait Signer {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message` with the algorithm of [`PublicKey::signing_algorithm`]: ECDSA signatures are DER,
    /// RSA is PKCS#1 v1.5.
    ///
    /// # Errors
    /// Whatever the device says, kept as the source.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Why a signature could not be made.
#[derive(Debug)]
pub struct SignError {
    what: String,
    source: Option<Box<dyn core::error::Error + Send + Sync>>,
}

impl SignError {
    /// A failure in words.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    /// A failure in words, and the device's own error.
    #[must_use]
    pub fn with_source(
        what: impl Into<String>,
        source: impl Into<Box<dyn core::error::Error + Send + Sync>>,
    ) -> Self {
        Self { what: what.into(), source: Some(source.into()) }
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl core::error::Error for SignError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source
            .as_ref()
            .map(|source| -> &(dyn core::error::Error + 'static) { source.as_ref() })
    }
}

/// The kind of a public key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on P-256, also called secp256r1 and prime256v1.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// ECDSA on P-521.
    EcdsaP521,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// RSA with a modulus of this many bits.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// Anything else, by its OID; for an elliptic curve, that of the curve.
    Other {
        /// The OID.
        oid: Oid,
    },
}

impl fmt::Display for KeyAlgorithm {
    /// As `--key-type` takes it: `ecdsa-p256`, `rsa-2048`, `ed25519`. Others by their name in FIPS 204 or 205, such as
    /// `ML-DSA-65`, or by their OID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EcdsaP256 => f.write_str("ecdsa-p256"),
            Self::EcdsaP384 => f.write_str("ecdsa-p384"),
            Self::EcdsaP521 => f.write_str("ecdsa-p521"),
            Self::Ed25519 => f.write_str("ed25519"),
            Self::Rsa { bits } => write!(f, "rsa-{bits}"),
            Self::Other { oid } => match ParameterSet::of(oid.as_bytes()) {
                Some(set) => f.write_str(set.name),
                None => write!(f, "algorithm {oid}"),
            },
        }
    }
}

/// A public key: SubjectPublicKeyInfo, byte for byte.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    spki: Vec<u8>,
    bits: Vec<u8>,
    algorithm: KeyAlgorithm,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo. The key itself is not examined.
    ///
    /// # Errors
    /// When `bytes` is not one SubjectPublicKeyInfo.
    pub fn from_der(bytes: &[u8]) -> Result<Self, DerError> {
        let mut reader = Reader::new(bytes);
        let spki = reader.expect(der::SEQUENCE, "the public key is not a SEQUENCE")?;
        reader.end("bytes after the public key")?;
        Self::read(&spki)
    }

    /// Reads a SubjectPublicKeyInfo that is part of a larger encoding.
    pub(crate) fn read(spki: &Tlv<'_>) -> Result<Self, DerError> {
        let mut parts = spki.reader();
        let identifier = parts.expect(der::SEQUENCE, "key algorithm is not a SEQUENCE")?;
        check_algorithm(&identifier)?;
        let key = parts.expect_string(der::BIT_STRING, "public key is not a BIT STRING")?;
        let (bits, _) = bit_string(&key)?;
        parts.end("extra element in subjectPublicKeyInfo")?;
        let algorithm = algorithm(&identifier, &bits)?;
        Ok(Self { spki: spki.raw.to_vec(), bits, algorithm })
    }

    /// SubjectPublicKeyInfo, as given.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.spki
    }

    /// The kind of key.
    #[must_use]
    pub const fn algorithm(&self) -> &KeyAlgorithm {
        &self.algorithm
    }

    /// The bytes of the subjectPublicKey BIT STRING.
    #[must_use]
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// SHA-1 of the key's bits, the usual key identifier (RFC 5280 section 4.2.1.2, method 1).
    #[must_use]
    pub fn key_id(&self) -> [u8; 20] {
        digest::sha1(&self.bits)
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        digest::sha256(&self.spki)
    }

    /// [`PublicKey::sha256`] in hex: names a key without showing it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        digest::hex(&self.sha256())
    }

    /// The first 16 digits of [`PublicKey::fingerprint`].
    pub(crate) fn short_fingerprint(&self) -> String {
        self.fingerprint()[..16].into()
    }

    /// The AlgorithmIdentifier this key signs with: SHA-256 for P-256 and RSA below 3072 bits, SHA-384 for
    /// P-384 and RSA below 4096, SHA-512 above and for P-521 (cfssl: `csr.go: BasicKeyRequest.SigAlgo`).
    /// `None` for keys we do not issue with.
    #[must_use]
    pub fn signing_algorithm(&self) -> Option<Vec<u8>> {
        let rsa = |oid| Some(der::sequence(&[&der::tlv(der::OID, oid), &der::tlv(der::NULL, &[])]));
        let plain = |oid| Some(der::sequence(&[&der::tlv(der::OID, oid)]));
        match &self.algorithm {
            KeyAlgorithm::EcdsaP256 => plain(oid::ECDSA_SHA256),
            KeyAlgorithm::EcdsaP384 => plain(oid::ECDSA_SHA384),
            KeyAlgorithm::EcdsaP521 => plain(oid::ECDSA_SHA512),
            KeyAlgorithm::Ed25519 => plain(oid::ED25519),
            KeyAlgorithm::Rsa { bits: ..3072 } => rsa(oid::RSA_SHA256),
            KeyAlgorithm::Rsa { bits: ..4096 } => rsa(oid::RSA_SHA384),
            KeyAlgorithm::Rsa { .. } => rsa(oid::RSA_SHA512),
            KeyAlgorithm::Other { .. } => None,
        }
    }
}

impl TryFrom<&[u8]> for PublicKey {
    type Error = DerError;

    /// [`PublicKey::from_der`].
    fn try_from(bytes: &[u8]) -> Result<Self, DerError> {
        Self::from_der(bytes)
    }
}

impl AsRef<[u8]> for PublicKey {
    /// [`PublicKey::as_der`].
    fn as_ref(&self) -> &[u8] {
        self.as_der()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {})", self.algorithm, self.fingerprint())
    }
}

fn algorithm(identifier: &Tlv<'_>, bits: &[u8]) -> Result<KeyAlgorithm, DerError> {
    let mut parts = identifier.reader();
    let oid = parts.any()?;
    // crypto/x509/x_pubkey.c asks for the name of the algorithm.
    if oid.content.len() > oid::LONGEST_PRINTED {
        return Err(oid.error("the OID of a key algorithm is too long"));
    }
    let other = |oid: &[u8]| KeyAlgorithm::Other { oid: Oid::of(oid) };
    Ok(match oid.content {
        oid::ED25519 => KeyAlgorithm::Ed25519,
        oid::RSA_ENCRYPTION => match rsa_bits(bits) {
            Ok(bits) => KeyAlgorithm::Rsa { bits },
            Err(_) => other(oid.content),
        },
        oid::EC_PUBLIC_KEY => match parts.next()? {
            Some(curve) if curve.tag == der::OID => match curve.content {
                oid::P256 => KeyAlgorithm::EcdsaP256,
                oid::P384 => KeyAlgorithm::EcdsaP384,
                oid::P521 => KeyAlgorithm::EcdsaP521,
                curve => other(curve),
            },
            _ => other(oid.content),
        },
        oid => other(oid),
    })
}

/// Bits of the modulus in an RSAPublicKey (RFC 8017 appendix A.1.1).
fn rsa_bits(key: &[u8]) -> Result<usize, DerError> {
    let mut parts =
        Reader::new(key).expect(der::SEQUENCE, "the RSA key is not a SEQUENCE")?.reader();
    Ok(bit_length(parts.expect(der::INTEGER, "an RSA modulus is not an INTEGER")?.content))
}
