//! What BoringSSL reads of a certificate and a CRL, and what it keeps of them
//! (`crypto/x509/x_x509.cc`, `crypto/x509/x_crl.cc`, `crypto/x509/v3_purp.cc: x509v3_cache_extensions`).

use alloc::vec::Vec;

use super::Release;
use super::cbs::Cbs;
use super::extension::{
    self, Constraints, KeyId, Point, Scope, alternative_names, authority_key_id, basic_constraints,
    distribution_points, name_constraints, scope, single,
};
use super::grammar::{self, algorithm, bit_string, extensions, integer, name, time};
use crate::cert::{Cert, GeneralName, KeyUsage, RawExtension, read_extension_list};
use crate::crl::Crl;
use crate::der::{self, Reader};
use crate::oid;

/// A certificate BoringSSL can read, with what it works out when it first uses one.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) cert: Cert,
    /// An extension is there twice, does not decode or contradicts another (`EXFLAG_INVALID`).
    pub(super) invalid: bool,
    /// A critical extension that BoringSSL does not handle (`EXFLAG_CRITICAL`).
    pub(super) critical: bool,
    /// It counts as self-signed (`EXFLAG_SS`); no signature is checked.
    pub(super) self_signed: bool,
    /// Subject and issuer are the same name (`EXFLAG_SI`).
    pub(super) self_issued: bool,
    /// subjectAltName.
    pub(super) names: Option<Vec<GeneralName>>,
    pub(super) constraints: Option<Constraints>,
    pub(super) points: Vec<Point>,
    akid: Option<KeyId>,
}

impl Known {
    /// `None` if BoringSSL cannot read the certificate.
    pub(super) fn read(cert: &Cert, release: Release) -> Option<Self> {
        certificate(Cbs::of_release(cert.as_der(), release))?;
        Some(Self::cache(cert, release))
    }

    /// `crypto/x509/v3_purp.cc: X509_check_issued`: names, key identifiers and keyUsage. Neither dates nor keys count.
    pub(super) fn is_issued_by(&self, issuer: &Self) -> bool {
        issuer.cert.subject() == self.cert.issuer()
            && !issuer.invalid
            && !self.invalid
            && self.akid.as_ref().is_none_or(|id| id.fits(&issuer.cert))
            && !issuer.cert.extensions().lacks_usage(KeyUsage::KEY_CERT_SIGN)
    }

    /// `crypto/x509/v3_purp.cc: x509v3_cache_extensions`.
    fn cache(cert: &Cert, release: Release) -> Self {
        let raw = cert.raw_extensions();
        let mut invalid = DECODED.iter().any(|oid| match single(raw, oid) {
            Ok(value) => {
                value.is_some_and(|value| !extension::decodes(oid, Cbs::of_release(value, release)))
            }
            Err(()) => true,
        });
        if let Ok(Some(value)) = single(raw, oid::BASIC_CONSTRAINTS)
            && let Some((ca, Some(is_negative))) = basic_constraints(Cbs::new(value))
        {
            invalid |= is_negative || !ca;
        }
        let constraints = read_single(raw, oid::NAME_CONSTRAINTS, |value| {
            name_constraints(Cbs::of_release(value, release))
        });
        let points = read_single(raw, oid::CRL_DISTRIBUTION_POINTS, |value| {
            distribution_points(Cbs::of_release(value, release), cert.issuer())
        });
        let names = read_single(raw, oid::SUBJECT_ALT_NAME, |value| {
            alternative_names(Cbs::of_release(value, release))
        });
        invalid |= constraints.is_err() || points.is_err() || names.is_err();
        let self_issued = cert.is_self_issued();
        let akid = read_single(raw, oid::AUTHORITY_KEY_ID, |value| {
            authority_key_id(Cbs::of_release(value, release))
        });
        let akid = akid.unwrap_or_default();
        let self_signed = self_issued
            && akid.as_ref().is_none_or(|id| id.fits(cert))
            && !cert.extensions().lacks_usage(KeyUsage::KEY_CERT_SIGN);
        Self {
            cert: cert.clone(),
            invalid,
            critical: raw.iter().any(|e| e.critical && !HANDLED.contains(&e.oid.as_bytes())),
            self_signed,
            self_issued,
            names: names.unwrap_or_default(),
            constraints: constraints.unwrap_or_default(),
            points: points.unwrap_or_default().unwrap_or_default(),
            akid,
        }
    }
}

