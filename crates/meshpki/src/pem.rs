//! PEM text to DER blocks and back: order kept, line numbers in errors.
//!
//! Reading follows OpenSSL (`crypto/pem/pem_lib.c: PEM_read_bio_ex`): text around blocks, CRLF, a byte
//! order mark, one long line and spaces after a line are fine; indented markers are not markers.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use zeroize::Zeroizing;

mod form;

pub use form::{Form, mended};

/// The label of a certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// The label of a certificate signing request.
pub const CERTIFICATE_REQUEST: &str = "CERTIFICATE REQUEST";
/// The label of a certificate revocation list.
pub const CRL: &str = "X509 CRL";

/// One block of PEM text.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    /// The text between `-----BEGIN ` and `-----`.
    pub label: String,
    /// `Proc-Type`, `DEK-Info` and other headers, in order.
    pub headers: Vec<(String, String)>,
    /// The decoded content.
    pub der: Vec<u8>,
    /// Line of the BEGIN marker, from 1.
    pub line: usize,
}

impl Block {
    /// Whether the block holds a certificate, by its label (`crypto/pem/pem_lib.c: check_pem`).
    #[must_use]
    pub fn is_certificate(&self) -> bool {
        matches!(self.label.as_str(), CERTIFICATE | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE")
    }

    /// Whether the block holds a private key, plain or encrypted, by its label.
    #[must_use]
    pub fn is_private_key(&self) -> bool {
        self.label.ends_with("PRIVATE KEY")
    }
}

impl Drop for Block {
    /// The content may be a private key.
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.der);
    }
}

impl core::fmt::Debug for Block {
    /// Without the content, which may be a private key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Block({} at line {}, {} bytes)", self.label, self.line, self.der.len())
    }
}

/// Why a block could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
#[non_exhaustive]
pub struct PemError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: PemProblem,
}

/// What can be wrong with PEM text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemProblem {
    /// `-----END A----------BEGIN B-----` on one line: files joined where the first had no final newline.
    #[error(
        "the END and the next BEGIN marker are on one line: a newline is missing between two files"
    )]
    Glued,
    /// A BEGIN without its END.
    #[error("`BEGIN {label}` has no END marker")]
    Unterminated {
        /// Label of the block.
        label: String,
    },
    /// An END marker with another label.
    #[error("`BEGIN {begin}` is closed by `END {end}`")]
    Mismatch {
        /// Label of the BEGIN marker.
        begin: String,
        /// Label of the END marker.
        end: String,
    },
    /// A block Go does not take for a certificate.
    #[error(
        "Go, and therefore istiod, reads only blocks labelled CERTIFICATE, without headers: this is `{label}`"
    )]
    IstiodLabel {
        /// Label of the block.
        label: String,
    },
    /// A byte order mark, or base64 without its padding: OpenSSL reads it, Go does not.
    #[error("Go, and therefore istiod, does not read {what}")]
    IstiodText {
        /// What it does not read.
        what: &'static str,
    },
    /// No content.
    #[error(
        "`{label}` has no content: text before a blank line or a line with a colon is read as a header"
    )]
    Empty {
        /// Label of the block.
        label: String,
    },
    /// Blank or overlong lines after the headers.
    #[error("the body of `{label}` has a blank, overlong or short line inside")]
    Lines {
        /// Label of the block.
        label: String,
    },
    /// A body that is not base64.
    #[error("the body of `{label}` is not base64")]
    Base64 {
        /// Label of the block.
        label: String,
    },
}

/// Every block of `text` in order; a block that cannot be read is an error in its place, and reading
/// continues after it.
///
/// ```
/// let pem = meshpki::internals::pem::encode("CERTIFICATE", b"abc");
/// let blocks = meshpki::internals::pem::decode(pem.as_bytes());
/// assert_eq!(blocks[0].as_ref().unwrap().der, b"abc");
/// ```
#[must_use]
pub fn decode(text: &[u8]) -> Vec<Result<Block, PemError>> {
    let mut lines = text.split(|b| *b == b'\n').enumerate();
    let mut blocks = Vec::new();
    // A byte order mark is skipped wherever OpenSSL begins to look for a block.
    let mut first = true;
    while let Some((i, line)) = lines.next() {
        let line = if first { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        first = false;
        if let Some(label) = marker(trimmed(line), b"-----BEGIN ") {
            blocks.push(block(label, i + 1, &mut lines));
            first = true;
        }
    }
    blocks
}

/// `der` as a PEM block: 64 characters a line, LF.
#[must_use]
pub fn encode(label: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), config)
}

