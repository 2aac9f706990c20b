//! The extensions path validation looks at, decoded once
//! (`crypto/x509/v3_purp.c: ossl_x509v3_cache_extensions`).

use alloc::vec::Vec;

use super::general_name::{GeneralName, general_name_list, general_names};
use super::resources::{self, Family, Systems};
use super::{RawExtension, distribution};
use crate::der::shape::{
    bit_string, boolean, check_integer, check_oid, list, sequence, small_integer,
};
use crate::der::{self, DerError, Reader, Tlv};
use crate::name::Name;
use crate::oid::{self, Oid};

pub use super::distribution::DistributionPoint;

/// The decoded extensions of a certificate.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Extensions {
    /// basicConstraints.
    pub basic_constraints: Option<BasicConstraints>,
    /// keyUsage.
    pub key_usage: Option<KeyUsage>,
    /// extKeyUsage.
    pub ext_key_usage: Option<Vec<Oid>>,
    /// nsCertType, its first byte.
    pub netscape_type: Option<u8>,
    /// subjectKeyIdentifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// authorityKeyIdentifier.
    pub authority_key_id: Option<AuthorityKeyId>,
    /// subjectAltName.
    pub subject_alt_name: Option<Vec<GeneralName>>,
    /// nameConstraints.
    pub name_constraints: Option<NameConstraints>,
    /// cRLDistributionPoints.
    pub distribution_points: Vec<DistributionPoint>,
    /// proxyCertInfo is there (RFC 3820).
    pub proxy: bool,
    /// How many further proxy certificates proxyCertInfo allows below; `None`: any number.
    pub proxy_path_len: Option<i64>,
    /// ipAddrBlock (RFC 3779).
    pub(crate) addresses: Option<Vec<Family>>,
    /// autonomousSysNum (RFC 3779).
    pub(crate) systems: Option<Systems>,
    /// What the scan for critical extensions saw.
    pub critical: Criticality,
    /// An extension of those above is there twice, cannot be decoded, or says what it must not:
    /// such a certificate is neither issuer nor subject of any other.
    pub invalid: bool,
}

/// What OpenSSL's scan for critical extensions saw. It ends at the first one it does not handle, so what
/// follows that one is not known to be critical.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Criticality {
    /// The first critical extension OpenSSL does not handle.
    pub unhandled: Option<Oid>,
    /// basicConstraints is critical.
    pub basic_constraints: bool,
    /// subjectAltName is critical.
    pub subject_alt_name: bool,
    /// freshestCRL is there, critical or not.
    pub freshest_crl: bool,
}

/// The extended key usages OpenSSL distinguishes, as bits (`include/openssl/x509v3.h.in: XKU_*`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtendedUsages(pub u16);

impl ExtendedUsages {
    /// serverAuth.
    pub const SERVER: Self = Self(1);
    /// clientAuth.
    pub const CLIENT: Self = Self(2);
    /// emailProtection.
    pub const EMAIL: Self = Self(4);
    /// codeSigning.
    pub const CODE: Self = Self(8);
    /// Server gated crypto, Microsoft's or Netscape's.
    pub const GATED: Self = Self(0x10);
    /// OCSPSigning.
    pub const OCSP: Self = Self(0x20);
    /// timeStamping.
    pub const TIME: Self = Self(0x40);
    /// dvcs.
    pub const DVCS: Self = Self(0x80);
    /// anyExtendedKeyUsage.
    pub const ANY: Self = Self(0x100);

    /// The bit of a usage; none for one OpenSSL does not know.
    #[must_use]
    pub fn of(usage: &Oid) -> Self {
        match usage.as_bytes() {
            oid::EKU_SERVER_AUTH => Self::SERVER,
            oid::EKU_CLIENT_AUTH => Self::CLIENT,
            oid::EKU_EMAIL_PROTECTION => Self::EMAIL,
            oid::EKU_CODE_SIGNING => Self::CODE,
            oid::EKU_MS_SGC | oid::EKU_NS_SGC => Self::GATED,
            oid::EKU_OCSP_SIGNING => Self::OCSP,
            oid::EKU_TIME_STAMPING => Self::TIME,
            oid::EKU_DVCS => Self::DVCS,
            oid::EKU_ANY => Self::ANY,
            _ => Self(0),
        }
    }

    /// Whether a bit of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// basicConstraints (RFC 5280 section 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BasicConstraints {
    /// May sign certificates.
    pub ca: bool,
    /// How many intermediates there may be between this certificate and a leaf; `None`: any number.
    pub path_len: Option<i64>,
    /// The criticality flag of the extension.
    pub critical: bool,
}

