//! PEM as Go reads it (`encoding/pem/pem.go: Decode`): it silently skips what it cannot read.
//!
//! That is not what OpenSSL does, nor what [`crate::pem`] does, which names every fault: two files joined
//! without a newline lose two certificates here, and nothing says so.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::cert::Cert;
use crate::pem::CERTIFICATE;
use crate::verify::{Reason, Rejection, go};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// A block Go found.
pub(crate) struct Block {
    /// Go's `Type`.
    pub(crate) label: String,
    /// Whether it has headers, which keep it out of a pool.
    pub(crate) headers: bool,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Every block of `text`, one after the other.
pub(crate) fn blocks(mut text: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    while let Some((block, rest)) = decode(text) {
        blocks.push(block);
        text = rest;
    }
    blocks
}

/// The certificates `CertPool.AppendCertsFromPEM` finds in `text`; each once.
pub(crate) fn pool(text: &[u8]) -> Vec<Cert> {
    let mut certs: Vec<Cert> = Vec::new();
    for block in blocks(text).iter().filter(|b| b.label == CERTIFICATE && !b.headers) {
        if let Some(cert) = certificate(&block.der)
            && !certs.contains(&cert)
        {
            certs.push(cert);
        }
    }
    certs
}

/// `x509.ParseCertificate`; a certificate that OpenSSL does not read is left out, too.
pub(crate) fn certificate(der: &[u8]) -> Option<Cert> {
    read(der).ok()
}

/// [`certificate`], or why Go does not read it.
pub(crate) fn read(der: &[u8]) -> Result<Cert, Rejection> {
    let malformed = || Rejection::new(Reason::Unreadable, "x509: malformed certificate");
    go::Certificate::from_der(der)?.cert().ok_or_else(malformed)
}

/// `crypto.go: ParsePemEncodedCertificate`: the first block, whatever its label.
pub(crate) fn first_cert(text: &[u8]) -> Result<Cert, &'static str> {
    let blocks = blocks(text);
    let first = blocks.first().ok_or("invalid PEM encoded certificate")?;
    certificate(&first.der).ok_or("failed to parse X.509 certificate")
}

/// Whether all certificates of one text are in the other (`istio_ca.go: pemBundleHasSubsetRelation`).
pub(crate) fn are_nested(a: &[u8], b: &[u8]) -> bool {
    let set = |text| -> BTreeSet<Vec<u8>> {
        let blocks = blocks(text).into_iter().filter(|block| block.label == CERTIFICATE);
        blocks.map(|block| block.der.to_vec()).collect()
    };
    let (a, b) = (set(a), set(b));
    !a.is_empty() && !b.is_empty() && (a.is_subset(&b) || b.is_subset(&a))
}

/// The first block Go finds, and what follows it. An unsound block is skipped.
fn decode(text: &[u8]) -> Option<(Block, &[u8])> {
    let mut rest = text;
    loop {
        // The first END, and the last BEGIN before it.
        let end = find(rest, END)?;
        let behind = &rest[end + END.len()..];
        let begin = rest[..end].windows(BEGIN.len()).rposition(|window| window == BEGIN);
        let at_line_start = |i: usize| i == 0 || rest[i - 1] == b'\n';
        let block = begin
            .filter(|i| at_line_start(*i))
            .and_then(|i| block(&rest[i + BEGIN.len()..], end - i - BEGIN.len()));
        if let Some(found) = block {
            return Some(found);
        }
        rest = behind;
    }
}

/// The block whose label begins `text` and whose END marker is at `end`; a label line that runs into the
/// marker leaves nothing to read.
fn block(text: &[u8], end: usize) -> Option<(Block, &[u8])> {
    let (line, mut at) = line(text, 0);
    let label = line.strip_suffix(DASHES)?;
    let mut headers = false;
    loop {
        let (line, next) = self::line(text, at);
        if next == at || !line.contains(&b':') {
            break;
        }
        headers = true;
        at = next;
    }
    // The marker begins with the newline that ends an empty body's label line.
    if headers && end < at {
        return None;
    }
    let (trailer, rest) = self::line(text, end + END.len());
    if trailer.strip_suffix(DASHES)? != label {
        return None;
    }
    let body: Vec<u8> = text
        .get(at..end)
        .unwrap_or_default()
        .iter()
        .copied()
        .filter(|b| !b" \t\r\n".contains(b))
        .collect();
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let body = Zeroizing::new(body);
    let der = Zeroizing::new(GeneralPurpose::new(&STANDARD, config).decode(body.as_slice()).ok()?);
    let label = String::from_utf8_lossy(label).into_owned();
    Some((Block { label, headers, der }, &text[rest..]))
}

/// The line at `at` without the spaces at its end, and where the next one begins (`pem.go: getLine`).
fn line(text: &[u8], at: usize) -> (&[u8], usize) {
    let text_at = text.get(at..).unwrap_or_default();
    let end = text_at.iter().position(|b| *b == b'\n');
    let line = &text_at[..end.unwrap_or(text_at.len())];
    let line = line.strip_suffix(b"\r").filter(|_| end.is_some()).unwrap_or(line);
    let kept = line.iter().rposition(|b| !b" \t".contains(b)).map_or(0, |i| i + 1);
    (&line[..kept], at + end.map_or(text_at.len(), |end| end + 1))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
