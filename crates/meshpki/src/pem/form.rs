//! What a file is that should be PEM text and is not quite: the forms certificates arrive in.

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::unglue;
use crate::der::{self, Reader};
use crate::pkcs7::SIGNED_DATA;

/// A form of certificates that PEM readers do not take, or not all of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// UTF-16 text, which Windows tools write.
    Utf16,
    /// A byte order mark before a marker: OpenSSL reads the block, Go does not.
    ByteOrderMark {
        /// The line, from 1.
        line: usize,
    },
    /// Line ends are the two characters `\` and `n`, as in a JSON string.
    EscapedNewlines,
    /// The binary encoding of one certificate.
    Der,
    /// A PKCS#7 container, binary or PEM.
    Pkcs7 {
        /// Whether it is binary.
        binary: bool,
    },
    /// A PKCS#12 container, which is binary.
    Pkcs12,
    /// Blanks before a marker: no reader takes it for a marker.
    Indented {
        /// The line, from 1.
        line: usize,
    },
    /// END and BEGIN on one line: a newline is missing between two files.
    Glued {
        /// The line, from 1.
        line: usize,
    },
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const MARKER: &[u8] = b"-----BEGIN ";

impl Form {
    /// The forms of `bytes`; none if it is plain PEM text or something else. Binary ones come alone.
    ///
    /// ```
    /// use meshpki::internals::pem::Form;
    /// let text = b" -----BEGIN CERTIFICATE-----";
    /// assert_eq!(Form::of(text), [Form::Indented { line: 1 }]);
    /// ```
    #[must_use]
    pub fn of(bytes: &[u8]) -> Vec<Self> {
        if let Some(binary) = binary(bytes) {
            return alloc::vec![binary];
        }
        let line = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let find = |part: &[u8]| bytes.windows(part.len()).position(|window| window == part);
        let marked = [BYTE_ORDER_MARK, MARKER].concat();
        let mut forms = Vec::new();
        if find(b"-----BEGIN PKCS7-----").is_some() {
            forms.push(Self::Pkcs7 { binary: false });
        }
        if let Some(at) = find(&marked) {
            forms.push(Self::ByteOrderMark { line: line(at) });
        }
        if find(b"-----\\n").is_some() {
            forms.push(Self::EscapedNewlines);
        }
        if let Some(at) = indented(bytes) {
            forms.push(Self::Indented { line: line(at) });
        }
        let glue = [b"-----".as_slice(), MARKER].concat();
        let with_mark = [b"-----".as_slice(), &marked].concat();
        if let Some(at) = find(&glue).or_else(|| find(&with_mark)) {
            forms.push(Self::Glued { line: line(at) });
        }
        forms
    }
}

/// The same text as PEM readers take it, and what was changed: from UTF-16 to UTF-8, without byte order marks and
/// indentation, with a newline between an END and a BEGIN marker. Line numbers stay the same up to such a newline.
#[must_use]
pub fn mended(bytes: &[u8]) -> (Zeroizing<Vec<u8>>, Vec<Form>) {
    let utf8 = from_utf16(bytes);
    let mut mended: Vec<Form> = utf8.iter().map(|_| Form::Utf16).collect();
    let mut text = utf8.unwrap_or_else(|| Zeroizing::new(bytes.to_vec()));
    for form in Form::of(&text) {
        match form {
            Form::ByteOrderMark { .. } => text = without_marks(&text),
            Form::Indented { .. } => text = without_indentation(&text),
            Form::Glued { .. } => text = Zeroizing::new(unglue(&text).0),
            _ => continue,
        }
        mended.push(form);
    }
    (text, mended)
}

/// How two bytes become a unit of UTF-16.
type Unit = fn([u8; 2]) -> u16;

/// UTF-16 without its byte order mark, and how it is read: with such a mark, or if a marker begins the text.
fn utf16(bytes: &[u8]) -> Option<(&[u8], Unit)> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => Some((rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Some((rest, u16::from_be_bytes)),
        [b'-', 0, b'-', 0, ..] => Some((bytes, u16::from_le_bytes)),
        [0, b'-', 0, b'-', ..] => Some((bytes, u16::from_be_bytes)),
        _ => None,
    }
}

