//! Distinguished names as Go reads them (`crypto/x509/parser.go: parseName`, `parseASN1String`).

use alloc::string::String;

use super::bytes::Bytes;
use crate::der::{self, Tag};
use crate::oid;

/// What Go's messages show of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Label {
    /// The last common name.
    pub(super) common_name: String,
    /// The first organization.
    pub(super) organization: Option<String>,
}

/// Reads the content of a Name.
pub(super) fn read(mut rdns: Bytes<'_>) -> Result<Label, String> {
    let mut label = Label::default();
    while !rdns.is_empty() {
        let mut set = rdns.read(der::SET).ok_or("x509: invalid RDNSequence")?;
        while !set.is_empty() {
            let mut attribute =
                set.read(der::SEQUENCE).ok_or("x509: invalid RDNSequence: invalid attribute")?;
            let kind =
                attribute.oid().ok_or("x509: invalid RDNSequence: invalid attribute type")?;
            let value =
                attribute.any().ok_or("x509: invalid RDNSequence: invalid attribute value")?;
            let text = string(value.tag, value.content).map_err(|why| {
                alloc::format!("x509: invalid RDNSequence: invalid attribute value: {why}")
            })?;
            match kind {
                oid::COMMON_NAME => label.common_name = text,
                oid::ORGANIZATION if label.organization.is_none() => {
                    label.organization = Some(text);
                }
                _ => {}
            }
        }
    }
    Ok(label)
}

/// `parseASN1String`.
fn string(tag: Tag, value: &[u8]) -> Result<String, String> {
    let text = || String::from_utf8_lossy(value).into_owned();
    let checked = |good: bool, why: &str| if good { Ok(text()) } else { Err(why.into()) };
    match tag {
        der::T61_STRING => Ok(value.iter().map(|byte| char::from(*byte)).collect()),
        der::PRINTABLE_STRING => checked(value.iter().all(is_printable), "invalid PrintableString"),
        der::UTF8_STRING => checked(core::str::from_utf8(value).is_ok(), "invalid UTF-8 string"),
        der::BMP_STRING => bmp(value).ok_or_else(|| "invalid BMPString".into()),
        der::IA5_STRING => checked(value.is_ascii(), "invalid IA5String"),
        der::NUMERIC_STRING => checked(
            value.iter().all(|byte| byte.is_ascii_digit() || *byte == b' '),
            "invalid NumericString",
        ),
        other => Err(alloc::format!("unsupported string type: {other}")),
    }
}

fn is_printable(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?*&".contains(byte)
}

/// UCS-2 without surrogates and noncharacters; a terminator is cut.
fn bmp(value: &[u8]) -> Option<String> {
    let value =
        value.strip_suffix(&[0, 0]).filter(|_| value.len().is_multiple_of(2)).unwrap_or(value);
    if !value.len().is_multiple_of(2) {
        return None;
    }
    let units = value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    units
        .map(|unit| match unit {
            0xfffe | 0xffff | 0xfdd0..=0xfdef => None,
            _ => char::from_u32(u32::from(unit)),
        })
        .collect()
}
