//! Certificates: the bytes, the parsed view, and the facts path validation asks for.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Range;

use crate::algorithm::check_algorithm;
use crate::der::shape::{bit_string, check_integer, check_oid, range, small_integer};
use crate::der::{self, DerError, Reader, Tlv};
use crate::digest;
use crate::key::PublicKey;
use crate::key::decode::{Decoded, Lazy};
use crate::name::Name;
use crate::oid::Oid;
use crate::time::Time;

pub(crate) mod distribution;
pub(crate) mod encode;
mod extensions;
mod general_name;
pub(crate) mod resources;

pub(crate) use extensions::authority_key_id;
pub use extensions::{
    AuthorityKeyId, BasicConstraints, Criticality, DistributionPoint, ExtendedUsages, Extensions,
    KeyUsage, NameConstraints, Subtree,
};
pub use general_name::GeneralName;
pub(crate) use general_name::general_names;

/// An X.509 certificate: its bytes as given and everything read from them once.
///
/// What can be read is what OpenSSL's `d2i_X509` accepts, no more and no less; an extension that cannot
/// be decoded does not make the certificate unreadable, it sets [`Extensions::invalid`]. Clones share
/// what was read.
#[derive(Clone)]
pub struct Cert(Arc<Parsed>);

struct Parsed {
    der: Vec<u8>,
    tbs: Range<usize>,
    inner_algorithm: Range<usize>,
    outer_algorithm: Range<usize>,
    signature: Vec<u8>,
    signature_unused_bits: u8,
    version: i64,
    serial: Vec<u8>,
    issuer: Name,
    subject: Name,
    not_before: RawTime,
    not_after: RawTime,
    key: PublicKey,
    decoded_key: Lazy,
    raw_extensions: Vec<RawExtension>,
    extensions: Extensions,
}

/// A time as the certificate has it: its type and content octets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawTime {
    /// GeneralizedTime, as opposed to UTCTime.
    pub generalized: bool,
    /// The content octets.
    pub content: Vec<u8>,
}

impl RawTime {
    /// A time by its type and content octets.
    #[must_use]
    pub fn new(generalized: bool, content: impl Into<Vec<u8>>) -> Self {
        Self { generalized, content: content.into() }
    }

    /// The instant, where the form is the one RFC 5280 allows.
    #[must_use]
    pub fn time(&self) -> Option<Time> {
        Time::from_asn1(self.generalized, &self.content)
    }

    /// Whether it has no room for seconds and a zone.
    pub(crate) fn is_short(&self) -> bool {
        self.content.len() < if self.generalized { 15 } else { 13 }
    }

    /// The instant, in any form OpenSSL compares times in.
    pub(crate) fn loosely(&self) -> Option<Time> {
        Time::from_asn1_loosely(self.generalized, &self.content)
    }
}

/// An extension as the certificate has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RawExtension {
    /// The extension's type.
    pub oid: Oid,
    /// The criticality flag.
    pub critical: bool,
    /// Content of the OCTET STRING.
    pub value: Vec<u8>,
}

impl RawExtension {
    /// An extension by its parts.
    #[must_use]
    pub fn new(oid: Oid, critical: bool, value: impl Into<Vec<u8>>) -> Self {
        Self { oid, critical, value: value.into() }
    }
}

impl Cert {
    /// Reads one certificate; bytes after it are ignored, as OpenSSL does in a PEM block.
    ///
    /// # Errors
    /// [`DerError`] with the offset, when `d2i_X509` would refuse the bytes.
    pub fn from_der(bytes: &[u8]) -> Result<Self, DerError> {
        Ok(Self::read(bytes)?.0)
    }

