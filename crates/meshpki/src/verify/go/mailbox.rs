//! Mail addresses and domains as Go reads them (`crypto/x509/verify.go: parseRFC2821Mailbox`,
//! `crypto/x509/parser.go: domainNameValid`).

use alloc::string::String;
use alloc::vec::Vec;

/// The part before the `@`, and the domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mailbox {
    pub(super) local: Vec<u8>,
    pub(super) domain: String,
}

/// `parseRFC2821Mailbox`; the text is ASCII.
pub(super) fn mailbox(text: &str) -> Option<Mailbox> {
    let (local, rest) = match text.as_bytes() {
        [] => return None,
        [b'"', rest @ ..] => quoted(rest)?,
        all => atoms(all)?,
    };
    let domain = core::str::from_utf8(rest.strip_prefix(b"@")?).ok()?;
    has_labels(domain).then(|| Mailbox { local, domain: domain.into() })
}

/// A quoted local part, and what follows it.
fn quoted(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut local = Vec::new();
    loop {
        let (byte, behind) = rest.split_first()?;
        rest = behind;
        match byte {
            b'"' => return Some((local, rest)),
            b'\\' => {
                let (escaped, behind) = rest.split_first()?;
                if !matches!(escaped, 1..=9 | 11 | 12 | 14..=127) {
                    return None;
                }
                local.push(*escaped);
                rest = behind;
            }
            1..=8 | 11 | 12 | 14..=33 | 35..=91 | 93..=127 => local.push(*byte),
            _ => return None,
        }
    }
}

/// Atoms with dots between them, and what follows.
fn atoms(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut local = Vec::new();
    while let Some((byte, behind)) = rest.split_first() {
        match byte {
            b'\\' => {
                let (escaped, behind) = behind.split_first()?;
                local.push(*escaped);
                rest = behind;
            }
            _ if byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(byte) => {
                local.push(*byte);
                rest = behind;
            }
            _ => break,
        }
    }
    let dots = local.first()? == &b'.'
        || local.last() == Some(&b'.')
        || local.windows(2).any(|pair| pair == b"..");
    (!dots).then_some((local, rest))
}

/// `domainToReverseLabels`: no label is empty, no character blank.
fn has_labels(domain: &str) -> bool {
    domain.is_empty()
        || domain
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|byte| (33..=126).contains(&byte)))
}

/// `domainNameValid`; a constraint may begin with a dot.
pub(super) fn is_domain(name: &str, constraint: bool) -> bool {
    if name.is_empty() {
        return true;
    }
    if name.ends_with('.') {
        return false;
    }
    let name = if constraint { name.strip_prefix('.').unwrap_or(name) } else { name };
    has_labels(name)
}
