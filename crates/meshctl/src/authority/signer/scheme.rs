//! How each kind of key signs: its algorithm, what is hashed before, and which forms a signature comes in.

use meshpki::internals::der;
use meshpki::internals::signature::{self, SignatureInput};
use meshpki::{KeyAlgorithm, PublicKey, SignatureCheck};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A digest that is signed in place of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    pub(super) fn of(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    /// DigestInfo up to the digest (RFC 8017 section 9.2, note 1).
    #[cfg(feature = "pkcs11")]
    const fn digest_info(self) -> [u8; 19] {
        let (total, last, length) = match self {
            Self::Sha256 => (0x31, 1, 0x20),
            Self::Sha384 => (0x41, 2, 0x30),
            Self::Sha512 => (0x51, 3, 0x40),
        };
        [
            0x30, total, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
            last, 0x05, 0x00, 0x04, length,
        ]
    }
}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// ECDSA; with the bytes of one number of a signature.
    Ecdsa(Hash, usize),
    /// PKCS#1 v1.5.
    Rsa(Hash),
    /// Ed25519, which signs the message itself.
    Ed25519,
}

impl Scheme {
    /// As [`PublicKey::signing_algorithm`] has it; `None` for keys that issue nothing.
    pub(super) const fn of(key: &PublicKey) -> Option<Self> {
        Some(match key.algorithm() {
            KeyAlgorithm::EcdsaP256 => Self::Ecdsa(Hash::Sha256, 32),
            KeyAlgorithm::EcdsaP384 => Self::Ecdsa(Hash::Sha384, 48),
            KeyAlgorithm::EcdsaP521 => Self::Ecdsa(Hash::Sha512, 66),
            KeyAlgorithm::Ed25519 => Self::Ed25519,
            KeyAlgorithm::Rsa { bits: ..3072 } => Self::Rsa(Hash::Sha256),
            KeyAlgorithm::Rsa { bits: ..4096 } => Self::Rsa(Hash::Sha384),
            KeyAlgorithm::Rsa { .. } => Self::Rsa(Hash::Sha512),
            _ => return None,
        })
    }

    pub(super) const fn hash(self) -> Option<Hash> {
        match self {
            Self::Ecdsa(hash, _) | Self::Rsa(hash) => Some(hash),
            Self::Ed25519 => None,
        }
    }

    /// `ecdsa-sha256`, `rsa-pkcs1-sha384`, `ed25519`.
    pub(super) fn name(self) -> String {
        match self {
            Self::Ecdsa(hash, _) => format!("ecdsa-{}", hash.name()),
            Self::Rsa(hash) => format!("rsa-pkcs1-{}", hash.name()),
            Self::Ed25519 => "ed25519".to_owned(),
        }
    }

    /// What a token signs for `message`: the digest, for RSA in its DigestInfo.
    #[cfg(feature = "pkcs11")]
    pub(super) fn input(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ecdsa(hash, _) => hash.of(message),
            Self::Rsa(hash) => [&hash.digest_info()[..], &hash.of(message)].concat(),
            Self::Ed25519 => message.to_vec(),
        }
    }

    /// The signature as certificates have it, if it is a good one. ECDSA's two numbers may also come one after the
    /// other, as tokens and Azure give them (IEEE P1363).
    pub(super) fn accepted(self, key: &PublicKey, message: &[u8], given: &[u8]) -> Option<Vec<u8>> {
        let mut forms = vec![given.to_vec()];
        if let Self::Ecdsa(_, size) = self
            && given.len() == 2 * size
        {
            let (r, s) = given.split_at(size);
            forms.push(der::sequence(&[&der::integer(r), &der::integer(s)]));
        }
        forms.into_iter().find(|form| is_good(key, message, form))
    }
}

/// Whether `signature` is the key's, of `message`.
fn is_good(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let Some(algorithm) = key.signing_algorithm() else { return false };
    let input = SignatureInput { algorithm: &algorithm, message, signature, key };
    signature::check(&input) == SignatureCheck::Good
}
