//! RSASSA-PSS (RFC 8017 section 8.1; `crypto/rsa/rsa_ameth.c: ossl_rsa_pss_to_ctx`).

use super::{SignatureCheck, SignatureInput, answer, base};
use crate::algorithm::{PssParameters, algorithm_parts};
use crate::der::{self, Reader, Tlv};

/// Checks a signature whose algorithm is RSASSA-PSS with `parameters`.
pub(super) fn check(parameters: Option<&Tlv<'_>>, signed: &SignatureInput<'_>) -> SignatureCheck {
    let Some(Ok(parameters)) = parameters.map(PssParameters::read) else {
        return SignatureCheck::Bad;
    };
    if !parameters.is_usable() || !key_allows(parameters, signed) {
        return SignatureCheck::Bad;
    }
    if parameters.digest == parameters.mask_digest
        && let Some(good) = base::pss(parameters.digest, parameters.salt, signed)
    {
        return answer(good);
    }
    legacy(parameters, signed)
}

/// A key of type RSASSA-PSS may fix the digests and a least salt (RFC 4055 section 3.3).
fn key_allows(wanted: PssParameters, signed: &SignatureInput<'_>) -> bool {
    let Ok(spki) = Reader::new(signed.key.as_der()).any() else { return false };
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
fn legacy(parameters: PssParameters, signed: &SignatureInput<'_>) -> SignatureCheck {
    super::legacy::rsa_pss(parameters, signed)
}

#[cfg(not(feature = "legacy-algorithms"))]
const fn legacy(_: PssParameters, _: &SignatureInput<'_>) -> SignatureCheck {
    SignatureCheck::Undecided
}
