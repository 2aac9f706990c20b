//! Certificate policies, which BoringSSL always processes (`crypto/x509/policy.cc: X509_policy_check`), for a user who
//! accepts any.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::cbs::Cbs;
use super::code::Code;
use super::extension::single;
use super::grammar::{any, integer, oid as check_oid};
use super::read::Known;
use super::{Release, Run, Step};
use crate::cert::RawExtension;
use crate::der;
use crate::oid;

/// A level of the policy graph (`X509PolicyLevel`), or what is expected of the next one.
#[derive(Default)]
struct Level<'a> {
    any: bool,
    policies: BTreeSet<&'a [u8]>,
}

/// The counters of RFC 5280 section 6.1.2 (d) to (f).
struct Counters {
    explicit_policy: u64,
    policy_mapping: u64,
    inhibit_any: u64,
}

/// An extension of the certificate is not one that policies can be read from.
struct Invalid;

impl Run<'_> {
    /// `X509_policy_check`, from the certificate below the anchor down.
    pub(super) fn check_policy(&self) -> Step {
        let Some(below) = self.chain.len().checked_sub(1).filter(|below| *below > 0) else {
            return Ok(());
        };
        let start = u64::try_from(self.chain.len() + 1).unwrap_or(u64::MAX);
        let mut counters =
            Counters { explicit_policy: start, policy_mapping: start, inhibit_any: start };
        let mut level = Level { any: true, policies: BTreeSet::new() };
        for depth in (0..below).rev() {
            let known = self.chain[depth];
            let (done, next) = process(known, depth, level, &mut counters, self.policy.release)
                .map_err(|code| self.refusal(code, depth))?;
            if depth == 0 && counters.explicit_policy == 0 && done {
                return Err(self.refusal(Code::NO_EXPLICIT_POLICY, 0));
            }
            level = next;
        }
        Ok(())
    }
}

impl Level<'_> {
    fn is_empty(&self) -> bool {
        !self.any && self.policies.is_empty()
    }
}

/// One round of the loop of `X509_policy_check`: whether the level is empty, and what is expected of the next one.
fn process<'a>(
    known: &'a Known,
    depth: usize,
    mut level: Level<'a>,
    counters: &mut Counters,
    release: Release,
) -> Result<(bool, Level<'a>), Code> {
    let invalid = |Invalid| Code::INVALID_POLICY_EXTENSION;
    let raw = known.cert.raw_extensions();
    let any_allowed = counters.inhibit_any > 0 || (depth > 0 && known.self_issued);
    take_policies(raw, &mut level, any_allowed, release).map_err(invalid)?;
    let is_empty = level.is_empty();
    if counters.explicit_policy == 0 && is_empty {
        return Err(Code::NO_EXPLICIT_POLICY);
    }
    let mut next = Level::default();
    if depth > 0 {
        next = map_policies(raw, level, counters.policy_mapping > 0, release).map_err(invalid)?;
    }
    if depth == 0 || !known.self_issued {
        for counter in counters.each() {
            *counter = counter.saturating_sub(1);
        }
    }
    counters.constrain(raw).map_err(invalid)?;
    Ok((is_empty, next))
}

/// `process_certificate_policies`: steps (d) and (e) of RFC 5280 section 6.1.3.
fn take_policies<'a>(
    raw: &'a [RawExtension],
    level: &mut Level<'a>,
    any_allowed: bool,
    release: Release,
) -> Result<(), Invalid> {
    let Some(value) = single(raw, oid::CERTIFICATE_POLICIES).map_err(|()| Invalid)? else {
        *level = Level::default();
        return Ok(());
    };
    let policies = certificate_policies(Cbs::of_release(value, release)).ok_or(Invalid)?;
    let here: BTreeSet<&[u8]> = policies.iter().copied().collect();
    // None may be there twice.
    if policies.is_empty() || here.len() != policies.len() {
        return Err(Invalid);
    }
    let before = level.any;
    if !here.contains(oid::ANY_POLICY) || !any_allowed {
        level.policies.retain(|policy| here.contains(policy));
        level.any = false;
    }
    if before {
        level.policies.extend(here.into_iter().filter(|policy| *policy != oid::ANY_POLICY));
    }
    Ok(())
}

/// `process_policy_mappings`: steps (a) and (b) of RFC 5280 section 6.1.4, and what is expected of the next level.
fn map_policies<'a>(
    raw: &'a [RawExtension],
    mut level: Level<'a>,
    allowed: bool,
    release: Release,
) -> Result<Level<'a>, Invalid> {
    let value = single(raw, oid::POLICY_MAPPINGS).map_err(|()| Invalid)?;
    let mut mappings: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
    if let Some(value) = value {
        let pairs = policy_mappings(Cbs::of_release(value, release)).ok_or(Invalid)?;
        let is_any = |(a, b): &(&[u8], &[u8])| *a == oid::ANY_POLICY || *b == oid::ANY_POLICY;
        if pairs.is_empty() || pairs.iter().any(is_any) {
            return Err(Invalid);
        }
        for (issuer, subject) in pairs {
            mappings.entry(issuer).or_default().push(subject);
        }
    }
    let mut next = Level { any: level.any, policies: BTreeSet::new() };
    if allowed {
        for (issuer, subjects) in &mappings {
            if level.any || level.policies.contains(issuer) {
                next.policies.extend(subjects);
            }
        }
    }
    // What is mapped is not expected under its own name; what must not be mapped is gone.
    level.policies.retain(|policy| !mappings.contains_key(policy));
    next.policies.extend(level.policies);
    Ok(next)
}

