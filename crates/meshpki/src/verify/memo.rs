//! Signatures checked before, for many targets under the same intermediates.

use alloc::collections::BTreeMap;
use core::cmp::Ordering;

use super::Release;
use super::signatures::verify_signature;
use crate::cert::Cert;
use crate::signature::SignatureCheck;

/// Remembers the signatures of the certificates above a target, so that ten thousand workloads under one
/// intermediate cost one signature check each. It holds what it was given, and never forgets: make one
/// per job.
///
/// ```
/// use meshpki::verify::{Inputs, Memo, Policy, verify_with};
/// # use meshpki::{Cert, Time};
/// # fn all(leaves: &[Cert], untrusted: &[Cert], trusted: &[meshpki::verify::Anchor], now: Time) -> bool {
/// let mut memo = Memo::default();
/// leaves.iter().all(|target| {
///     let inputs = Inputs::new(target, untrusted, trusted);
///     verify_with(&inputs, &Policy::like_openssl(now), &mut memo).is_ok()
/// })
/// # }
/// # assert!(all(&[], &[], &[], Time(0)));
/// ```
#[derive(Debug, Default)]
pub struct Memo {
    checks: BTreeMap<Pair, SignatureCheck>,
    /// Untrusted certificates whose extensions a release has decoded by now, by the address of their bytes, which they
    /// keep.
    decoded: BTreeMap<(Release, usize), Cert>,
}

impl Memo {
    /// OpenSSL decodes the extensions of a certificate when it first looks at it as an issuer, not when it reads it
    /// (`crypto/x509/v3_purp.c: ossl_x509v3_cache_extensions`).
    pub(super) fn decode(&mut self, cert: &Cert, release: Release) {
        self.decoded
            .entry((release, cert.as_der().as_ptr().addr()))
            .or_insert_with(|| cert.clone());
    }

    /// Whether a release has decoded this very certificate; a copy of it was not.
    pub(super) fn has_decoded(&self, cert: &Cert, release: Release) -> bool {
        self.decoded.contains_key(&(release, cert.as_der().as_ptr().addr()))
    }

    /// The signature of `subject` by the key of `issuer`, checked once.
    pub(super) fn check(&mut self, subject: &Cert, issuer: &Cert) -> SignatureCheck {
        let pair = Pair { subject: subject.clone(), issuer: issuer.clone() };
        *self.checks.entry(pair).or_insert_with(|| verify_signature(subject, issuer))
    }
}

/// Two certificates, ordered by their bytes.
#[derive(Debug, PartialEq, Eq)]
struct Pair {
    subject: Cert,
    issuer: Cert,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        let bytes = |pair: &Self| (pair.subject.as_der().as_ptr(), pair.issuer.as_der().as_ptr());
        if bytes(self) == bytes(other) {
            return Ordering::Equal;
        }
        (self.subject.as_der(), self.issuer.as_der())
            .cmp(&(other.subject.as_der(), other.issuer.as_der()))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