/// UTF-16 as UTF-8.
fn from_utf16(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (rest, unit) = utf16(bytes)?;
    let units = rest.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    // At most three bytes for a unit, in one piece: what a growing buffer frees may be a key.
    let mut text = Zeroizing::new(Vec::with_capacity(rest.len() / 2 * 3));
    for c in char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)) {
        text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(text)
}

fn without_marks(mut text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    while let Some((first, rest)) = text.split_first() {
        match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => text = rest,
            None => {
                out.push(*first);
                text = rest;
            }
        }
    }
    out
}

fn without_indentation(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let trimmed = lines
        .map(|line| &line[line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()..]);
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    trimmed.for_each(|line| out.extend_from_slice(line));
    out
}

fn binary(bytes: &[u8]) -> Option<Form> {
    if utf16(bytes).is_some() {
        return Some(Form::Utf16);
    }
    if bytes.first() != Some(&der::SEQUENCE) {
        return None;
    }
    let outer = Reader::new(bytes).any().ok()?;
    let first = outer.reader().any().ok()?;
    match first.tag {
        der::OID if first.content == SIGNED_DATA => Some(Form::Pkcs7 { binary: true }),
        der::INTEGER if first.content == [3] => Some(Form::Pkcs12),
        // The version, which every certificate with extensions has, and no CRL, CSR or key.
        der::SEQUENCE => (first.reader().peek() == Some(0xa0)).then_some(Form::Der),
        _ => None,
    }
}

/// Where a marker is with nothing but blanks before it on its line.
fn indented(bytes: &[u8]) -> Option<usize> {
    let mut start = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        let blanks = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        if blanks > 0 && line[blanks..].starts_with(MARKER) {
            return Some(start);
        }
        start += line.len() + 1;
    }
    None
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utf16 => f.write_str("the file is UTF-16 text; PEM is ASCII"),
            Self::ByteOrderMark { line } => write!(
                f,
                "line {line}: there is a byte order mark before the BEGIN marker, so Go does not see the block"
            ),
            Self::EscapedNewlines => {
                f.write_str("the line ends are the two characters `\\n`, as in a JSON string")
            }
            Self::Der => f.write_str("the file is a certificate in DER, which is binary"),
            Self::Pkcs7 { binary: true } => f.write_str("the file is a PKCS#7 container in DER"),
            Self::Pkcs7 { binary: false } => f.write_str("the file has a PKCS#7 container"),
            Self::Pkcs12 => f.write_str("the file is a PKCS#12 container"),
            Self::Indented { line } => {
                write!(f, "line {line}: the BEGIN marker is indented, so no reader sees the block")
            }
            Self::Glued { line } => write!(
                f,
                "line {line}: the END and the next BEGIN marker are on one line: a newline is missing between two files"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let check = |bytes: &[u8], expect: &[Form]| assert_eq!(Form::of(bytes), expect);
        check(b"", &[]);
        check(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &[]);
        check(b"\xff\xfe-\0", &[Form::Utf16]);
        check(b"\xef\xbb\xbf-----BEGIN X-----", &[Form::ByteOrderMark { line: 1 }]);
        check(b"-----BEGIN X-----\\nAA", &[Form::EscapedNewlines]);
        check(b"a\n\t-----BEGIN X-----", &[Form::Indented { line: 2 }]);
        check(b"a\n-----END X----------BEGIN X-----", &[Form::Glued { line: 2 }]);
        check(
            b"-----END X-----\xef\xbb\xbf-----BEGIN X-----",
            &[Form::ByteOrderMark { line: 1 }, Form::Glued { line: 1 }],
        );
        check(b"-----BEGIN PKCS7-----\n", &[Form::Pkcs7 { binary: false }]);
        let signed = der::sequence(&[&der::tlv(der::OID, SIGNED_DATA)]);
        check(&signed, &[Form::Pkcs7 { binary: true }]);
        check(&der::sequence(&[&[2, 1, 3]]), &[Form::Pkcs12]);
    }
}
