//! The ASN.1 of certificates as BoringSSL demands it: what passes here it can read, and our own readers read it alike.
//!
//! Each function answers `None` where the one it names answers 0.

use super::cbs::{Cbs, Element};
use crate::cert::RawTime;
use crate::der::{self, Tag};
use crate::time::Time;

/// INTEGER content: not empty, minimal (`crypto/bytestring/cbs.cc: CBS_is_valid_asn1_integer`).
pub(super) fn integer(content: &[u8]) -> Option<()> {
    match content {
        [] => None,
        [0, second, ..] if second & 0x80 == 0 => None,
        [0xff, second, ..] if second & 0x80 != 0 => None,
        _ => Some(()),
    }
}

/// BIT STRING content: unused bits are there and zero (`CBS_is_valid_asn1_bitstring`).
pub(super) fn bit_string(content: &[u8]) -> Option<()> {
    let (&unused, bytes) = content.split_first()?;
    if unused == 0 {
        return Some(());
    }
    (unused <= 7 && bytes.last()? & ((1 << unused) - 1) == 0).then_some(())
}

/// OBJECT IDENTIFIER content (`CBS_is_valid_asn1_oid`).
pub(super) fn oid(content: &[u8]) -> Option<()> {
    let mut previous = 0u8;
    for &byte in content {
        if previous & 0x80 == 0 && byte == 0x80 {
            return None;
        }
        previous = byte;
    }
    (!content.is_empty() && previous & 0x80 == 0).then_some(())
}

/// UTCTime or GeneralizedTime (`crypto/asn1/a_time.cc: asn1_parse_time`).
pub(super) fn time(cbs: &mut Cbs<'_>) -> Option<()> {
    let element = cbs.any()?;
    let raw = match element.tag {
        der::UTC_TIME => RawTime::new(false, element.content),
        der::GENERALIZED_TIME => RawTime::new(true, element.content),
        _ => return None,
    };
    instant(&raw, true).map(drop)
}

/// The instant of a time (`CBS_parse_rfc5280_time_internal`); a UTCTime may have an offset from UTC if `offset` is set.
pub(super) fn instant(time: &RawTime, offset: bool) -> Option<Time> {
    if let Some(instant) = time.time() {
        return Some(instant);
    }
    let (clock, zone) = time.content.split_at_checked(12)?;
    if time.generalized || !offset {
        return None;
    }
    let local = Time::from_asn1(false, &[clock, b"Z"].concat())?;
    let [sign @ (b'+' | b'-'), digits @ ..] = zone else { return None };
    let &[h1, h2, m1, m2] = digits else { return None };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let two = |a: u8, b: u8| i64::from(a - b'0') * 10 + i64::from(b - b'0');
    let (hours, minutes) = (two(h1, h2), two(m1, m2));
    let seconds = hours * 3600 + minutes * 60;
    let seconds = if *sign == b'+' { -seconds } else { seconds };
    (hours <= 23 && minutes <= 59).then_some(Time(local.0 + seconds))
}

/// A value of any type (`crypto/asn1/a_type.cc: asn1_parse_any_as_string`).
pub(super) fn any(cbs: &mut Cbs<'_>) -> Option<()> {
    let value = cbs.any()?;
    if value.tag & 0xc0 != 0 {
        return Some(());
    }
    let constructed = value.tag & der::CONSTRUCTED != 0;
    let must_be = matches!(value.number, 8 | 11 | 16 | 17 | 29);
    if value.number > 0xff || (value.number <= 36 && value.number != 15 && constructed != must_be) {
        return None;
    }
    universal(&value)
}

fn universal(value: &Element<'_>) -> Option<()> {
    let content = value.content;
    match value.tag {
        der::OID => oid(content),
        der::NULL => content.is_empty().then_some(()),
        der::BOOLEAN => matches!(content, [0 | 0xff]).then_some(()),
        der::INTEGER | der::ENUMERATED => integer(content),
        der::BIT_STRING => bit_string(content),
        der::UTF8_STRING | der::BMP_STRING | der::UNIVERSAL_STRING => text(value.tag, content),
        der::UTC_TIME | der::GENERALIZED_TIME => time(&mut Cbs::new(value.raw)),
        _ => Some(()),
    }
}

