//! Certificate revocation lists: the bytes, the parsed view, and the facts revocation checking asks for.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Range;
use core::time::Duration;

use crate::algorithm::check_algorithm;
use crate::cert::distribution::{ALL_REASONS, DpName, reason_bits};
use crate::cert::{
    AuthorityKeyId, GeneralName, RawExtension, RawTime, authority_key_id, general_names, raw_time,
    read_extension_list, read_extensions,
};
use crate::der::shape::{bit_string, boolean, check_integer, range, sequence, small_integer};
use crate::der::{self, DerError, Reader, Tlv};
use crate::name::Name;
use crate::oid::{self, Oid};
use crate::time::Time;

/// A certificate revocation list (RFC 5280 section 5).
///
/// What can be read is what OpenSSL's `d2i_X509_CRL` accepts; an extension that cannot be decoded does not
/// make the list unreadable. Clones share what was read.
#[derive(Clone)]
pub struct Crl(Arc<Parsed>);

struct Parsed {
    der: Vec<u8>,
    tbs: Range<usize>,
    inner_algorithm: Range<usize>,
    outer_algorithm: Range<usize>,
    signature: Vec<u8>,
    signature_unused_bits: u8,
    issuer: Name,
    this_update: RawTime,
    next_update: Option<RawTime>,
    /// A time, of the list or of an entry, is [`RawTime::is_short`].
    has_short_time: bool,
    entries: Vec<Entry>,
    entry_issuers: Vec<Vec<GeneralName>>,
    raw_extensions: Vec<RawExtension>,
    authority_key_id: Option<AuthorityKeyId>,
    scope: Option<Scope>,
    /// cRLNumber, its content octets.
    number: Option<Vec<u8>>,
    /// deltaCRLIndicator, its content octets.
    base_number: Option<Vec<u8>>,
    /// freshestCRL is there.
    freshest: bool,
    critical: Option<Oid>,
}

/// issuingDistributionPoint (RFC 5280 section 5.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) name: Option<DpName>,
    pub(crate) only_user: bool,
    pub(crate) only_ca: bool,
    pub(crate) only_attribute: bool,
    /// onlySomeReasons.
    pub(crate) some_reasons: Option<u16>,
    pub(crate) indirect: bool,
}

/// One revoked certificate.
struct Entry {
    serial: Range<usize>,
    reason: Option<i64>,
    /// Index into `entry_issuers`, for indirect CRLs.
    issuer: Option<usize>,
}

/// What a CRL says about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revoked {
    /// CRLReason of the entry, if it gives one; 8 is removeFromCRL.
    pub reason: Option<i64>,
}

impl Crl {
    /// Reads one CRL; bytes after it are ignored.
    ///
    /// # Errors
    /// [`DerError`] with the offset, when `d2i_X509_CRL` would refuse the bytes.
    pub fn from_der(bytes: &[u8]) -> Result<Self, DerError> {
        let outer = Reader::new(bytes).expect(der::SEQUENCE, "the CRL is not a SEQUENCE")?;
        let mut parts = outer.reader();
        let tbs = parts.expect(der::SEQUENCE, "tbsCertList is not a SEQUENCE")?;
        let algorithm = parts.expect(der::SEQUENCE, "signatureAlgorithm is not a SEQUENCE")?;
        check_algorithm(&algorithm)?;
        let signature = parts.expect_string(der::BIT_STRING, "signature is not a BIT STRING")?;
        parts.end("extra element in the CRL")?;
        let (signature, signature_unused_bits) = bit_string(&signature)?;
        let mut parsed = read_list(&tbs)?;
        parsed.der = outer.raw.to_vec();
        parsed.tbs = range(&tbs);
        parsed.outer_algorithm = range(&algorithm);
        parsed.signature = signature;
        parsed.signature_unused_bits = signature_unused_bits;
        Ok(Self(Arc::new(parsed)))
    }

