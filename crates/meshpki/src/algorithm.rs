//! AlgorithmIdentifier (RFC 5280 section 4.1.1.2), the digests it names, and the parameters of RSASSA-PSS.

use crate::der::shape::{check_any, check_integer, check_oid, sequence, small_integer};
use crate::der::{self, DerError, Reader, Tlv};

/// AlgorithmIdentifier: an OID and at most one parameter of any type.
pub(crate) fn check_algorithm(algorithm: &Tlv<'_>) -> Result<(), DerError> {
    let mut parts = algorithm.reader();
    check_oid(&parts.expect(der::OID, "algorithm is not an OID")?)?;
    if let Some(parameters) = parts.next()? {
        check_any(&parameters)?;
    }
    parts.end("extra element in an AlgorithmIdentifier")
}

/// The OID and the parameters of an AlgorithmIdentifier.
pub(crate) fn algorithm_parts<'a>(
    identifier: &'a [u8],
) -> Result<(&'a [u8], Option<Tlv<'a>>), DerError> {
    let whole = Reader::new(identifier).any()?;
    check_algorithm(&whole)?;
    let mut parts = whole.reader();
    Ok((parts.any()?.content, parts.next()?))
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
    Sm3,
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

    /// Whether the default provider has it (`md2`, `md4`, `mdc2` and SHA-0 are not in it).
    pub(crate) const fn is_available(self) -> bool {
        !matches!(self, Self::Md2 | Self::Md4 | Self::Mdc2 | Self::Sha0)
    }

    /// Strength of a signature over it (`crypto/x509/x509_set.c: x509_sig_info_init`).
    pub(crate) const fn security_bits(self) -> u32 {
        match self {
            Self::Md5 => 39,
            Self::Sha1 => 63,
            Self::Md2 | Self::Md4 | Self::Mdc2 | Self::Sha0 | Self::Other => 0,
            Self::Ripemd160 => 80,
            Self::Sha224 | Self::Sha512_224 | Self::Sha3_224 => 112,
            Self::Sha256 | Self::Sha512_256 | Self::Sha3_256 | Self::Sm3 => 128,
            Self::Sha384 | Self::Sha3_384 => 192,
            Self::Sha512 | Self::Sha3_512 => 256,
        }
    }
}

/// id-mgf1, 1.2.840.113549.1.1.8.
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];

/// RSASSA-PSS-params.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PssParameters {
    /// The digest of the message.
    pub(crate) digest: Digest,
    /// The digest of the mask generation function.
    pub(crate) mask_digest: Digest,
    /// Bytes of salt.
    pub(crate) salt: i64,
    /// The trailer field, which must be 1.
    pub(crate) trailer: i64,
}

impl PssParameters {
    /// Reads the parameters of an AlgorithmIdentifier.
    ///
    /// # Errors
    /// When they are not RSASSA-PSS-params, or name a mask generation function other than MGF1.
    pub(crate) fn read(parameters: &Tlv<'_>) -> Result<Self, DerError> {
        let mut parts = sequence(parameters)?;
        let mut this =
            Self { digest: Digest::Sha1, mask_digest: Digest::Sha1, salt: 20, trailer: 1 };
        if let Some(digest) = explicit(&mut parts, 0xa0)? {
            this.digest = digest_of(&digest)?;
        }
        if let Some(mask) = explicit(&mut parts, 0xa1)? {
            if mask.tag != der::SEQUENCE {
                return Err(mask.error("expected an AlgorithmIdentifier"));
            }
            check_algorithm(&mask)?;
            let mut mask_parts = mask.reader();
            if mask_parts.any()?.content != MGF1 {
                return Err(mask.error("mask generation is not MGF1"));
            }
            this.mask_digest = digest_of(&mask_parts.any()?)?;
        }
        for (tag, field) in [(0xa2, &mut this.salt), (0xa3, &mut this.trailer)] {
            if let Some(number) = explicit(&mut parts, tag)? {
                if number.tag != der::INTEGER {
                    return Err(number.error("expected an INTEGER"));
                }
                check_integer(&number)?;
                *field = small_integer(number.content).unwrap_or(-1);
            }
        }
        parts.end("extra element in RSASSA-PSS-params")?;
        Ok(this)
    }

    /// What OpenSSL can work with (`ossl_rsa_pss_get_param`).
    pub(crate) const fn is_usable(self) -> bool {
        self.salt >= 0
            && self.trailer == 1
            && self.digest.is_available()
            && self.mask_digest.is_available()
    }
}

fn explicit<'a>(parts: &mut Reader<'a>, tag: der::Tag) -> Result<Option<Tlv<'a>>, DerError> {
    let Some(outer) = parts.optional(tag)? else { return Ok(None) };
    let mut inner = outer.reader();
    let value = inner.any()?;
    inner.end("extra element in RSASSA-PSS-params")?;
    Ok(Some(value))
}

fn digest_of(algorithm: &Tlv<'_>) -> Result<Digest, DerError> {
    if algorithm.tag != der::SEQUENCE {
        return Err(algorithm.error("expected an AlgorithmIdentifier"));
    }
    check_algorithm(algorithm)?;
    match Digest::of(algorithm.reader().any()?.content) {
        Digest::Other => Err(algorithm.error("a digest that OpenSSL does not know")),
        digest => Ok(digest),
    }
}
