//! The host name, e-mail address and IP address a target must have (`crypto/x509/x509_vfy.c: check_id`,
//! `crypto/x509/v3_utl.c: do_x509_check`).

use core::net::IpAddr;

use super::{Run, Step};
use crate::cert::{Cert, GeneralName};
use crate::der::{self, Reader};
use crate::oid;

impl Run<'_> {
    /// `crypto/x509/x509_vfy.c: check_id`.
    pub(super) fn check_id(&mut self) -> Step {
        let target = self.chain[0].cert;
        let host = self.policy.host.as_deref().filter(|host| !host.is_empty());
        if host.is_some_and(|host| !has_host(target, host.as_bytes())) {
            self.report(62, 0)?;
        }
        if self.policy.email.as_ref().is_some_and(|email| !has_email(target, email.as_bytes())) {
            self.report(63, 0)?;
        }
        if self.policy.ip.is_some_and(|ip| !has_ip(target, ip)) {
            self.report(64, 0)?;
        }
        Ok(())
    }
}

fn alternative_names(cert: &Cert) -> &[GeneralName] {
    cert.extensions().subject_alt_name.as_deref().unwrap_or_default()
}

/// `X509_check_host`: the dNSNames; without any, the common names.
fn has_host(cert: &Cert, host: &[u8]) -> bool {
    let mut any = false;
    for name in alternative_names(cert) {
        let GeneralName::Dns(pattern) = name else { continue };
        any = true;
        if !pattern.is_empty() && matches_host(pattern, host) {
            return true;
        }
    }
    !any && subject_has(cert, oid::COMMON_NAME, |pattern| matches_host(pattern, host))
}

/// `X509_check_email`: the rfc822Names and addresses in UTF-8; without any, those of the subject.
fn has_email(cert: &Cert, email: &[u8]) -> bool {
    let mut any = false;
    for name in alternative_names(cert) {
        let address = match name {
            GeneralName::Email(address) => Some(address.as_slice()),
            GeneralName::Other { type_id, value } if type_id == oid::SMTP_UTF8_MAILBOX => {
                let value = Reader::new(value).any().ok();
                value.filter(|v| v.tag == der::UTF8_STRING).map(|v| v.content)
            }
            _ => None,
        };
        let Some(address) = address else { continue };
        any = true;
        if !address.is_empty() && matches_email(address, email) {
            return true;
        }
    }
    !any && subject_has(cert, oid::EMAIL_ADDRESS, |address| matches_email(address, email))
}

/// `X509_check_ip`: the iPAddresses only.
fn has_ip(cert: &Cert, ip: IpAddr) -> bool {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    alternative_names(cert)
        .iter()
        .any(|name| matches!(name, GeneralName::Ip(there) if *there == octets))
}

/// Whether an attribute of the subject fits; one that is not text ends the search.
fn subject_has(cert: &Cert, kind: &[u8], fits: impl Fn(&[u8]) -> bool) -> bool {
    for attribute in cert.subject().attributes(kind) {
        if attribute.value.is_empty() {
            continue;
        }
        match attribute.utf8() {
            Some(text) if fits(&text) => return true,
            Some(_) => {}
            None => return false,
        }
    }
    false
}

/// `equal_email`: the host whatever its case, the local part to the letter.
fn matches_email(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let at = (0..a.len()).rev().find(|i| a[*i] == b'@' || b[*i] == b'@');
    match at {
        Some(at) => {
            equal_host(&a[at..], &b[at..], false)
                && (at == 0 && a == b || at > 0 && a[..at] == b[..at])
        }
        None => a == b,
    }
}

/// `equal_wildcard`. A host that starts with `.` asks for anything below it.
fn matches_host(pattern: &[u8], host: &[u8]) -> bool {
    let below = host.len() > 1 && host[0] == b'.';
    let star = if below { None } else { valid_star(pattern) };
    match star {
        Some(star) => matches_wildcard(&pattern[..star], &pattern[star + 1..], host),
        None => equal_host(pattern, host, below),
    }
}

/// `equal_nocase` and `skip_prefix`.
fn equal_host(pattern: &[u8], host: &[u8], below: bool) -> bool {
    let extra = pattern.len().saturating_sub(host.len());
    let pattern = if below && !pattern[..extra].contains(&0) { &pattern[extra..] } else { pattern };
    pattern.eq_ignore_ascii_case(host) && !pattern.contains(&0)
}

/// `wildcard_match`: one label, or a part of one.
fn matches_wildcard(before: &[u8], after: &[u8], host: &[u8]) -> bool {
    if host.len() < before.len() + after.len() {
        return false;
    }
    let (start, rest) = host.split_at(before.len());
    let (middle, end) = rest.split_at(rest.len() - after.len());
    if !equal_host(before, start, false) || !equal_host(end, after, false) {
        return false;
    }
    let whole_label = before.is_empty() && after.first() == Some(&b'.');
    if whole_label && middle.is_empty() {
        return false;
    }
    // No part of an internationalised label may be a wildcard.
    if !whole_label && starts_with_xn(host) {
        return false;
    }
    middle == b"*" || middle.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
}

fn starts_with_xn(label: &[u8]) -> bool {
    label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"xn--"))
}

/// The place of the wildcard in a valid pattern: one star, at an end of the first label, at least two dots
/// (`valid_star`).
fn valid_star(pattern: &[u8]) -> Option<usize> {
    let mut star = None;
    let (mut label_start, mut hyphen, mut international) = (true, false, false);
    let mut dots = 0;
    for (i, byte) in pattern.iter().enumerate() {
        match byte {
            b'*' => {
                let at_end = pattern.get(i + 1).is_none_or(|next| *next == b'.');
                if star.is_some() || international || dots > 0 || !(label_start || at_end) {
                    return None;
                }
                star = Some(i);
                label_start = false;
            }
            b if b.is_ascii_alphanumeric() => {
                international |= label_start && starts_with_xn(&pattern[i..]);
                (label_start, hyphen) = (false, false);
            }
            b'.' => {
                if label_start || hyphen {
                    return None;
                }
                (label_start, hyphen, international) = (true, false, false);
                dots += 1;
            }
            b'-' => {
                if label_start {
                    return None;
                }
                hyphen = true;
            }
            _ => return None,
        }
    }
    star.filter(|_| !label_start && !hyphen && dots >= 2)
}
