//! Strict DER, element by element (`crypto/bytestring/cbs.cc`).

use crate::der::Tag;

/// What is left of an encoding (`CBS`).
#[derive(Clone, Copy, Debug)]
pub(super) struct Cbs<'a>(&'a [u8]);

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
        Self(input)
    }

    /// The only element of `input`, which must have identifier `tag`.
    pub(super) fn only(input: &'a [u8], tag: Tag) -> Option<Self> {
        let mut all = Self(input);
        let content = all.get(tag)?;
        all.end()?;
        Some(content)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    /// `cbs_get_any_asn1_element`.
    pub(super) fn any(&mut self) -> Option<Element<'a>> {
        let (tag, number, head) = identifier(self.0)?;
        let (length, head) = length(self.0, head)?;
        self.take(tag, number, head, length)
    }

    /// An element whose length need not be minimal (`asn1_parse_bit_string_with_bad_length`).
    pub(super) fn any_of_bad_length(&mut self) -> Option<Element<'a>> {
        let (tag, number, head) = identifier(self.0)?;
        let (length, head) = long_length(self.0, head)?;
        self.take(tag, number, head, length)
    }

    fn take(&mut self, tag: Tag, number: u64, head: usize, length: usize) -> Option<Element<'a>> {
        let total = head.checked_add(length)?;
        let raw = self.0.get(..total)?;
        self.0 = &self.0[total..];
        Some(Element { tag, number, content: &raw[head..], raw })
    }

    /// `CBS_get_asn1`: the content of the next element, which must have identifier `tag`.
    pub(super) fn get(&mut self, tag: Tag) -> Option<Self> {
        if self.peek() != Some(tag) {
            return None;
        }
        self.any().map(|element| Self(element.content))
    }

    /// The next element if it has identifier `tag`; the outer `None` is an error in it.
    pub(super) fn optional(&mut self, tag: Tag) -> Option<Option<Self>> {
        if self.peek() == Some(tag) { self.get(tag).map(Some) } else { Some(None) }
    }

    /// The identifier octet of the next element (`CBS_peek_any_asn1_tag`).
    pub(super) fn peek(self) -> Option<Tag> {
        identifier(self.0).map(|(tag, _, _)| tag)
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
