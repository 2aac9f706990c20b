//! Certificates: the bytes, the parsed view, and the facts path validation asks for.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::der::{self, DerError, Reader, Tlv};
use crate::digest;
use crate::key::PublicKey;
use crate::name::{self, Name};
use crate::time::Time;

mod extensions;
mod general_name;

pub use extensions::{AuthorityKeyId, BasicConstraints, Extensions, KeyUsage, NameConstraints};
pub use general_name::GeneralName;

/// An X.509 certificate: its bytes as given and everything read from them once.
///
/// What can be read is what OpenSSL's `d2i_X509` accepts, no more and no less; an extension that cannot
/// be decoded does not make the certificate unreadable, it sets [`Extensions::invalid`].
#[derive(Clone)]
pub struct Cert {
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
    spki: Range<usize>,
    raw_extensions: Vec<RawExtension>,
    extensions: Extensions,
}

/// A time as it stands in the certificate: its type and content octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawTime {
    /// GeneralizedTime, as opposed to UTCTime.
    pub generalized: bool,
    /// The content octets.
    pub content: Vec<u8>,
}

impl RawTime {
    /// The instant, where the form is the one RFC 5280 allows.
    #[must_use]
    pub fn time(&self) -> Option<Time> {
        Time::from_asn1(self.generalized, &self.content)
    }
}

/// An extension as it stands in the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawExtension {
    /// Content octets of the extension's OID.
    pub oid: Vec<u8>,
    /// The criticality flag.
    pub critical: bool,
    /// Content of the OCTET STRING.
    pub value: Vec<u8>,
}

impl Cert {
    /// Reads one certificate; bytes behind it are ignored, as OpenSSL does in a PEM block.
    ///
    /// # Errors
    /// [`DerError`] with the offset, when `d2i_X509` would refuse the bytes.
    pub fn from_der(bytes: &[u8]) -> Result<Self, DerError> {
        let outer = Reader::new(bytes).expect(der::SEQUENCE, "a certificate is a SEQUENCE")?;
        let mut parts = outer.reader();
        let tbs = parts.expect(der::SEQUENCE, "tbsCertificate is a SEQUENCE")?;
        let algorithm = parts.expect(der::SEQUENCE, "signatureAlgorithm is a SEQUENCE")?;
        check_algorithm(&algorithm)?;
        let signature = parts.expect_string(der::BIT_STRING, "signature is a BIT STRING")?;
        parts.end("extra element in the certificate")?;
        let (signature, signature_unused_bits) = bit_string(&signature)?;
        let mut cert = Self {
            der: outer.raw.to_vec(),
            tbs: range(&tbs),
            inner_algorithm: 0..0,
            outer_algorithm: range(&algorithm),
            signature,
            signature_unused_bits,
            version: 0,
            serial: Vec::new(),
            issuer: Name::empty(),
            subject: Name::empty(),
            not_before: RawTime { generalized: false, content: Vec::new() },
            not_after: RawTime { generalized: false, content: Vec::new() },
            spki: 0..0,
            raw_extensions: Vec::new(),
            extensions: Extensions::default(),
        };
        cert.read_tbs(&tbs)?;
        cert.extensions = Extensions::cache(&cert);
        Ok(cert)
    }

