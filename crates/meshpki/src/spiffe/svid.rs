//! X.509-SVIDs: whether a certificate has what SPIFFE demands of a leaf or of a signing certificate.
//!
//! The checks are those of X509-SVID sections 2 to 4 and 5.2. Whether a root vouches for the certificate (section 5.1) is
//! for [`crate::verify`] to say.

use alloc::string::{String, ToString};

use crate::cert::{Cert, GeneralName, KeyUsage};
use crate::oid::{self, Oid};
use crate::spiffe::id::SpiffeId;
use crate::spiffe::problem::SvidProblem;

/// The identity in a leaf, the only kind of certificate that identifies a workload.
///
/// ```
/// # #[cfg(feature = "soft-keys")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use meshpki::spiffe::svid;
/// use meshpki::*;
///
/// let id: SpiffeId = "spiffe://cluster.local/ns/default/sa/reviews".parse()?;
/// let key = SoftKey::generate(KeyType::EcdsaP256)?;
/// let stamp = Stamp::made_at("2026-11-21T07:00:00Z".parse()?, Serial::generate());
/// let cert = self_signed(&Profile::workload(&id), &key, stamp)?;
/// assert_eq!(svid::check_leaf(&cert)?, id);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "soft-keys"))]
/// # fn main() {}
/// ```
///
/// # Errors
/// The first clause of X509-SVID that the certificate breaks.
pub fn check_leaf(cert: &Cert) -> Result<SpiffeId, SvidProblem> {
    if cert.extensions().invalid {
        return Err(SvidProblem::Undecodable);
    }
    let id = spiffe_id(cert)?.ok_or(SvidProblem::NoUri)?;
    if id.path().is_empty() {
        return Err(SvidProblem::LeafWithoutPath(id.to_string()));
    }
    if cert.subject().is_empty() && !is_critical(cert, oid::SUBJECT_ALT_NAME) {
        return Err(SvidProblem::NameNotCritical);
    }
    if cert.is_ca() {
        return Err(SvidProblem::LeafIsCa);
    }
    let usage = key_usage(cert)?;
    if usage.contains(KeyUsage::KEY_CERT_SIGN) {
        return Err(SvidProblem::LeafWithKeyCertSign(names(usage)));
    }
    if usage.contains(KeyUsage::CRL_SIGN) {
        return Err(SvidProblem::LeafWithCrlSign(names(usage)));
    }
    if !usage.contains(KeyUsage::DIGITAL_SIGNATURE) {
        return Err(SvidProblem::LeafWithoutDigitalSignature(names(usage)));
    }
    check_extended(cert)?;
    Ok(id)
}

/// The trust domain's identity in a signing certificate, if it has one.
///
/// A root that is in a bundle is one. What SPIFFE only recommends, a SPIFFE ID and a self-signed root, is not demanded.
///
/// # Errors
/// The first clause of X509-SVID that the certificate breaks.
pub fn check_signing(cert: &Cert) -> Result<Option<SpiffeId>, SvidProblem> {
    if cert.extensions().invalid {
        return Err(SvidProblem::Undecodable);
    }
    if !cert.is_ca() {
        return Err(SvidProblem::SigningNotCa);
    }
    let usage = key_usage(cert)?;
    if !usage.contains(KeyUsage::KEY_CERT_SIGN) {
        return Err(SvidProblem::SigningWithoutKeyCertSign(names(usage)));
    }
    let id = spiffe_id(cert)?;
    match &id {
        Some(id) if !id.path().is_empty() => Err(SvidProblem::SigningWithPath(id.to_string())),
        _ => Ok(id),
    }
}

/// The only URI name (section 2).
fn spiffe_id(cert: &Cert) -> Result<Option<SpiffeId>, SvidProblem> {
    let names = cert.extensions().subject_alt_name.as_deref().unwrap_or_default();
    let uris = || {
        names.iter().filter_map(|name| match name {
            GeneralName::Uri(uri) => Some(uri),
            _ => None,
        })
    };
    match uris().count() {
        0 | 1 => {}
        count => return Err(SvidProblem::SeveralUris(count)),
    }
    let id = uris().next().map(|uri| String::from_utf8_lossy(uri).parse());
    id.transpose().map_err(SvidProblem::NotSpiffeId)
}

/// The key usage, which must be there and critical (section 4.3).
fn key_usage(cert: &Cert) -> Result<KeyUsage, SvidProblem> {
    let usage = cert.extensions().key_usage.ok_or(SvidProblem::NoKeyUsage)?;
    if is_critical(cert, oid::KEY_USAGE) {
        Ok(usage)
    } else {
        Err(SvidProblem::KeyUsageNotCritical)
    }
}

/// The extended key usage of a leaf (section 4.4).
fn check_extended(cert: &Cert) -> Result<(), SvidProblem> {
    let Some(usages) = &cert.extensions().ext_key_usage else { return Ok(()) };
    if !usages.contains(&Oid::SERVER_AUTH) {
        return Err(SvidProblem::LeafWithoutServerAuth);
    }
    if !usages.contains(&Oid::CLIENT_AUTH) {
        return Err(SvidProblem::LeafWithoutClientAuth);
    }
    Ok(())
}

fn is_critical(cert: &Cert, oid: &[u8]) -> bool {
    cert.raw_extensions().iter().any(|extension| extension.critical && extension.oid == *oid)
}

fn names(usage: KeyUsage) -> String {
    usage.names().collect::<alloc::vec::Vec<_>>().join(", ")
}
