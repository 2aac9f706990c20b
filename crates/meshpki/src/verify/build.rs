//! Chain building, without backtracking (`crypto/x509/x509_vfy.c: build_chain`).

use alloc::vec::Vec;

use super::issued::{likely_issued, self_signed};
use super::purpose::{Trust, check_trust_setting};
use super::{Anchor, Arrival, Link, Run, Step, Stop, time};
use crate::cert::Cert;
use crate::name::Name;

/// What a larger `-verify_depth` is taken for: `INT_MAX / 2`.
const DEPTH_MAX: usize = 0x3fff_ffff;
/// A chain that goes in a circle is written out up to this length; OpenSSL's is 102 by default.
const CIRCLE_MAX: usize = 1024;

impl<'a> Run<'a> {
    /// `crypto/x509/x509_vfy.c: build_chain`. At every step the trust store is asked first; once it has
    /// given a certificate, the untrusted ones are never consulted again.
    pub(super) fn build_chain(&mut self) -> Step {
        let max_depth = self.policy.max_depth.min(DEPTH_MAX) + 1;
        let mut untrusted: Vec<&'a Cert> = self.inputs.untrusted.iter().collect();
        let (mut search_trusted, mut search_untrusted) = (true, !untrusted.is_empty());
        let mut trust = Trust::Unknown;
        while search_trusted || search_untrusted {
            if search_trusted {
                let (added, grown) = self.add_trusted(max_depth)?;
                if added {
                    search_untrusted = false;
                    trust = self.check_trust(self.num_untrusted)?;
                    if trust != Trust::Unknown {
                        break;
                    }
                    if grown {
                        self.cut_circle(max_depth)?;
                        continue;
                    }
                }
                if !search_untrusted {
                    break;
                }
            }
            if !self.add_untrusted(max_depth, &mut untrusted) {
                (search_untrusted, search_trusted) = (false, true);
            }
        }
        let length = self.chain.len();
        if trust == Trust::Unknown && length <= max_depth && length == self.num_untrusted {
            trust = self.check_trust(length)?;
        }
        if trust == Trust::Trusted { Ok(()) } else { self.report_incomplete(max_depth) }
    }

    /// A trusted certificate that comes a second time comes for ever: its issuer depends on nothing but the
    /// certificate, and none of them was trusted in itself. OpenSSL goes round until the depth is reached, which by
    /// `-verify_depth` can be thousands of millions; where that ends is known without going there.
    fn cut_circle(&mut self, max_depth: usize) -> Step {
        let last = self.chain.len() - 1;
        let cert = self.chain[last].cert;
        let trusted = &self.chain[self.num_untrusted..last];
        let Some(first) = trusted.iter().position(|link| core::ptr::eq(link.cert, cert)) else {
            return Ok(());
        };
        let first = self.num_untrusted + first;
        let circle = last - first;
        let at = |depth: usize| first + (depth - first) % circle;
        // As long as OpenSSL's by default; a longer one is known by its end.
        while self.chain.len() <= max_depth.min(CIRCLE_MAX) {
            self.chain.push(self.chain[at(self.chain.len())]);
        }
        let cert = self.chain[at(max_depth)].cert.clone();
        self.report_on(22, max_depth, Some(cert))
    }

    /// Puts a trusted issuer on the chain. Answers whether it did, and whether the search may continue above it.
    fn add_trusted(&mut self, max_depth: usize) -> Result<(bool, bool), Stop> {
        let last = self.chain.len() - 1;
        if self.chain.len() > max_depth {
            return Ok((false, false));
        }
        let current = self.chain[last].cert;
        let Some(issuer) = self.trusted_issuer(current) else { return Ok((false, false)) };
        // A key OpenSSL cannot decode ends everything silently.
        if !self_signed(current, self.policy.release).ok_or(Stop)? {
            self.chain.push(issuer);
            let is_root = self_signed(issuer.cert, self.policy.release).ok_or(Stop)?;
            return Ok((true, !is_root));
        }
        // A self-signed certificate must be the trusted one byte for byte, not just carry its name.
        if self.chain.len() != self.num_untrusted || *issuer.cert != *current {
            return Ok((false, false));
        }
        self.num_untrusted -= 1;
        self.chain[last] = issuer;
        Ok((true, false))
    }

    /// Puts an untrusted issuer on the chain and takes it off the list; false when there is none.
    fn add_untrusted(&mut self, max_depth: usize, untrusted: &mut Vec<&'a Cert>) -> bool {
        let current = self.chain[self.chain.len() - 1].cert;
        if self_signed(current, self.policy.release) == Some(true) || self.chain.len() > max_depth {
            return false;
        }
        let found = self.find_issuer(untrusted, current);
        if self.policy.crl_kinds.extended {
            self.decode_candidates(untrusted, current, found);
        }
        let Some(index) = found else { return false };
        let issuer = untrusted.remove(index);
        self.chain.push(Link { cert: issuer, aux: None });
        self.num_untrusted += 1;
        true
    }

    /// What the search for an issuer has decoded: it ends with a candidate that is valid now.
    fn decode_candidates(&mut self, untrusted: &[&Cert], subject: &Cert, found: Option<usize>) {
        // `crypto/x509/x509_vfy.c: get0_best_issuer_sk` of 3.5 compares each with the chain first.
        let all =
            self.policy.release.since(3, 5) && !(subject.is_self_issued() && self.chain.len() == 1);
        let valid = found.filter(|index| time::is_valid(untrusted[*index], self.policy.at));
        let seen = &untrusted[..valid.map_or(untrusted.len(), |index| index + 1)];
        let seen = seen.iter().filter(|cert| all || cert.subject() == subject.issuer());
        seen.for_each(|cert| self.memo.decode(cert, self.policy.release));
    }

