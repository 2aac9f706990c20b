//! What OpenSSL demands of a value once its tag and length are read: the grammar of INTEGER, BIT STRING, OBJECT
//! IDENTIFIER, SEQUENCE and ANY (`crypto/asn1/tasn_dec.c`, `crypto/asn1/a_*.c`).

use alloc::vec::Vec;
use core::ops::Range;

use crate::der::{self, DerError, Reader, Tlv};

/// The place of an element in the encoding it was read from.
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

/// Content octets of an OID: not empty, terminated, no leading 0x80 in an arc
/// (`crypto/asn1/a_object.c: ossl_c2i_ASN1_OBJECT`).
pub(crate) fn check_oid(oid: &Tlv<'_>) -> Result<(), DerError> {
    let bad = oid.content.last().is_none_or(|b| b & 0x80 != 0)
        || oid
            .content
            .iter()
            .enumerate()
            .any(|(i, b)| *b == 0x80 && (i == 0 || oid.content[i - 1] & 0x80 == 0));
    if bad { Err(oid.error("invalid OID encoding")) } else { Ok(()) }
}

/// A value of any type, decoded as far as OpenSSL does (`crypto/asn1/tasn_dec.c: asn1_d2i_ex_primitive`).
pub(crate) fn check_any(value: &Tlv<'_>) -> Result<(), DerError> {
    let constructed = value.is_constructed();
    match value.tag & !der::CONSTRUCTED {
        0x40.. => Ok(()),
        0x10 | 0x11 if constructed => Ok(()),
        0x10 | 0x11 => Err(value.error("SEQUENCE or SET that is not constructed")),
        der::NULL | der::BOOLEAN | der::OID | der::INTEGER | der::ENUMERATED if constructed => {
            Err(value.error("a primitive type that is constructed"))
        }
        der::NULL if !value.content.is_empty() => Err(value.error("NULL has content")),
        der::BOOLEAN if value.content.len() != 1 => Err(value.error("BOOLEAN is not one byte")),
        der::OID => check_oid(value),
        der::INTEGER | der::ENUMERATED => check_integer(value),
        der::BIT_STRING => bit_string(value).map(drop),
        der::BMP_STRING if value.string()?.len() % 2 != 0 => {
            Err(value.error("BMPString of odd length"))
        }
        der::UNIVERSAL_STRING if value.string()?.len() % 4 != 0 => {
            Err(value.error("UniversalString of odd length"))
        }
        _ => value.string().map(drop),
    }
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

/// Bits of a big-endian number.
pub(crate) fn bit_length(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|b| **b == 0).count();
    let bytes = &number[zeros..];
    let top = bytes.first().map_or(0, |b| b.leading_zeros());
    (bytes.len() * 8).saturating_sub(usize::try_from(top).unwrap_or(0))
}

/// A SEQUENCE, which must be marked as constructed.
pub(crate) fn sequence<'a>(value: &Tlv<'a>) -> Result<Reader<'a>, DerError> {
    if value.tag == der::SEQUENCE {
        Ok(value.reader())
    } else {
        Err(value.error("expected a SEQUENCE"))
    }
}

/// A SEQUENCE OF, which OpenSSL also takes when it is not marked as constructed.
pub(crate) fn list<'a>(value: &Tlv<'a>) -> Result<Reader<'a>, DerError> {
    if value.tag | der::CONSTRUCTED == der::SEQUENCE {
        Ok(value.reader())
    } else {
        Err(value.error("expected a SEQUENCE"))
    }
}

/// A BOOLEAN that is false when it is not there.
pub(crate) fn boolean(parts: &mut Reader<'_>, tag: der::Tag) -> Result<bool, DerError> {
    match parts.optional(tag)? {
        Some(flag) if flag.content.len() != 1 => Err(flag.error("BOOLEAN is not one byte")),
        Some(flag) => Ok(flag.content[0] != 0),
        None => Ok(false),
    }
}
