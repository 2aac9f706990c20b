//! Revocation by CRLs of every certificate of the chain, the anchor included (`crypto/x509/x509_vfy.cc:
//! check_revocation` to `cert_crl`, under `X509_V_FLAG_CRL_CHECK` and `X509_V_FLAG_CRL_CHECK_ALL`).

use super::code::Code;
use super::grammar::instant;
use super::key::{self, Answer};
use super::read::{Known, KnownCrl};
use super::{Release, Run, Step};
use crate::cert::KeyUsage;
use crate::cert::distribution::DpName;
use crate::signature::SignatureInput;
use crate::verify::Reason;

/// How well a CRL fits (`CRL_SCORE_*`).
mod score {
    pub(super) const NO_CRITICAL: u16 = 0x100;
    pub(super) const SCOPE: u16 = 0x80;
    pub(super) const TIME: u16 = 0x40;
    pub(super) const ISSUER_NAME: u16 = 0x20;
    pub(super) const ISSUER_CERT: u16 = 0x18;
    pub(super) const SAME_PATH: u16 = 0x08;
    pub(super) const AKID: u16 = 0x04;
}

/// The CRL found for a certificate.
#[derive(Clone, Copy)]
struct Found<'a> {
    crl: &'a KnownCrl,
    /// The certificate that issued it.
    issuer: &'a Known,
    score: u16,
}

impl<'a> Run<'a> {
    /// `check_revocation`: without any CRL in the store nothing is checked, with one every certificate needs its own.
    pub(super) fn check_revocation(&self) -> Step {
        if !self.store.has_crls() {
            return Ok(());
        }
        (0..self.chain.len()).try_for_each(|depth| self.check_cert(depth))
    }

    /// `check_cert`.
    fn check_cert(&self, depth: usize) -> Step {
        let Some(found) = self.best_crl(depth) else {
            return Err(self.refusal(Code::UNABLE_TO_GET_CRL, depth));
        };
        self.check_crl(depth, &found)?;
        // `cert_crl`.
        if found.crl.critical {
            return Err(self.refusal(Code::UNHANDLED_CRITICAL_CRL_EXTENSION, depth));
        }
        if found.crl.crl.lists(self.chain[depth].cert.serial()) {
            return Err(self.refusal(Code::CERT_REVOKED, depth));
        }
        Ok(())
    }

