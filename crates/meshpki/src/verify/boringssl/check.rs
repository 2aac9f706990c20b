//! Extensions, signatures and dates of a chain (`crypto/x509/x509_vfy.cc: check_chain_extensions`, `internal_verify`).

use super::code::Code;
use super::grammar::instant;
use super::key::{self, Answer};
use super::read::Known;
use super::{Peer, Run, Step};
use crate::cert::{ExtendedUsages, KeyUsage, RawTime};
use crate::signature::SignatureInput;
use crate::verify::Reason;

impl Run<'_> {
    /// `check_chain_extensions`: of the certificates that did not come from the store.
    pub(super) fn check_extensions(&self) -> Step {
        let mut length: i64 = 0;
        for (depth, known) in self.chain[..self.last_untrusted].iter().enumerate() {
            if known.critical {
                return Err(self.refusal(Code::UNHANDLED_CRITICAL_EXTENSION, depth));
            }
            if depth > 0 && !is_ca(known) {
                return Err(self.refusal(Code::INVALID_CA, depth));
            }
            if !self.has_purpose(known, depth > 0) {
                return Err(self.refusal(Code::INVALID_PURPOSE, depth));
            }
            self.check_path_length(depth, known, &mut length)?;
        }
        Ok(())
    }

    /// RFC 5280 section 6.1.4 (l) and (m). Up to Envoy 1.39 the limit of a self-issued certificate is not looked at, and
    /// a self-issued target does not count.
    fn check_path_length(&self, depth: usize, known: &Known, length: &mut i64) -> Step {
        let counts_all = self.policy.release.limits_self_issued();
        let limit = known.cert.extensions().basic_constraints.and_then(|c| c.path_len);
        let is_limited = depth > 1 && (counts_all || !known.self_issued);
        // At most `limit` certificates, and the target.
        if is_limited && limit.is_some_and(|limit| *length > limit.saturating_add(1)) {
            return Err(self.refusal(Code::PATH_LENGTH_EXCEEDED, depth));
        }
        if !known.self_issued || (counts_all && depth == 0) {
            *length += 1;
        }
        Ok(())
    }

    /// `crypto/x509/v3_purp.cc: check_purpose_ssl_client` and `check_purpose_ssl_server`.
    fn has_purpose(&self, known: &Known, ca: bool) -> bool {
        let extensions = known.cert.extensions();
        let (extended, usage) = match self.policy.peer {
            Peer::Client => {
                (ExtendedUsages::CLIENT, KeyUsage::DIGITAL_SIGNATURE.with(KeyUsage::KEY_AGREEMENT))
            }
            Peer::Server => (
                ExtendedUsages::SERVER,
                KeyUsage::DIGITAL_SIGNATURE
                    .with(KeyUsage::KEY_ENCIPHERMENT)
                    .with(KeyUsage::KEY_AGREEMENT),
            ),
        };
        extensions.extended_usages().is_none_or(|usages| usages.intersects(extended))
            && (ca || !extensions.lacks_usage(usage))
    }

    /// `internal_verify`, from the anchor down. The anchor's own signature is not checked, its dates are.
    pub(super) fn check_signatures(&self) -> Step {
        for depth in (0..self.chain.len()).rev() {
            if let Some(issuer) = self.chain.get(depth + 1) {
                self.check_signature(depth, issuer)?;
            }
            self.check_dates(depth)?;
        }
        Ok(())
    }

    fn check_signature(&self, depth: usize, issuer: &Known) -> Step {
        let cert = &self.chain[depth].cert;
        let Some(kind) = key::decode(issuer.cert.public_key(), self.policy.release) else {
            return Err(self.refusal(Code::UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, depth + 1));
        };
        let signed = SignatureInput {
            algorithm: cert.signature_algorithm(),
            message: cert.tbs(),
            signature: cert.signature(),
            key: issuer.cert.public_key(),
        };
        // `crypto/x509/x_all.cc: X509_verify`.
        let is_consistent = cert.tbs_signature_algorithm() == cert.signature_algorithm()
            && cert.signature_unused_bits() == 0;
        let refusal = self.refusal(Code::CERT_SIGNATURE_FAILURE, depth);
        match key::verify(&signed, kind) {
            _ if !is_consistent => Err(refusal),
            Answer::Good => Ok(()),
            Answer::Bad => Err(refusal),
            Answer::Unsupported => Err(refusal.because(Reason::Algorithm)),
            Answer::Undecided => Err(refusal.because(Reason::Undecided)),
        }
    }

    /// `check_cert_time`.
    fn check_dates(&self, depth: usize) -> Step {
        let cert = &self.chain[depth].cert;
        match self.is_reached(cert.not_before()) {
            Some(true) => {}
            Some(false) => return Err(self.refusal(Code::CERT_NOT_YET_VALID, depth)),
            None => return Err(self.refusal(Code::ERROR_IN_CERT_NOT_BEFORE_FIELD, depth)),
        }
        match self.is_reached(cert.not_after()) {
            Some(false) => Ok(()),
            Some(true) => Err(self.refusal(Code::CERT_HAS_EXPIRED, depth)),
            None => Err(self.refusal(Code::ERROR_IN_CERT_NOT_AFTER_FIELD, depth)),
        }
    }

    /// `X509_cmp_time_posix`: whether a time is past or this very second; `None` for one that is not in UTC.
    pub(super) fn is_reached(&self, time: &RawTime) -> Option<bool> {
        instant(time, false).map(|time| time <= self.policy.at)
    }
}

/// `crypto/x509/v3_purp.cc: check_ca`.
fn is_ca(known: &Known) -> bool {
    !known.cert.extensions().lacks_usage(KeyUsage::KEY_CERT_SIGN)
        && ((known.cert.version() == 0 && known.self_signed) || known.cert.is_ca())
}
