//! webpki's errors explained: their class, their name, and the certificate they are about.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use ::webpki::{EndEntityCert, Error};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{Peer, Policy, Reason, TrustStore};
use crate::cert::{Cert, KeyUsage, RawTime};
use crate::oid::Oid;
use crate::signature::{self, SignatureCheck, SignatureInput};

/// The name of an error, without what it carries.
pub(super) fn words(error: &Error) -> String {
    let text = format!("{error:?}");
    let name = text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    name.strip_suffix("Context").unwrap_or(name).into()
}

/// The class of an error.
pub(super) const fn reason(error: &Error) -> Reason {
    match error {
        Error::CertExpired { .. } | Error::InvalidCertValidity => Reason::Expired,
        Error::CertNotValidYet { .. } => Reason::NotYetValid,
        Error::UnknownIssuer => Reason::UnknownIssuer,
        Error::InvalidSignatureForPublicKey => Reason::BadSignature,
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Reason::Algorithm,
        Error::UnsupportedCriticalExtension => Reason::CriticalExtension,
        Error::EndEntityUsedAsCa => Reason::NotCa,
        Error::CaUsedAsEndEntity => Reason::CaAsPeer,
        Error::PathLenConstraintViolated => Reason::PathLength,
        Error::EmptyEkuExtension | Error::RequiredEkuNotFoundContext(_) => Reason::ExtKeyUsage,
        Error::NameConstraintViolation
        | Error::InvalidNetworkMaskConstraint
        | Error::MalformedNameConstraint => Reason::NameConstraints,
        Error::CertRevoked | Error::CertDistrusted => Reason::Revoked,
        Error::UnknownRevocationStatus => Reason::NoCrl,
        Error::CrlExpired { .. } => Reason::CrlExpired,
        Error::InvalidCrlSignatureForPublicKey
        | Error::IssuerNotCrlSigner
        | Error::UnsupportedCrlSignatureAlgorithmContext(_)
        | Error::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => Reason::BadCrl,
        Error::MaximumNameConstraintComparisonsExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumSignatureChecksExceeded => Reason::Limit,
        // What else concerns certificates is how they are encoded.
        _ => Reason::Unreadable,
    }
}

/// The certificates webpki can have looked at.
pub(super) struct Search<'a> {
    store: &'a TrustStore,
    policy: &'a Policy,
    /// The target, its issuers by name, theirs, and so on, each with how far up it is.
    reached: Vec<(usize, &'a Cert)>,
    untrusted: &'a [Cert],
}

impl<'a> Search<'a> {
    pub(super) fn new(
        store: &'a TrustStore,
        target: &'a Cert,
        untrusted: &'a [Cert],
        policy: &'a Policy,
    ) -> Self {
        let mut reached = Vec::from([(0, target)]);
        let mut next = 0;
        while let Some((height, cert)) = reached.get(next).copied() {
            for issuer in untrusted.iter().filter(|issuer| issuer.subject() == cert.issuer()) {
                if !reached.iter().any(|(_, known)| *known == issuer) {
                    reached.push((height + 1, issuer));
                }
            }
            next += 1;
        }
        Self { store, policy, reached, untrusted }
    }

