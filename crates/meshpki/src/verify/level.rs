//! Strength of keys and signatures (`-auth_level`; `crypto/x509/x509_vfy.c: check_key_level`,
//! `check_auth_level`).

use super::{Release, Run, Step};
use crate::cert::Cert;
use crate::key::decode::Kind;
use crate::signature::security_bits;

/// Bits of security levels 1 to 5; higher ones count as 5 (`minbits_table`).
const LEVELS: [u32; 5] = [80, 112, 128, 192, 256];

/// The bits a level asks for; `None` for level 0.
pub(super) fn wanted_bits(level: u32) -> Option<u32> {
    let index = usize::try_from(level.checked_sub(1)?).ok()?;
    Some(LEVELS[index.min(LEVELS.len() - 1)])
}

/// Strength of a certificate's signature, by the algorithm next to it.
///
/// Since 3.5, an algorithm that has neither a digest nor a strength of its own counts as strong as the certificate's own
/// key, whichever key signed it (`crypto/x509/x509_set.c: ossl_x509_init_sig_info`).
pub(super) fn signature_bits(cert: &Cert, release: Release) -> Option<u32> {
    let scheme = release.scheme(cert.signature_algorithm())?;
    let bits = match scheme.kind {
        Kind::PostQuantum(_) => None,
        _ => security_bits(cert.signature_algorithm()),
    };
    let by_key = || release.key(cert).map(|key| key.security_bits);
    bits.or_else(|| by_key().filter(|_| scheme.digest.is_none() && release.since(3, 5)))
}

impl Run<'_> {
    /// `crypto/x509/x509_vfy.c: check_key_level`, for the target.
    pub(super) fn check_target_key_level(&mut self) -> Step {
        if self.key_is_strong(0) { Ok(()) } else { self.report(66, 0) }
    }

    /// `crypto/x509/x509_vfy.c: check_auth_level`.
    pub(super) fn check_auth_level(&mut self) -> Step {
        let Some(wanted) = wanted_bits(self.policy.auth_level) else { return Ok(()) };
        for depth in 0..self.chain.len() {
            if depth > 0 && !self.key_is_strong(depth) {
                self.report(67, depth)?;
            }
            let bits = signature_bits(self.chain[depth].cert, self.policy.release);
            if depth + 1 < self.chain.len() && bits.is_none_or(|bits| bits < wanted) {
                self.report(68, depth)?;
            }
        }
        Ok(())
    }

    fn key_is_strong(&self, depth: usize) -> bool {
        let Some(wanted) = wanted_bits(self.policy.auth_level) else { return true };
        let key = self.policy.release.key(self.chain[depth].cert);
        key.is_some_and(|key| key.security_bits >= wanted)
    }
}
