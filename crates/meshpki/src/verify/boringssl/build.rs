//! Chain building (`crypto/x509/x509_vfy.cc: X509_verify_cert` up to `check_trust`).

use alloc::vec::Vec;

use super::code::Code;
use super::read::Known;
use super::{Run, Step};

/// `param->depth` and two: the certificates a chain can have.
const MAX_CHAIN: usize = 102;

impl<'a> Run<'a> {
    /// Builds the chain, without backtracking: untrusted certificates until the store has the issuer of one, then the
    /// store's alone. At every step it is the first that fits.
    pub(super) fn build(&mut self) -> Step {
        let mut untrusted: Vec<&'a Known> = self.untrusted.iter().collect();
        while self.chain.len() < MAX_CHAIN && !self.self_signed()? {
            let last = self.last();
            if self.trusted_issuer(last).is_some() {
                break;
            }
            let Some(index) = untrusted.iter().position(|known| last.is_issued_by(known)) else {
                break;
            };
            self.chain.push(untrusted.remove(index));
        }
        self.last_untrusted = self.chain.len();
        let popped = self.settle_self_signed()?;
        while self.chain.len() < MAX_CHAIN && !self.self_signed()? {
            let Some(issuer) = self.trusted_issuer(self.last()) else { break };
            self.chain.push(issuer);
        }
        if self.is_trusted() { Ok(()) } else { self.refuse_untrusted(popped) }
    }

    fn last(&self) -> &'a Known {
        self.chain[self.chain.len() - 1]
    }

    /// `cert_self_signed`, of the last certificate.
    fn self_signed(&self) -> Result<bool, super::Refusal> {
        let last = self.last();
        if last.invalid {
            // BoringSSL gives no depth then; Envoy prints the initial one, 0.
            return Err(self.refusal(Code::INVALID_EXTENSION, self.chain.len() - 1));
        }
        Ok(last.self_signed)
    }

    /// A self-signed target must be the store's byte for byte. A self-signed certificate above it is taken off the
    /// chain: the store may have another issuer in its place.
    fn settle_self_signed(&mut self) -> Result<Option<&'a Known>, super::Refusal> {
        if !self.self_signed()? {
            return Ok(None);
        }
        if self.chain.len() > 1 {
            self.last_untrusted -= 1;
            return Ok(self.chain.pop());
        }
        match self.trusted_issuer(self.chain[0]) {
            Some(issuer) if issuer.cert == self.chain[0].cert => {
                self.chain[0] = issuer;
                self.last_untrusted = 0;
                Ok(None)
            }
            _ => Err(self.refusal(Code::DEPTH_ZERO_SELF_SIGNED_CERT, 0)),
        }
    }

    /// `crypto/x509/x509_lu.cc: X509_STORE_CTX_get1_issuer`: the first of the name that fits.
    fn trusted_issuer(&self, subject: &Known) -> Option<&'a Known> {
        self.store.certs(subject.cert.issuer()).find(|known| subject.is_issued_by(known))
    }

    /// `check_trust` under `X509_V_FLAG_PARTIAL_CHAIN`: any certificate of the store, self-signed or not, ends a chain;
    /// so does the target if it is in the store itself.
    fn is_trusted(&mut self) -> bool {
        if self.last_untrusted < self.chain.len() {
            return true;
        }
        let target = &self.chain[0].cert;
        let Some(same) = self.store.certs(target.subject()).find(|known| known.cert == *target)
        else {
            return false;
        };
        self.chain[0] = same;
        self.last_untrusted = 0;
        true
    }

    fn refuse_untrusted(&mut self, popped: Option<&'a Known>) -> Step {
        let code = match popped.filter(|root| self.last().is_issued_by(root)) {
            Some(root) => {
                self.chain.push(root);
                Code::SELF_SIGNED_CERT_IN_CHAIN
            }
            None if self.last_untrusted >= self.chain.len() => {
                Code::UNABLE_TO_GET_ISSUER_CERT_LOCALLY
            }
            None => Code::UNABLE_TO_GET_ISSUER_CERT,
        };
        Err(self.refusal(code, self.chain.len() - 1))
    }
}
