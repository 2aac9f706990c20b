//! The extensions path validation looks at, decoded once
//! (`crypto/x509/v3_purp.c: ossl_x509v3_cache_extensions`).

use alloc::vec::Vec;

use super::{Cert, GeneralName, RawExtension, bit_string, check_integer, small_integer};
use crate::der::{self, DerError, Reader, Tlv};
use crate::name::check_oid;
use crate::oid;

/// The decoded extensions of a certificate.
#[derive(Clone, Debug, Default)]
pub struct Extensions {
    /// basicConstraints.
    pub basic_constraints: Option<BasicConstraints>,
    /// keyUsage.
    pub key_usage: Option<KeyUsage>,
    /// extKeyUsage: content octets of each OID.
    pub ext_key_usage: Option<Vec<Vec<u8>>>,
    /// subjectKeyIdentifier.
    pub subject_key_id: Option<Vec<u8>>,
    /// authorityKeyIdentifier.
    pub authority_key_id: Option<AuthorityKeyId>,
    /// subjectAltName.
    pub subject_alt_name: Option<Vec<GeneralName>>,
    /// nameConstraints.
    pub name_constraints: Option<NameConstraints>,
    /// An extension of those above is there twice, cannot be decoded, or says what it must not:
    /// such a certificate is nobody's issuer and nobody's subject.
    pub invalid: bool,
}

/// basicConstraints (RFC 5280 section 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasicConstraints {
    /// May sign certificates.
    pub ca: bool,
    /// How many intermediates may stand between this certificate and a leaf; `None`: any number.
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
pub struct NameConstraints {
    /// permittedSubtrees.
    pub permitted: Vec<Subtree>,
    /// excludedSubtrees.
    pub excluded: Vec<Subtree>,
}

/// One subtree of a name constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// The base name.
    pub base: GeneralName,
    /// `minimum` is not 0, or `maximum` is there: OpenSSL does not support that.
    pub bounded: bool,
}

impl Extensions {
    pub(super) fn cache(cert: &Cert) -> Self {
        let mut this = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        for extension in cert.raw_extensions() {
            if is_cached(&extension.oid) {
                this.invalid |= seen.contains(&extension.oid.as_slice());
                seen.push(&extension.oid);
                this.invalid |= this.read(extension).is_err();
            }
        }
        this.invalid |= this.key_usage.is_some_and(|usage| usage.0 == 0);
        this
    }

    fn read(&mut self, extension: &RawExtension) -> Result<(), DerError> {
        let value = Reader::new(&extension.value).any()?;
        match extension.oid.as_slice() {
            oid::BASIC_CONSTRAINTS => {
                self.basic_constraints = Some(basic_constraints(&value, extension.critical)?)
            }
            oid::KEY_USAGE => self.key_usage = Some(key_usage(&value)?),
            oid::EXT_KEY_USAGE => self.ext_key_usage = Some(ext_key_usage(&value)?),
            oid::SUBJECT_KEY_ID => {
                if value.tag & !der::CONSTRUCTED != der::OCTET_STRING {
                    return Err(value.error("subjectKeyIdentifier is an OCTET STRING"));
                }
                self.subject_key_id = Some(value.string()?.into_owned());
            }
            oid::AUTHORITY_KEY_ID => self.authority_key_id = Some(authority_key_id(&value)?),
            oid::SUBJECT_ALT_NAME => self.subject_alt_name = Some(general_names(&value)?),
            oid::NAME_CONSTRAINTS => self.name_constraints = Some(name_constraints(&value)?),
            _ => {}
        }
        Ok(())
    }
}

fn is_cached(oid: &[u8]) -> bool {
    matches!(
        oid,
        oid::BASIC_CONSTRAINTS
            | oid::KEY_USAGE
            | oid::EXT_KEY_USAGE
            | oid::SUBJECT_KEY_ID
            | oid::AUTHORITY_KEY_ID
            | oid::SUBJECT_ALT_NAME
            | oid::NAME_CONSTRAINTS
    )
}

fn sequence<'a>(value: &Tlv<'a>) -> Result<Reader<'a>, DerError> {
    if value.tag == der::SEQUENCE {
        Ok(value.reader())
    } else {
        Err(value.error("a SEQUENCE is wanted"))
    }
}

fn basic_constraints(value: &Tlv<'_>, critical: bool) -> Result<BasicConstraints, DerError> {
    let mut parts = sequence(value)?;
    let ca = match parts.optional(der::BOOLEAN)? {
        Some(flag) if flag.content.len() != 1 => return Err(flag.error("BOOLEAN is not one byte")),
        Some(flag) => flag.content[0] != 0,
        None => false,
    };
    let path_len = match parts.optional(der::INTEGER)? {
        Some(number) => {
            check_integer(&number)?;
            let negative = number.content[0] & 0x80 != 0;
            if negative {
                return Err(number.error("negative path length"));
            }
            small_integer(number.content)
        }
        None => None,
    };
    parts.end("extra element in basicConstraints")?;
    Ok(BasicConstraints { ca, path_len, critical })
}

fn key_usage(value: &Tlv<'_>) -> Result<KeyUsage, DerError> {
    if value.tag & !der::CONSTRUCTED != der::BIT_STRING {
        return Err(value.error("keyUsage is a BIT STRING"));
    }
    let (bytes, _) = bit_string(value)?;
    let byte = |i: usize| bytes.get(i).copied().unwrap_or(0);
    Ok(KeyUsage(u16::from_be_bytes([byte(0), byte(1)])))
}

fn ext_key_usage(value: &Tlv<'_>) -> Result<Vec<Vec<u8>>, DerError> {
    let mut usages = Vec::new();
    let mut parts = sequence(value)?;
    while let Some(usage) = parts.next()? {
        if usage.tag != der::OID {
            return Err(usage.error("an extended key usage is an OID"));
        }
        check_oid(&usage)?;
        usages.push(usage.content.to_vec());
    }
    Ok(usages)
}

fn authority_key_id(value: &Tlv<'_>) -> Result<AuthorityKeyId, DerError> {
    let mut parts = sequence(value)?;
    let mut id = AuthorityKeyId::default();
    if let Some(key_id) = parts.optional_string(der::context(0))? {
        id.key_id = Some(key_id.string()?.into_owned());
    }
    if let Some(issuer) = parts.optional(0xa1)? {
        id.issuer = Some(general_name_list(issuer.reader())?);
    }
    if let Some(serial) = parts.optional(der::context(2))? {
        check_integer(&serial)?;
        id.serial = Some(serial.content.to_vec());
    }
    parts.end("extra element in authorityKeyIdentifier")?;
    Ok(id)
}

fn general_names(value: &Tlv<'_>) -> Result<Vec<GeneralName>, DerError> {
    general_name_list(sequence(value)?)
}

fn general_name_list(mut parts: Reader<'_>) -> Result<Vec<GeneralName>, DerError> {
    let mut names = Vec::new();
    while let Some(name) = parts.next()? {
        names.push(GeneralName::from_tlv(&name)?);
    }
    Ok(names)
}

fn name_constraints(value: &Tlv<'_>) -> Result<NameConstraints, DerError> {
    let mut parts = sequence(value)?;
    let mut lists = [Vec::new(), Vec::new()];
    for (list, tag) in lists.iter_mut().zip([0xa0, 0xa1]) {
        if let Some(subtrees) = parts.optional(tag)? {
            let mut items = subtrees.reader();
            while let Some(item) = items.next()? {
                list.push(subtree(&item)?);
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