    fn read_tbs(&mut self, tbs: &Tlv<'_>) -> Result<(), DerError> {
        let mut parts = tbs.reader();
        if let Some(explicit) = parts.optional(0xa0)? {
            let mut inner = explicit.reader();
            let version = inner.expect(der::INTEGER, "version is an INTEGER")?;
            check_integer(&version)?;
            inner.end("extra element in the version")?;
            self.version = small_integer(version.content).unwrap_or(i64::MAX);
        }
        let serial = parts.expect(der::INTEGER, "serialNumber is an INTEGER")?;
        check_integer(&serial)?;
        self.serial = serial.content.to_vec();
        let algorithm = parts.expect(der::SEQUENCE, "signature is a SEQUENCE")?;
        check_algorithm(&algorithm)?;
        self.inner_algorithm = range(&algorithm);
        self.issuer = Name::from_tlv(&parts.expect(der::SEQUENCE, "issuer is a SEQUENCE")?)?;
        let validity = parts.expect(der::SEQUENCE, "validity is a SEQUENCE")?;
        let mut times = validity.reader();
        self.not_before = raw_time(&times.any()?)?;
        self.not_after = raw_time(&times.any()?)?;
        times.end("extra element in the validity")?;
        self.subject = Name::from_tlv(&parts.expect(der::SEQUENCE, "subject is a SEQUENCE")?)?;
        let spki = parts.expect(der::SEQUENCE, "subjectPublicKeyInfo is a SEQUENCE")?;
        check_spki(&spki)?;
        self.spki = range(&spki);
        for tag in [1, 2] {
            if let Some(id) = parts.optional_string(der::context(tag))? {
                id.string()?;
            }
        }
        if let Some(explicit) = parts.optional(0xa3)? {
            self.raw_extensions = read_extensions(&explicit)?;
        }
        parts.end("extra element in tbsCertificate")
    }

    /// The certificate's bytes, without anything that stood behind them.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate as a PEM block.
    #[must_use]
    pub fn to_pem(&self) -> String {
        crate::pem::encode(crate::pem::CERTIFICATE, &self.der)
    }

    /// The signed bytes, as given.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.der[self.tbs.clone()]
    }

    /// The AlgorithmIdentifier inside the signed bytes.
    #[must_use]
    pub fn inner_algorithm(&self) -> &[u8] {
        &self.der[self.inner_algorithm.clone()]
    }

    /// The AlgorithmIdentifier beside the signature.
    #[must_use]
    pub fn outer_algorithm(&self) -> &[u8] {
        &self.der[self.outer_algorithm.clone()]
    }

    /// The signature's bytes.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Unused bits of the signature's BIT STRING; anything but 0 is no good signature.
    #[must_use]
    pub const fn signature_unused_bits(&self) -> u8 {
        self.signature_unused_bits
    }

    /// The version as encoded: 0 for v1, 2 for v3; any number can be encoded.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Content octets of the serial number, two's complement.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The serial number as lower-case hex pairs joined by colons.
    #[must_use]
    pub fn serial_hex(&self) -> String {
        digest::hex_colons(&self.serial)
    }

    /// The issuer's name.
    #[must_use]
    pub const fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// The subject's name.
    #[must_use]
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// The first second the certificate is valid, as encoded.
    #[must_use]
    pub const fn not_before(&self) -> &RawTime {
        &self.not_before
    }

    /// The second the certificate ends, as encoded. OpenSSL counts that second as expired.
    #[must_use]
    pub const fn not_after(&self) -> &RawTime {
        &self.not_after
    }

    /// SubjectPublicKeyInfo, as given.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.der[self.spki.clone()]
    }

    /// The public key, whatever its algorithm.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_spki_unchecked(self.spki())
    }

    /// Every extension in the order of the encoding.
    #[must_use]
    pub fn raw_extensions(&self) -> &[RawExtension] {
        &self.raw_extensions
    }

    /// The extensions path validation looks at, decoded.
    #[must_use]
    pub const fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Whether subject and issuer are the same name.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether basicConstraints says CA.
    #[must_use]
    pub const fn is_ca(&self) -> bool {
        match &self.extensions.basic_constraints {
            Some(constraints) => constraints.ca,
            None => false,
        }
    }

    /// SHA-256 of the certificate as upper-case hex pairs joined by colons, as `openssl x509 -fingerprint -sha256` has it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        digest::hex_colons(&digest::sha256(&self.der)).to_ascii_uppercase()
    }
}

impl PartialEq for Cert {
    /// Byte by byte.
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Cert {}

impl fmt::Debug for Cert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cert({}, serial {})", self.subject, self.serial_hex())
    }
}

pub(crate) fn range(tlv: &Tlv<'_>) -> Range<usize> {
    tlv.at..tlv.at + tlv.raw.len()
}

/// INTEGER content: not empty, minimal (`crypto/asn1/a_int.c: c2i_ibuf`).
pub(crate) fn check_integer(integer: &Tlv<'_>) -> Result<(), DerError> {
    match integer.content {
        [] => Err(integer.error("empty INTEGER")),
        [0, second, ..] if second & 0x80 == 0 => Err(integer.error("INTEGER is not minimal")),
        [0xff, second, ..] if second & 0x80 != 0 => Err(integer.error("INTEGER is not minimal")),
        _ => Ok(()),
    }
}

