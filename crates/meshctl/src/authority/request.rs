//! The CSR to be signed: exactly one, and nothing else that would go unseen.

use std::path::Path;

use meshpki::internals::pem::{self, Block};
use meshpki::{Csr, Error};

use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text;

/// Reads a CSR, PEM or DER. Text before the PEM block is passed over, as `openssl req -text` writes it.
///
/// # Errors
/// `ctl/one-csr` where the file holds more than one CSR and nothing else; `ctl/io`, `pki/pem`, `pki/der`.
pub(crate) fn read(path: &Path, io: &mut Io<'_>) -> Result<Csr, Failure> {
    let bytes = files::read(path, io.stdin)?;
    if bytes.first() == Some(&0x30) {
        return decode(&bytes, "the CSR", path);
    }
    let blocks: Result<Vec<Block>, _> = pem::decode(&bytes).into_iter().collect();
    let blocks = blocks
        .map_err(|source| Failure::from(Error::Pem { what: path.display().to_string(), source }))?;
    let is_csr = |block: &&Block| block.label.ends_with("CERTIFICATE REQUEST");
    let csrs: Vec<&Block> = blocks.iter().filter(is_csr).collect();
    let lines = |blocks: &[&Block]| {
        let lines: Vec<String> = blocks.iter().map(|block| block.line.to_string()).collect();
        lines.join(", ")
    };
    let one = match csrs.as_slice() {
        [one] => one,
        [] => {
            return Err(Failure::new(
                "ctl/io",
                "the file does not contain a certificate signing request",
            )
            .in_file(path)
            .hint(format!("`meshctl ca inspect {}` shows what it is", text::word(path))));
        }
        many => {
            return Err(more(path, format!("found {} CSRs", many.len()))
                .because(format!("they begin on lines {}", lines(many))));
        }
    };
    let others: Vec<&Block> = blocks.iter().filter(|block| !is_csr(block)).collect();
    if let Some(other) = others.first() {
        return Err(more(path, format!("also found a {}", other.label))
            .because(format!("it begins on line {}, the CSR on line {}", other.line, one.line)));
    }
    let behind = behind_end(&bytes);
    if behind > 0 {
        return Err(more(path, bytes_follow(behind)));
    }
    decode(&one.der, &format!("the CSR at line {}", one.line), path)
}

/// The whole of `der` as a CSR.
fn decode(der: &[u8], what: &str, path: &Path) -> Result<Csr, Failure> {
    let csr = Csr::from_der(der).map_err(|source| {
        Failure::from(Error::Der { what: what.to_owned(), source }).in_file(path)
    })?;
    match der.len() - csr.as_der().len() {
        0 => Ok(csr),
        behind => Err(more(path, bytes_follow(behind))),
    }
}

fn more(path: &Path, message: String) -> Failure {
    Failure::new("ctl/one-csr", format!("expected exactly one CSR, but {message}"))
        .in_file(path)
        .hint("put each CSR into a file of its own, with nothing after it")
}

fn bytes_follow(count: usize) -> String {
    let verb = if count == 1 { "byte follows" } else { "bytes follow" };
    format!("{count} {verb} the CSR")
}

/// Bytes after the last END line, white space aside.
fn behind_end(text: &[u8]) -> usize {
    let mark = b"-----END ";
    let Some(end) = text.windows(mark.len()).rposition(|window| window == mark) else { return 0 };
    let line_end = text[end..].iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    let rest = line_end.map_or(&[][..], |length| &text[end + length..]);
    rest.iter().filter(|byte| !byte.is_ascii_whitespace()).count()
}