/// The string types with characters that are checked (`asn1_parse_utf8_string`, `asn1_parse_bmp_string`,
/// `asn1_parse_universal_string`; `crypto/bytestring/unicode.cc: is_valid_code_point`).
fn text(tag: Tag, content: &[u8]) -> Option<()> {
    let is_character = |c: u32| {
        c & 0xfffe != 0xfffe && !(0xfdd0..=0xfdef).contains(&c) && char::from_u32(c).is_some()
    };
    let all = match tag {
        der::UTF8_STRING => {
            core::str::from_utf8(content).ok()?.chars().all(|c| is_character(u32::from(c)))
        }
        der::BMP_STRING => {
            let (pairs, []) = content.as_chunks::<2>() else { return None };
            pairs.iter().all(|pair| is_character(u32::from(u16::from_be_bytes(*pair))))
        }
        _ => {
            let (quads, []) = content.as_chunks::<4>() else { return None };
            quads.iter().all(|quad| is_character(u32::from_be_bytes(*quad)))
        }
    };
    all.then_some(())
}

/// AlgorithmIdentifier (`crypto/x509/x_algor.cc: x509_parse_algorithm`).
pub(super) fn algorithm(cbs: &mut Cbs<'_>) -> Option<()> {
    let mut parts = cbs.get(der::SEQUENCE)?;
    oid(parts.get(der::OID)?.rest())?;
    if !parts.is_empty() {
        any(&mut parts)?;
    }
    parts.end()
}

/// Name (`crypto/x509/x_name.cc: x509_parse_name`); no RDN may be empty.
pub(super) fn name(cbs: &mut Cbs<'_>) -> Option<()> {
    let mut sets = cbs.get(der::SEQUENCE)?;
    while !sets.is_empty() {
        let mut entries = sets.get(der::SET)?;
        name_entry(&mut entries)?;
        while !entries.is_empty() {
            name_entry(&mut entries)?;
        }
    }
    Some(())
}

/// AttributeTypeAndValue (`x509_parse_name_entry`).
pub(super) fn name_entry(cbs: &mut Cbs<'_>) -> Option<()> {
    let mut parts = cbs.get(der::SEQUENCE)?;
    oid(parts.get(der::OID)?.rest())?;
    any(&mut parts)?;
    parts.end()
}

/// BOOLEAN inside a template: any octet (`crypto/asn1/tasn_dec.cc: asn1_parse_item_primitive`).
pub(super) fn boolean(cbs: &mut Cbs<'_>, tag: Tag) -> Option<bool> {
    match cbs.optional(tag)?.map(Cbs::rest) {
        None => Some(false),
        Some([octet]) => Some(*octet != 0),
        Some(_) => None,
    }
}

/// An optional element with content that `check` must accept; answers whether it is there.
pub(super) fn optional(
    cbs: &mut Cbs<'_>,
    tag: Tag,
    check: impl Fn(&[u8]) -> Option<()>,
) -> Option<bool> {
    let Some(content) = cbs.optional(tag)? else { return Some(false) };
    check(content.rest())?;
    Some(true)
}

/// The extensions of a certificate, a CRL or an entry of it (`crypto/x509/x_exten.cc: X509_EXTENSIONS`), as the content
/// of their SEQUENCE; answers how many there are.
pub(super) fn extensions(mut list: Cbs<'_>) -> Option<usize> {
    let mut count = 0;
    while !list.is_empty() {
        let mut parts = list.get(der::SEQUENCE)?;
        oid(parts.get(der::OID)?.rest())?;
        boolean(&mut parts, der::BOOLEAN)?;
        parts.get(der::OCTET_STRING)?;
        parts.end()?;
        count += 1;
    }
    Some(count)
}