/// The same text with a newline inserted between an END and a BEGIN marker on one line, and the
/// first line (from 1) where one was missing.
#[must_use]
pub fn unglue(text: &[u8]) -> (Vec<u8>, Option<usize>) {
    const GLUE: &[u8] = b"----------BEGIN ";
    let count = text.windows(GLUE.len()).filter(|window| *window == GLUE).count();
    // In one piece: what a growing buffer frees may be a key.
    let mut out = Vec::with_capacity(text.len() + count);
    let mut glued = None;
    let mut rest = text;
    while let Some(at) = rest.windows(GLUE.len()).position(|window| window == GLUE) {
        out.extend_from_slice(&rest[..at + 5]);
        glued.get_or_insert_with(|| out.iter().filter(|b| **b == b'\n').count() + 1);
        out.push(b'\n');
        rest = &rest[at + 5..];
    }
    out.extend_from_slice(rest);
    (out, glued)
}

/// Whether a block has headers, and whether they are over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Either,
    Header,
    Body,
}

/// Reads the block whose BEGIN marker is on line `begin` (`get_header_and_data`). A blank line ends the
/// headers: what precedes it is not content.
fn block<'a>(
    label: String,
    begin: usize,
    lines: &mut impl Iterator<Item = (usize, &'a [u8])>,
) -> Result<Block, PemError> {
    let (mut before, mut after): (Vec<&[u8]>, Vec<&[u8]>) = (Vec::new(), Vec::new());
    let mut part = Part::Either;
    let mut short = false;
    for (i, raw) in lines {
        let fail = |problem| Err(PemError { line: i + 1, problem });
        if part == Part::Either && raw.contains(&b':') {
            part = Part::Header;
        }
        let line = trimmed(raw);
        if line.is_empty() {
            if part == Part::Body {
                return fail(PemProblem::Lines { label });
            }
            part = Part::Body;
            continue;
        }
        if line.starts_with(b"-----END ") {
            let end = marker(line, b"-----END ").filter(|end| !end.contains("-----"));
            let Some(end) = end else { return fail(PemProblem::Glued) };
            if end != label {
                return fail(PemProblem::Mismatch { begin: label, end });
            }
            let body = if part == Part::Either { &before } else { &after };
            let der =
                decode_body(body, &label).map_err(|problem| PemError { line: begin, problem })?;
            let headers = if part == Part::Either { Vec::new() } else { headers(&before) };
            return Ok(Block { label, headers, der, line: begin });
        }
        // Behind headers, only the last line may be shorter than 64 characters, and none longer.
        if short || (part == Part::Body && line.len() > 64) {
            return fail(PemProblem::Lines { label });
        }
        if part == Part::Body {
            short = line.len() < 64;
            after.push(line);
        } else {
            before.push(line);
        }
    }
    Err(PemError { line: begin, problem: PemProblem::Unterminated { label } })
}

fn decode_body(lines: &[&[u8]], label: &str) -> Result<Vec<u8>, PemProblem> {
    let label = label.to_string();
    match decode_base64(lines) {
        Some(der) if der.is_empty() => Err(PemProblem::Empty { label }),
        Some(der) => Ok(der),
        None => Err(PemProblem::Base64 { label }),
    }
}

/// Base64 with white space anywhere, up to a dash (`crypto/evp/encode.c: EVP_DecodeUpdate`).
fn decode_base64(lines: &[&[u8]]) -> Option<Vec<u8>> {
    let text = lines.iter().flat_map(|line| line.split(|b| *b == 0).next().unwrap_or_default());
    let text = text.copied().take_while(|b| *b != b'-');
    // The text of a private key is one, too.
    let text: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.filter(|b| !matches!(b, b' ' | b'\t' | b'\r')).collect());
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&STANDARD, config).decode(&*text).ok()
}