    /// The CRL's bytes.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.0.der
    }

    /// The CRL as a PEM block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        crate::pem::encode(crate::pem::CRL, &self.0.der)
    }

    /// The signed bytes, as given.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.0.der[self.0.tbs.clone()]
    }

    /// The AlgorithmIdentifier inside the signed bytes.
    #[must_use]
    pub fn tbs_signature_algorithm(&self) -> &[u8] {
        &self.0.der[self.0.inner_algorithm.clone()]
    }

    /// The AlgorithmIdentifier next to the signature.
    #[must_use]
    pub fn signature_algorithm(&self) -> &[u8] {
        &self.0.der[self.0.outer_algorithm.clone()]
    }

    /// The signature's bytes.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.0.signature
    }

    /// Unused bits of the signature's BIT STRING; a signature with any is bad.
    #[must_use]
    pub fn signature_unused_bits(&self) -> u8 {
        self.0.signature_unused_bits
    }

    /// The issuer's name.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        &self.0.issuer
    }

    /// thisUpdate, as encoded.
    #[must_use]
    pub fn this_update(&self) -> &RawTime {
        &self.0.this_update
    }

    /// nextUpdate, as encoded. OpenSSL counts that second as expired.
    #[must_use]
    pub fn next_update(&self) -> Option<&RawTime> {
        self.0.next_update.as_ref()
    }

    /// nextUpdate, if it can be read.
    #[must_use]
    pub fn end(&self) -> Option<Time> {
        self.next_update()?.time()
    }

    /// A third of the time between thisUpdate and nextUpdate: when less is left, the next CRL is due.
    #[must_use]
    pub fn renew_within(&self) -> Option<Duration> {
        Some(self.end()?.since(self.this_update().time()?) / 3)
    }

    /// authorityKeyIdentifier.
    #[must_use]
    pub fn authority_key_id(&self) -> Option<&AuthorityKeyId> {
        self.0.authority_key_id.as_ref()
    }

    /// Every extension of the list in the order of the encoding.
    #[must_use]
    pub fn raw_extensions(&self) -> &[RawExtension] {
        &self.0.raw_extensions
    }

    /// The first critical extension, of the list or an entry, OpenSSL does not handle.
    #[must_use]
    pub fn unhandled_critical(&self) -> Option<&Oid> {
        self.0.critical.as_ref()
    }

    /// Whether the list has a deltaCRLIndicator: it says what changed since another list, so alone it says nothing
    /// about a certificate.
    #[must_use]
    pub fn is_delta(&self) -> bool {
        self.0.base_number.is_some()
    }

    /// How many certificates the list revokes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.entries.len()
    }

    /// Whether the list revokes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.entries.is_empty()
    }

    /// The serial numbers of its entries, as content octets.
    pub fn serials(&self) -> impl Iterator<Item = &[u8]> {
        self.0.entries.iter().map(|entry| &self.0.der[entry.serial.clone()])
    }

    /// cRLNumber, if it is one of 64 bits.
    #[must_use]
    pub fn number_value(&self) -> Option<u64> {
        let octets = self.number()?;
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let octets = &octets[zeros..];
        let is_negative = zeros == 0 && octets.first().is_some_and(|first| first & 0x80 != 0);
        if is_negative || octets.len() > 8 {
            return None;
        }
        Some(octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
    }

    /// cRLNumber, as content octets of an INTEGER.
    pub(crate) fn number(&self) -> Option<&[u8]> {
        self.0.number.as_deref()
    }

    /// The number of the list that a delta CRL changes.
    pub(crate) fn base_number(&self) -> Option<&[u8]> {
        self.0.base_number.as_deref()
    }

    /// Whether the list says where its deltas are (`EXFLAG_FRESHEST`).
    pub(crate) fn has_freshest(&self) -> bool {
        self.0.freshest
    }

    pub(crate) fn scope(&self) -> Option<&Scope> {
        self.0.scope.as_ref()
    }

    /// Whether any entry has a serial number, by its content octets, whatever else the entry says.
    pub(crate) fn lists(&self, serial: &[u8]) -> bool {
        self.serials().any(|listed| listed == serial)
    }

    /// Whether a time of it is [`RawTime::is_short`].
    pub(crate) fn has_short_time(&self) -> bool {
        self.0.has_short_time
    }

    /// The entry for a certificate, by the content octets of its serial number and its issuer
    /// (`crypto/x509/x_crl.c: def_crl_lookup`).
    #[must_use]
    pub fn lookup(&self, serial: &[u8], issuer: &Name) -> Option<Revoked> {
        let list = &self.0;
        let entries = list.entries.iter().filter(|e| &list.der[e.serial.clone()] == serial);
        let mut entries = entries.filter(|entry| match entry.issuer {
            None => *issuer == list.issuer,
            Some(index) => list.entry_issuers[index]
                .iter()
                .any(|name| matches!(name, GeneralName::Directory(name) if name == issuer)),
        });
        entries.next().map(|entry| Revoked { reason: entry.reason })
    }
}

impl PartialEq for Crl {
    /// Byte by byte.
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Crl {}

impl Hash for Crl {
    /// Byte by byte.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.der.hash(state);
    }
}

