//! Revocation by CRLs (`crypto/x509/x509_vfy.c: check_revocation` to `cert_crl`).

use alloc::vec::Vec;

use num_bigint::BigInt;

use super::extensions::same_algorithm;
use super::issued::{akid_matches, has_self_signed_flag, serial_matches};
use super::time::{Place, place};
use super::{Inputs, Release, Revocation, Run, Step, Stop};
use crate::cert::distribution::{ALL_REASONS, DistributionPoint, DpName};
use crate::cert::{Cert, GeneralName, KeyUsage};
use crate::crl::{Crl, Scope};
use crate::oid;
use crate::signature::{SignatureCheck, SignatureInput, check};

/// How well a CRL fits (`CRL_SCORE_*`).
mod score {
    pub(super) const NO_CRITICAL: u16 = 0x100;
    pub(super) const SCOPE: u16 = 0x80;
    pub(super) const TIME: u16 = 0x40;
    pub(super) const ISSUER_NAME: u16 = 0x20;
    pub(super) const ISSUER_CERT: u16 = 0x18;
    pub(super) const SAME_PATH: u16 = 0x08;
    pub(super) const AKID: u16 = 0x04;
    pub(super) const TIME_DELTA: u16 = 0x02;
    /// With this score or more, no other list is looked for.
    pub(super) const VALID: u16 = NO_CRITICAL | TIME | SCOPE;
}

/// removeFromCRL (RFC 5280 section 5.3.1).
const REMOVE_FROM_CRL: i64 = 8;

/// The CRL found for a certificate.
#[derive(Clone, Copy)]
struct Found<'a> {
    crl: &'a Crl,
    /// The CRL that changes it.
    delta: Option<&'a Crl>,
    /// The certificate that issued it.
    issuer: &'a Cert,
    score: u16,
    /// The reasons covered once it has been checked.
    reasons: u16,
}

impl<'a> Run<'a> {
    /// `crypto/x509/x509_vfy.c: check_revocation`.
    pub(super) fn check_revocation(&mut self) -> Step {
        let count = match self.policy.revocation {
            Revocation::Ignore => 0,
            Revocation::Leaf => usize::from(!self.is_crl_path),
            Revocation::Chain => self.chain.len(),
        };
        (0..count).try_for_each(|depth| self.check_cert(depth))
    }

    /// `crypto/x509/x509_vfy.c: check_cert`: CRLs are asked until every reason is covered.
    fn check_cert(&mut self, depth: usize) -> Step {
        let cert = self.chain[depth].cert;
        // `crypto/x509/x509_vfy.c: check_cert_crl` of 3.6
        let release = self.policy.release;
        let exempt = release.since(3, 6) && has_self_signed_flag(cert, release);
        if exempt || cert.extensions().proxy {
            return Ok(());
        }
        let mut covered = 0;
        self.crl_score = 0;
        while covered != ALL_REASONS {
            let Some(found) = self.get_crl(depth, covered) else { return self.report(3, depth) };
            self.crl_score = found.score;
            self.check_crl(depth, found.crl, found.issuer)?;
            let mut removed = false;
            if let Some(delta) = found.delta {
                self.check_crl(depth, delta, found.issuer)?;
                removed = self.cert_crl(depth, delta)?;
            }
            if !removed {
                self.cert_crl(depth, found.crl)?;
            }
            if found.reasons == covered {
                return self.report(3, depth);
            }
            covered = found.reasons;
        }
        Ok(())
    }

