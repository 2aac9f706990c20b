//! Tolerant reading and strict writing of DER.
//!
//! The reader accepts what OpenSSL's d2i functions accept, which is more than DER: BER lengths that are
//! not minimal or indefinite, constructed strings, any non-zero BOOLEAN. It keeps raw slices, because
//! signatures are checked over the bytes as given. The writer makes DER only.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

/// Nesting of indefinite and constructed encodings the reader follows
/// (`crypto/asn1/tasn_dec.c: ASN1_MAX_CONSTRUCTED_NEST`).
const MAX_NESTING: usize = 30;

/// An identifier octet with a tag number below 31, as encoded.
pub type Tag = u8;

/// BOOLEAN.
pub const BOOLEAN: Tag = 0x01;
/// INTEGER.
pub const INTEGER: Tag = 0x02;
/// BIT STRING.
pub const BIT_STRING: Tag = 0x03;
/// OCTET STRING.
pub const OCTET_STRING: Tag = 0x04;
/// NULL.
pub const NULL: Tag = 0x05;
/// OBJECT IDENTIFIER.
pub const OID: Tag = 0x06;
/// ENUMERATED.
pub const ENUMERATED: Tag = 0x0a;
/// UTF8String.
pub const UTF8_STRING: Tag = 0x0c;
/// NumericString.
pub const NUMERIC_STRING: Tag = 0x12;
/// PrintableString.
pub const PRINTABLE_STRING: Tag = 0x13;
/// T61String, also called TeletexString; read as Latin-1, as everyone does.
pub const T61_STRING: Tag = 0x14;
/// IA5String.
pub const IA5_STRING: Tag = 0x16;
/// UTCTime.
pub const UTC_TIME: Tag = 0x17;
/// GeneralizedTime.
pub const GENERALIZED_TIME: Tag = 0x18;
/// VisibleString, also called ISO646String.
pub const VISIBLE_STRING: Tag = 0x1a;
/// UniversalString, four bytes a character.
pub const UNIVERSAL_STRING: Tag = 0x1c;
/// BMPString, two bytes a character.
pub const BMP_STRING: Tag = 0x1e;
/// SEQUENCE, constructed.
pub const SEQUENCE: Tag = 0x30;
/// SET, constructed.
pub const SET: Tag = 0x31;
/// The bit that marks a constructed encoding.
pub const CONSTRUCTED: Tag = 0x20;

/// The identifier octet of context tag `[n]`, primitive.
#[must_use]
pub const fn context(n: u8) -> Tag {
    0x80 | n
}

/// Why an encoding could not be read, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DerError {
    /// Offset in bytes from the start of the outermost input.
    pub at: usize,
    /// What is wrong there, in a few words.
    pub what: &'static str,
}

impl fmt::Display for DerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

impl core::error::Error for DerError {}

/// One element of an encoding.
#[derive(Clone, Copy, Debug)]
pub struct Tlv<'a> {
    /// Identifier octet. Tags above 30 take more octets, which are in `raw`; this is then `0x1f` and the class bits.
    pub tag: Tag,
    /// The whole element: identifier, length, content, and end-of-contents octets if any.
    pub raw: &'a [u8],
    /// The content octets, without end-of-contents octets.
    pub content: &'a [u8],
    /// Offset of `raw` in the outermost input.
    pub at: usize,
    /// Octets of `raw` before the content.
    pub head: usize,
}

impl<'a> Tlv<'a> {
    /// A reader over the content.
    #[must_use]
    pub const fn reader(&self) -> Reader<'a> {
        Reader { rest: self.content, at: self.at + self.head }
    }

    /// Whether the encoding is constructed.
    #[must_use]
    pub const fn is_constructed(&self) -> bool {
        self.tag & CONSTRUCTED != 0
    }

    /// The error `what`, at this element.
    #[must_use]
    pub const fn error(&self, what: &'static str) -> DerError {
        DerError { at: self.at, what }
    }

    /// The bytes of a string type: the content, or the joined pieces of a constructed encoding
    /// (`crypto/asn1/tasn_dec.c: asn1_collect`).
    ///
    /// # Errors
    /// When the pieces cannot be read or nest too deep.
    pub fn string(&self) -> Result<Cow<'a, [u8]>, DerError> {
        if !self.is_constructed() {
            return Ok(Cow::Borrowed(self.content));
        }
        // In one piece: what a growing buffer frees may be a key.
        let mut joined = Vec::with_capacity(self.content.len());
        self.collect(&mut joined, 0)?;
        Ok(Cow::Owned(joined))
    }

    fn collect(&self, into: &mut Vec<u8>, depth: usize) -> Result<(), DerError> {
        if depth > MAX_NESTING / 6 {
            return Err(self.error("string nested too deep"));
        }
        let mut pieces = self.reader();
        while let Some(piece) = pieces.next()? {
            if piece.is_constructed() {
                piece.collect(into, depth + 1)?;
            } else {
                into.extend_from_slice(piece.content);
            }
        }
        Ok(())
    }
}