impl Counters {
    const fn each(&mut self) -> [&mut u64; 3] {
        [&mut self.explicit_policy, &mut self.policy_mapping, &mut self.inhibit_any]
    }

    /// `process_policy_constraints`: steps (i) and (j) of RFC 5280 section 6.1.4.
    fn constrain(&mut self, raw: &[RawExtension]) -> Result<(), Invalid> {
        if let Some(value) = single(raw, oid::POLICY_CONSTRAINTS).map_err(|()| Invalid)? {
            let skips = policy_constraints(value).ok_or(Invalid)?;
            if skips.iter().all(Option::is_none) {
                return Err(Invalid);
            }
            let [explicit, mapping] = skips;
            lower(&mut self.explicit_policy, explicit)?;
            lower(&mut self.policy_mapping, mapping)?;
        }
        if let Some(value) = single(raw, oid::INHIBIT_ANY_POLICY).map_err(|()| Invalid)? {
            let skip = Cbs::new(value).only(der::INTEGER).ok_or(Invalid)?.rest();
            integer(skip).ok_or(Invalid)?;
            lower(&mut self.inhibit_any, Some(skip))?;
        }
        Ok(())
    }
}

/// `apply_skip_certs`: a number that is too large for 64 bits changes nothing, a negative one is an error.
fn lower(counter: &mut u64, skip: Option<&[u8]>) -> Result<(), Invalid> {
    let Some(skip) = skip else { return Ok(()) };
    if skip[0] & 0x80 != 0 {
        return Err(Invalid);
    }
    let skip = skip.strip_prefix(&[0]).unwrap_or(skip);
    if skip.len() <= 8 {
        *counter = (*counter).min(skip.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)));
    }
    Ok(())
}

/// certificatePolicies (`crypto/x509/v3_cpols.cc: CERTIFICATEPOLICIES`).
fn certificate_policies(value: Cbs<'_>) -> Option<Vec<&[u8]>> {
    let mut list = value.only_list(der::SEQUENCE)?;
    let mut policies = Vec::new();
    while !list.is_empty() {
        let mut parts = list.get(der::SEQUENCE)?;
        let policy = parts.get(der::OID)?.rest();
        check_oid(policy)?;
        let mut qualifiers = parts.optional_list(der::SEQUENCE)?.unwrap_or(Cbs::new(&[]));
        while !qualifiers.is_empty() {
            qualifier(qualifiers.get(der::SEQUENCE)?)?;
        }
        parts.end()?;
        policies.push(policy);
    }
    Some(policies)
}

/// `POLICYQUALINFO`.
fn qualifier(mut parts: Cbs<'_>) -> Option<()> {
    let kind = parts.get(der::OID)?.rest();
    check_oid(kind)?;
    match kind {
        oid::POLICY_CPS => drop(parts.get(der::IA5_STRING)?),
        oid::POLICY_USER_NOTICE => {
            let mut notice = parts.get(der::SEQUENCE)?;
            if let Some(mut reference) = notice.optional(der::SEQUENCE)? {
                display_text(&mut reference)?;
                let mut numbers = reference.get_list(der::SEQUENCE)?;
                while !numbers.is_empty() {
                    integer(numbers.get(der::INTEGER)?.rest())?;
                }
                reference.end()?;
            }
            if !notice.is_empty() {
                display_text(&mut notice)?;
            }
            notice.end()?;
        }
        _ => any(&mut parts)?,
    }
    parts.end()
}

/// `DISPLAYTEXT`.
fn display_text(cbs: &mut Cbs<'_>) -> Option<()> {
    let is_text = matches!(
        cbs.peek()?,
        der::IA5_STRING | der::VISIBLE_STRING | der::BMP_STRING | der::UTF8_STRING
    );
    any(cbs).filter(|()| is_text)
}

/// policyMappings (`crypto/x509/v3_pmaps.cc`): issuer's and subject's policies.
fn policy_mappings(value: Cbs<'_>) -> Option<Vec<(&[u8], &[u8])>> {
    let mut list = value.only_list(der::SEQUENCE)?;
    let mut pairs = Vec::new();
    while !list.is_empty() {
        let mut parts = list.get(der::SEQUENCE)?;
        let (issuer, subject) = (parts.get(der::OID)?.rest(), parts.get(der::OID)?.rest());
        check_oid(issuer)?;
        check_oid(subject)?;
        parts.end()?;
        pairs.push((issuer, subject));
    }
    Some(pairs)
}

/// The numbers of policyConstraints (`crypto/x509/v3_pcons.cc`): requireExplicitPolicy and inhibitPolicyMapping.
fn policy_constraints(value: &[u8]) -> Option<[Option<&[u8]>; 2]> {
    let mut parts = Cbs::new(value).only(der::SEQUENCE)?;
    let explicit = parts.optional(der::context(0))?.map(Cbs::rest);
    let mapping = parts.optional(der::context(1))?.map(Cbs::rest);
    parts.end()?;
    explicit.map_or(Some(()), integer)?;
    mapping.map_or(Some(()), integer)?;
    Some([explicit, mapping])
}
