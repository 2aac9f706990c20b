//! PEM text as istiod reads it: Go's `encoding/pem`, `x509.CertPool.AppendCertsFromPEM` and
//! `security/pkg/pki/util/crypto.go`, which are stricter than OpenSSL.

use alloc::string::ToString;

use crate::error::{Error, KeyProblem};
use crate::pem::{self, Block, PemError, PemProblem};

/// Whether istiod finds in the file `name` what we find in it.
pub(super) fn check(name: &str, text: &[u8], is_key: bool) -> Result<(), Error> {
    let fail = |source| Error::Pem { what: name.to_string(), source };
    check_text(text).map_err(fail)?;
    // What cannot be read at all is reported where it is read.
    let blocks = || pem::decode(text).into_iter().flatten();
    if is_key {
        return match blocks().next() {
            Some(block) if !is_key_label(&block.label) => Err(key_problem(&block).into()),
            _ => Ok(()),
        };
    }
    // Only the first block of the certificate and of the chain is checked, whatever it is.
    let all = name == "root-cert.pem" || name == "ca.crt";
    for (i, block) in blocks().enumerate() {
        let is_plain = block.label == pem::CERTIFICATE && block.headers.is_empty();
        if !is_plain && (block.is_certificate() || i == 0 && !all) {
            let problem = PemProblem::IstiodLabel { label: block.label.clone() };
            return Err(fail(PemError { line: block.line, problem }));
        }
    }
    Ok(())
}

fn is_key_label(label: &str) -> bool {
    matches!(label, "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "PRIVATE KEY")
}

fn key_problem(block: &Block) -> KeyProblem {
    if block.label == "ENCRYPTED PRIVATE KEY" {
        return KeyProblem::PassphraseNeeded;
    }
    KeyProblem::IstiodForm(block.label.as_str().into())
}

/// A byte order mark hides the first marker from Go, and base64 has to be padded.
fn check_text(text: &[u8]) -> Result<(), PemError> {
    let fail = |line, what| Err(PemError { line, problem: PemProblem::IstiodText { what } });
    if text.starts_with(b"\xef\xbb\xbf") {
        return fail(1, "text that begins with a byte order mark");
    }
    let mut body: Option<(usize, usize)> = None;
    for (i, line) in text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end).enumerate() {
        match body {
            _ if line.starts_with(b"-----BEGIN ") => body = Some((i + 1, 0)),
            Some((begin, length)) if line.starts_with(b"-----END ") => {
                if length % 4 != 0 {
                    return fail(begin, "base64 without its padding");
                }
                body = None;
            }
            Some((begin, length)) if !line.contains(&b':') => {
                body = Some((begin, length + line.len()));
            }
            _ => {}
        }
    }
    Ok(())
}
