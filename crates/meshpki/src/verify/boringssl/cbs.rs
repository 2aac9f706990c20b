//! Strict DER, element by element (`crypto/bytestring/cbs.cc`).

use super::Release;
use crate::der::{CONSTRUCTED, Tag};

/// What is left of an encoding (`CBS`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Cbs<'a> {
    rest: &'a [u8],
    /// A list need not be marked as constructed (`crypto/asn1/tasn_dec.cc: asn1_check_tlen`, until June 2026).
    loose_lists: bool,
}

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    /// The identifier octet; `0x1f` and the class bits for a tag number above 30.
    pub(super) tag: Tag,
    /// The tag number.
    pub(super) number: u64,
    /// The content octets.
    pub(super) content: &'a [u8],
    /// The whole element.
    pub(super) raw: &'a [u8],
}

impl<'a> Cbs<'a> {
    /// All of `input`.
    pub(super) const fn new(input: &'a [u8]) -> Self {
        Self { rest: input, loose_lists: false }
    }

    /// All of `input`, as a release reads it.
    pub(super) fn of_release(input: &'a [u8], release: Release) -> Self {
        Self { rest: input, loose_lists: release.takes_loose_lists() }
    }

    /// The same rules for other bytes.
    pub(super) const fn with(self, rest: &'a [u8]) -> Self {
        Self { rest, ..self }
    }

    /// The only element, which must have identifier `tag`.
    pub(super) fn only(mut self, tag: Tag) -> Option<Self> {
        let content = self.get(tag)?;
        self.end()?;
        Some(content)
    }

    /// The only element, which must be a SEQUENCE OF or SET OF with identifier `tag`.
    pub(super) fn only_list(mut self, tag: Tag) -> Option<Self> {
        let content = self.get_list(tag)?;
        self.end()?;
        Some(content)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    pub(super) const fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }

    /// `cbs_get_any_asn1_element`.
    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let (tag, number, head) = identifier(self.rest)?;
        let (length, head) = length(self.rest, head)?;
        self.take(tag, number, head, length)
    }

    /// An element with a length that need not be minimal (`asn1_parse_bit_string_with_bad_length`).
    pub(super) fn any_of_bad_length(&mut self) -> Option<Element<'a>> {
        let (tag, number, head) = identifier(self.rest)?;
        let (length, head) = long_length(self.rest, head)?;
        self.take(tag, number, head, length)
    }

    fn take(&mut self, tag: Tag, number: u64, head: usize, length: usize) -> Option<Element<'a>> {
        let total = head.checked_add(length)?;
        let raw = self.rest.get(..total)?;
        self.rest = &self.rest[total..];
        Some(Element { tag, number, content: &raw[head..], raw })
    }

    /// `CBS_get_asn1`: the content of the next element, which must have identifier `tag`.
    pub(super) fn get(&mut self, tag: Tag) -> Option<Self> {
        if self.peek() != Some(tag) {
            return None;
        }
        self.any().map(|element| self.with(element.content))
    }

    /// The next element if it has identifier `tag`; the outer `None` is an error in it.
    pub(super) fn optional(&mut self, tag: Tag) -> Option<Option<Self>> {
        if self.peek() == Some(tag) { self.get(tag).map(Some) } else { Some(None) }
    }

    /// [`Cbs::get`] for a SEQUENCE OF or SET OF.
    pub(super) fn get_list(&mut self, tag: Tag) -> Option<Self> {
        self.optional_list(tag)?
    }

    /// [`Cbs::optional`] for a SEQUENCE OF or SET OF.
    pub(super) fn optional_list(&mut self, tag: Tag) -> Option<Option<Self>> {
        let is_loose = self.loose_lists && self.peek() == Some(tag & !CONSTRUCTED);
        self.optional(if is_loose { tag & !CONSTRUCTED } else { tag })
    }

    /// The identifier octet of the next element (`CBS_peek_any_asn1_tag`).
    pub(super) fn peek(self) -> Option<Tag> {
        identifier(self.rest).map(|(tag, _, _)| tag)
    }
}

/// `parse_asn1_tag`: identifier octet, tag number, and how many octets both take.
fn identifier(input: &[u8]) -> Option<(Tag, u64, usize)> {
    let tag = *input.first()?;
    let number = u64::from(tag & 0x1f);
    if number != 0x1f {
        // [UNIVERSAL 0] is reserved.
        return (tag & 0xdf != 0).then_some((tag, number, 1));
    }
    let mut number: u64 = 0;
    for (i, byte) in input.iter().enumerate().skip(1) {
        if i == 1 && *byte == 0x80 {
            return None;
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if number >= 1 << 29 {
            return None;
        }
        if byte & 0x80 == 0 {
            return (number >= 0x1f).then_some((tag, number, i + 1));
        }
    }
    None
}

/// A length of as few octets as possible, and where the content starts.
fn length(input: &[u8], head: usize) -> Option<(usize, usize)> {
    let (length, end) = long_length(input, head)?;
    let octets = end - head - 1;
    let is_minimal = match octets {
        0 => true,
        1 => length >= 0x80,
        _ => length >> (8 * (octets - 1)) != 0,
    };
    is_minimal.then_some((length, end))
}

/// A definite length of four octets at most.
fn long_length(input: &[u8], head: usize) -> Option<(usize, usize)> {
    let first = *input.get(head)?;
    if first & 0x80 == 0 {
        return Some((usize::from(first), head + 1));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let octets = input.get(head + 1..head + 1 + count)?;
    let length = octets.iter().fold(0usize, |n, byte| n << 8 | usize::from(*byte));
    Some((length, head + 1 + count))
}
