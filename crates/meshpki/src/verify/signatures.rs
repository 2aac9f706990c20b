//! Signatures and times, from the anchor down (`crypto/x509/x509_vfy.c: internal_verify`).

use super::extensions::same_algorithm;
use super::issued::{has_self_signed_flag, likely_issued};
use super::{Run, Step, Stop};
use crate::cert::{Cert, KeyUsage};
use crate::key::decode::Kind;
use crate::signature::{SignatureCheck, SignatureInput, check_for_id};

impl Run<'_> {
    /// `crypto/x509/x509_vfy.c: internal_verify`.
    pub(super) fn internal_verify(&mut self) -> Step {
        let last = self.chain.len() - 1;
        let anchor = self.chain[last].cert;
        let mut depth = last;
        let release = self.policy.release;
        if !self.policy.partial_chain && !likely_issued(anchor, anchor, release) {
            if last == 0 {
                self.report(21, 0)?;
            } else {
                depth = last - 1;
            }
        }
        loop {
            let by_itself = depth == last;
            if !by_itself
                || (self.policy.check_self_signed_signature
                    && has_self_signed_flag(anchor, release))
            {
                self.check_signature(depth, if by_itself { depth } else { depth + 1 })?;
            }
            self.check_cert_time(depth)?;
            if depth == 0 {
                return Ok(());
            }
            depth -= 1;
        }
    }

    fn check_signature(&mut self, depth: usize, issuer_depth: usize) -> Step {
        let (subject, issuer) = (self.chain[depth].cert, self.chain[issuer_depth].cert);
        // RFC 5280 section 6.1.4 (n); a self-signed certificate that is not a CA's may say what it likes.
        let exempt = depth == issuer_depth && !issuer.is_ca();
        // `crypto/x509/v3_purp.c: ossl_x509_signing_allowed`
        let (usage, code) = match subject.extensions().proxy {
            true => (KeyUsage::DIGITAL_SIGNATURE, 39),
            false => (KeyUsage::KEY_CERT_SIGN, 32),
        };
        if !exempt && issuer.extensions().lacks_usage(usage) {
            self.report(code, issuer_depth)?;
        }
        let release = self.policy.release;
        let Some(key) = release.key(issuer) else { return self.report(6, issuer_depth) };
        // A target is seen once, what is above it often.
        let check = match depth {
            _ if release.scheme(subject.signature_algorithm()).is_none() => SignatureCheck::Bad,
            // `crypto/asn1/a_verify.c: make_id_ctx`
            _ if self.id_of(subject).is_some() && key.kind != Kind::Sm2 => SignatureCheck::Bad,
            0 => verify_for_id(subject, issuer, self.id_of(subject).unwrap_or_default()),
            _ => self.memo.check(subject, issuer),
        };
        match check {
            SignatureCheck::Good => Ok(()),
            SignatureCheck::Bad => self.report(7, depth),
            SignatureCheck::Undecided => {
                self.undecided = Some(depth);
                Err(Stop)
            }
        }
    }

    /// The id is set on the target (`apps/lib/app_x509.c: x509_ctrl`). The trust store's copy of it does not have it, nor
    /// has the issuer of a CRL.
    fn id_of(&self, cert: &Cert) -> Option<&[u8]> {
        let has_it = !self.is_crl_path && core::ptr::eq(cert, self.inputs.target);
        self.policy.distinguishing_id.as_deref().filter(|_| has_it)
    }
}

/// `crypto/x509/x_all.c: X509_verify`.
pub(crate) fn verify_signature(subject: &Cert, issuer: &Cert) -> SignatureCheck {
    verify_for_id(subject, issuer, &[])
}

fn verify_for_id(subject: &Cert, issuer: &Cert, id: &[u8]) -> SignatureCheck {
    if !same_algorithm(subject.tbs_signature_algorithm(), subject.signature_algorithm())
        || subject.signature_unused_bits() != 0
    {
        return SignatureCheck::Bad;
    }
    let signed = SignatureInput {
        algorithm: subject.signature_algorithm(),
        message: subject.tbs(),
        signature: subject.signature(),
        key: issuer.public_key(),
    };
    check_for_id(&signed, id)
}