/// Reads elements one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader over `input`, whose first byte has offset 0.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { rest: input, at: 0 }
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left to read.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next identifier octet, without reading it.
    #[must_use]
    pub fn peek(&self) -> Option<Tag> {
        self.rest.first().copied()
    }

    /// The error `what`, at the current place.
    #[must_use]
    pub const fn error(&self, what: &'static str) -> DerError {
        DerError { at: self.at, what }
    }

    /// The next element, whatever it is; `None` at the end.
    ///
    /// # Errors
    /// When the encoding is truncated or malformed.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator of results would hide the position"
    )]
    pub fn next(&mut self) -> Result<Option<Tlv<'a>>, DerError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        if self.rest.starts_with(&[0, 0]) {
            return Err(self.error("end-of-contents out of place"));
        }
        let tlv = element(self.rest, self.at)?;
        self.rest = &self.rest[tlv.raw.len()..];
        self.at += tlv.raw.len();
        Ok(Some(tlv))
    }

    /// The next element, which must be there.
    ///
    /// # Errors
    /// When there is none, or it is malformed.
    pub fn any(&mut self) -> Result<Tlv<'a>, DerError> {
        self.next()?.ok_or(DerError { at: self.at, what: "element missing" })
    }

    /// The next element, which must have identifier `tag`.
    ///
    /// # Errors
    /// When it is missing, malformed or another; `what` says what was expected.
    pub fn expect(&mut self, tag: Tag, what: &'static str) -> Result<Tlv<'a>, DerError> {
        match self.peek() {
            Some(found) if found == tag => self.any(),
            _ => Err(self.error(what)),
        }
    }

    /// The next element if it has identifier `tag`.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn optional(&mut self, tag: Tag) -> Result<Option<Tlv<'a>>, DerError> {
        if self.peek() == Some(tag) { self.next() } else { Ok(None) }
    }

    /// The next element if it is the string type `tag`, primitive or constructed.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn optional_string(&mut self, tag: Tag) -> Result<Option<Tlv<'a>>, DerError> {
        if self.peek().is_some_and(|t| t & !CONSTRUCTED == tag) { self.next() } else { Ok(None) }
    }

    /// The next element, which must be the string type `tag`, primitive or constructed.
    ///
    /// # Errors
    /// When it is missing, malformed or another.
    pub fn expect_string(&mut self, tag: Tag, what: &'static str) -> Result<Tlv<'a>, DerError> {
        self.optional_string(tag)?.ok_or(DerError { at: self.at, what })
    }

    /// The octets of the next element, which must be the string type `tag`, primitive or constructed.
    ///
    /// # Errors
    /// When it is missing, malformed or another.
    pub fn expect_octets(
        &mut self,
        tag: Tag,
        what: &'static str,
    ) -> Result<Cow<'a, [u8]>, DerError> {
        self.expect_string(tag, what)?.string()
    }

    /// The next element, which must be a SEQUENCE OF, SET OF or tagged list of identifier `tag`. OpenSSL does
    /// not mind when a list is not marked as constructed (`crypto/asn1/tasn_dec.c: asn1_template_noexp_d2i`).
    ///
    /// # Errors
    /// When it is missing, malformed or another.
    pub fn expect_list(&mut self, tag: Tag, what: &'static str) -> Result<Tlv<'a>, DerError> {
        self.expect_string(tag & !CONSTRUCTED, what)
    }

    /// The next element if it is such a list.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn optional_list(&mut self, tag: Tag) -> Result<Option<Tlv<'a>>, DerError> {
        self.optional_string(tag & !CONSTRUCTED)
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// When something is.
    pub const fn end(&self, what: &'static str) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError { at: self.at, what }) }
    }
}

/// The first element of `input` (`crypto/asn1/asn1_lib.c: ASN1_get_object`).
fn element(input: &[u8], at: usize) -> Result<Tlv<'_>, DerError> {
    let fail = |what| DerError { at, what };
    let (tag, head) = identifier(input).ok_or(fail("bad tag"))?;
    let (length, head) = length(input, head).ok_or(fail("bad length"))?;
    let (content, total) = match length {
        Some(length) => (length, head.checked_add(length).ok_or(fail("bad length"))?),
        None if tag & CONSTRUCTED == 0 => return Err(fail("indefinite length of a primitive")),
        None => {
            let content = indefinite(&input[head..], at + head)?;
            (content, head + content + 2)
        }
    };
    let raw = input.get(..total).ok_or(fail("length past the end"))?;
    Ok(Tlv { tag, raw, content: &raw[head..head + content], at, head })
}