    /// `get_crl_sk`: the highest score, then the newest, then the first.
    fn best_crl(&self, depth: usize) -> Option<Found<'a>> {
        let mut best: Option<Found<'a>> = None;
        for crl in self.store.crls(self.chain[depth].cert.issuer()) {
            let Some(found) = self.score_crl(depth, crl) else { continue };
            let is_better = best.is_none_or(|other| {
                found.score > other.score
                    || (found.score == other.score && is_newer(found.crl, other.crl))
            });
            if is_better {
                best = Some(found);
            }
        }
        best
    }

    /// `get_crl_score`, of a CRL that has the certificate's issuer; `None` when it is of no use.
    fn score_crl(&self, depth: usize, crl: &'a KnownCrl) -> Option<Found<'a>> {
        let is_invalid = crl.scope.as_ref().is_some_and(|scope| {
            let only = [scope.only_user, scope.only_ca, scope.only_attribute];
            only.iter().filter(|only| **only).count() > 1 || scope.indirect || scope.some_reasons
        });
        if is_invalid {
            return None;
        }
        let mut score = score::ISSUER_NAME;
        if !crl.critical {
            score |= score::NO_CRITICAL;
        }
        if self.crl_is_current(crl) {
            score |= score::TIME;
        }
        let (issuer, bits) = self.crl_issuer(depth, crl)?;
        score |= bits;
        if is_in_scope(self.chain[depth], crl, self.policy.release) {
            score |= score::SCOPE;
        }
        Some(Found { crl, issuer, score })
    }

    /// `crl_akid_check`: the next certificate of the chain (the last one: itself), or any above it with the CRL's issuer
    /// as subject.
    fn crl_issuer(&self, depth: usize, crl: &KnownCrl) -> Option<(&'a Known, u16)> {
        let first = (depth + 1).min(self.chain.len() - 1);
        let fits = |known: &Known| crl.fits(&known.cert);
        if fits(self.chain[first]) {
            return Some((self.chain[first], score::AKID | score::ISSUER_CERT));
        }
        let mut above = self.chain[first + 1..].iter();
        let found = above.find(|known| known.cert.subject() == crl.crl.issuer() && fits(known))?;
        Some((found, score::AKID | score::SAME_PATH))
    }

    fn crl_is_current(&self, crl: &KnownCrl) -> bool {
        self.is_reached(crl.crl.this_update()) == Some(true)
            && crl.crl.next_update().is_none_or(|next| self.is_reached(next) == Some(false))
    }

    /// `check_crl`.
    fn check_crl(&self, depth: usize, found: &Found<'_>) -> Step {
        if found.issuer.cert.extensions().lacks_usage(KeyUsage::CRL_SIGN) {
            return Err(self.refusal(Code::KEYUSAGE_NO_CRL_SIGN, depth));
        }
        if found.score & score::SCOPE == 0 {
            return Err(self.refusal(Code::DIFFERENT_CRL_SCOPE, depth));
        }
        if found.score & score::TIME == 0 {
            self.check_crl_time(depth, found.crl)?;
        }
        let Some(kind) = key::decode(found.issuer.cert.public_key(), self.policy.release) else {
            return Err(self.refusal(Code::UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, depth));
        };
        let crl = &found.crl.crl;
        let signed = SignatureInput {
            algorithm: crl.signature_algorithm(),
            message: crl.tbs(),
            signature: crl.signature(),
            key: found.issuer.cert.public_key(),
        };
        // `crypto/x509/x_crl.cc: X509_CRL_verify`.
        let is_consistent = crl.tbs_signature_algorithm() == crl.signature_algorithm()
            && crl.signature_unused_bits() == 0;
        let refusal = self.refusal(Code::CRL_SIGNATURE_FAILURE, depth);
        match key::verify(&signed, kind) {
            Answer::Good if is_consistent => Ok(()),
            Answer::Undecided if is_consistent => Err(refusal.because(Reason::Undecided)),
            _ => Err(refusal),
        }
    }

    /// `check_crl_time`.
    fn check_crl_time(&self, depth: usize, crl: &KnownCrl) -> Step {
        match self.is_reached(crl.crl.this_update()) {
            Some(true) => {}
            Some(false) => return Err(self.refusal(Code::CRL_NOT_YET_VALID, depth)),
            None => return Err(self.refusal(Code::ERROR_IN_CRL_LAST_UPDATE_FIELD, depth)),
        }
        match crl.crl.next_update().map(|next| self.is_reached(next)) {
            None | Some(Some(false)) => Ok(()),
            Some(Some(true)) => Err(self.refusal(Code::CRL_HAS_EXPIRED, depth)),
            Some(None) => Err(self.refusal(Code::ERROR_IN_CRL_NEXT_UPDATE_FIELD, depth)),
        }
    }
}

/// Whether one CRL has a later thisUpdate than another (`crypto/asn1/a_time.cc: ASN1_TIME_diff`).
fn is_newer(this: &KnownCrl, other: &KnownCrl) -> bool {
    let times = (instant(this.crl.this_update(), true), instant(other.crl.this_update(), true));
    matches!(times, (Some(this), Some(other)) if this > other)
}

/// Whether a CRL is about a certificate (`crl_crldp_check`).
fn is_in_scope(known: &Known, crl: &KnownCrl, release: Release) -> bool {
    let Some(scope) = &crl.scope else { return true };
    // Since September 2026 a list of attribute certificates is taken for one of certificates.
    let about_others = scope.only_attribute && release.knows_all_scopes();
    if about_others || (if known.cert.is_ca() { scope.only_user } else { scope.only_ca }) {
        return false;
    }
    let mut points = known.points.iter().filter(|point| !point.skipped);
    let is_relative = |name: &DpName| matches!(name, DpName::Relative { .. });
    points.any(|point| match (&point.name, &scope.name) {
        (Some(a), Some(b)) if is_relative(a) || is_relative(b) => {
            release.knows_all_scopes() && DpName::meet(Some(a), Some(b))
        }
        (a, b) => DpName::meet(a.as_ref(), b.as_ref()),
    }) || scope.name.is_none()
}