/// keyUsage (RFC 5280 section 4.2.1.3): bit 15 is the first bit of the BIT STRING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(pub u16);

impl KeyUsage {
    /// Bit 0.
    pub const DIGITAL_SIGNATURE: Self = Self(0x8000);
    /// Bit 1, also called contentCommitment.
    pub const NON_REPUDIATION: Self = Self(0x4000);
    /// Bit 2.
    pub const KEY_ENCIPHERMENT: Self = Self(0x2000);
    /// Bit 3.
    pub const DATA_ENCIPHERMENT: Self = Self(0x1000);
    /// Bit 4.
    pub const KEY_AGREEMENT: Self = Self(0x0800);
    /// Bit 5.
    pub const KEY_CERT_SIGN: Self = Self(0x0400);
    /// Bit 6.
    pub const CRL_SIGN: Self = Self(0x0200);
    /// Bit 7.
    pub const ENCIPHER_ONLY: Self = Self(0x0100);
    /// Bit 8.
    pub const DECIPHER_ONLY: Self = Self(0x0080);

    /// Every bit with its name in RFC 5280, first bit first.
    pub const NAMES: [(Self, &'static str); 9] = [
        (Self::DIGITAL_SIGNATURE, "digitalSignature"),
        (Self::NON_REPUDIATION, "nonRepudiation"),
        (Self::KEY_ENCIPHERMENT, "keyEncipherment"),
        (Self::DATA_ENCIPHERMENT, "dataEncipherment"),
        (Self::KEY_AGREEMENT, "keyAgreement"),
        (Self::KEY_CERT_SIGN, "keyCertSign"),
        (Self::CRL_SIGN, "cRLSign"),
        (Self::ENCIPHER_ONLY, "encipherOnly"),
        (Self::DECIPHER_ONLY, "decipherOnly"),
    ];

    /// Whether every bit of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The names of the bits set, first bit first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, name)| name)
    }
}

/// authorityKeyIdentifier (RFC 5280 section 4.2.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorityKeyId {
    /// keyIdentifier.
    pub key_id: Option<Vec<u8>>,
    /// authorityCertIssuer.
    pub issuer: Option<Vec<GeneralName>>,
    /// authorityCertSerialNumber, content octets.
    pub serial: Option<Vec<u8>>,
}

/// nameConstraints (RFC 5280 section 4.2.1.10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameConstraints {
    /// permittedSubtrees.
    pub permitted: Vec<Subtree>,
    /// excludedSubtrees.
    pub excluded: Vec<Subtree>,
}

/// One subtree of a name constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subtree {
    /// The base name.
    pub base: GeneralName,
    /// `minimum` is not 0, or `maximum` is there: OpenSSL does not support that.
    pub bounded: bool,
}

impl Extensions {
    /// The known extended key usages; `None` without the extension.
    #[must_use]
    pub fn extended_usages(&self) -> Option<ExtendedUsages> {
        let usages = self.ext_key_usage.as_ref()?;
        Some(usages.iter().fold(ExtendedUsages::default(), |all, usage| {
            ExtendedUsages(all.0 | ExtendedUsages::of(usage).0)
        }))
    }

    /// Whether keyUsage is there without any bit of `wanted` (`v3_purp.c: ku_reject`).
    #[must_use]
    pub fn lacks_usage(&self, wanted: KeyUsage) -> bool {
        self.key_usage.is_some_and(|usage| usage.0 & wanted.0 == 0)
    }

    pub(super) fn cache(raw: &[RawExtension], issuer: &Name) -> Self {
        let mut this = Self::default();
        for (i, extension) in raw.iter().enumerate() {
            if !is_cached(extension.oid.as_bytes()) {
                continue;
            }
            let mut others = raw.iter().enumerate().filter(|(_, e)| e.oid == extension.oid);
            if others.any(|(j, _)| j != i) || this.read(extension).is_err() {
                this.invalid = true;
            }
        }
        this.check(raw, issuer);
        this.scan_criticality(raw);
        this
    }

