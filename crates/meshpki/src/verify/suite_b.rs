//! Suite B (RFC 5759): P-256 and P-384, each with its digest (`crypto/x509/x509_cmp.c: check_suite_b`).

use super::{Run, Step};
use crate::algorithm::algorithm_parts;
use crate::cert::Cert;
use crate::crl::Crl;
use crate::key::decode::Kind;
use crate::key::ec;
use crate::oid;

/// Which keys Suite B allows (`X509_V_FLAG_SUITEB_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SuiteB {
    /// P-256, with SHA-256.
    pub p256: bool,
    /// P-384, with SHA-384.
    pub p384: bool,
}

impl SuiteB {
    /// `-suiteB_128_only`.
    pub const LEVEL_128_ONLY: Self = Self { p256: true, p384: false };
    /// `-suiteB_128`.
    pub const LEVEL_128: Self = Self { p256: true, p384: true };
    /// `-suiteB_192`.
    pub const LEVEL_192: Self = Self { p256: false, p384: true };

    /// What either allows.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self { p256: self.p256 || other.p256, p384: self.p384 || other.p384 }
    }

    /// `check_suite_b`: a key, and the algorithm it signed with. A chain that has come to P-384 has no P-256 above.
    fn check(&mut self, cert: &Cert, signed: Option<&[u8]>) -> Result<(), u8> {
        if cert.decoded_key().is_none_or(|key| key.kind != Kind::Ec) {
            return Err(57);
        }
        let (allowed, digest) = match ec::curve_oid(cert.public_key().as_der()) {
            Some(oid::P384) => (self.p384, oid::ECDSA_SHA384),
            Some(oid::P256) => (self.p256, oid::ECDSA_SHA256),
            _ => return Err(58),
        };
        if signed.is_some_and(|algorithm| !is_algorithm(algorithm, digest)) {
            return Err(59);
        }
        if !allowed {
            return Err(60);
        }
        self.p256 &= digest != oid::ECDSA_SHA384;
        Ok(())
    }
}

fn is_algorithm(algorithm: &[u8], oid: &[u8]) -> bool {
    algorithm_parts(algorithm).is_ok_and(|(there, _)| there == oid)
}

impl Run<'_> {
    /// `crypto/x509/x509_cmp.c: X509_chain_check_suiteb`.
    pub(super) fn check_suite_b(&mut self) -> Step {
        let Some(asked) = self.policy.suite_b else { return Ok(()) };
        let mut allowed = asked;
        match self.chain_suite_b(&mut allowed) {
            Ok(()) => Ok(()),
            Err((depth, code)) => {
                // A wrong signature, or a level that is not allowed, is a matter of the certificate below.
                let depth = if matches!(code, 59 | 60) { depth.saturating_sub(1) } else { depth };
                let code = if code == 60 && allowed != asked { 61 } else { code };
                self.report(code, depth)
            }
        }
    }

    fn chain_suite_b(&self, allowed: &mut SuiteB) -> Result<(), (usize, u8)> {
        let mut signed = None;
        for (depth, link) in self.chain.iter().enumerate() {
            if link.cert.version() != 2 {
                return Err((depth, 56));
            }
            allowed.check(link.cert, signed).map_err(|code| (depth, code))?;
            signed = Some(link.cert.signature_algorithm());
        }
        // The last one signed itself.
        let last = self.chain[self.chain.len() - 1].cert;
        allowed.check(last, signed).map_err(|code| (self.chain.len(), code))
    }

    /// `crypto/x509/x509_cmp.c: X509_CRL_check_suiteb`, by the algorithm in the signed part.
    pub(super) fn check_crl_suite_b(&mut self, depth: usize, crl: &Crl, issuer: &Cert) -> Step {
        let Some(mut allowed) = self.policy.suite_b else { return Ok(()) };
        match allowed.check(issuer, Some(crl.tbs_signature_algorithm())) {
            Ok(()) => Ok(()),
            Err(code) => self.report(code, depth),
        }
    }
}
