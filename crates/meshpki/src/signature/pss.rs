//! RSASSA-PSS (RFC 8017 section 8.1; `crypto/rsa/rsa_ameth.c: ossl_rsa_pss_to_ctx`).

use super::{Digest, SignatureCheck, Signed, answer, base, is_plain_rsa, verify_base};
use crate::cert::{check_algorithm, check_integer, sequence, small_integer};
use crate::der::{self, DerError, Reader, Tlv};
use crate::key::KeyAlgorithm;
use crate::key::decode::algorithm_parts;

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
    /// When they are no RSASSA-PSS-params, or ask for another mask generation function than MGF1.
    pub(crate) fn read(parameters: &Tlv<'_>) -> Result<Self, DerError> {
        let mut parts = sequence(parameters)?;
        let mut this =
            Self { digest: Digest::Sha1, mask_digest: Digest::Sha1, salt: 20, trailer: 1 };
        if let Some(digest) = explicit(&mut parts, 0xa0)? {
            this.digest = digest_of(&digest)?;
        }
        if let Some(mask) = explicit(&mut parts, 0xa1)? {
            if mask.tag != der::SEQUENCE {
                return Err(mask.error("an AlgorithmIdentifier is wanted"));
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
                    return Err(number.error("an INTEGER is wanted"));
                }
                check_integer(&number)?;
                *field = small_integer(number.content).unwrap_or(-1);
            }
        }
        parts.end("extra element in RSASSA-PSS-params")?;
        Ok(this)
    }

    /// What OpenSSL can work with (`ossl_rsa_pss_get_param`).
    const fn is_usable(self) -> bool {
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
        return Err(algorithm.error("an AlgorithmIdentifier is wanted"));
    }
    check_algorithm(algorithm)?;
    match Digest::of(algorithm.reader().any()?.content) {
        Digest::Other => Err(algorithm.error("a digest OpenSSL does not know")),
        digest => Ok(digest),
    }
}

/// Checks a signature whose algorithm is RSASSA-PSS with `parameters`.
pub(super) fn check(parameters: Option<&Tlv<'_>>, signed: &Signed<'_>) -> SignatureCheck {
    let Some(Ok(parameters)) = parameters.map(PssParameters::read) else {
        return SignatureCheck::Bad;
    };
    if !parameters.is_usable() || !key_allows(parameters, signed) {
        return SignatureCheck::Bad;
    }
    let bits = signed.key.as_bits();
    let strong = match signed.key.algorithm() {
        KeyAlgorithm::Rsa { bits } => (2048..=8192).contains(bits),
        _ => false,
    };
    let algorithm: Option<&'static dyn base::VerificationAlgorithm> =
        match (parameters.digest, parameters.salt) {
            (Digest::Sha256, 32) => Some(&base::RSA_PSS_2048_8192_SHA256),
            (Digest::Sha384, 48) => Some(&base::RSA_PSS_2048_8192_SHA384),
            (Digest::Sha512, 64) => Some(&base::RSA_PSS_2048_8192_SHA512),
            _ => None,
        };
    match algorithm {
        Some(algorithm)
            if strong && parameters.digest == parameters.mask_digest && is_plain_rsa(bits) =>
        {
            answer(verify_base(algorithm, bits, signed))
        }
        _ => legacy(parameters, signed),
    }
}

/// A key of type RSASSA-PSS may fix the digests and a least salt (RFC 4055 section 3.3).
fn key_allows(wanted: PssParameters, signed: &Signed<'_>) -> bool {
    let Ok(spki) = Reader::new(signed.key.as_spki()).any() else { return false };
    let Ok(identifier) = spki.reader().any() else { return false };
    let Ok((oid, Some(parameters))) = algorithm_parts(identifier.raw) else { return true };
    if oid != crate::oid::RSA_PSS || parameters.tag == der::NULL {
        return true;
    }
    PssParameters::read(&parameters).is_ok_and(|fixed| {
        fixed.digest == wanted.digest
            && fixed.mask_digest == wanted.mask_digest
            && fixed.salt <= wanted.salt
    })
}

#[cfg(feature = "legacy-algorithms")]
fn legacy(parameters: PssParameters, signed: &Signed<'_>) -> SignatureCheck {
    super::legacy::rsa_pss(parameters, signed)
}

#[cfg(not(feature = "legacy-algorithms"))]
const fn legacy(_: PssParameters, _: &Signed<'_>) -> SignatureCheck {
    SignatureCheck::Undecided
}
