//! The signature algorithms OpenSSL knows (`crypto/objects/obj_xref.txt`).

use super::PssParameters;
use crate::key::decode::{Kind, algorithm_parts};

/// What a signature algorithm is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// The digest; `None` where it is given elsewhere, or not at all.
    pub(crate) digest: Option<Digest>,
    /// The type of key it takes.
    pub(crate) kind: Kind,
}

/// Digest algorithms by OpenSSL's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Digest {
    Md2,
    Md4,
    Md5,
    Mdc2,
    Ripemd160,
    Sha0,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512_224,
    Sha512_256,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
    Other,
}

impl Digest {
    /// The digest with those content octets as OID.
    pub(crate) const fn of(oid: &[u8]) -> Self {
        match oid {
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 2] => Self::Md2,
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 4] => Self::Md4,
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5] => Self::Md5,
            [0x55, 8, 3, 101] => Self::Mdc2,
            [0x2b, 36, 3, 2, 1] => Self::Ripemd160,
            [0x2b, 14, 3, 2, 18] => Self::Sha0,
            [0x2b, 14, 3, 2, 26] => Self::Sha1,
            [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, n] => match n {
                1 => Self::Sha256,
                2 => Self::Sha384,
                3 => Self::Sha512,
                4 => Self::Sha224,
                5 => Self::Sha512_224,
                6 => Self::Sha512_256,
                7 => Self::Sha3_224,
                8 => Self::Sha3_256,
                9 => Self::Sha3_384,
                10 => Self::Sha3_512,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// Content octets of its OID; `None` for those no signature here is made with.
    #[cfg(feature = "legacy-algorithms")]
    pub(crate) const fn oid(self) -> Option<&'static [u8]> {
        Some(match self {
            Self::Md5 => &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5],
            Self::Ripemd160 => &[0x2b, 36, 3, 2, 1],
            Self::Sha1 => &[0x2b, 14, 3, 2, 26],
            Self::Sha224 => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4],
            Self::Sha256 => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1],
            Self::Sha384 => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2],
            Self::Sha512 => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3],
            Self::Sha3_224 => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 7],
            Self::Sha3_256 => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 8],
            Self::Sha3_384 => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 9],
            Self::Sha3_512 => &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 10],
            _ => return None,
        })
    }

    /// Whether the default provider has it (`md2`, `md4`, `mdc2` and SHA-0 it has not).
    pub(crate) const fn is_available(self) -> bool {
        !matches!(self, Self::Md2 | Self::Md4 | Self::Mdc2 | Self::Sha0)
    }

    /// Strength of a signature over it (`crypto/x509/x509_set.c: x509_sig_info_init`).
    const fn security_bits(self) -> u32 {
        match self {
            Self::Md5 => 39,
            Self::Sha1 => 63,
            Self::Md2 | Self::Md4 | Self::Mdc2 | Self::Sha0 | Self::Other => 0,
            Self::Ripemd160 => 80,
            Self::Sha224 | Self::Sha512_224 | Self::Sha3_224 => 112,
            Self::Sha256 | Self::Sha512_256 | Self::Sha3_256 => 128,
            Self::Sha384 | Self::Sha3_384 => 192,
            Self::Sha512 | Self::Sha3_512 => 256,
        }
    }
}

impl Scheme {
    /// The signature algorithm with those content octets as OID; `None` for one OpenSSL does not know.
    pub(crate) const fn of(oid: &[u8]) -> Option<Self> {
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
            // The SHA-3 signatures with RSA.
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
            [0x2a, 0x81, 0x1c, 0xcf, 0x55, 1, 0x83, 0x75] => (Some(D::Other), Kind::Sm2),
            // GOST R 34.10: no key of these can be decoded without its engine.
            [0x2a, 0x85, 3, 2, 2, 3 | 4] | [0x2a, 0x85, 3, 7, 1, 1, 3, 2 | 3] => {
                (Some(D::Other), Kind::Foreign)
            }
            _ => return None,
        };
        match digest {
            Some(D::Other) if matches!(kind, Kind::Rsa) => None,
            _ => Some(Self { digest, kind }),
        }
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
        Scheme { .. } => None,
    }
}
