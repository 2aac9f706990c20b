//! Name constraints (`crypto/x509/x509_vfy.c: check_name_constraints`, `crypto/x509/v3_ncons.c`).

use alloc::vec::Vec;

use super::{Code, Release, Run, Step, Stop, punycode};
use crate::cert::{Cert, GeneralName, NameConstraints, Subtree};
use crate::der::{self, Reader};
use crate::name::{Attribute, Name};
use crate::oid;

mod uri;

pub(super) use uri::host as uri_host;

/// Names times subtrees, above which OpenSSL gives up (`NAME_CHECK_MAX`).
const LIMIT: usize = 1 << 20;

/// Why a name does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// With a code.
    Code(u8),
    /// With code 53, and a message in the error queue that ends with a line break.
    NoScheme,
    /// OpenSSL runs into an internal error and prints nothing.
    Silently,
}

/// Whether the subject of a proxy certificate is its issuer's name and one common name more (RFC 3820 section 3.4;
/// `crypto/x509/x509_vfy.c: check_name_constraints`).
fn extends_issuer(cert: &Cert) -> bool {
    let mut rdns = cert.subject().rdns();
    rdns.retain(|rdn| !rdn.is_empty());
    let Some(last) = rdns.pop() else { return false };
    let [attribute] = &last[..] else { return false };
    attribute.oid == oid::COMMON_NAME
        && !rdns.is_empty()
        && Name::from_rdns(rdns.iter().map(Vec::as_slice)) == *cert.issuer()
        && cert.subject().attribute_count() == cert.issuer().attribute_count() + 1
}

/// Checks the names of `cert` against the name constraints of `issuer`, if it has any, as every release does. The common
/// name is checked too, as for a target.
///
/// # Errors
/// The code the first `openssl verify` reports: 47 and 48 outside what is permitted or inside what is excluded, 49, 51,
/// 53 for names and constraints it cannot compare, 1 for too many of them.
pub(crate) fn check_name_constraints(cert: &Cert, issuer: &Cert) -> Result<(), Code> {
    let Some(constraints) = &issuer.extensions().name_constraints else { return Ok(()) };
    Release::ALL.into_iter().try_for_each(|release| {
        check_cert(cert, constraints, true, release).map_err(|refused| match refused {
            Refused::Code(code) => Code(code),
            Refused::NoScheme => Code(53),
            Refused::Silently => Code(1),
        })
    })
}

impl Run<'_> {
    /// `crypto/x509/x509_vfy.c: check_name_constraints`, from the anchor down; the anchor's own constraints
    /// count.
    pub(super) fn check_name_constraints(&mut self) -> Step {
        for depth in (0..self.chain.len()).rev() {
            let cert = self.chain[depth].cert;
            if depth != 0 && cert.is_self_issued() {
                continue;
            }
            if cert.extensions().proxy && !extends_issuer(cert) {
                self.report(72, depth)?;
            }
            for above in (depth + 1..self.chain.len()).rev() {
                let issuer = self.chain[above].cert;
                let Some(constraints) = &issuer.extensions().name_constraints else { continue };
                match check_cert(cert, constraints, depth == 0, self.policy.release) {
                    Ok(()) => {}
                    Err(Refused::Code(code)) => self.report(code, depth)?,
                    Err(Refused::NoScheme) => {
                        self.queue_breaks_line = true;
                        self.report(53, depth)?;
                    }
                    Err(Refused::Silently) => return Err(Stop),
                }
            }
        }
        Ok(())
    }
}

/// `crypto/x509/v3_ncons.c: NAME_CONSTRAINTS_check` and `NAME_CONSTRAINTS_check_CN`.
fn check_cert(
    cert: &Cert,
    constraints: &NameConstraints,
    is_target: bool,
    release: Release,
) -> Result<(), Refused> {
    each_name(cert, is_target, constraints, |name| check_name(name, constraints, release))
}

