//! What a certificate revocation list says, as far as it is shown.

use meshpki::internals::der::{self, DerError, Reader, Tlv};
use meshpki::internals::{digest, oid};
use meshpki::x509::{RawExtension, RawTime};
use meshpki::{Name, Oid};

use crate::text;

/// A certificate revocation list (RFC 5280 section 5).
pub(super) struct Crl {
    pub(super) issuer: Name,
    pub(super) this_update: RawTime,
    pub(super) next_update: Option<RawTime>,
    pub(super) revoked: Vec<Revoked>,
    pub(super) extensions: Vec<RawExtension>,
    pub(super) algorithm: Vec<u8>,
    pub(super) fingerprint: String,
}

/// One entry.
pub(super) struct Revoked {
    /// Content octets of the serial number.
    pub(super) serial: Vec<u8>,
    pub(super) at: RawTime,
    /// CRLReason, where there is one.
    pub(super) reason: Option<&'static str>,
}

impl Crl {
    /// Reads one CRL; bytes after it are ignored.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, DerError> {
        let list = meshpki::Crl::from_der(bytes)?;
        let mut parts = Reader::new(list.as_der()).any()?.reader();
        let mut signed = parts.expect(der::SEQUENCE, "tbsCertList is not a SEQUENCE")?.reader();
        let algorithm = parts.expect(der::SEQUENCE, "signatureAlgorithm is not a SEQUENCE")?;
        parts.expect_string(der::BIT_STRING, "signature is not a BIT STRING")?;
        signed.optional(der::INTEGER)?;
        signed.expect(der::SEQUENCE, "signature is not a SEQUENCE")?;
        let issuer = Name::from_der(signed.expect(der::SEQUENCE, "issuer is not a SEQUENCE")?.raw)?;
        let this_update = time(&signed.any()?)?;
        let next_update = match signed.peek() {
            Some(der::UTC_TIME | der::GENERALIZED_TIME) => Some(time(&signed.any()?)?),
            _ => None,
        };
        let mut revoked = Vec::new();
        if let Some(list) = signed.optional(der::SEQUENCE)? {
            let mut entries = list.reader();
            while let Some(entry) = entries.next()? {
                revoked.push(read_entry(&entry)?);
            }
        }
        let extensions = match signed.optional(0xa0)? {
            Some(explicit) => read_extensions(&explicit.reader().any()?)?,
            None => Vec::new(),
        };
        Ok(Self {
            issuer,
            this_update,
            next_update,
            revoked,
            extensions,
            algorithm: algorithm.raw.to_vec(),
            fingerprint: text::key_id(&digest::sha256(list.as_der())),
        })
    }

    /// cRLNumber: decimal where it fits 64 bits, else `0x` and hex.
    pub(super) fn number(&self) -> Option<String> {
        let value = self.value(oid::CRL_NUMBER)?;
        let number = Reader::new(value).expect(der::INTEGER, "cRLNumber is not an INTEGER").ok()?;
        let digits = digest::hex(number.content);
        let decimal = u64::from_str_radix(&digits, 16);
        Some(decimal.map_or_else(|_| format!("0x{digits}"), |n| n.to_string()))
    }

    /// keyIdentifier of the authorityKeyIdentifier.
    pub(super) fn authority_key_id(&self) -> Option<String> {
        let value = Reader::new(self.value(oid::AUTHORITY_KEY_ID)?).any().ok()?;
        let id = value.reader().optional(der::context(0)).ok()??;
        Some(text::key_id(id.content))
    }

    fn value(&self, oid: &[u8]) -> Option<&[u8]> {
        self.extensions.iter().find(|e| e.oid == oid).map(|e| e.value.as_slice())
    }
}

fn time(element: &Tlv<'_>) -> Result<RawTime, DerError> {
    match element.tag {
        der::UTC_TIME | der::GENERALIZED_TIME => {
            Ok(RawTime::new(element.tag == der::GENERALIZED_TIME, element.content))
        }
        _ => Err(element.error("a time is not a UTCTime or GeneralizedTime")),
    }
}

fn read_entry(entry: &Tlv<'_>) -> Result<Revoked, DerError> {
    let mut parts = entry.reader();
    let serial = parts.expect(der::INTEGER, "serialNumber is not an INTEGER")?.content.to_vec();
    let at = time(&parts.any()?)?;
    let extensions = match parts.optional(der::SEQUENCE)? {
        Some(list) => read_extensions(&list)?,
        None => Vec::new(),
    };
    let reason =
        extensions.iter().find(|e| e.oid == oid::CRL_REASON).and_then(|e| reason(&e.value));
    Ok(Revoked { serial, at, reason })
}

fn read_extensions(list: &Tlv<'_>) -> Result<Vec<RawExtension>, DerError> {
    let mut extensions = Vec::new();
    let mut items = list.reader();
    while let Some(item) = items.next()? {
        let mut parts = item.reader();
        let oid = Oid::from_bytes(parts.expect(der::OID, "extension type is not an OID")?.content)?;
        let critical = parts.optional(der::BOOLEAN)?.is_some_and(|flag| flag.content != [0]);
        let value = parts.expect(der::OCTET_STRING, "extension value is not an OCTET STRING")?;
        extensions.push(RawExtension::new(oid, critical, value.content));
    }
    Ok(extensions)
}

/// RFC 5280 section 5.3.1.
fn reason(value: &[u8]) -> Option<&'static str> {
    let code = Reader::new(value).expect(der::ENUMERATED, "CRLReason is not an ENUMERATED").ok()?;
    Some(match code.content {
        [1] => "keyCompromise",
        [2] => "cACompromise",
        [3] => "affiliationChanged",
        [4] => "superseded",
        [5] => "cessationOfOperation",
        [6] => "certificateHold",
        [8] => "removeFromCRL",
        [9] => "privilegeWithdrawn",
        [10] => "aACompromise",
        _ => "unspecified",
    })
}
