//! The signature algorithms OpenSSL knows (`crypto/objects/obj_xref.txt`).

use crate::algorithm::{Digest, PssParameters, algorithm_parts};
use crate::key::decode::Kind;
use crate::key::post_quantum::ParameterSet;

/// What a signature algorithm is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// The digest; `None` where it is given elsewhere, or not at all.
    pub(crate) digest: Option<Digest>,
    /// The type of key it takes.
    pub(crate) kind: Kind,
}

impl Scheme {
    /// The signature algorithm with those content octets as OID; `None` for one OpenSSL does not know.
    pub(crate) fn of(oid: &[u8]) -> Option<Self> {
        use Digest as D;
        let (digest, kind) = match oid {
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10] => (None, Kind::RsaPss),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, n] => (Some(rsa_digest(*n)), Kind::Rsa),
            // OIW: md5WithRSA, shaWithRSA, sha1WithRSA; dsaWithSHA, dsaWithSHA1.
            [0x2b, 14, 3, 2, 3] => (Some(D::Md5), Kind::Rsa),
            [0x2b, 14, 3, 2, 15] => (Some(D::Sha0), Kind::Rsa),
            [0x2b, 14, 3, 2, 29] => (Some(D::Sha1), Kind::Rsa),
            [0x2b, 14, 3, 2, 13 | 27] => (Some(D::Sha0), Kind::Dsa),
            // mdc2WithRSA, ripemd160WithRSA.
            [0x55, 8, 3, 100] => (Some(D::Mdc2), Kind::Rsa),
            [0x2b, 36, 3, 3, 1, 2] => (Some(D::Ripemd160), Kind::Rsa),
            // The SHA-3 signatures with ECDSA and RSA.
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, n @ 9..=12] => (Some(sha3(*n - 9)), Kind::Ec),
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, n @ 13..=16] => (Some(sha3(*n - 13)), Kind::Rsa),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1] => (Some(D::Sha1), Kind::Ec),
            // ecdsa-with-Recommended, ecdsa-with-Specified: the digest is not said.
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 2 | 3] => (None, Kind::Ec),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, n @ 1..=4] => (Some(sha2(*n)), Kind::Ec),
            [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3] => (Some(D::Sha1), Kind::Dsa),
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, n @ 1..=2] => (Some(sha2(*n)), Kind::Dsa),
            [0x2b, 0x65, 112] => (None, Kind::Ed25519),
            [0x2b, 0x65, 113] => (None, Kind::Ed448),
            // sm2-with-SM3.
            [0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x75] => (Some(D::Sm3), Kind::Sm2),
            // GOST R 34.10: no key of these can be decoded without its engine.
            [0x2a, 0x85, 3, 2, 2, 3 | 4] | [0x2a, 0x85, 3, 7, 1, 1, 3, 2 | 3] => {
                (Some(D::Other), Kind::Foreign)
            }
            other => (None, Kind::PostQuantum(ParameterSet::of(other)?)),
        };
        match digest {
            Some(D::Other) if matches!(kind, Kind::Rsa) => None,
            _ => Some(Self { digest, kind }),
        }
    }

    /// Whether it is ECDSA with a digest of SHA-3.
    pub(crate) const fn is_ecdsa_with_sha3(self) -> bool {
        use Digest as D;
        matches!(
            self,
            Self {
                kind: Kind::Ec,
                digest: Some(D::Sha3_224 | D::Sha3_256 | D::Sha3_384 | D::Sha3_512)
            }
        )
    }

    /// Whether `key` can make such signatures (`crypto/x509/v3_purp.c: check_sig_alg_match`).
    pub(crate) fn fits(self, key: Kind) -> bool {
        self.kind == key || (self.kind == Kind::RsaPss && key == Kind::Rsa)
    }
}

const fn rsa_digest(last_arc: u8) -> Digest {
    match last_arc {
        2 => Digest::Md2,
        3 => Digest::Md4,
        4 => Digest::Md5,
        5 => Digest::Sha1,
        11 => Digest::Sha256,
        12 => Digest::Sha384,
        13 => Digest::Sha512,
        14 => Digest::Sha224,
        _ => Digest::Other,
    }
}

const fn sha2(last_arc: u8) -> Digest {
    match last_arc {
        1 => Digest::Sha224,
        2 => Digest::Sha256,
        3 => Digest::Sha384,
        _ => Digest::Sha512,
    }
}

const fn sha3(index: u8) -> Digest {
    match index {
        0 => Digest::Sha3_224,
        1 => Digest::Sha3_256,
        2 => Digest::Sha3_384,
        _ => Digest::Sha3_512,
    }
}

/// Strength of a signature by its AlgorithmIdentifier; `None` when OpenSSL cannot tell
/// (`X509_get_signature_info`).
pub(crate) fn security_bits(algorithm: &[u8]) -> Option<u32> {
    let (oid, parameters) = algorithm_parts(algorithm).ok()?;
    match Scheme::of(oid)? {
        Scheme { digest: Some(digest), .. } => Some(digest.security_bits()),
        Scheme { kind: Kind::RsaPss, .. } => {
            let parameters = PssParameters::read(&parameters?).ok()?;
            Some(parameters.digest.security_bits())
        }
        Scheme { kind: Kind::Ed25519, .. } => Some(128),
        Scheme { kind: Kind::Ed448, .. } => Some(224),
        Scheme { kind: Kind::PostQuantum(set), .. } => Some(set.security_bits),
        Scheme { .. } => None,
    }
}
