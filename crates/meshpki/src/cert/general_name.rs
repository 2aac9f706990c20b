//! GeneralName (RFC 5280 section 4.2.1.6).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::der::shape::{check_any, check_oid, list};
use crate::der::{self, DerError, Reader, Tlv};
use crate::digest;
use crate::name::Name;
use crate::oid::Oid;

/// One name of a subjectAltName, a name constraint or a distribution point; contents are not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeneralName {
    /// `[0]` otherName: type-id and the value's DER.
    Other {
        /// The type-id.
        type_id: Oid,
        /// The value inside its `[0]` tag, whole element.
        value: Vec<u8>,
    },
    /// `[1]` rfc822Name.
    Email(Vec<u8>),
    /// `[2]` dNSName.
    Dns(Vec<u8>),
    /// `[3]` x400Address, undecoded.
    X400(Vec<u8>),
    /// `[4]` directoryName.
    Directory(Name),
    /// `[5]` ediPartyName, undecoded.
    EdiParty(Vec<u8>),
    /// `[6]` uniformResourceIdentifier.
    Uri(Vec<u8>),
    /// `[7]` iPAddress: 4 or 16 bytes, 8 or 32 in a name constraint.
    Ip(Vec<u8>),
    /// `[8]` registeredID.
    RegisteredId(Oid),
}

impl GeneralName {
    /// Reads one GeneralName (`crypto/x509/v3_genn.c: GENERAL_NAME`).
    ///
    /// # Errors
    /// An unknown choice, or a choice whose content does not decode.
    pub(crate) fn from_tlv(tlv: &Tlv<'_>) -> Result<Self, DerError> {
        let string = || tlv.string().map(alloc::borrow::Cow::into_owned);
        match tlv.tag {
            0xa0 => {
                let mut parts = tlv.reader();
                let type_id = parts.expect(der::OID, "otherName type is not an OID")?;
                check_oid(&type_id)?;
                let explicit = parts.expect(0xa0, "otherName value is not tagged [0]")?;
                parts.end("extra element in an otherName")?;
                let mut inner = explicit.reader();
                let value = inner.any()?;
                check_any(&value)?;
                inner.end("extra element in an otherName value")?;
                Ok(Self::Other { type_id: Oid::of(type_id.content), value: value.raw.to_vec() })
            }
            0x81 | 0xa1 => Ok(Self::Email(string()?)),
            0x82 | 0xa2 => Ok(Self::Dns(string()?)),
            0xa3 => Ok(Self::X400(tlv.content.to_vec())),
            0xa4 => {
                let mut inner = tlv.reader();
                let name = Name::from_tlv(
                    &inner.expect_list(der::SEQUENCE, "directoryName is not a Name")?,
                )?;
                inner.end("extra element in a directoryName")?;
                Ok(Self::Directory(name))
            }
            0xa5 => {
                edi_party(tlv)?;
                Ok(Self::EdiParty(tlv.content.to_vec()))
            }
            0x86 | 0xa6 => Ok(Self::Uri(string()?)),
            0x87 | 0xa7 => Ok(Self::Ip(string()?)),
            0x88 => {
                check_oid(tlv)?;
                Ok(Self::RegisteredId(Oid::of(tlv.content)))
            }
            _ => Err(tlv.error("unknown kind of general name")),
        }
    }

    /// The DER encoding.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        match self {
            Self::Other { type_id, value } => der::constructed(
                0xa0,
                &[&der::tlv(der::OID, type_id.as_bytes()), &der::tlv(0xa0, value)],
            ),
            Self::Email(text) => der::tlv(0x81, text),
            Self::Dns(text) => der::tlv(0x82, text),
            Self::X400(content) => der::tlv(0xa3, content),
            Self::Directory(name) => der::tlv(0xa4, name.as_der()),
            Self::EdiParty(content) => der::tlv(0xa5, content),
            Self::Uri(text) => der::tlv(0x86, text),
            Self::Ip(bytes) => der::tlv(0x87, bytes),
            Self::RegisteredId(oid) => der::tlv(0x88, oid.as_bytes()),
        }
    }
}

impl fmt::Display for GeneralName {
    /// `DNS:a.example`, `URI:spiffe://a`, `IP:10.0.0.1`: the kind and the value, made safe to print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other { type_id, .. } => write!(f, "otherName:{type_id}"),
            Self::Email(text) => write!(f, "email:{}", text.escape_ascii()),
            Self::Dns(text) => write!(f, "DNS:{}", text.escape_ascii()),
            Self::X400(_) => f.write_str("X400Name"),
            Self::Directory(name) => write!(f, "DirName:{name}"),
            Self::EdiParty(_) => f.write_str("EdiPartyName"),
            Self::Uri(text) => write!(f, "URI:{}", text.escape_ascii()),
            Self::Ip(bytes) => write!(f, "IP:{}", ip(bytes)),
            Self::RegisteredId(oid) => write!(f, "RID:{oid}"),
        }
    }
}

fn ip(bytes: &[u8]) -> String {
    use core::net::{Ipv4Addr, Ipv6Addr};
    let address = |b: &[u8]| match (<[u8; 4]>::try_from(b), <[u8; 16]>::try_from(b)) {
        (Ok(v4), _) => Some(format!("{}", Ipv4Addr::from(v4))),
        (_, Ok(v6)) => Some(format!("{}", Ipv6Addr::from(v6))),
        _ => None,
    };
    let (first, second) = bytes.split_at(bytes.len() / 2);
    address(bytes)
        .or_else(|| Some(format!("{}/{}", address(first)?, address(second)?)))
        .unwrap_or_else(|| digest::hex(bytes))
}

/// EDIPartyName: `[0]` and `[1]` EXPLICIT DirectoryString, the first optional.
fn edi_party(tlv: &Tlv<'_>) -> Result<(), DerError> {
    let mut parts = tlv.reader();
    let string = |explicit: Tlv<'_>| {
        let mut inner = explicit.reader();
        let text = inner.any()?;
        inner.end("extra element in an ediPartyName")?;
        text.string().map(drop)
    };
    if let Some(assigner) = parts.optional(0xa0)? {
        string(assigner)?;
    }
    string(parts.expect(0xa1, "ediPartyName without a partyName")?)?;
    parts.end("extra element in an ediPartyName")
}

/// GeneralNames.
pub(crate) fn general_names(value: &Tlv<'_>) -> Result<Vec<GeneralName>, DerError> {
    general_name_list(list(value)?)
}

/// The names of a list whose tag has been read.
pub(crate) fn general_name_list(mut parts: Reader<'_>) -> Result<Vec<GeneralName>, DerError> {
    let mut names = Vec::new();
    while let Some(name) = parts.next()? {
        names.push(GeneralName::from_tlv(&name)?);
    }
    Ok(names)
}
