//! Whether one certificate can be the issuer of another, before any signature is checked
//! (`crypto/x509/v3_purp.c: ossl_x509_likely_issued`).

use super::Release;
use crate::cert::{AuthorityKeyId, Cert, GeneralName};

/// Whether a certificate counts as self-signed; `None` when OpenSSL cannot tell
/// (`crypto/x509/x509_vfy.c: X509_self_signed`). No signature is checked.
pub(super) fn self_signed(cert: &Cert, release: Release) -> Option<bool> {
    release.key(cert)?;
    (!cert.extensions().invalid).then(|| has_self_signed_flag(cert, release))
}

/// `EXFLAG_SS` of `crypto/x509/v3_purp.c: ossl_x509v3_cache_extensions`.
pub(super) fn has_self_signed_flag(cert: &Cert, release: Release) -> bool {
    cert.is_self_issued()
        && akid_matches(cert, cert.extensions().authority_key_id.as_ref())
        && algorithms_match(cert, cert, release)
}

/// `crypto/x509/v3_purp.c: ossl_x509_likely_issued`: names, key identifiers and kinds of algorithm agree.
pub(super) fn likely_issued(issuer: &Cert, subject: &Cert, release: Release) -> bool {
    issuer.subject() == subject.issuer()
        && !issuer.extensions().invalid
        && !subject.extensions().invalid
        && akid_matches(issuer, subject.extensions().authority_key_id.as_ref())
        && algorithms_match(issuer, subject, release)
}

/// `crypto/x509/v3_purp.c: X509_check_akid`.
pub(crate) fn akid_matches(issuer: &Cert, akid: Option<&AuthorityKeyId>) -> bool {
    let Some(akid) = akid else { return true };
    if let (Some(wanted), Some(there)) = (&akid.key_id, &issuer.extensions().subject_key_id)
        && wanted != there
    {
        return false;
    }
    serial_matches(issuer, Some(akid))
}

/// The part of `X509_check_akid` about the issuer's own serial number and issuer.
pub(super) fn serial_matches(issuer: &Cert, akid: Option<&AuthorityKeyId>) -> bool {
    let Some(akid) = akid else { return true };
    if akid.serial.as_deref().is_some_and(|serial| serial != issuer.serial()) {
        return false;
    }
    let directory = akid.issuer.iter().flatten().find_map(|name| match name {
        GeneralName::Directory(name) => Some(name),
        _ => None,
    });
    directory.is_none_or(|name| name == issuer.issuer())
}

/// `crypto/x509/v3_purp.c: check_sig_alg_match`, with the algorithm inside the signed bytes.
pub(super) fn algorithms_match(issuer: &Cert, subject: &Cert, release: Release) -> bool {
    let Some(key) = release.key(issuer) else { return false };
    let scheme = release.scheme(subject.tbs_signature_algorithm());
    scheme.is_some_and(|scheme| scheme.fits(key.kind))
}