    /// `crypto/x509/x509_lu.c: X509_STORE_CTX_get1_issuer`.
    fn trusted_issuer(&mut self, subject: &Cert) -> Option<Link<'a>> {
        let trusted = self.trusted_named(subject.issuer());
        let candidates = trusted.iter().map(|anchor| &anchor.cert);
        let release = self.policy.release;
        let index =
            self.best(candidates, |candidate| likely_issued(candidate, subject, release))?;
        Some(Link { cert: &trusted[index].cert, aux: trusted[index].aux.as_ref() })
    }

    /// `crypto/x509/x509_lu.c: X509_STORE_CTX_get_by_subject`: those the store has by now, and if there are none, those
    /// it reads now.
    fn trusted_named(&mut self, name: &Name) -> Vec<&'a Anchor> {
        let inputs = self.inputs;
        let first_time = !self.lookups.certs.contains(name);
        if first_time {
            self.lookups.certs.push(name.clone());
        }
        let named = |missed: bool, from_folders: bool| -> Vec<&'a Anchor> {
            let there = |anchor: &&Anchor| match anchor.arrival {
                Arrival::Start => true,
                Arrival::SecondLookup => !first_time,
                Arrival::Folder => from_folders,
                Arrival::Miss { .. } => missed,
            };
            let named = inputs.trusted.iter().filter(|anchor| anchor.cert.subject() == name);
            named.filter(there).collect()
        };
        let found = named(self.lookups.missed, self.lookups.from_folders.contains(name));
        if !found.is_empty() {
            return found;
        }
        let found = named(self.lookups.missed, true);
        if !found.is_empty() {
            self.lookups.from_folders.push(name.clone());
            return found;
        }
        if self.lookups.missed {
            return found;
        }
        self.lookups.missed = true;
        let broken = Arrival::Miss { complete: false };
        if inputs.trusted.iter().any(|anchor| anchor.arrival == broken) {
            return Vec::new();
        }
        named(true, false)
    }

    /// `crypto/x509/x509_vfy.c: find_issuer`: a certificate comes into the chain once, except that a
    /// self-issued target may meet itself.
    fn find_issuer(&self, untrusted: &[&'a Cert], subject: &Cert) -> Option<usize> {
        let release = self.policy.release;
        let may_repeat = subject.is_self_issued() && self.chain.len() == 1;
        self.best(untrusted.iter().copied(), |candidate| {
            likely_issued(candidate, subject, release)
                && (may_repeat || !self.chain.iter().any(|link| link.cert == candidate))
        })
    }

    /// The place of the first fitting candidate that is valid now, else of the one that ends last.
    fn best<'c>(
        &self,
        candidates: impl Iterator<Item = &'c Cert>,
        fits: impl Fn(&Cert) -> bool,
    ) -> Option<usize> {
        let mut best: Option<(usize, &Cert)> = None;
        for (i, candidate) in candidates.enumerate().filter(|(_, c)| fits(c)) {
            if time::is_valid(candidate, self.policy.at) {
                return Some(i);
            }
            let ends_later = best.is_none_or(|(_, other)| {
                let ends = (candidate.not_after().loosely(), other.not_after().loosely());
                matches!(ends, (Some(candidate), Some(other)) if candidate > other)
            });
            if ends_later {
                best = Some((i, candidate));
            }
        }
        best.map(|(i, _)| i)
    }

    /// `crypto/x509/x509_vfy.c: check_trust`.
    fn check_trust(&mut self, num_untrusted: usize) -> Result<Trust, Stop> {
        let (purpose, release) = (self.policy.trust(), self.policy.release);
        for depth in num_untrusted..self.chain.len() {
            match check_trust_setting(&self.chain[depth], purpose, true, release) {
                Trust::Trusted => return Ok(Trust::Trusted),
                Trust::Rejected => {
                    self.report(28, depth)?;
                    return Ok(Trust::Unknown);
                }
                Trust::Unknown => {}
            }
        }
        if !self.policy.partial_chain {
            return Ok(Trust::Unknown);
        }
        if num_untrusted < self.chain.len() {
            return Ok(Trust::Trusted);
        }
        let target = self.chain[0].cert;
        let named = self.trusted_named(target.subject());
        let Some(same) = named.into_iter().find(|anchor| anchor.cert == *target) else {
            return Ok(Trust::Unknown);
        };
        let link = Link { cert: &same.cert, aux: same.aux.as_ref() };
        if check_trust_setting(&link, purpose, true, release) == Trust::Rejected {
            self.report(28, 0)?;
            return Ok(Trust::Unknown);
        }
        self.chain[0] = link;
        self.num_untrusted = 0;
        Ok(Trust::Trusted)
    }

    /// The end of `build_chain`: why the chain does not reach an anchor.
    fn report_incomplete(&mut self, max_depth: usize) -> Step {
        let last = self.chain.len() - 1;
        if self.chain.len() > max_depth {
            return self.report(22, last);
        }
        if self_signed(self.chain[last].cert, self.policy.release) == Some(true) {
            return self.report(if last == 0 { 18 } else { 19 }, last);
        }
        self.report(if self.num_untrusted < self.chain.len() { 2 } else { 20 }, last)
    }
}
