//! A certificate as Go reads it (`crypto/x509/parser.go: ParseCertificate`).

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use num_bigint::BigInt;

use super::algorithm::Algorithm;
use super::bytes::{Bytes, right_aligned};
use super::extensions::{Extension, Extensions};
use super::names::{self, Label};
use super::public_key::{self, Key, algorithm_identifier};
use crate::cert::Cert;
use crate::der;
use crate::key::PublicKey;
use crate::time::Time;
use crate::verify::{Reason, Rejection};

/// A certificate that Go reads, and what Go makes of it. Clones share what was read.
#[derive(Clone)]
pub struct Certificate {
    parsed: Arc<Parsed>,
    /// The certificate it was made from, if it was.
    cert: Option<Cert>,
}

#[derive(Debug)]
pub(super) struct Parsed {
    der: Vec<u8>,
    pub(super) tbs: Vec<u8>,
    /// 1 to 3.
    pub(super) version: i64,
    serial: Vec<u8>,
    pub(super) algorithm: Algorithm,
    pub(super) signature: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    pub(super) subject: Vec<u8>,
    label: Label,
    pub(super) not_before: Time,
    pub(super) not_after: Time,
    pub(super) spki: Vec<u8>,
    key: Key,
    public_key: Option<PublicKey>,
    pub(super) extensions: Extensions,
}

/// What Go says of bytes that it does not read.
type Malformed = String;

impl Certificate {
    /// Reads a certificate; nothing may follow it.
    ///
    /// # Errors
    /// [`Reason::Unreadable`], with what Go says.
    pub fn from_der(bytes: &[u8]) -> Result<Self, Rejection> {
        match read(bytes) {
            Ok(parsed) => Ok(Self { parsed: Arc::new(parsed), cert: None }),
            Err(text) => Err(Rejection {
                reason: Reason::Unreadable,
                text,
                cert: Cert::from_der(bytes).ok(),
            }),
        }
    }

    /// The bytes it was read from.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.parsed.der
    }

    /// The same certificate as [`Cert`]; `None` if OpenSSL does not read it.
    #[must_use]
    pub fn cert(&self) -> Option<Cert> {
        self.cert.clone().or_else(|| Cert::from_der(&self.parsed.der).ok())
    }

    pub(super) fn parsed(&self) -> &Parsed {
        &self.parsed
    }

    pub(super) fn key(&self) -> &Key {
        &self.parsed.key
    }

    pub(super) fn public_key(&self) -> Option<&PublicKey> {
        self.parsed.public_key.as_ref()
    }

    /// What Go's messages call it (`verify.go: UnknownAuthorityError.Error`).
    pub(super) fn name(&self) -> String {
        let Label { common_name, organization } = &self.parsed.label;
        if !common_name.is_empty() {
            return common_name.clone();
        }
        organization.clone().unwrap_or_else(|| {
            alloc::format!("serial:{}", BigInt::from_signed_bytes_be(&self.parsed.serial))
        })
    }
}

impl TryFrom<&Cert> for Certificate {
    type Error = Rejection;

    fn try_from(cert: &Cert) -> Result<Self, Rejection> {
        Ok(Self { cert: Some(cert.clone()), ..Self::from_der(cert.as_der())? })
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.parsed, &other.parsed) || self.parsed.der == other.parsed.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.name()).finish()
    }
}

