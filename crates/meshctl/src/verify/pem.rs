//! PEM exactly as OpenSSL 3.0 reads it (`crypto/pem/pem_lib.c: PEM_read_bio_ex`).
//!
//! [`meshpki::pem`] reads what people mean; this reads what `openssl verify` sees: lines of at most 254
//! bytes that end at a NUL, a blank line that turns everything before it into headers, padding that counts.

/// A block, or the fact that one was bad.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// What stands between `-----BEGIN ` and `-----`.
    pub(super) label: Vec<u8>,
    /// Header text, empty for nearly every file.
    pub(super) header: Vec<u8>,
    /// The decoded content.
    pub(super) der: Vec<u8>,
}

/// What reading one block came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A block.
    Block(Block),
    /// A BEGIN line whose block cannot be read.
    Bad,
    /// No further BEGIN line.
    End,
}

/// Reads blocks one after the other.
pub(super) struct Reader<'a> {
    text: &'a [u8],
    /// Bytes read so far.
    pub(super) at: usize,
    /// A block ran to the end of the text without an END line: there is none behind its BEGIN line.
    pub(super) unended: bool,
}

/// Longest piece of a line read at once (`LINESIZE` less its NUL).
const PIECE: usize = 254;

impl<'a> Reader<'a> {
    pub(super) const fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, unended: false }
    }

    /// The next block.
    pub(super) fn next(&mut self) -> Next {
        let Some(label) = self.begin() else { return Next::End };
        match self.body(&label) {
            Some((header, der)) => Next::Block(Block { label, header, der }),
            None => Next::Bad,
        }
    }

    /// The label of the next BEGIN line.
    pub(super) fn begin(&mut self) -> Option<Vec<u8>> {
        let mut first = true;
        loop {
            let line = self.line()?;
            let mut line = line.bytes;
            if first && line.len() > 3 {
                line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
            }
            first = false;
            let label = trimmed(line).strip_prefix(b"-----BEGIN ");
            if let Some(label) = label.and_then(|label| label.strip_suffix(b"-----")) {
                return Some(label.to_vec());
            }
        }
    }

    /// `get_header_and_data` and the decoding behind it.
    fn body(&mut self, label: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let end = [b"-----END ", label, b"-----"].concat();
        let (mut before, mut after): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
        let (mut blank, mut header, mut short, mut partial) = (false, false, false, false);
        loop {
            let Some(line) = self.line() else {
                self.unended = self.at >= self.text.len();
                return None;
            };
            let continues = std::mem::replace(&mut partial, line.partial);
            header |= !blank && line.bytes.contains(&b':');
            let text = trimmed(line.bytes);
            if text.is_empty() {
                if !continues {
                    if blank {
                        return None;
                    }
                    blank = true;
                }
                continue;
            }
            if text.starts_with(b"-----END ") {
                if text != end {
                    return None;
                }
                break;
            }
            if short {
                return None;
            }
            if blank {
                if text.len() > 64 {
                    return None;
                }
                short = text.len() < 64;
            }
            let part = if blank { &mut after } else { &mut before };
            part.extend_from_slice(text);
            part.push(b'\n');
        }
        let (header, body) = if blank || header { (before, after) } else { (after, before) };
        let der = decode_base64(&body)?;
        (!der.is_empty()).then_some((header, der))
    }

    /// `BIO_gets` on a file: up to a line feed, 254 bytes or a NUL, whichever comes first.
    fn line(&mut self) -> Option<Line<'a>> {
        let rest = &self.text[self.at..];
        let piece = &rest[..rest.len().min(PIECE)];
        let length = piece.iter().position(|b| *b == b'\n').map_or(piece.len(), |i| i + 1);
        self.at += length;
        let bytes = piece[..length].split(|b| *b == 0).next().unwrap_or_default();
        let partial = bytes.len() == PIECE && !bytes.ends_with(b"\n");
        (!bytes.is_empty()).then_some(Line { bytes, partial })
    }
}

struct Line<'a> {
    bytes: &'a [u8],
    /// The piece filled the buffer before its line ended.
    partial: bool,
}

/// `sanitize_line`: without what a signed char calls smaller than a space, at the end.
fn trimmed(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|b| (0x21..0x80).contains(b)).map_or(0, |i| i + 1);
    &line[..end]
}

/// `EVP_DecodeUpdate` and `EVP_DecodeFinal`: white space skipped, `-` ends, `=` only at the end.
fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut group, mut count, mut padding) = (0u32, 0, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => 0,
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'-' => break,
            _ => return None,
        };
        padding += usize::from(*byte == b'=');
        if padding > 2 || (padding > 0 && *byte != b'=') {
            return None;
        }
        group = group << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            out.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, count) = (0, 0);
        }
    }
    out.truncate(out.len().checked_sub(padding)?);
    (count == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Next {
        Reader::new(text.as_bytes(), 0).next()
    }

    fn der(text: &str) -> Option<Vec<u8>> {
        match read(text) {
            Next::Block(block) => Some(block.der),
            _ => None,
        }
    }

    /// Each of these was shown to `openssl verify` 3.0.19.
    #[test]
    fn blocks_as_openssl_takes_them() {
        let block = |body: &str| format!("-----BEGIN X-----\n{body}\n-----END X-----\n");
        let good = Some(vec![0, 16, 131]);
        for body in ["ABCD", " AB\tCD", "AB\nCD", "ABCD-", "ABCD\u{80}\u{fe}", "\nABCD"] {
            assert_eq!(der(&block(body)), good, "{body:?}");
        }
        for body in
            ["ABC", "ABCD\n", "AB\n\nCD", "AB*D", "A===", "", "AA==ABCD", "AB-CD", "\nAB\nCD"]
        {
            assert_eq!(read(&block(body)), Next::Bad, "{body:?}");
        }
        assert_eq!(der(&("\u{feff}".to_owned() + &block("ABCD"))), good);
        assert_eq!(der(&block("ABCD").replace("BEGIN X-----", "BEGIN X----- \t")), good);
        assert_eq!(read(&block("ABCD").replace("END X-----", "END X-----garbage")), Next::Bad);
        assert_eq!(read(&(" ".to_owned() + &block("ABCD"))), Next::End);
        assert_eq!(read(&("x".repeat(253) + &block("ABCD"))), Next::End);
        assert_eq!(der(&("x".repeat(254) + &block("ABCD"))), good);
        assert_eq!(der(&block(&"ABCD".repeat(20))).map(|d| d.len()), Some(60));
        assert_eq!(read(&block(&("\n".to_owned() + &"ABCD".repeat(20)))), Next::Bad);
    }

    #[test]
    fn headers_end_at_a_blank_line() {
        let Next::Block(block) = read("-----BEGIN X-----\nFoo: bar\n\nABCD\n-----END X-----")
        else {
            panic!("a block");
        };
        assert_eq!((block.header.as_slice(), block.der.len()), (&b"Foo: bar\n"[..], 3));
        assert_eq!(read("-----BEGIN X-----\nFoo: bar\nABCD\n-----END X-----"), Next::Bad);
    }
}