    /// The certificate an error is about; `None` if it is not known.
    pub(super) fn cert(&self, error: &Error) -> Option<&'a Cert> {
        match error {
            Error::CaUsedAsEndEntity | Error::NameConstraintViolation => self.find(|_| true),
            Error::CertExpired { not_after, .. } => {
                self.find(|cert| is_at(cert.not_after(), *not_after))
            }
            Error::CertNotValidYet { not_before, .. } => {
                self.find(|cert| is_at(cert.not_before(), *not_before))
            }
            Error::InvalidCertValidity => {
                self.find(|cert| cert.not_after().time() < cert.not_before().time())
            }
            Error::UnknownIssuer => {
                self.reached.iter().rev().map(|(_, cert)| *cert).find(|cert| !self.has_issuer(cert))
            }
            Error::InvalidSignatureForPublicKey => self.find(|cert| self.is_forged(cert)),
            Error::UnsupportedSignatureAlgorithmContext(found) => self
                .find(|cert| cert.signature_algorithm().ends_with(&found.signature_algorithm_id)),
            Error::UnsupportedSignatureAlgorithmForPublicKeyContext(found) => self.find(|cert| {
                cert.signature_algorithm().ends_with(&found.signature_algorithm_id)
                    && self.has_issuer_with(cert, &found.public_key_algorithm_id)
            }),
            Error::EndEntityUsedAsCa => self.issuer(|_, cert| !cert.is_ca()),
            Error::PathLenConstraintViolated => self.issuer(is_too_long),
            Error::EmptyEkuExtension | Error::RequiredEkuNotFoundContext(_) => {
                self.find(|cert| self.lacks_usage(cert))
            }
            Error::CertRevoked => self.find(|cert| self.is_revoked(cert)),
            Error::IssuerNotCrlSigner => {
                self.issuer(|_, cert| cert.extensions().lacks_usage(KeyUsage::CRL_SIGN))
            }
            _ => self.find(|cert| {
                let der = CertificateDer::from(cert.as_der());
                EndEntityCert::try_from(&der).err().as_ref() == Some(error)
            }),
        }
    }

    fn find(&self, is_it: impl Fn(&Cert) -> bool) -> Option<&'a Cert> {
        self.reached.iter().map(|(_, cert)| *cert).find(|cert| is_it(cert))
    }

    /// The first certificate above the target, by its height, for which `is_it` holds.
    fn issuer(&self, is_it: impl Fn(usize, &Cert) -> bool) -> Option<&'a Cert> {
        let mut issuers = self.reached.iter().filter(|(height, _)| *height > 0);
        issuers.find(|(height, cert)| is_it(*height, cert)).map(|(_, cert)| *cert)
    }

    /// What is there under the name of the issuer.
    fn issuers<'s>(&'s self, cert: &'s Cert) -> impl Iterator<Item = &'a Cert> + 's
    where
        'a: 's,
    {
        let all = self.store.roots.iter().chain(self.untrusted);
        all.filter(|issuer| issuer.subject() == cert.issuer())
    }

    fn has_issuer(&self, cert: &Cert) -> bool {
        self.issuers(cert).any(|issuer| issuer != cert)
    }

    /// Whether there is one whose key is of an algorithm, its AlgorithmIdentifier without tag and length.
    fn has_issuer_with(&self, cert: &Cert, algorithm: &[u8]) -> bool {
        self.issuers(cert).any(|issuer| {
            let mut parts = issuer.public_key().as_der().windows(algorithm.len().max(1));
            parts.any(|part| part == algorithm)
        })
    }

    /// Whether there are issuers of the name, and none of them made the signature.
    fn is_forged(&self, cert: &Cert) -> bool {
        let is_by = |issuer: &Cert| {
            signature::check(&SignatureInput {
                algorithm: cert.signature_algorithm(),
                message: cert.tbs(),
                signature: cert.signature(),
                key: issuer.public_key(),
            }) == SignatureCheck::Good
        };
        self.issuers(cert).next().is_some() && !self.issuers(cert).any(is_by)
    }

    fn lacks_usage(&self, cert: &Cert) -> bool {
        let wanted = match self.policy.peer {
            Peer::Client => Oid::CLIENT_AUTH,
            Peer::Server => Oid::SERVER_AUTH,
        };
        let usages = cert.extensions().ext_key_usage.as_ref();
        usages.is_some_and(|usages| !usages.contains(&wanted))
    }

    fn is_revoked(&self, cert: &Cert) -> bool {
        let mut crls = self.store.crls.iter().filter(|crl| crl.issuer() == cert.issuer());
        crls.any(|crl| crl.lookup(cert.serial(), cert.issuer()).is_some())
    }
}

/// Whether more CAs are below one than its path length allows.
fn is_too_long(height: usize, cert: &Cert) -> bool {
    let limit = cert.extensions().basic_constraints.and_then(|basic| basic.path_len);
    limit.is_some_and(|limit| usize::try_from(limit).is_ok_and(|limit| height - 1 > limit))
}

fn is_at(time: &RawTime, at: UnixTime) -> bool {
    time.time().and_then(|time| u64::try_from(time.0).ok()) == Some(at.as_secs())
}