impl TryFrom<&[u8]> for Crl {
    type Error = DerError;

    /// [`Crl::from_der`].
    fn try_from(bytes: &[u8]) -> Result<Self, DerError> {
        Self::from_der(bytes)
    }
}

impl AsRef<[u8]> for Crl {
    /// [`Crl::as_der`].
    fn as_ref(&self) -> &[u8] {
        self.as_der()
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({}, {} entries)", self.issuer(), self.len())
    }
}

/// TBSCertList; the caller fills in what is outside it.
fn read_list(tbs: &Tlv<'_>) -> Result<Parsed, DerError> {
    let mut parts = tbs.reader();
    if let Some(version) = parts.optional(der::INTEGER)? {
        check_integer(&version)?;
    }
    let algorithm = parts.expect(der::SEQUENCE, "signature is not a SEQUENCE")?;
    check_algorithm(&algorithm)?;
    let issuer = Name::from_tlv(&parts.expect_list(der::SEQUENCE, "issuer is not a SEQUENCE")?)?;
    let this_update = raw_time(&parts.any()?)?;
    let is_time =
        |tag: der::Tag| matches!(tag & !der::CONSTRUCTED, der::UTC_TIME | der::GENERALIZED_TIME);
    let next_update = match parts.peek() {
        Some(tag) if is_time(tag) => Some(raw_time(&parts.any()?)?),
        _ => None,
    };
    let has_short_time =
        this_update.is_short() || next_update.as_ref().is_some_and(RawTime::is_short);
    let mut parsed = Parsed {
        der: Vec::new(),
        tbs: 0..0,
        inner_algorithm: range(&algorithm),
        outer_algorithm: 0..0,
        signature: Vec::new(),
        signature_unused_bits: 0,
        issuer,
        this_update,
        next_update,
        entries: Vec::new(),
        entry_issuers: Vec::new(),
        raw_extensions: Vec::new(),
        authority_key_id: None,
        scope: None,
        number: None,
        base_number: None,
        freshest: false,
        has_short_time,
        critical: None,
    };
    let revoked = parts.optional_list(der::SEQUENCE)?;
    if let Some(explicit) = parts.optional(0xa0)? {
        parsed.raw_extensions = read_extensions(&explicit)?;
    }
    parts.end("extra element in tbsCertList")?;
    parsed.read_extensions();
    if let Some(revoked) = revoked {
        parsed.read_entries(&revoked)?;
    }
    Ok(parsed)
}

impl Parsed {
    /// `crypto/x509/x_crl.c: crl_cb`, the part about the list's own extensions.
    fn read_extensions(&mut self) {
        let extensions = core::mem::take(&mut self.raw_extensions);
        if let Some(value) = single(&extensions, oid::ISSUING_DISTRIBUTION_POINT) {
            self.scope = scope(value, &self.issuer).ok();
        }
        if let Some(value) = single(&extensions, oid::AUTHORITY_KEY_ID) {
            let id = Reader::new(value).any().and_then(|value| authority_key_id(&value));
            self.authority_key_id = id.ok();
        }
        self.number = single(&extensions, oid::CRL_NUMBER).and_then(number);
        self.base_number = single(&extensions, oid::DELTA_CRL).and_then(number);
        let handled: [&[u8]; 3] =
            [oid::ISSUING_DISTRIBUTION_POINT, oid::AUTHORITY_KEY_ID, oid::DELTA_CRL];
        let unhandled =
            extensions.iter().find(|e| e.critical && !handled.contains(&e.oid.as_bytes()));
        self.critical = unhandled.map(|e| e.oid.clone());
        // The loop over all extensions ends at the first that is not handled.
        self.freshest = extensions
            .iter()
            .take_while(|e| {
                !e.critical || handled.contains(&e.oid.as_bytes()) || e.oid == oid::FRESHEST_CRL
            })
            .any(|e| e.oid == oid::FRESHEST_CRL);
        self.raw_extensions = extensions;
    }

