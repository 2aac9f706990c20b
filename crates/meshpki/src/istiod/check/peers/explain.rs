//! What is behind a refusal: both sides, since when, and what to do.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Refusal;
use crate::cert::{Cert, RawTime};
use crate::istiod::canary::permitted_hosts;
use crate::istiod::check::{Folder, Remedy, SecretProblem, date};
use crate::istiod::dataplane::{Verifier, crls};
use crate::soft::KeyType;
use crate::verify::Reason;

/// How Envoy chooses between certificates of one name.
const FIRST: &str = "Envoy takes the first certificate of a name, up to Envoy 1.37 mostly the last, and looks at dates and signatures only afterwards";

impl Refusal<'_> {
    /// The problem with its evidence, its fix and the next step.
    pub(super) fn explained(&self, problem: SecretProblem) -> SecretProblem {
        match self.why.reason {
            Reason::Expired | Reason::NotYetValid => self.expired(problem),
            Reason::CrlExpired => self.crl_expired(problem),
            Reason::NoCrl | Reason::BadCrl | Reason::Revoked => self.revocation(problem),
            Reason::BadSignature => self.bad_signature(problem),
            Reason::NameConstraints => self.name_constraints(problem),
            Reason::Algorithm | Reason::Undecided => self.about(problem).fix(
                "create the CA with a key of type ecdsa-p256",
                Remedy::StartOver { key_type: Some(KeyType::EcdsaP256) },
            ),
            _ => self.about(problem).fix(
                "issue the certificate again, so that every verifier of the mesh accepts it",
                self.theirs.explain_trust(),
            ),
        }
    }

    /// The certificate at fault and where it is.
    fn about(&self, problem: SecretProblem) -> SecretProblem {
        let Some(cert) = &self.why.cert else { return problem };
        problem.evidence(match self.located(cert) {
            Some((_, place)) => alloc::format!("it is about {} in {place}", cert.label()),
            None => "it is about the workload's own certificate".to_string(),
        })
    }

    /// The file a certificate is in, alone and with its cluster; `None` if it is in no file.
    fn located(&self, cert: &Cert) -> Option<(&'static str, String)> {
        let all: [&Folder<'_>; 2] = [self.ours, self.theirs];
        let (folder, file) = all.iter().find_map(|f| Some((f, f.file_of(cert)?)))?;
        Some((file, alloc::format!("{file} of {}", folder.name)))
    }

    /// A certificate that is not valid at this time, and perhaps one of the same name that is.
    fn expired(&self, problem: SecretProblem) -> SecretProblem {
        let Some(cert) = &self.why.cert else { return problem };
        let at = self.ours.at;
        let (begin, end) = (cert.not_before().time(), cert.not_after().time());
        let when = if end.is_some_and(|end| end < at) {
            alloc::format!("expired {}", date(end))
        } else {
            alloc::format!("is not valid before {}", date(begin))
        };
        let Some((file, place)) = self.located(cert) else {
            return problem.evidence(when).fix("renew it", Remedy::Renew);
        };
        let problem = problem.evidence(alloc::format!("{} in {place} {when}", cert.label()));
        let is_current = |other: &Cert| {
            other.not_before().time().is_some_and(|begin| begin <= at)
                && other.not_after().time().is_some_and(|end| end >= at)
        };
        let certs: Vec<(&str, &Cert)> = self.ours.certs().chain(self.theirs.certs()).collect();
        let heir = certs.iter().find(|(_, other)| {
            *other != cert && other.subject() == cert.subject() && is_current(other)
        });
        let Some((other_file, heir)) = heir else {
            return problem.fix("renew it", Remedy::Renew);
        };
        problem
            .evidence(alloc::format!(
                "{} in {other_file} has the same name and is valid until {}",
                heir.label(),
                date(heir.not_after().time())
            ))
            .evidence(FIRST)
            .fix(
                alloc::format!("remove the certificate that is not valid from {file}"),
                Remedy::inspect(&[file]),
            )
    }

    fn crl_expired(&self, mut problem: SecretProblem) -> SecretProblem {
        let ours = self.ours;
        for crl in crls(ours.bundle.crl().unwrap_or_default()) {
            let next = crl.next_update().and_then(RawTime::time);
            if let Some(next) = next.filter(|next| *next < ours.at) {
                problem = problem.evidence(alloc::format!(
                    "the CRL of `{}` in ca-crl.pem of {} expired {next}",
                    crl.issuer().label(),
                    ours.name
                ));
            }
        }
        problem
            .evidence("with a CRL, Envoy rejects every chain that has a certificate without a current CRL")
            .fix(
                "replace the CRL with a current one, or remove ca-crl.pem",
                Remedy::IssueCrls,
            )
    }

    fn revocation(&self, problem: SecretProblem) -> SecretProblem {
        let problem = self.about(problem);
        if self.why.reason == Reason::Revoked {
            return problem.fix("create the CA again with a new key", Remedy::Create);
        }
        problem
            .evidence(
                "with a CRL, Envoy needs one for every certificate of a chain, including the root",
            )
            .fix("add a CRL for each, or remove ca-crl.pem", Remedy::inspect(&["ca-crl.pem"]))
    }

    /// Several certificates of one name, of which Envoy takes the wrong one.
    fn bad_signature(&self, mut problem: SecretProblem) -> SecretProblem {
        let Some(cert) = &self.why.cert else { return problem };
        let file = self.ours.bundle.layout.roots_file();
        for root in self.ours.roots.iter().filter(|root| root.subject() == cert.issuer()) {
            problem = problem.evidence(alloc::format!(
                "{} in {file} of {} has the name of the issuer of {}",
                root.label(),
                self.ours.name,
                cert.label()
            ));
        }
        problem.evidence(FIRST).fix(
            "sign the CA again with an authority key identifier, or give the new root another name",
            Remedy::Renew,
        )
    }

    fn name_constraints(&self, mut problem: SecretProblem) -> SecretProblem {
        if self.who == Verifier::Ztunnel {
            return self
                .about(problem)
                .evidence("ztunnel supports no URI constraints and rejects every certificate with a URI below one")
                .fix("issue the CA again without a name constraint", Remedy::Replace);
        }
        for (file, cert) in self.theirs.distinct() {
            for host in permitted_hosts(cert) {
                let note = if host.contains('/') {
                    ": a URI constraint is a host, without scheme and path, so nothing matches it"
                } else {
                    ""
                };
                problem = problem.evidence(alloc::format!(
                    "{} in {file} permits the host `{host}`{note}",
                    cert.label()
                ));
            }
        }
        problem.fix(
            "issue the certificate with a constraint that is the trust domain alone, or without one",
            Remedy::StartOver { key_type: None },
        )
    }
}
