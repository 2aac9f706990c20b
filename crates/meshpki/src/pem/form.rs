//! What a file is that should be PEM text and is not quite: the forms certificates arrive in.

use alloc::vec::Vec;
use core::fmt;

use crate::der::{self, Reader};

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

/// OID of signedData, PKCS#7, 1.2.840.113549.1.7.2.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
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

fn binary(bytes: &[u8]) -> Option<Form> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some(Form::Utf16),
        [0x30, ..] => {}
        _ => return None,
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