    fn read_entries(&mut self, revoked: &Tlv<'_>) -> Result<(), DerError> {
        let mut items = revoked.reader();
        // crl_set_issuers stops at the first entry it cannot follow; the entries after it get no issuer.
        let mut follow = true;
        let mut issuer = None;
        while let Some(item) = items.next()? {
            if item.tag != der::SEQUENCE {
                return Err(item.error("a revoked certificate is not a SEQUENCE"));
            }
            let mut parts = item.reader();
            let serial = parts.expect(der::INTEGER, "serial number is not an INTEGER")?;
            check_integer(&serial)?;
            self.has_short_time |= raw_time(&parts.any()?)?.is_short();
            let extensions = match parts.optional_list(der::SEQUENCE)? {
                Some(list) => read_extension_list(&list)?,
                None => Vec::new(),
            };
            parts.end("extra element in a revoked certificate")?;
            let serial = serial.at + serial.head..serial.at + serial.raw.len();
            let mut entry = Entry { serial, reason: None, issuer: None };
            follow = follow && self.read_entry(&extensions, &mut entry, &mut issuer).is_some();
            self.entries.push(entry);
        }
        Ok(())
    }

    /// `crypto/x509/x_crl.c: crl_set_issuers`, for one entry.
    fn read_entry(
        &mut self,
        extensions: &[RawExtension],
        entry: &mut Entry,
        issuer: &mut Option<usize>,
    ) -> Option<()> {
        if extensions.iter().any(|e| e.oid == oid::CERTIFICATE_ISSUER) {
            let value = Reader::new(single(extensions, oid::CERTIFICATE_ISSUER)?).any().ok()?;
            self.entry_issuers.push(general_names(&value).ok()?);
            *issuer = Some(self.entry_issuers.len() - 1);
        }
        entry.issuer = *issuer;
        if extensions.iter().any(|e| e.oid == oid::CRL_REASON) {
            let value = single(extensions, oid::CRL_REASON)?;
            let reason = Reader::new(value)
                .expect(der::ENUMERATED, "CRLReason is not an ENUMERATED")
                .ok()?;
            check_integer(&reason).ok()?;
            entry.reason = small_integer(reason.content);
        }
        let unhandled = extensions.iter().find(|e| e.critical && e.oid != oid::CERTIFICATE_ISSUER);
        if self.critical.is_none() {
            self.critical = unhandled.map(|e| e.oid.clone());
        }
        Some(())
    }
}

/// The content octets of an INTEGER.
fn number(value: &[u8]) -> Option<Vec<u8>> {
    let number = Reader::new(value).expect(der::INTEGER, "the number is not an INTEGER").ok()?;
    check_integer(&number).ok().map(|()| number.content.to_vec())
}

/// The value of the only extension of that type; one that is there twice counts as absent
/// (`crypto/x509/v3_lib.c: X509V3_get_d2i`).
pub(crate) fn single<'a>(extensions: &'a [RawExtension], oid: &[u8]) -> Option<&'a [u8]> {
    let mut found = extensions.iter().filter(|e| e.oid == oid);
    let first = found.next()?;
    found.next().is_none().then_some(first.value.as_slice())
}

/// `crypto/x509/x_crl.c: setup_idp`.
fn scope(value: &[u8], issuer: &Name) -> Result<Scope, DerError> {
    let mut parts = sequence(&Reader::new(value).any()?)?;
    let mut name = parts.optional(0xa0)?.map(|name| DpName::read(&name)).transpose()?;
    if let Some(name) = &mut name {
        name.complete(issuer);
    }
    let only_user = boolean(&mut parts, der::context(1))?;
    let only_ca = boolean(&mut parts, der::context(2))?;
    let reasons = parts.optional_string(der::context(3))?;
    // No bits at all leave every reason.
    let some_reasons = reasons
        .map(|reasons| {
            let bits = reason_bits(&reasons)?;
            let empty = bit_string(&reasons)?.0.is_empty();
            Ok(if empty { ALL_REASONS } else { bits })
        })
        .transpose()?;
    let indirect = boolean(&mut parts, der::context(4))?;
    let only_attribute = boolean(&mut parts, der::context(5))?;
    parts.end("extra element in issuingDistributionPoint")?;
    Ok(Scope { name, only_user, only_ca, only_attribute, some_reasons, indirect })
}

impl Scope {
    /// More than one of the flags that limit what the list is about (`IDP_INVALID`).
    pub(crate) fn is_contradictory(&self) -> bool {
        [self.only_user, self.only_ca, self.only_attribute].iter().filter(|only| **only).count() > 1
    }

    /// No name and none of the flags: the extension limits nothing.
    pub(crate) const fn is_empty(&self) -> bool {
        self.name.is_none()
            && !(self.only_user || self.only_ca || self.only_attribute)
            && !(self.some_reasons.is_some() || self.indirect)
    }

    /// The reasons the list is about.
    pub(crate) fn reasons(&self) -> u16 {
        self.some_reasons.unwrap_or(ALL_REASONS)
    }
}