/// Calls `check` with every name of `cert` that constraints are about, in OpenSSL's order.
pub(super) fn each_name(
    cert: &Cert,
    is_target: bool,
    constraints: &NameConstraints,
    mut check: impl FnMut(&GeneralName) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let subject = cert.subject();
    let alternative = cert.extensions().subject_alt_name.as_deref().unwrap_or_default();
    let names = subject.attribute_count() + alternative.len();
    let subtrees = constraints.permitted.len() + constraints.excluded.len();
    if names > 0 && subtrees > LIMIT / names {
        return Err(Refused::Code(1));
    }
    if !subject.is_empty() {
        check(&GeneralName::Directory(subject.clone()))?;
        for attribute in subject.attributes(oid::EMAIL_ADDRESS) {
            if attribute.tag != der::IA5_STRING {
                return Err(Refused::Code(53));
            }
            check(&GeneralName::Email(attribute.value))?;
        }
    }
    alternative.iter().try_for_each(&mut check)?;
    let has_dns = alternative.iter().any(|name| matches!(name, GeneralName::Dns(_)));
    if is_target && !has_dns {
        for attribute in subject.attributes(oid::COMMON_NAME) {
            if let Some(host) = common_name_as_host(&attribute)? {
                check(&GeneralName::Dns(host))?;
            }
        }
    }
    Ok(())
}

/// `crypto/x509/v3_ncons.c: cn2dnsid`: the common name, where it looks like a host name of two labels or
/// more.
fn common_name_as_host(attribute: &Attribute) -> Result<Option<Vec<u8>>, Refused> {
    let Some(mut text) = attribute.utf8() else { return Err(Refused::Silently) };
    let length = text.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    text.truncate(length);
    if text.contains(&0) {
        return Err(Refused::Code(53));
    }
    let mut labels = false;
    for (i, byte) in text.iter().enumerate() {
        let inner = i > 0 && i + 1 < text.len();
        match byte {
            b'_' => {}
            b if b.is_ascii_alphanumeric() => {}
            b'-' if inner => {}
            b'.' if inner && !matches!(text[i + 1], b'.' | b'-') && text[i - 1] != b'-' => {
                labels = true;
            }
            _ => return Ok(None),
        }
    }
    Ok(labels.then_some(text))
}

/// `crypto/x509/v3_ncons.c: nc_match`: inside a permitted subtree of its kind, if there is one, and
/// outside every excluded one.
fn check_name(
    name: &GeneralName,
    constraints: &NameConstraints,
    release: Release,
) -> Result<(), Refused> {
    let mut outside = false;
    let mut inside = false;
    for subtree in constraints.permitted.iter().filter(|s| concerns(s, name)) {
        if subtree.bounded {
            return Err(Refused::Code(49));
        }
        if !inside {
            inside = matches(name, &subtree.base, release)?;
            outside = !inside;
        }
    }
    if outside {
        return Err(Refused::Code(47));
    }
    for subtree in constraints.excluded.iter().filter(|s| concerns(s, name)) {
        if subtree.bounded {
            return Err(Refused::Code(49));
        }
        if matches(name, &subtree.base, release)? {
            return Err(Refused::Code(48));
        }
    }
    Ok(())
}

/// Whether a subtree is about names of that kind. An e-mail address in UTF-8 counts as e-mail address (RFC
/// 8398 section 6).
pub(super) fn concerns(subtree: &Subtree, name: &GeneralName) -> bool {
    use GeneralName as N;
    match (name, &subtree.base) {
        (N::Other { type_id, .. }, N::Email(_)) => type_id == oid::SMTP_UTF8_MAILBOX,
        (N::Other { type_id: a, .. }, N::Other { type_id: b, .. }) => {
            a == b && a != oid::SMTP_UTF8_MAILBOX
        }
        (N::Other { .. }, _) => false,
        (name, base) => core::mem::discriminant(name) == core::mem::discriminant(base),
    }
}

/// `crypto/x509/v3_ncons.c: nc_match_single`.
pub(super) fn matches(
    name: &GeneralName,
    base: &GeneralName,
    release: Release,
) -> Result<bool, Refused> {
    use GeneralName as N;
    match (name, base) {
        (N::Directory(name), N::Directory(base)) => Ok(matches_directory(name, base)),
        (N::Dns(name), N::Dns(base)) => Ok(matches_dns(name, base)),
        (N::Email(name), N::Email(base)) => matches_email(name, base),
        (N::Other { value, .. }, N::Email(base)) => matches_utf8_email(value, base, release),
        (N::Uri(name), N::Uri(base)) => matches_uri(name, base, release),
        (N::Ip(name), N::Ip(base)) => matches_ip(name, base),
        _ => Err(Refused::Code(51)),
    }
}