/// `ParseCertificate`.
fn read(bytes: &[u8]) -> Result<Parsed, Malformed> {
    let mut input = Bytes(bytes);
    let mut whole = input.read(der::SEQUENCE).ok_or("x509: malformed certificate")?;
    let signed = whole.element(der::SEQUENCE).ok_or("x509: malformed tbs certificate")?;
    let mut tbs = signed.bytes();
    let version = version(&mut tbs)?;
    let serial = tbs.integer(der::INTEGER).ok_or("x509: malformed serial number")?;
    if serial[0] & 0x80 != 0 {
        return Err("x509: negative serial number".to_string());
    }
    let inner = tbs.read(der::SEQUENCE).ok_or("x509: malformed signature algorithm identifier")?;
    let outer = whole.read(der::SEQUENCE).ok_or("x509: malformed algorithm identifier")?;
    if inner.0 != outer.0 {
        let why = "x509: inner and outer signature algorithm identifiers don't match";
        return Err(why.to_string());
    }
    let (kind, parameters) = algorithm_identifier(inner)?;
    let issuer = tbs.element(der::SEQUENCE).ok_or("x509: malformed issuer")?;
    names::read(issuer.bytes())?;
    let mut validity = tbs.read(der::SEQUENCE).ok_or("x509: malformed validity")?;
    let (not_before, not_after) = (validity.time()?, validity.time()?);
    let subject = tbs.element(der::SEQUENCE).ok_or("x509: malformed issuer")?;
    let label = names::read(subject.bytes())?;
    let spki = tbs.element(der::SEQUENCE).ok_or("x509: malformed spki")?;
    let (key, public_key) = public_key::read(spki.bytes())?;
    let extensions = extensions(version, &mut tbs)?;
    let (unused, signature) = whole.bit_string().ok_or("x509: malformed signature")?;
    if !input.is_empty() {
        return Err("x509: trailing data".to_string());
    }
    Ok(Parsed {
        der: bytes.to_vec(),
        tbs: signed.raw.to_vec(),
        version,
        serial: serial.to_vec(),
        algorithm: Algorithm::of(kind, parameters),
        signature: right_aligned(unused, signature),
        issuer: issuer.raw.to_vec(),
        subject: subject.raw.to_vec(),
        label,
        not_before,
        not_after,
        spki: spki.raw.to_vec(),
        key,
        public_key,
        extensions,
    })
}

/// 1 to 3.
fn version(tbs: &mut Bytes<'_>) -> Result<i64, &'static str> {
    const WHY: &str = "x509: malformed version";
    let Some(mut explicit) = tbs.optional(0xa0).ok_or(WHY)? else { return Ok(1) };
    let version = explicit.small_integer(der::INTEGER).ok_or(WHY)?;
    if version < 0 || !explicit.is_empty() {
        return Err(WHY);
    }
    if version > 2 { Err("x509: invalid version") } else { Ok(version + 1) }
}

/// Unique identifiers are passed over; only version 3 has extensions.
fn extensions(version: i64, tbs: &mut Bytes<'_>) -> Result<Extensions, Malformed> {
    if version > 1 {
        tbs.optional(0x81).ok_or("x509: malformed issuerUniqueID")?;
        tbs.optional(0x82).ok_or("x509: malformed subjectUniqueID")?;
    }
    if version < 3 {
        return Ok(Extensions::default());
    }
    let Some(mut explicit) = tbs.optional(0xa3).ok_or("x509: malformed extensions")? else {
        return Ok(Extensions::default());
    };
    let mut sequence = explicit.read(der::SEQUENCE).ok_or("x509: malformed extensions")?;
    let mut list: Vec<Extension<'_>> = Vec::new();
    while !sequence.is_empty() {
        let extension = sequence.read(der::SEQUENCE).ok_or("x509: malformed extension")?;
        let extension = self::extension(extension)?;
        if list.iter().any(|other| other.oid == extension.oid) {
            let oid = crate::oid::dotted(extension.oid);
            return Err(alloc::format!(
                "x509: certificate contains duplicate extension with OID {oid:?}"
            ));
        }
        list.push(extension);
    }
    Extensions::read(&list)
}

/// `parseExtension`.
fn extension(mut parts: Bytes<'_>) -> Result<Extension<'_>, &'static str> {
    let oid = parts.oid().ok_or("x509: malformed extension OID field")?;
    let critical = if parts.has(der::BOOLEAN) {
        parts.boolean().ok_or("x509: malformed extension critical field")?
    } else {
        false
    };
    let value = parts.read(der::OCTET_STRING).ok_or("x509: malformed extension value field")?;
    Ok(Extension { oid, critical, value: value.0 })
}