/// Extensions that make a certificate invalid if they do not decode; names, name constraints and distribution points are
/// three more.
const DECODED: [&[u8]; 5] = [
    oid::BASIC_CONSTRAINTS,
    oid::KEY_USAGE,
    oid::EXT_KEY_USAGE,
    oid::SUBJECT_KEY_ID,
    oid::AUTHORITY_KEY_ID,
];

/// Extensions that may be critical (`crypto/x509/v3_purp.cc: X509_supported_extension`).
const HANDLED: [&[u8]; 9] = [
    oid::KEY_USAGE,
    oid::SUBJECT_ALT_NAME,
    oid::BASIC_CONSTRAINTS,
    oid::CERTIFICATE_POLICIES,
    oid::EXT_KEY_USAGE,
    oid::POLICY_CONSTRAINTS,
    oid::NAME_CONSTRAINTS,
    oid::POLICY_MAPPINGS,
    oid::INHIBIT_ANY_POLICY,
];

/// The decoded value of an extension; an error if it is there twice or does not decode.
fn read_single<T>(
    raw: &[RawExtension],
    oid: &[u8],
    read: impl Fn(&[u8]) -> Option<T>,
) -> Result<Option<T>, ()> {
    single(raw, oid)?.map(|value| read(value).ok_or(())).transpose()
}

/// `crypto/x509/x_x509.cc: X509_parse_with_algorithms`.
fn certificate(encoding: Cbs<'_>) -> Option<()> {
    let mut cert = encoding.only(der::SEQUENCE)?;
    let mut tbs = cert.get(der::SEQUENCE)?;
    algorithm(&mut cert)?;
    let signature = cert.any_of_bad_length()?;
    bit_string(signature.content).filter(|()| signature.tag == der::BIT_STRING)?;
    cert.end()?;
    let version = match tbs.optional(0xa0)? {
        None => 0,
        Some(mut wrapper) => {
            let version = wrapper.get(der::INTEGER)?;
            wrapper.end()?;
            // All one-octet integers are minimal.
            let &[version @ 0..=2] = version.rest() else { return None };
            version
        }
    };
    integer(tbs.get(der::INTEGER)?.rest())?;
    algorithm(&mut tbs)?;
    name(&mut tbs)?;
    let mut validity = tbs.get(der::SEQUENCE)?;
    time(&mut validity)?;
    time(&mut validity)?;
    validity.end()?;
    name(&mut tbs)?;
    public_key(&mut tbs)?;
    // RFC 5280 sections 4.1.2.8 and 4.1.2.9: from version 2 and 3 on.
    if version >= 1 {
        grammar::optional(&mut tbs, der::context(1), bit_string)?;
        grammar::optional(&mut tbs, der::context(2), bit_string)?;
    }
    if version >= 2
        && let Some(mut explicit) = tbs.optional(0xa3)?
    {
        extensions(explicit.get_list(der::SEQUENCE)?)?;
        explicit.end()?;
    }
    tbs.end()
}

/// SubjectPublicKeyInfo (`crypto/x509/x_pubkey.cc: x509_parse_public_key`).
fn public_key(cbs: &mut Cbs<'_>) -> Option<()> {
    let mut spki = cbs.get(der::SEQUENCE)?;
    algorithm(&mut spki)?;
    bit_string(spki.get(der::BIT_STRING)?.rest())?;
    spki.end()
}

/// A CRL BoringSSL can read, with what it works out when it reads one.
#[derive(Clone, Debug)]
pub(super) struct KnownCrl {
    pub(super) crl: Crl,
    /// A critical extension, of the list or an entry, that BoringSSL does not handle.
    pub(super) critical: bool,
    pub(super) scope: Option<Scope>,
    akid: Option<KeyId>,
}

