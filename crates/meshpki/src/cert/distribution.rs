//! CRL distribution points (RFC 5280 sections 4.2.1.13 and 5.2.5).

use alloc::vec::Vec;

use super::general_name::{GeneralName, general_name_list};
use crate::der::shape::{bit_string, list, sequence};
use crate::der::{self, DerError, Tlv};
use crate::name::{self, Name};

/// Every reason a CRL may be about (`include/openssl/x509v3.h.in: CRLDP_ALL_REASONS`).
pub(crate) const ALL_REASONS: u16 = 0x807f;

/// One distribution point of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributionPoint {
    pub(crate) name: Option<DpName>,
    pub(crate) reasons: u16,
    pub(crate) crl_issuer: Option<Vec<GeneralName>>,
}

/// DistributionPointName.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DpName {
    /// fullName.
    Full(Vec<GeneralName>),
    /// nameRelativeToCRLIssuer: the canonical form of the RDN, and of the whole name once the issuer's is
    /// put before it.
    Relative { rdn: Vec<u8>, whole: Vec<u8> },
}

impl DpName {
    /// Reads the content of the explicit tag `[0]`.
    pub(crate) fn read(explicit: &Tlv<'_>) -> Result<Self, DerError> {
        let mut inner = explicit.reader();
        let choice = inner.any()?;
        inner.end("extra element in a distribution point name")?;
        match choice.tag | der::CONSTRUCTED {
            0xa0 => Ok(Self::Full(general_name_list(choice.reader())?)),
            0xa1 => {
                let rdn = name::canonical_rdn(&choice)?;
                Ok(Self::Relative { whole: rdn.clone(), rdn })
            }
            _ => Err(choice.error("unknown kind of distribution point name")),
        }
    }

    /// Puts the issuer before a relative name (`crypto/x509/v3_crld.c: DIST_POINT_set_dpname`).
    pub(crate) fn complete(&mut self, issuer: &Name) {
        if let Self::Relative { rdn, whole } = self {
            *whole = [issuer.canonical(), rdn].concat();
        }
    }

    /// Whether both name one place (`crypto/x509/x509_vfy.c: idp_check_dp`); a missing one names any.
    pub(crate) fn meet(a: Option<&Self>, b: Option<&Self>) -> bool {
        let directory = |name: &GeneralName, whole: &[u8]| match name {
            GeneralName::Directory(name) => name.canonical() == whole,
            _ => false,
        };
        match (a, b) {
            (None, _) | (_, None) => true,
            (Some(Self::Relative { whole: a, .. }), Some(Self::Relative { whole: b, .. })) => {
                a == b
            }
            (Some(Self::Relative { whole, .. }), Some(Self::Full(names)))
            | (Some(Self::Full(names)), Some(Self::Relative { whole, .. })) => {
                names.iter().any(|name| directory(name, whole))
            }
            (Some(Self::Full(a)), Some(Self::Full(b))) => a.iter().any(|name| b.contains(name)),
        }
    }
}

impl DistributionPoint {
    /// Makes the name whole; false for a point that says nothing (`crypto/x509/v3_purp.c: setup_dp`).
    pub(super) fn complete(&mut self, certificate_issuer: &Name) -> bool {
        let issuers = self.crl_issuer.as_deref().unwrap_or_default();
        let Some(name) = &mut self.name else { return !issuers.is_empty() };
        let directory = issuers.iter().find_map(|issuer| match issuer {
            GeneralName::Directory(name) => Some(name),
            _ => None,
        });
        name.complete(directory.unwrap_or(certificate_issuer));
        true
    }
}

/// CRLDistributionPoints.
pub(super) fn points(value: &Tlv<'_>) -> Result<Vec<DistributionPoint>, DerError> {
    let mut points = Vec::new();
    let mut items = list(value)?;
    while let Some(item) = items.next()? {
        let mut parts = sequence(&item)?;
        let name = parts.optional(0xa0)?.map(|name| DpName::read(&name)).transpose()?;
        let reasons = match parts.optional_string(der::context(1))? {
            Some(reasons) => reason_bits(&reasons)?,
            None => ALL_REASONS,
        };
        let issuer = parts.optional_list(0xa2)?;
        let crl_issuer = issuer.map(|names| general_name_list(names.reader())).transpose()?;
        parts.end("extra element in a distribution point")?;
        points.push(DistributionPoint { name, reasons, crl_issuer });
    }
    Ok(points)
}

/// ReasonFlags as OpenSSL keeps them: the first byte low.
pub(crate) fn reason_bits(reasons: &Tlv<'_>) -> Result<u16, DerError> {
    let (bytes, _) = bit_string(reasons)?;
    let byte = |i: usize| bytes.get(i).copied().unwrap_or(0);
    Ok(u16::from_le_bytes([byte(0), byte(1)]) & ALL_REASONS)
}