/// Without trailing white space and control bytes; bytes above 0x7f count as such (`sanitize_line`, where
/// `char` is signed).
fn trimmed(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|b| matches!(b, 0x21..0x80)).map_or(0, |last| last + 1);
    &line[..end]
}

fn headers(lines: &[&[u8]]) -> Vec<(String, String)> {
    lines.iter().filter_map(|line| header(line)).collect()
}

/// The label between `prefix` and five dashes, when that is the whole line.
fn marker(line: &[u8], prefix: &[u8]) -> Option<String> {
    let label = line.strip_prefix(prefix)?.strip_suffix(b"-----")?;
    core::str::from_utf8(label).ok().map(ToString::to_string)
}

fn header(line: &[u8]) -> Option<(String, String)> {
    let (name, value) = core::str::from_utf8(line).ok()?.split_once(':')?;
    Some((name.trim().to_string(), value.trim().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<Result<usize, PemError>> {
        decode(text.as_bytes()).into_iter().map(|b| b.map(|b| b.der.len())).collect()
    }

    #[test]
    fn tolerant_where_openssl_is() {
        let pem = encode(CERTIFICATE, &[7; 100]);
        let two = alloc::format!("subject=x\n{pem}\nissuer=y\n{pem}");
        for text in [two.clone(), two.replace('\n', "\r\n"), two.replace("-----\n", "-----  \n")] {
            assert_eq!(labels(&text), [Ok(100), Ok(100)], "{text}");
        }
        let bytes = [b"\xef\xbb\xbf".as_slice(), pem.trim_end().as_bytes()].concat();
        assert_eq!(decode(&bytes)[0].as_ref().unwrap().der.len(), 100);
        assert_eq!(labels(&pem.replace("-----BEGIN", " -----BEGIN")), []);
        assert_eq!(labels("not pem"), []);
    }

    #[test]
    fn what_stands_before_a_blank_line_is_a_header() {
        let pem = encode(CERTIFICATE, &[7; 60]);
        let blank = pem.replacen("BwcH\n", "BwcH\n\n", 1);
        assert_eq!(labels(&blank), [Ok(12)]);
        let colon = pem.replacen('\n', "\nname: value\n", 1);
        assert!(matches!(
            labels(&colon)[0],
            Err(PemError { line: 1, problem: PemProblem::Empty { .. } })
        ));
        let twice = pem.replacen('\n', "\nname: value\n\n\n", 1);
        assert!(matches!(
            labels(&twice)[0],
            Err(PemError { problem: PemProblem::Lines { .. }, .. })
        ));
        let padded = encode(CERTIFICATE, &[7; 61]);
        assert!(labels(&padded.replace('=', ""))[0].is_err());
    }

    #[test]
    fn problems_name_their_line() {
        let pem = encode(CERTIFICATE, &[7; 10]);
        let glued = pem.trim_end().to_string() + &pem;
        let check = |text: &str, expect: &str| {
            let errors: Vec<String> = decode(text.as_bytes())
                .into_iter()
                .filter_map(|b| b.err().map(|e| e.to_string()))
                .collect();
            assert_eq!(errors, [expect]);
        };
        check(
            &glued,
            "line 3: the END and the next BEGIN marker are on one line: a newline is missing between two files",
        );
        check(&pem[..40], "line 1: `BEGIN CERTIFICATE` has no END marker");
        check(
            &pem.replace("END CERT", "END DIRT"),
            "line 3: `BEGIN CERTIFICATE` is closed by `END DIRTIFICATE`",
        );
        check(&pem.replace("BwcH", "B*cH"), "line 1: the body of `CERTIFICATE` is not base64");
    }

    #[test]
    fn headers_are_kept() {
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let block = decode(text.as_bytes()).remove(0).unwrap();
        assert_eq!(block.headers[0], ("Proc-Type".to_string(), "4,ENCRYPTED".to_string()));
        assert_eq!(block.der, [0, 0, 0]);
    }
}