    /// `crypto/x509/x509_vfy.c: get_crl_delta`: the store is asked when the given CRLs are not fully valid.
    fn get_crl(&mut self, depth: usize, covered: u16) -> Option<Found<'a>> {
        let given = self.best_crl(depth, covered, None, self.inputs.crls.iter());
        if given.is_some_and(|found| found.score >= score::VALID) {
            return given;
        }
        let name = self.chain[depth].cert.issuer();
        if !self.lookups.crls.contains(name) {
            self.lookups.crls.push(name.clone());
        }
        let store = self.inputs.store_crls.iter().filter(|crl| crl.issuer() == name);
        self.best_crl(depth, covered, given, store)
    }

    /// `crypto/x509/x509_vfy.c: get_delta_sk`: the first delta of a list, and whether it is current.
    fn delta(
        &self,
        depth: usize,
        base: &Crl,
        mut crls: impl Iterator<Item = &'a Crl>,
    ) -> Option<(&'a Crl, bool)> {
        let announced =
            self.chain[depth].cert.extensions().critical.freshest_crl || base.has_freshest();
        if !self.policy.crl_kinds.deltas || !announced {
            return None;
        }
        let delta = crls.find(|delta| is_delta_of(delta, base))?;
        Some((delta, self.crl_is_current(delta)))
    }

    /// `crypto/x509/x509_vfy.c: get_crl_sk`: the highest score, then the newest, then the first. Starting
    /// from a CRL found before, its score must be reached and its reasons count as covered.
    fn best_crl(
        &self,
        depth: usize,
        covered: u16,
        before: Option<Found<'a>>,
        crls: impl Iterator<Item = &'a Crl> + Clone,
    ) -> Option<Found<'a>> {
        let covered = before.map_or(covered, |found| found.reasons);
        let mut best_score = before.map_or(0, |found| found.score);
        let mut best: Option<Found<'a>> = None;
        for crl in crls.clone() {
            let Some(found) = self.score_crl(depth, covered, crl) else { continue };
            if found.score < best_score {
                continue;
            }
            if let Some(other) = best.filter(|_| found.score == best_score) {
                let times = (crl.this_update().loosely(), other.crl.this_update().loosely());
                if !matches!(times, (Some(this), Some(other)) if this > other) {
                    continue;
                }
            }
            best_score = found.score;
            best = Some(found);
        }
        let Some(mut best) = best else { return before };
        if let Some((delta, current)) = self.delta(depth, best.crl, crls) {
            best.delta = Some(delta);
            best.score |= if current { score::TIME_DELTA } else { 0 };
        }
        Some(best)
    }

    /// `crypto/x509/x509_vfy.c: get_crl_score`; `None` when the CRL is of no use. A delta CRL is not: it says what
    /// changed, and the list it changes is looked for on its own.
    fn score_crl(&self, depth: usize, covered: u16, crl: &'a Crl) -> Option<Found<'a>> {
        let cert = self.chain[depth].cert;
        let scope = crl.scope();
        let indirect = scope.is_some_and(|scope| scope.indirect);
        let some_reasons = scope.and_then(|scope| scope.some_reasons);
        let understood = match some_reasons {
            _ if !self.policy.crl_kinds.extended => !indirect && some_reasons.is_none(),
            Some(reasons) => reasons & !covered != 0,
            None => true,
        };
        let same_issuer = crl.issuer() == cert.issuer();
        // `crypto/x509/x_crl.c: setup_idp` of 3.5
        let says_nothing = |scope: &Scope| self.policy.release.since(3, 5) && scope.is_empty();
        if scope.is_some_and(|scope| scope.is_contradictory() || says_nothing(scope))
            || crl.is_delta()
            || !understood
            || !(same_issuer || indirect)
        {
            return None;
        }
        let mut score = if same_issuer { score::ISSUER_NAME } else { 0 };
        if crl.unhandled_critical().is_none() {
            score |= score::NO_CRITICAL;
        }
        if self.crl_is_current(crl) {
            score |= score::TIME;
        }
        let (issuer, bits) = self.crl_issuer(depth, crl, same_issuer)?;
        score |= bits;
        let mut reasons = covered;
        if let Some(about) = reasons_in_scope(cert, crl) {
            if about & !covered == 0 {
                return None;
            }
            reasons |= about;
            score |= score::SCOPE;
        }
        Some(Found { crl, delta: None, issuer, score, reasons })
    }

    /// `crypto/x509/x509_vfy.c: crl_akid_check`: the next certificate of the chain (the last one: itself), or any above
    /// it with the CRL's issuer as subject. With extended CRL support also an untrusted one.
    fn crl_issuer(&self, depth: usize, crl: &Crl, same_issuer: bool) -> Option<(&'a Cert, u16)> {
        let first = (depth + 1).min(self.chain.len() - 1);
        let fits = |cert: &Cert| akid_matches(cert, crl.authority_key_id());
        if same_issuer && fits(self.chain[first].cert) {
            return Some((self.chain[first].cert, score::AKID | score::ISSUER_CERT));
        }
        let is_issuer = |cert: &Cert| cert.subject() == crl.issuer() && fits(cert);
        let mut above = self.chain[first + 1..].iter().map(|link| link.cert);
        if let Some(found) = above.find(|cert| is_issuer(cert)) {
            return Some((found, score::AKID | score::SAME_PATH));
        }
        let inputs = self.inputs;
        let mut apart = inputs.untrusted.iter().filter(|_| self.policy.crl_kinds.extended);
        let found = apart.find(|cert| {
            if cert.subject() != crl.issuer() {
                return false;
            }
            // Before its extensions are decoded, a certificate has no key identifier that could differ.
            let decoded = self.memo.has_decoded(cert, self.policy.release);
            let matches = if decoded { akid_matches } else { serial_matches };
            matches(cert, crl.authority_key_id())
        });
        found.map(|cert| (cert, score::AKID))
    }

    /// `crypto/x509/x509_vfy.c: check_crl_time` without a report. An expired list counts as current next to a current
    /// delta.
    fn crl_is_current(&self, crl: &Crl) -> bool {
        let has_delta = self.crl_score & score::TIME_DELTA != 0;
        self.policy.at.is_none_or(|at| {
            place(crl.this_update(), at) == Place::Reached
                && crl.next_update().is_none_or(|next| match place(next, at) {
                    Place::Ahead => true,
                    Place::Reached => has_delta,
                    Place::Unreadable => false,
                })
        })
    }

    /// `crypto/x509/x509_vfy.c: check_crl`.
    fn check_crl(&mut self, depth: usize, crl: &Crl, issuer: &'a Cert) -> Step {
        // The base of a delta has passed these checks.
        if !crl.is_delta() {
            // An issuer apart from the chain has no key usage before its extensions are decoded; those in the chain are.
            let apart = self.crl_score & score::SAME_PATH == 0;
            let decoded = !apart || self.memo.has_decoded(issuer, self.policy.release);
            if decoded && issuer.extensions().lacks_usage(KeyUsage::CRL_SIGN) {
                self.report(35, depth)?;
            }
            if self.crl_score & score::SCOPE == 0 {
                self.report(44, depth)?;
            }
            if self.crl_score & score::SAME_PATH == 0 && !self.check_crl_path(depth, issuer)? {
                self.report(54, depth)?;
            }
        }
        if self.crl_score & score::TIME == 0 {
            self.check_crl_time(depth, crl)?;
        }
        if self.policy.release.key(issuer).is_none() {
            return self.report(6, depth);
        }
        self.check_crl_suite_b(depth, crl, issuer)?;
        match verify_crl(crl, issuer, self.policy.release) {
            SignatureCheck::Good => Ok(()),
            SignatureCheck::Bad => self.report(8, depth),
            SignatureCheck::Undecided => {
                self.undecided = Some(depth);
                Err(Stop)
            }
        }
    }

    /// `crypto/x509/x509_vfy.c: check_crl_path`: whether the issuer of a CRL, which is not in the chain, has a chain of
    /// its own to the same anchor.
    fn check_crl_path(&mut self, depth: usize, issuer: &'a Cert) -> Result<bool, Stop> {
        if self.is_crl_path {
            return Ok(false);
        }
        self.memo.decode(issuer, self.policy.release);
        let trusted = if self.inputs.trusted_apart { &[] } else { self.inputs.trusted };
        let inputs = Inputs { target: issuer, trusted, ..*self.inputs };
        let mut path = Run::new(&inputs, self.policy, self.memo);
        path.is_crl_path = true;
        path.lookups = core::mem::take(&mut self.lookups);
        let went_through = path.verify_cert().is_ok();
        // `crypto/x509/x509_vfy.c: check_crl_chain`
        let same_anchor =
            path.chain.last().map(|link| link.cert) == self.chain.last().map(|link| link.cert);
        let Run { findings, lookups, undecided, queue_breaks_line, .. } = path;
        self.queue_breaks_line |= queue_breaks_line;
        self.lookups = lookups;
        self.findings.extend(findings);
        if undecided.is_some() {
            self.undecided = Some(depth);
            return Err(Stop);
        }
        Ok(went_through && same_anchor)
    }

    /// `crypto/x509/x509_vfy.c: check_crl_time`.
    fn check_crl_time(&mut self, depth: usize, crl: &Crl) -> Step {
        let Some(at) = self.policy.at else { return Ok(()) };
        match place(crl.this_update(), at) {
            Place::Reached => {}
            Place::Ahead => self.report(11, depth)?,
            Place::Unreadable => self.report(15, depth)?,
        }
        match crl.next_update().map(|next| place(next, at)) {
            None | Some(Place::Ahead) => Ok(()),
            Some(Place::Reached) if self.crl_score & score::TIME_DELTA != 0 => Ok(()),
            Some(Place::Reached) => self.report(12, depth),
            Some(Place::Unreadable) => self.report(16, depth),
        }
    }

    /// `crypto/x509/x509_vfy.c: cert_crl`; whether the certificate is removed from the list that a delta changes.
    fn cert_crl(&mut self, depth: usize, crl: &Crl) -> Result<bool, Stop> {
        if !self.policy.ignore_critical && crl.unhandled_critical().is_some() {
            self.report(36, depth)?;
        }
        let cert = self.chain[depth].cert;
        match crl.lookup(cert.serial(), cert.issuer()) {
            Some(revoked) if revoked.reason == Some(REMOVE_FROM_CRL) => Ok(true),
            Some(_) => self.report(23, depth).map(|()| false),
            None => Ok(false),
        }
    }
}