    /// Reads one certificate, and says how many bytes it took.
    ///
    /// # Errors
    /// As [`Cert::from_der`].
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, usize), DerError> {
        let outer =
            Reader::new(bytes).expect(der::SEQUENCE, "the certificate is not a SEQUENCE")?;
        let mut parts = outer.reader();
        let tbs = parts.expect(der::SEQUENCE, "tbsCertificate is not a SEQUENCE")?;
        let algorithm = parts.expect(der::SEQUENCE, "signatureAlgorithm is not a SEQUENCE")?;
        check_algorithm(&algorithm)?;
        let signature = parts.expect_string(der::BIT_STRING, "signature is not a BIT STRING")?;
        parts.end("extra element in the certificate")?;
        let (signature, signature_unused_bits) = bit_string(&signature)?;
        let body = Body::read(&tbs)?;
        let parsed = Parsed {
            der: outer.raw.to_vec(),
            tbs: range(&tbs),
            inner_algorithm: body.algorithm,
            outer_algorithm: range(&algorithm),
            signature,
            signature_unused_bits,
            version: body.version,
            serial: body.serial,
            extensions: Extensions::cache(&body.raw_extensions, &body.issuer),
            issuer: body.issuer,
            subject: body.subject,
            not_before: body.not_before,
            not_after: body.not_after,
            key: body.key,
            decoded_key: Lazy::default(),
            raw_extensions: body.raw_extensions,
        };
        Ok((Self(Arc::new(parsed)), outer.raw.len()))
    }

    /// The certificate's bytes, without anything that followed them.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.0.der
    }

    /// The certificate as a PEM block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        crate::pem::encode(crate::pem::CERTIFICATE, &self.0.der)
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

    /// The version as encoded: 0 for v1, 2 for v3; any number can be encoded, -1 stands for those beyond 64 bits.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.0.version
    }

    /// Content octets of the serial number, two's complement.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.0.serial
    }

    /// The serial number as lower-case hex pairs joined by colons.
    #[must_use]
    pub fn serial_hex(&self) -> String {
        digest::hex_colons(&self.0.serial)
    }

    /// The issuer's name.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        &self.0.issuer
    }

    /// The subject's name.
    #[must_use]
    pub fn subject(&self) -> &Name {
        &self.0.subject
    }

    /// The first second the certificate is valid, as encoded.
    #[must_use]
    pub fn not_before(&self) -> &RawTime {
        &self.0.not_before
    }

    /// The second the certificate ends, as encoded. OpenSSL counts that second as expired.
    #[must_use]
    pub fn not_after(&self) -> &RawTime {
        &self.0.not_after
    }

    /// The public key, whatever its algorithm.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.0.key
    }

    /// What OpenSSL makes of the public key; `None` when it cannot decode it.
    pub(crate) fn decoded_key(&self) -> Option<Decoded> {
        self.0.decoded_key.get(&self.0.key)
    }

    /// Every extension in the order of the encoding.
    #[must_use]
    pub fn raw_extensions(&self) -> &[RawExtension] {
        &self.0.raw_extensions
    }

    /// The extensions path validation looks at, decoded.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }

    /// Whether subject and issuer are the same name.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.0.subject == self.0.issuer
    }

    /// Whether basicConstraints says CA.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        match &self.0.extensions.basic_constraints {
            Some(constraints) => constraints.ca,
            None => false,
        }
    }

    /// SHA-256 of the certificate.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        digest::sha256(&self.0.der)
    }

    /// [`Cert::sha256`] as upper-case hex pairs joined by colons, as `openssl x509 -fingerprint -sha256` has it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        digest::hex_colons(&self.sha256()).to_ascii_uppercase()
    }

    /// Names the certificate in messages: its subject and the first eight digits of its SHA-256 fingerprint, as in
    /// `` `Mesh CA east` (sha256 1a2b3c4d) ``.
    #[must_use]
    pub fn label(&self) -> String {
        let digits = digest::hex(&self.sha256()[..4]);
        alloc::format!("`{}` (sha256 {digits})", self.subject().label())
    }
}

/// The fingerprints of certificates, as a set: what two bundles of roots are compared by.
#[must_use]
pub fn fingerprints(certs: &[Cert]) -> BTreeSet<String> {
    certs.iter().map(Cert::fingerprint).collect()
}

/// The parts of a TBSCertificate (RFC 5280 section 4.1).
struct Body {
    version: i64,
    serial: Vec<u8>,
    algorithm: Range<usize>,
    issuer: Name,
    not_before: RawTime,
    not_after: RawTime,
    subject: Name,
    key: PublicKey,
    raw_extensions: Vec<RawExtension>,
}