    fn read(&mut self, extension: &RawExtension) -> Result<(), DerError> {
        let value = Reader::new(&extension.value).any()?;
        match extension.oid.as_bytes() {
            oid::BASIC_CONSTRAINTS => {
                let (constraints, negative) = basic_constraints(&value, extension.critical)?;
                self.basic_constraints = Some(constraints);
                self.invalid |= negative;
            }
            oid::KEY_USAGE => self.key_usage = Some(key_usage(&value)?),
            oid::EXT_KEY_USAGE => self.ext_key_usage = Some(ext_key_usage(&value)?),
            oid::NS_CERT_TYPE => {
                expect(&value, der::BIT_STRING)?;
                self.netscape_type = Some(bit_string(&value)?.0.first().copied().unwrap_or(0));
            }
            oid::SUBJECT_KEY_ID => {
                expect(&value, der::OCTET_STRING)?;
                self.subject_key_id = Some(value.string()?.into_owned());
            }
            oid::AUTHORITY_KEY_ID => self.authority_key_id = Some(authority_key_id(&value)?),
            oid::SUBJECT_ALT_NAME => self.subject_alt_name = Some(general_names(&value)?),
            oid::NAME_CONSTRAINTS => self.name_constraints = Some(name_constraints(&value)?),
            oid::CRL_DISTRIBUTION_POINTS => {
                self.distribution_points = distribution::points(&value)?;
            }
            oid::PROXY_CERT_INFO => {
                self.proxy_path_len = proxy_cert_info(&value)?;
                self.proxy = true;
            }
            oid::IP_ADDR_BLOCKS => self.addresses = Some(resources::addresses(&value)?),
            oid::AUTONOMOUS_SYS_IDS => self.systems = Some(resources::systems(&value)?),
            _ => {}
        }
        Ok(())
    }

    /// What makes a certificate invalid although everything decodes.
    fn check(&mut self, raw: &[RawExtension], issuer: &Name) {
        self.invalid |= self.key_usage.is_some_and(|usage| usage.0 == 0);
        if self.proxy {
            let has = |oid: &[u8]| raw.iter().any(|e| e.oid == oid);
            self.invalid |= self.basic_constraints.is_some_and(|c| c.ca)
                || has(oid::SUBJECT_ALT_NAME)
                || has(oid::ISSUER_ALT_NAME);
        }
        // Behind the first point that says nothing, none is made ready for use.
        let mut ready = true;
        for point in &mut self.distribution_points {
            ready = ready && point.complete(issuer);
            if !ready {
                point.reasons = 0;
            }
        }
        self.invalid |= !ready;
    }

    /// The loop over all extensions at the end of `ossl_x509v3_cache_extensions`.
    fn scan_criticality(&mut self, raw: &[RawExtension]) {
        for extension in raw {
            self.critical.freshest_crl |= extension.oid == oid::FRESHEST_CRL;
            if !extension.critical {
                continue;
            }
            match extension.oid.as_bytes() {
                oid::BASIC_CONSTRAINTS => self.critical.basic_constraints = true,
                oid::SUBJECT_ALT_NAME => self.critical.subject_alt_name = true,
                oid if is_handled(oid) => {}
                oid => {
                    self.critical.unhandled = Some(Oid::of(oid));
                    return;
                }
            }
        }
    }
}

/// Extensions that are decoded when a certificate is first read.
fn is_cached(oid: &[u8]) -> bool {
    matches!(
        oid,
        oid::BASIC_CONSTRAINTS
            | oid::PROXY_CERT_INFO
            | oid::KEY_USAGE
            | oid::EXT_KEY_USAGE
            | oid::NS_CERT_TYPE
            | oid::SUBJECT_KEY_ID
            | oid::AUTHORITY_KEY_ID
            | oid::SUBJECT_ALT_NAME
            | oid::NAME_CONSTRAINTS
            | oid::CRL_DISTRIBUTION_POINTS
            | oid::IP_ADDR_BLOCKS
            | oid::AUTONOMOUS_SYS_IDS
    )
}

/// Extensions that may be critical (`v3_purp.c: X509_supported_extension`).
fn is_handled(oid: &[u8]) -> bool {
    matches!(
        oid,
        oid::NS_CERT_TYPE
            | oid::KEY_USAGE
            | oid::CERTIFICATE_POLICIES
            | oid::CRL_DISTRIBUTION_POINTS
            | oid::EXT_KEY_USAGE
            | oid::IP_ADDR_BLOCKS
            | oid::AUTONOMOUS_SYS_IDS
            | oid::OCSP_NO_CHECK
            | oid::POLICY_CONSTRAINTS
            | oid::PROXY_CERT_INFO
            | oid::NAME_CONSTRAINTS
            | oid::POLICY_MAPPINGS
            | oid::INHIBIT_ANY_POLICY
    )
}

/// The value has the string type `tag`, primitive or constructed.
fn expect(value: &Tlv<'_>, tag: der::Tag) -> Result<(), DerError> {
    if value.tag & !der::CONSTRUCTED == tag {
        Ok(())
    } else {
        Err(value.error("an extension value of another type"))
    }
}

