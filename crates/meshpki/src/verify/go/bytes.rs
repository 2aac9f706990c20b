//! DER as Go reads it (`vendor/golang.org/x/crypto/cryptobyte/asn1.go`): minimal lengths of up to four octets, no tag
//! above 30; bytes after a value are the caller's affair, who often ignores them.

use alloc::string::String;
use alloc::vec::Vec;

use crate::der::{self, Tag};
use crate::time::Time;

/// What is left to read (`cryptobyte.String`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

/// An element: its tag, its content, and both with the header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: Tag,
    pub(super) content: &'a [u8],
    pub(super) raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// Its content, to read on.
    pub(super) const fn bytes(&self) -> Bytes<'a> {
        Bytes(self.content)
    }
}

impl<'a> Bytes<'a> {
    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// `PeekASN1Tag`.
    pub(super) fn has(self, tag: Tag) -> bool {
        self.0.first() == Some(&tag)
    }

    /// `readASN1`.
    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let [tag, first, rest @ ..] = self.0 else { return None };
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, header) = if first & 0x80 == 0 {
            (usize::from(*first), 2)
        } else {
            let octets = usize::from(first & 0x7f);
            let octets = rest.get(..octets).filter(|octets| (1..=4).contains(&octets.len()))?;
            let length = octets.iter().fold(0_u64, |all, octet| all << 8 | u64::from(*octet));
            if length < 128 || octets[0] == 0 {
                return None;
            }
            (usize::try_from(length).ok()?, 2 + octets.len())
        };
        let raw = self.0.get(..length.checked_add(header)?)?;
        self.0 = &self.0[raw.len()..];
        Some(Element { tag: *tag, content: &raw[header..], raw })
    }

    /// `ReadASN1Element` and `ReadASN1`: the next element, which must have this tag.
    pub(super) fn element(&mut self, tag: Tag) -> Option<Element<'a>> {
        self.any().filter(|element| element.tag == tag)
    }

    /// `ReadASN1`.
    pub(super) fn read(&mut self, tag: Tag) -> Option<Self> {
        self.element(tag).map(|element| element.bytes())
    }

    /// `ReadOptionalASN1`: an element that is there must be sound.
    pub(super) fn optional(&mut self, tag: Tag) -> Option<Option<Self>> {
        if self.has(tag) { self.read(tag).map(Some) } else { Some(None) }
    }

    /// `ReadASN1Integer` of a `big.Int`: the two's complement, minimal.
    pub(super) fn integer(&mut self, tag: Tag) -> Option<&'a [u8]> {
        let content = self.element(tag)?.content;
        let is_minimal = match content {
            [] => false,
            [0, second, ..] => second & 0x80 != 0,
            [0xff, second, ..] => second & 0x80 == 0,
            _ => true,
        };
        is_minimal.then_some(content)
    }

    /// `ReadASN1Integer` of an `int64`.
    pub(super) fn small_integer(&mut self, tag: Tag) -> Option<i64> {
        let content = self.integer(tag).filter(|content| content.len() <= 8)?;
        let sign = if content[0] & 0x80 == 0 { 0 } else { -1 };
        Some(content.iter().fold(sign, |all, octet| all << 8 | i64::from(*octet)))
    }

    /// `ReadASN1Boolean`.
    pub(super) fn boolean(&mut self) -> Option<bool> {
        match self.element(der::BOOLEAN)?.content {
            [0] => Some(false),
            [0xff] => Some(true),
            _ => None,
        }
    }

    /// `ReadASN1BitString`: unused bits and content.
    pub(super) fn bit_string(&mut self) -> Option<(u8, &'a [u8])> {
        let (unused, bits) = self.element(der::BIT_STRING)?.content.split_first()?;
        let last = bits.last().copied().unwrap_or_default();
        let is_sound = *unused <= 7
            && (!bits.is_empty() || *unused == 0)
            && last & ((1_u8 << unused) - 1) == 0;
        is_sound.then_some((*unused, bits))
    }

    /// `ReadASN1ObjectIdentifier`: the content of an OID whose arcs fit 31 bits.
    pub(super) fn oid(&mut self) -> Option<&'a [u8]> {
        let content = self.element(der::OID)?.content;
        let mut arcs = content;
        if content.is_empty() {
            return None;
        }
        while !arcs.is_empty() {
            arcs = after_arc(arcs)?;
        }
        Some(content)
    }

    /// `ReadASN1UTCTime` and `ReadASN1GeneralizedTime`; also in another zone, and a UTCTime without seconds.
    pub(super) fn time(&mut self) -> Result<Time, &'static str> {
        if self.has(der::UTC_TIME) {
            let text = self.element(der::UTC_TIME).map(|time| time.content);
            text.and_then(utc_time).ok_or("x509: malformed UTCTime")
        } else if self.has(der::GENERALIZED_TIME) {
            let text = self.element(der::GENERALIZED_TIME).map(|time| time.content);
            text.and_then(generalized_time).ok_or("x509: malformed GeneralizedTime")
        } else {
            Err("x509: unsupported time format")
        }
    }
}

/// `readBase128Int`: what follows an arc.
fn after_arc(arcs: &[u8]) -> Option<&[u8]> {
    if arcs.first() == Some(&0x80) {
        return None;
    }
    let mut value = 0_u64;
    for (i, octet) in arcs.iter().enumerate() {
        if i == 5 || value >= 1 << (31 - 7) {
            return None;
        }
        value = value << 7 | u64::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            return Some(&arcs[i + 1..]);
        }
    }
    None
}

fn utc_time(text: &[u8]) -> Option<Time> {
    zoned(false, text, 12).or_else(|| {
        // Without seconds.
        let (minutes, zone) = text.split_at_checked(10)?;
        zoned(false, &[minutes, b"00", zone].concat(), 12)
    })
}

fn generalized_time(text: &[u8]) -> Option<Time> {
    zoned(true, text, 14)
}

/// Digits and a zone: `Z`, or an offset, which must not be zero, since Go writes the time again and compares.
fn zoned(generalized: bool, text: &[u8], digits: usize) -> Option<Time> {
    let (digits, zone) = text.split_at_checked(digits)?;
    let time = Time::from_asn1(generalized, &[digits, b"Z"].concat())?;
    let offset = match zone {
        b"Z" => return Some(time),
        [sign @ (b'+' | b'-'), clock @ ..] if clock.len() == 4 => {
            if !clock.iter().all(u8::is_ascii_digit) {
                return None;
            }
            let number =
                |at: usize| i64::from(clock[at] - b'0') * 10 + i64::from(clock[at + 1] - b'0');
            let (hours, minutes) = (number(0), number(2));
            if hours > 24 || minutes > 59 {
                return None;
            }
            let seconds = (hours * 60 + minutes) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    (offset != 0).then_some(Time(time.0 - offset))
}

/// `asn1.BitString.RightAlign`: the bits moved so that the last octet is full.
pub(super) fn right_aligned(unused: u8, bits: &[u8]) -> Vec<u8> {
    if unused == 0 || bits.is_empty() {
        return bits.to_vec();
    }
    let carried = |i: usize| if i == 0 { 0 } else { bits[i - 1] << (8 - unused) };
    bits.iter().enumerate().map(|(i, octet)| octet >> unused | carried(i)).collect()
}

/// Text that is ASCII, as Go demands of an IA5String.
pub(super) fn ascii(bytes: &[u8]) -> Option<String> {
    bytes.is_ascii().then(|| String::from_utf8_lossy(bytes).into_owned())
}