/// Two's complement content octets as a number, where it fits.
pub(crate) fn small_integer(content: &[u8]) -> Option<i64> {
    let first = *content.first()?;
    if content.len() > 8 {
        return None;
    }
    let start = if first & 0x80 == 0 { 0i64 } else { -1 };
    Some(content.iter().fold(start, |n, b| n << 8 | i64::from(*b)))
}

/// AlgorithmIdentifier: an OID and at most one parameter of any type.
pub(crate) fn check_algorithm(algorithm: &Tlv<'_>) -> Result<(), DerError> {
    let mut parts = algorithm.reader();
    name::check_oid(&parts.expect(der::OID, "algorithm is an OID")?)?;
    parts.next()?;
    parts.end("extra element in an AlgorithmIdentifier")
}

pub(crate) fn check_spki(spki: &Tlv<'_>) -> Result<(), DerError> {
    let mut parts = spki.reader();
    check_algorithm(&parts.expect(der::SEQUENCE, "key algorithm is a SEQUENCE")?)?;
    bit_string(&parts.expect_string(der::BIT_STRING, "public key is a BIT STRING")?)?;
    parts.end("extra element in subjectPublicKeyInfo")
}

/// Bytes and unused bits of a BIT STRING; unused bits are cleared (`crypto/asn1/a_bitstr.c: ossl_c2i_ASN1_BIT_STRING`).
pub(crate) fn bit_string(tlv: &Tlv<'_>) -> Result<(Vec<u8>, u8), DerError> {
    let content = tlv.string()?;
    let (&unused, bytes) = content.split_first().ok_or(tlv.error("empty BIT STRING"))?;
    if unused > 7 {
        return Err(tlv.error("BIT STRING with more than seven unused bits"));
    }
    let mut bytes = bytes.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last &= 0xff << unused;
    }
    Ok((bytes, unused))
}

pub(crate) fn raw_time(tlv: &Tlv<'_>) -> Result<RawTime, DerError> {
    let generalized = match tlv.tag & !der::CONSTRUCTED {
        der::UTC_TIME => false,
        der::GENERALIZED_TIME => true,
        _ => return Err(tlv.error("a time is a UTCTime or a GeneralizedTime")),
    };
    Ok(RawTime { generalized, content: tlv.string()?.into_owned() })
}

/// `[3] EXPLICIT SEQUENCE OF Extension`, and the same inside a CSR's extensionRequest.
pub(crate) fn read_extensions(explicit: &Tlv<'_>) -> Result<Vec<RawExtension>, DerError> {
    let mut inner = explicit.reader();
    let list = inner.expect(der::SEQUENCE, "extensions are a SEQUENCE")?;
    inner.end("extra element behind the extensions")?;
    read_extension_list(&list)
}

/// `SEQUENCE OF Extension`.
pub(crate) fn read_extension_list(list: &Tlv<'_>) -> Result<Vec<RawExtension>, DerError> {
    let mut extensions = Vec::new();
    let mut items = list.reader();
    while let Some(item) = items.next()? {
        if item.tag != der::SEQUENCE {
            return Err(item.error("an extension is a SEQUENCE"));
        }
        let mut parts = item.reader();
        let oid = parts.expect(der::OID, "extension type is an OID")?;
        name::check_oid(&oid)?;
        let critical = match parts.optional(der::BOOLEAN)? {
            Some(flag) if flag.content.len() != 1 => {
                return Err(flag.error("BOOLEAN is not one byte"));
            }
            Some(flag) => flag.content[0] != 0,
            None => false,
        };
        let value = parts.expect_string(der::OCTET_STRING, "extension value is an OCTET STRING")?;
        parts.end("extra element in an extension")?;
        extensions.push(RawExtension {
            oid: oid.content.to_vec(),
            critical,
            value: value.string()?.into_owned(),
        });
    }
    Ok(extensions)
}

#[cfg(test)]
mod tests;