/// `crypto/x509/x509_vfy.c: check_delta_base`.
fn is_delta_of(delta: &Crl, base: &Crl) -> bool {
    let number = BigInt::from_signed_bytes_be;
    let (Some(changed), Some(number_of_base)) = (delta.base_number(), base.number()) else {
        return false;
    };
    let complete = number(number_of_base);
    delta.issuer() == base.issuer()
        && extensions_match(delta, base, oid::AUTHORITY_KEY_ID)
        && extensions_match(delta, base, oid::ISSUING_DISTRIBUTION_POINT)
        && number(changed) <= complete
        && delta.number().is_some_and(|newer| number(newer) > complete)
}

/// `crypto/x509/x509_vfy.c: crl_extension_match`: once in both with the same value, or in neither.
fn extensions_match(a: &Crl, b: &Crl, oid: &[u8]) -> bool {
    fn values<'a>(crl: &'a Crl, oid: &[u8]) -> Vec<&'a [u8]> {
        let all = crl.raw_extensions().iter().filter(|extension| extension.oid == oid);
        all.map(|extension| extension.value.as_slice()).collect()
    }
    let (a, b) = (values(a, oid), values(b, oid));
    a.len() < 2 && a == b
}

/// `crypto/x509/x_crl.c: def_crl_verify`: the algorithm inside the signed bytes must be the one next to them.
fn verify_crl(crl: &Crl, issuer: &Cert, release: Release) -> SignatureCheck {
    if !same_algorithm(crl.tbs_signature_algorithm(), crl.signature_algorithm())
        || crl.signature_unused_bits() != 0
        || release.scheme(crl.signature_algorithm()).is_none()
    {
        return SignatureCheck::Bad;
    }
    check(&SignatureInput {
        algorithm: crl.signature_algorithm(),
        message: crl.tbs(),
        signature: crl.signature(),
        key: issuer.public_key(),
    })
}

