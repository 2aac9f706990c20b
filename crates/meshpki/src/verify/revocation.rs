//! Revocation by CRLs (`crypto/x509/x509_vfy.c: check_revocation` to `cert_crl`), without extended CRL
//! support and without deltas.

use super::extensions::same_algorithm;
use super::issued::{akid_matches, has_self_signed_flag};
use super::time::{Place, place};
use super::{Release, Revocation, Run, Step, Stop};
use crate::cert::distribution::{ALL_REASONS, DistributionPoint, DpName};
use crate::cert::{Cert, GeneralName, KeyUsage};
use crate::crl::{Crl, Scope};
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
    /// With this score or more, no other list is looked for.
    pub(super) const VALID: u16 = NO_CRITICAL | TIME | SCOPE;
}

/// removeFromCRL (RFC 5280 section 5.3.1).
const REMOVE_FROM_CRL: i64 = 8;

/// The CRL found for a certificate.
#[derive(Clone, Copy)]
struct Found<'a> {
    crl: &'a Crl,
    /// Depth of the certificate that issued it.
    issuer: usize,
    score: u16,
    /// The reasons covered once it has been checked.
    reasons: u16,
}

impl<'a> Run<'a> {
    /// `crypto/x509/x509_vfy.c: check_revocation`.
    pub(super) fn check_revocation(&mut self) -> Step {
        let count = match self.policy.revocation {
            Revocation::Ignore => 0,
            Revocation::Leaf => 1,
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
        while covered != ALL_REASONS {
            let Some(found) = self.get_crl(depth, covered) else { return self.report(3, depth) };
            self.check_crl(depth, &found)?;
            self.cert_crl(depth, found.crl)?;
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

    /// `crypto/x509/x509_vfy.c: get_crl_sk`: the highest score, then the newest, then the first. Starting
    /// from a CRL found before, its score must be reached and its reasons count as covered.
    fn best_crl(
        &self,
        depth: usize,
        covered: u16,
        before: Option<Found<'a>>,
        crls: impl Iterator<Item = &'a Crl>,
    ) -> Option<Found<'a>> {
        let covered = before.map_or(covered, |found| found.reasons);
        let mut best_score = before.map_or(0, |found| found.score);
        let mut best: Option<Found<'a>> = None;
        for crl in crls {
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
        best.or(before)
    }

    /// `crypto/x509/x509_vfy.c: get_crl_score`; `None` when the CRL is of no use. A delta CRL is not: it says what
    /// changed, and the list it changes is looked for on its own.
    fn score_crl(&self, depth: usize, covered: u16, crl: &'a Crl) -> Option<Found<'a>> {
        let cert = self.chain[depth].cert;
        let scope = crl.scope();
        // `crypto/x509/x_crl.c: setup_idp` of 3.5
        let says_nothing = |s: &Scope| self.policy.release.since(3, 5) && s.is_empty();
        if scope.is_some_and(|s| {
            s.is_contradictory() || says_nothing(s) || s.indirect || s.some_reasons
        }) || crl.is_delta()
            || crl.issuer() != cert.issuer()
        {
            return None;
        }
        let mut score = score::ISSUER_NAME;
        if crl.unhandled_critical().is_none() {
            score |= score::NO_CRITICAL;
        }
        if self.crl_is_current(crl) {
            score |= score::TIME;
        }
        let (issuer, bits) = self.crl_issuer(depth, crl)?;
        score |= bits;
        let mut reasons = covered;
        if let Some(about) = reasons_in_scope(cert, crl) {
            if about & !covered == 0 {
                return None;
            }
            reasons |= about;
            score |= score::SCOPE;
        }
        Some(Found { crl, issuer, score, reasons })
    }

    /// `crypto/x509/x509_vfy.c: crl_akid_check`: the next certificate of the chain (the last one: itself),
    /// or any above it with the CRL's issuer as subject.
    fn crl_issuer(&self, depth: usize, crl: &Crl) -> Option<(usize, u16)> {
        let first = (depth + 1).min(self.chain.len() - 1);
        let fits = |depth: usize| akid_matches(self.chain[depth].cert, crl.authority_key_id());
        if fits(first) {
            return Some((first, score::AKID | score::ISSUER_CERT));
        }
        let mut above = first + 1..self.chain.len();
        let found = above.find(|i| self.chain[*i].cert.subject() == crl.issuer() && fits(*i))?;
        Some((found, score::AKID | score::SAME_PATH))
    }

    fn crl_is_current(&self, crl: &Crl) -> bool {
        self.policy.at.is_none_or(|at| {
            place(crl.this_update(), at) == Place::Reached
                && crl.next_update().is_none_or(|next| place(next, at) == Place::Ahead)
        })
    }

    /// `crypto/x509/x509_vfy.c: check_crl`.
    fn check_crl(&mut self, depth: usize, found: &Found<'_>) -> Step {
        let issuer = self.chain[found.issuer].cert;
        if issuer.extensions().lacks_usage(KeyUsage::CRL_SIGN) {
            self.report(35, depth)?;
        }
        if found.score & score::SCOPE == 0 {
            self.report(44, depth)?;
        }
        if found.score & score::TIME == 0 {
            self.check_crl_time(depth, found.crl)?;
        }
        if self.policy.release.key(issuer).is_none() {
            return self.report(6, depth);
        }
        match verify_crl(found.crl, issuer, self.policy.release) {
            SignatureCheck::Good => Ok(()),
            SignatureCheck::Bad => self.report(8, depth),
            SignatureCheck::Undecided => {
                self.undecided = Some(depth);
                Err(Stop)
            }
        }
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
            Some(Place::Reached) => self.report(12, depth),
            Some(Place::Unreadable) => self.report(16, depth),
        }
    }

    /// `crypto/x509/x509_vfy.c: cert_crl`.
    fn cert_crl(&mut self, depth: usize, crl: &Crl) -> Step {
        if !self.policy.ignore_critical && crl.unhandled_critical().is_some() {
            self.report(36, depth)?;
        }
        let cert = self.chain[depth].cert;
        match crl.lookup(cert.serial(), cert.issuer()) {
            Some(revoked) if revoked.reason != Some(REMOVE_FROM_CRL) => self.report(23, depth),
            _ => Ok(()),
        }
    }
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
    let mut points = cert.extensions().distribution_points.iter();
    let point = points.find(|point| {
        names_issuer(point, crl) && (scope.is_none() || DpName::meet(point.name.as_ref(), name))
    });
    match point {
        Some(point) => Some(Scope::REASONS & point.reasons),
        None => name.is_none().then_some(Scope::REASONS),
    }
}

/// `crypto/x509/x509_vfy.c: crldp_check_crlissuer`; that the issuers' names agree is known here.
fn names_issuer(point: &DistributionPoint, crl: &Crl) -> bool {
    point.crl_issuer.as_ref().is_none_or(|names| {
        names.iter().any(|n| matches!(n, GeneralName::Directory(name) if name == crl.issuer()))
    })
}