/// The second answer is true for a negative path length.
fn basic_constraints(
    value: &Tlv<'_>,
    critical: bool,
) -> Result<(BasicConstraints, bool), DerError> {
    let mut parts = sequence(value)?;
    let ca = boolean(&mut parts, der::BOOLEAN)?;
    let mut negative = false;
    let mut path_len = None;
    if let Some(number) = parts.optional(der::INTEGER)? {
        check_integer(&number)?;
        negative = number.content[0] & 0x80 != 0;
        // ASN1_INTEGER_get gives -1, "absent", for what a C long cannot hold.
        path_len = small_integer(number.content).filter(|n| *n >= 0);
    }
    parts.end("extra element in basicConstraints")?;
    Ok((BasicConstraints { ca, path_len, critical }, negative))
}

/// ProxyCertInfo (RFC 3820 section 3.8): the path length. One that OpenSSL cannot hold counts as absent.
fn proxy_cert_info(value: &Tlv<'_>) -> Result<Option<i64>, DerError> {
    let mut parts = sequence(value)?;
    let length = parts.optional(der::INTEGER)?;
    length.as_ref().map_or(Ok(()), check_integer)?;
    let length = length.and_then(|length| small_integer(length.content));
    let policy = parts.expect(der::SEQUENCE, "proxyPolicy is not a SEQUENCE")?;
    parts.end("extra element in proxyCertInfo")?;
    let mut policy = policy.reader();
    check_oid(&policy.expect(der::OID, "policyLanguage is not an OID")?)?;
    if let Some(text) = policy.optional_string(der::OCTET_STRING)? {
        text.string()?;
    }
    policy.end("extra element in proxyPolicy")?;
    Ok(length.filter(|length| *length != -1))
}

fn key_usage(value: &Tlv<'_>) -> Result<KeyUsage, DerError> {
    expect(value, der::BIT_STRING)?;
    let (bytes, _) = bit_string(value)?;
    let byte = |i: usize| bytes.get(i).copied().unwrap_or(0);
    Ok(KeyUsage(u16::from_be_bytes([byte(0), byte(1)])))
}

fn ext_key_usage(value: &Tlv<'_>) -> Result<Vec<Oid>, DerError> {
    let mut usages = Vec::new();
    let mut parts = list(value)?;
    while let Some(usage) = parts.next()? {
        if usage.tag != der::OID {
            return Err(usage.error("an extended key usage is not an OID"));
        }
        check_oid(&usage)?;
        usages.push(Oid::of(usage.content));
    }
    Ok(usages)
}

/// AuthorityKeyIdentifier, of a certificate or a CRL.
pub(crate) fn authority_key_id(value: &Tlv<'_>) -> Result<AuthorityKeyId, DerError> {
    let mut parts = sequence(value)?;
    let mut id = AuthorityKeyId::default();
    if let Some(key_id) = parts.optional_string(der::context(0))? {
        id.key_id = Some(key_id.string()?.into_owned());
    }
    if let Some(issuer) = parts.optional_list(0xa1)? {
        id.issuer = Some(general_name_list(issuer.reader())?);
    }
    if let Some(serial) = parts.optional(der::context(2))? {
        check_integer(&serial)?;
        id.serial = Some(serial.content.to_vec());
    }
    parts.end("extra element in authorityKeyIdentifier")?;
    Ok(id)
}

fn name_constraints(value: &Tlv<'_>) -> Result<NameConstraints, DerError> {
    let mut parts = sequence(value)?;
    let mut lists = [Vec::new(), Vec::new()];
    for (subtrees_read, tag) in lists.iter_mut().zip([0xa0, 0xa1]) {
        if let Some(subtrees) = parts.optional_list(tag)? {
            let mut items = subtrees.reader();
            while let Some(item) = items.next()? {
                subtrees_read.push(subtree(&item)?);
            }
        }
    }
    parts.end("extra element in nameConstraints")?;
    let [permitted, excluded] = lists;
    Ok(NameConstraints { permitted, excluded })
}

fn subtree(item: &Tlv<'_>) -> Result<Subtree, DerError> {
    let mut parts = sequence(item)?;
    let base = GeneralName::from_tlv(&parts.any()?)?;
    let mut bounded = false;
    if let Some(minimum) = parts.optional(der::context(0))? {
        check_integer(&minimum)?;
        bounded |= minimum.content != [0];
    }
    if let Some(maximum) = parts.optional(der::context(1))? {
        check_integer(&maximum)?;
        bounded = true;
    }
    parts.end("extra element in a subtree")?;
    Ok(Subtree { base, bounded })
}
