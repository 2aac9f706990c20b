//! Name constraints (`crypto/x509/x509_vfy.cc: check_name_constraints`, `crypto/x509/v3_ncons.cc`).

use core::mem::discriminant;

use super::code::Code;
use super::extension::{Constraints, Subtree};
use super::read::Known;
use super::{Release, Run, Step};
use crate::cert::GeneralName;
use crate::der;
use crate::oid;

mod email;
mod uri;

/// Names times subtrees above which BoringSSL gives up.
const LIMIT: usize = 1 << 20;

/// Whether a name is inside a subtree; a code if they cannot be compared.
type Inside = Result<bool, Code>;

impl Run<'_> {
    /// `check_name_constraints`, from the anchor down; the anchor's own constraints count.
    pub(super) fn check_names(&self) -> Step {
        let mut has_constraints = false;
        for (depth, known) in self.chain.iter().enumerate().rev() {
            if depth != 0 && known.self_issued {
                continue;
            }
            for above in self.chain[depth + 1..].iter().rev() {
                let Some(constraints) = &above.constraints else { continue };
                has_constraints = true;
                check(known, constraints, self.policy.release)
                    .map_err(|code| self.refusal(code, depth))?;
            }
        }
        if has_constraints { self.check_common_name() } else { Ok(()) }
    }

    /// `reject_dns_name_in_common_name`: under constraints a host has to be a subjectAltName.
    fn check_common_name(&self) -> Step {
        let target: &Known = self.chain[0];
        if target.names.is_some() {
            return Ok(());
        }
        for attribute in target.cert.subject().attributes(oid::COMMON_NAME) {
            let Some(text) = attribute.utf8() else {
                return Err(self.refusal(Code::OUT_OF_MEM, 0));
            };
            if looks_like_host(&text) {
                return Err(self.refusal(Code::NAME_CONSTRAINTS_WITHOUT_SANS, 0));
            }
        }
        Ok(())
    }
}

/// `crypto/x509/v3_utl.cc: x509v3_looks_like_dns_name`.
fn looks_like_host(text: &[u8]) -> bool {
    let text = text.strip_suffix(b".").unwrap_or(text);
    let text = text.strip_prefix(b"*.").unwrap_or(text);
    !text.is_empty()
        && text.split(|byte| *byte == b'.').all(|label| {
            let is_allowed = |(i, byte): (usize, &u8)| {
                byte.is_ascii_alphanumeric() || (*byte == b'-' && i > 0) || b"_:".contains(byte)
            };
            !label.is_empty() && label.iter().enumerate().all(is_allowed)
        })
}

/// `NAME_CONSTRAINTS_check`: subject, e-mail addresses in it, subjectAltName.
fn check(known: &Known, constraints: &Constraints, release: Release) -> Result<(), Code> {
    let subject = known.cert.subject();
    let alternative = known.names.as_deref().unwrap_or_default();
    let names = subject.attribute_count() + alternative.len();
    let subtrees = constraints.permitted.len() + constraints.excluded.len();
    if names.saturating_mul(subtrees) > LIMIT {
        return Err(Code::UNSPECIFIED);
    }
    if subject.attribute_count() > 0 {
        check_name(&GeneralName::Directory(subject.clone()), constraints, release, false)?;
        for attribute in subject.attributes(oid::EMAIL_ADDRESS) {
            if attribute.tag != der::IA5_STRING {
                return Err(Code::UNSUPPORTED_NAME_SYNTAX);
            }
            check_name(&GeneralName::Email(attribute.value), constraints, release, true)?;
        }
    }
    alternative.iter().try_for_each(|name| check_name(name, constraints, release, false))
}

/// `nc_match`: inside a permitted subtree of its kind, if there is one, and outside every excluded one.
fn check_name(
    name: &GeneralName,
    constraints: &Constraints,
    release: Release,
    in_subject: bool,
) -> Result<(), Code> {
    let mut inside = None;
    for subtree in constraints.permitted.iter().filter(|subtree| concerns(subtree, name)) {
        check_bounds(subtree)?;
        if inside != Some(true) {
            inside = Some(matches(name, subtree, release, &Use::Permitted)?);
        }
    }
    if inside == Some(false) {
        return Err(Code::PERMITTED_VIOLATION);
    }
    for subtree in constraints.excluded.iter().filter(|subtree| concerns(subtree, name)) {
        check_bounds(subtree)?;
        if matches(name, subtree, release, &Use::Excluded { in_subject })? {
            return Err(Code::EXCLUDED_VIOLATION);
        }
    }
    Ok(())
}

/// What a match means.
enum Use {
    Permitted,
    Excluded {
        /// The name is part of the subject.
        in_subject: bool,
    },
}

fn concerns(subtree: &Subtree, name: &GeneralName) -> bool {
    discriminant(name) == discriminant(&subtree.base)
}

const fn check_bounds(subtree: &Subtree) -> Result<(), Code> {
    if subtree.bounded { Err(Code::SUBTREE_MINMAX) } else { Ok(()) }
}

/// `nc_match_single`. Addresses and other names have no match at all.
fn matches(name: &GeneralName, subtree: &Subtree, release: Release, used: &Use) -> Inside {
    use GeneralName as N;
    match (name, &subtree.base) {
        // `nc_dn`: the first RDNs agree.
        (N::Directory(name), N::Directory(base)) => {
            Ok(name.canonical().starts_with(base.canonical()))
        }
        (N::Dns(name), N::Dns(base)) if release.matches_by_2026() => {
            Ok(dns(name, base, matches!(used, Use::Excluded { .. })))
        }
        (N::Dns(name), N::Dns(base)) => Ok(plain_dns(name, base)),
        (N::Email(name), N::Email(base)) if release.matches_by_2026() => {
            email::matches(name, base, matches!(used, Use::Excluded { in_subject: true }))
        }
        (N::Email(name), N::Email(base)) => email::matches_loosely(name, base),
        (N::Uri(name), N::Uri(base)) if release.parses_uris() => uri::matches(name, base),
        (N::Uri(name), N::Uri(base)) => uri::matches_loosely(name, base),
        _ => Err(Code::UNSUPPORTED_CONSTRAINT_TYPE),
    }
}

/// `nc_dns` since March 2026: a final dot does not count, and an excluded host excludes the wildcard it is one of.
fn dns(name: &[u8], base: &[u8], excluded: bool) -> bool {
    if base.is_empty() {
        return true;
    }
    let relative = |name| <[u8]>::strip_suffix(name, b".").unwrap_or(name);
    let (name, base) = (relative(name), relative(base));
    if let Some(parent) = name.strip_prefix(b"*.").filter(|_| excluded)
        && let Some(dot) = base.iter().position(|byte| *byte == b'.')
        && parent.eq_ignore_ascii_case(&base[dot + 1..])
    {
        return true;
    }
    plain_dns(name, base)
}

/// `nc_dns`: the same host, or any number of labels before it; `.example.com` is met by what ends so.
fn plain_dns(name: &[u8], base: &[u8]) -> bool {
    let Some(extra) = name.len().checked_sub(base.len()) else { return false };
    (base.first().is_none_or(|first| *first == b'.') || extra == 0 || name[extra - 1] == b'.')
        && name[extra..].eq_ignore_ascii_case(base)
}

/// `has_suffix_case`.
fn has_suffix(text: &[u8], end: &[u8]) -> bool {
    text.len() >= end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end)
}