/// `nc_dn`: the first RDNs agree.
fn matches_directory(name: &Name, base: &Name) -> bool {
    name.canonical().starts_with(base.canonical())
}

/// `nc_dns`: the same host, or any number of labels before it.
fn matches_dns(name: &[u8], base: &[u8]) -> bool {
    let Some(&first) = base.first() else { return true };
    let Some(extra) = name.len().checked_sub(base.len()) else { return false };
    (extra == 0 || first == b'.' || name[extra - 1] == b'.')
        && name[extra..].eq_ignore_ascii_case(base)
}

/// `nc_email`: `.domain` for what is below it, `domain` or `@domain` for a host, `local@domain` for one box.
fn matches_email(name: &[u8], base: &[u8]) -> Result<bool, Refused> {
    let at = |text: &[u8]| text.iter().rposition(|b| *b == b'@');
    let Some(name_at) = at(name) else { return Err(Refused::Code(53)) };
    let host = &name[name_at + 1..];
    let Some(base_at) = at(base) else {
        if base.first() == Some(&b'.') {
            return Ok(name.len() > base.len() && ends_with(name, base));
        }
        return Ok(host.eq_ignore_ascii_case(base));
    };
    if base_at > 0 {
        if base_at != name_at {
            return Ok(false);
        }
        if base[..base_at].contains(&0) || name[..name_at].contains(&0) {
            return Err(Refused::Code(53));
        }
        if base[..base_at] != name[..name_at] {
            return Ok(false);
        }
    }
    Ok(host.eq_ignore_ascii_case(&base[base_at + 1..]))
}

/// Octets a constraint in UTF-8 may have, with the NUL after it (`char ulabel[256]` in `nc_email_eai`); 3.0 leaves the
/// last one free.
const UTF8_BASE: usize = 256;

/// `nc_email_eai`: only the host of an address in UTF-8 is compared, with the constraint turned into UTF-8.
///
/// Before a constraint that starts with a dot OpenSSL puts another one, so `.example.com` is met by what ends in
/// `..example.com`, and by nothing else.
fn matches_utf8_email(value: &[u8], base: &[u8], release: Release) -> Result<bool, Refused> {
    if base.contains(&0) {
        return Err(Refused::Code(53));
    }
    let text = Reader::new(value).any().ok();
    let text = text.filter(|v| v.tag & !der::CONSTRUCTED == der::UTF8_STRING);
    let text = text.and_then(|v| v.string().ok()).ok_or(Refused::Code(53))?;
    let at = text.iter().rposition(|b| *b == b'@').ok_or(Refused::Code(53))?;
    let below = base.first() == Some(&b'.');
    // `crypto/x509/v3_ncons.c: nc_email_eai` of 3.5
    let room = if release.since(3, 5) { UTF8_BASE } else { UTF8_BASE - 1 };
    let room = if below { room - 1 } else { room };
    let mut base = punycode::to_unicode(base, room).ok_or(Refused::Code(1))?;
    if below {
        base.insert(0, b'.');
        return Ok(text.len() > base.len() && ends_with(&text, &base));
    }
    Ok(text[at + 1..].eq_ignore_ascii_case(&base))
}

/// `nc_uri`: the host, or below a domain.
fn matches_uri(name: &[u8], base: &[u8], release: Release) -> Result<bool, Refused> {
    let host = uri::host(name, release)?;
    if base.first() == Some(&b'.') {
        return Ok(host.len() > base.len() && ends_with(host, base));
    }
    Ok(host.eq_ignore_ascii_case(base))
}

/// `nc_ip`: address and mask, of one family.
fn matches_ip(name: &[u8], base: &[u8]) -> Result<bool, Refused> {
    if !matches!(name.len(), 4 | 16) || !matches!(base.len(), 8 | 32) {
        return Err(Refused::Code(53));
    }
    if name.len() * 2 != base.len() {
        return Ok(false);
    }
    let (address, mask) = base.split_at(name.len());
    Ok(name.iter().zip(address).zip(mask).all(|((n, a), m)| n & m == a & m))
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len() >= end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end)
}

#[cfg(test)]
mod tests;