impl Body {
    fn read(tbs: &Tlv<'_>) -> Result<Self, DerError> {
        let mut parts = tbs.reader();
        let version = read_version(&mut parts)?;
        let serial = parts.expect(der::INTEGER, "serialNumber is not an INTEGER")?;
        check_integer(&serial)?;
        let algorithm = parts.expect(der::SEQUENCE, "signature is not a SEQUENCE")?;
        check_algorithm(&algorithm)?;
        let issuer =
            Name::from_tlv(&parts.expect_list(der::SEQUENCE, "issuer is not a SEQUENCE")?)?;
        let validity = parts.expect(der::SEQUENCE, "validity is not a SEQUENCE")?;
        let mut times = validity.reader();
        let not_before = raw_time(&times.any()?)?;
        let not_after = raw_time(&times.any()?)?;
        times.end("extra element in the validity")?;
        let subject =
            Name::from_tlv(&parts.expect_list(der::SEQUENCE, "subject is not a SEQUENCE")?)?;
        let spki = parts.expect(der::SEQUENCE, "subjectPublicKeyInfo is not a SEQUENCE")?;
        let key = PublicKey::read(&spki)?;
        for tag in [1, 2] {
            if let Some(id) = parts.optional_string(der::context(tag))? {
                bit_string(&id)?;
            }
        }
        let raw_extensions = match parts.optional(0xa3)? {
            Some(explicit) => read_extensions(&explicit)?,
            None => Vec::new(),
        };
        parts.end("extra element in tbsCertificate")?;
        Ok(Self {
            version,
            serial: serial.content.to_vec(),
            algorithm: range(&algorithm),
            issuer,
            not_before,
            not_after,
            subject,
            key,
            raw_extensions,
        })
    }
}

/// `[0] EXPLICIT INTEGER DEFAULT 0`.
fn read_version(parts: &mut Reader<'_>) -> Result<i64, DerError> {
    let Some(explicit) = parts.optional(0xa0)? else { return Ok(0) };
    let mut inner = explicit.reader();
    let version = inner.expect(der::INTEGER, "version is not an INTEGER")?;
    check_integer(&version)?;
    inner.end("extra element in the version")?;
    Ok(small_integer(version.content).unwrap_or(-1))
}

impl PartialEq for Cert {
    /// Byte by byte.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.der == other.0.der
    }
}

impl Eq for Cert {}

impl Hash for Cert {
    /// Byte by byte.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.der.hash(state);
    }
}

impl TryFrom<&[u8]> for Cert {
    type Error = DerError;

    /// [`Cert::from_der`].
    fn try_from(bytes: &[u8]) -> Result<Self, DerError> {
        Self::from_der(bytes)
    }
}

impl AsRef<[u8]> for Cert {
    /// [`Cert::as_der`].
    fn as_ref(&self) -> &[u8] {
        self.as_der()
    }
}

impl fmt::Debug for Cert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cert({}, serial {})", self.subject(), self.serial_hex())
    }
}

pub(crate) fn raw_time(tlv: &Tlv<'_>) -> Result<RawTime, DerError> {
    let generalized = match tlv.tag & !der::CONSTRUCTED {
        der::UTC_TIME => false,
        der::GENERALIZED_TIME => true,
        _ => return Err(tlv.error("a time is not a UTCTime or GeneralizedTime")),
    };
    Ok(RawTime { generalized, content: tlv.string()?.into_owned() })
}

/// `[3] EXPLICIT SEQUENCE OF Extension`, and the same inside a CSR's extensionRequest.
pub(crate) fn read_extensions(explicit: &Tlv<'_>) -> Result<Vec<RawExtension>, DerError> {
    let mut inner = explicit.reader();
    let list = inner.expect_list(der::SEQUENCE, "extensions are not a SEQUENCE")?;
    inner.end("extra element after the extensions")?;
    read_extension_list(&list)
}

/// `SEQUENCE OF Extension`.
pub(crate) fn read_extension_list(list: &Tlv<'_>) -> Result<Vec<RawExtension>, DerError> {
    let mut extensions = Vec::new();
    let mut items = list.reader();
    while let Some(item) = items.next()? {
        if item.tag != der::SEQUENCE {
            return Err(item.error("an extension is not a SEQUENCE"));
        }
        let mut parts = item.reader();
        let oid = parts.expect(der::OID, "extension type is not an OID")?;
        check_oid(&oid)?;
        let critical = match parts.optional(der::BOOLEAN)? {
            Some(flag) if flag.content.len() != 1 => {
                return Err(flag.error("BOOLEAN is not one byte"));
            }
            Some(flag) => flag.content[0] != 0,
            None => false,
        };
        let value =
            parts.expect_string(der::OCTET_STRING, "extension value is not an OCTET STRING")?;
        parts.end("extra element in an extension")?;
        extensions.push(RawExtension {
            oid: Oid::of(oid.content),
            critical,
            value: value.string()?.into_owned(),
        });
    }
    Ok(extensions)
}

#[cfg(test)]
mod tests;