/// The reasons a CRL covers for a certificate; `None` when the certificate is not in its scope
/// (`crypto/x509/x509_vfy.c: crl_crldp_check`).
fn reasons_in_scope(cert: &Cert, crl: &Crl) -> Option<u16> {
    let scope = crl.scope();
    if scope.is_some_and(|s| s.only_attribute || if cert.is_ca() { s.only_user } else { s.only_ca })
    {
        return None;
    }
    let name = scope.and_then(|scope| scope.name.as_ref());
    let reasons = scope.map_or(ALL_REASONS, Scope::reasons);
    let same_issuer = crl.issuer() == cert.issuer();
    let mut points = cert.extensions().distribution_points.iter();
    let point = points.find(|point| {
        names_issuer(point, crl, same_issuer)
            && (scope.is_none() || DpName::meet(point.name.as_ref(), name))
    });
    match point {
        Some(point) => Some(reasons & point.reasons),
        None => (name.is_none() && same_issuer).then_some(reasons),
    }
}

/// `crypto/x509/x509_vfy.c: crldp_check_crlissuer`.
fn names_issuer(point: &DistributionPoint, crl: &Crl, same_issuer: bool) -> bool {
    point.crl_issuer.as_ref().map_or(same_issuer, |names| {
        names.iter().any(|n| matches!(n, GeneralName::Directory(name) if name == crl.issuer()))
    })
}