impl KnownCrl {
    /// `None` if BoringSSL cannot read the CRL (`crypto/x509/x_crl.cc: crl_cb`).
    pub(super) fn read(crl: &Crl, release: Release) -> Option<Self> {
        let entries_are_critical = list(Cbs::of_release(crl.as_der(), release))?;
        let raw = crl.raw_extensions();
        let scope = read_single(raw, oid::ISSUING_DISTRIBUTION_POINT, |value| {
            scope(Cbs::of_release(value, release), crl.issuer())
        });
        let scope = scope.ok()?;
        let akid = read_single(raw, oid::AUTHORITY_KEY_ID, |value| {
            authority_key_id(Cbs::of_release(value, release))
        });
        let akid = akid.ok()?;
        let handled = [oid::ISSUING_DISTRIBUTION_POINT, oid::AUTHORITY_KEY_ID];
        let critical = raw.iter().any(|e| e.critical && !handled.contains(&e.oid.as_bytes()));
        Some(Self { crl: crl.clone(), critical: critical || entries_are_critical, scope, akid })
    }

    /// Whether its authorityKeyIdentifier can be that of `issuer`.
    pub(super) fn fits(&self, issuer: &Cert) -> bool {
        self.akid.as_ref().is_none_or(|id| id.fits(issuer))
    }
}

/// `crypto/x509/x_crl.cc: X509_CRL_INFO` and `X509_CRL`; answers whether an entry has a critical extension.
fn list(encoding: Cbs<'_>) -> Option<bool> {
    let mut crl = encoding.only(der::SEQUENCE)?;
    let mut tbs = crl.get(der::SEQUENCE)?;
    algorithm(&mut crl)?;
    bit_string(crl.get(der::BIT_STRING)?.rest())?;
    crl.end()?;
    // Version 1 is the default and must not be written.
    let is_v2 = match tbs.optional(der::INTEGER)? {
        None => false,
        Some(version) if version.rest() == [1] => true,
        Some(_) => return None,
    };
    algorithm(&mut tbs)?;
    name(&mut tbs)?;
    time(&mut tbs)?;
    if matches!(tbs.peek(), Some(der::UTC_TIME | der::GENERALIZED_TIME)) {
        time(&mut tbs)?;
    }
    let revoked = tbs.optional_list(der::SEQUENCE)?;
    if let Some(mut explicit) = tbs.optional(0xa0)? {
        let count = extensions(explicit.get_list(der::SEQUENCE)?)?;
        explicit.end()?;
        if count == 0 || !is_v2 {
            return None;
        }
    }
    tbs.end()?;
    entries(revoked.unwrap_or(tbs), is_v2)
}

/// `crypto/x509/x_crl.cc: X509_REVOKED` and `crl_parse_entry_extensions`; answers whether a critical extension was seen.
fn entries(mut revoked: Cbs<'_>, is_v2: bool) -> Option<bool> {
    let (mut critical, mut follow) = (false, true);
    while !revoked.is_empty() {
        let mut entry = revoked.get(der::SEQUENCE)?;
        integer(entry.get(der::INTEGER)?.rest())?;
        time(&mut entry)?;
        let from = entry.rest();
        if let Some(list) = entry.optional_list(der::SEQUENCE)? {
            let count = extensions(list)?;
            // What follows a reason that does not decode is not looked at.
            if follow {
                if count == 0 || !is_v2 {
                    return None;
                }
                let raw = read_extension_list(&Reader::new(from).any().ok()?).ok()?;
                follow = read_single(&raw, oid::CRL_REASON, reason).is_ok();
                critical |= follow && raw.iter().any(|extension| extension.critical);
            }
        }
        entry.end()?;
    }
    Some(critical)
}

fn reason(value: &[u8]) -> Option<()> {
    integer(Cbs::new(value).only(der::ENUMERATED)?.rest())
}