/// Identifier octet and how many octets the whole identifier takes.
fn identifier(input: &[u8]) -> Option<(Tag, usize)> {
    let tag = *input.first()?;
    if tag & 0x1f != 0x1f {
        return Some((tag, 1));
    }
    let mut number: u32 = 0;
    for (i, byte) in input.iter().enumerate().skip(1) {
        number = number.checked_mul(128)? | u32::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return (number < 1 << 31).then_some((tag, i + 1));
        }
    }
    None
}

/// Length (`None`: indefinite) and where the content starts (`asn1_get_length`).
fn length(input: &[u8], head: usize) -> Option<(Option<usize>, usize)> {
    let first = *input.get(head)?;
    match first {
        0x80 => Some((None, head + 1)),
        0..0x80 => Some((Some(usize::from(first)), head + 1)),
        _ => {
            let octets = input.get(head + 1..head + 1 + usize::from(first & 0x7f))?;
            let significant = &octets[octets.iter().take_while(|b| **b == 0).count()..];
            if significant.len() > size_of::<usize>() {
                return None;
            }
            let length = significant.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
            (length < 1 << 31).then_some((Some(length), head + 1 + octets.len()))
        }
    }
}

/// How many content octets there are before the end-of-contents octets that close an indefinite length
/// (`crypto/asn1/tasn_dec.c: asn1_find_end`). One pass, no recursion.
fn indefinite(input: &[u8], at: usize) -> Result<usize, DerError> {
    let mut open = 1usize;
    let mut pos = 0usize;
    loop {
        let rest = input.get(pos..).filter(|r| !r.is_empty());
        let rest = rest.ok_or(DerError { at: at + pos, what: "end-of-contents missing" })?;
        if rest.starts_with(&[0, 0]) {
            open -= 1;
            if open == 0 {
                return Ok(pos);
            }
            pos += 2;
            continue;
        }
        let fail = DerError { at: at + pos, what: "bad length" };
        let (tag, head) = identifier(rest).ok_or(fail)?;
        match length(rest, head).ok_or(fail)? {
            (Some(length), head) => pos = pos.checked_add(head + length).ok_or(fail)?,
            (None, head) if tag & CONSTRUCTED != 0 => {
                open += 1;
                pos += head;
            }
            _ => return Err(fail),
        }
    }
}

/// `tag` with `content`, in DER.
#[must_use]
pub fn tlv(tag: Tag, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    push_length(&mut out, content.len());
    out.extend_from_slice(content);
    out
}

/// `tag` with the joined `parts` as content, in DER.
#[must_use]
pub fn constructed(tag: Tag, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|p| p.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    push_length(&mut out, length);
    parts.iter().for_each(|p| out.extend_from_slice(p));
    out
}

/// A SEQUENCE of `parts`.
#[must_use]
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    constructed(SEQUENCE, parts)
}

/// A BIT STRING of whole bytes.
#[must_use]
pub fn bit_string(bytes: &[u8]) -> Vec<u8> {
    constructed(BIT_STRING, &[&[0], bytes])
}

/// A non-negative INTEGER from big-endian bytes, minimal.
#[must_use]
pub fn integer(big_endian: &[u8]) -> Vec<u8> {
    let zeros = big_endian.iter().take_while(|b| **b == 0).count();
    match &big_endian[zeros..] {
        [] => tlv(INTEGER, &[0]),
        bytes if bytes[0] & 0x80 != 0 => constructed(INTEGER, &[&[0], bytes]),
        bytes => tlv(INTEGER, bytes),
    }
}

/// Appends the identifier octet `tag` and the length octets of `length`.
pub(crate) fn push_header(out: &mut Vec<u8>, tag: Tag, length: usize) {
    out.push(tag);
    push_length(out, length);
}

/// How many octets [`push_header`] appends.
pub(crate) const fn header_length(length: usize) -> usize {
    if length < 0x80 { 2 } else { 2 + (usize::BITS - length.leading_zeros()).div_ceil(8) as usize }
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    if let Ok(short) = u8::try_from(length)
        && short < 0x80
    {
        out.push(short);
        return;
    }
    let bytes = length.to_be_bytes();
    let significant = &bytes[bytes.iter().take_while(|b| **b == 0).count()..];
    out.push(0x80 | u8::try_from(significant.len()).expect("a length has at most eight octets"));
    out.extend_from_slice(significant);
}

pub(crate) mod shape;
#[cfg(test)]
mod tests;
