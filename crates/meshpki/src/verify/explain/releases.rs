//! What other releases of OpenSSL say of the same certificate, and why.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::issuer::{algorithm_name, key_name, printable_uri};
use crate::cert::{Cert, GeneralName};
use crate::verify::issued::has_self_signed_flag;
use crate::verify::names::uri_host;
use crate::verify::{Anchor, Finding, Inputs, Memo, Policy, Release, Verdict, verify_with};

/// The answer of another release, if it differs in more than its words.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OtherAnswer {
    /// The release.
    pub release: Release,
    /// `OK`, the first error that this release does not report, or that it cannot read the certificate.
    pub answer: String,
    /// What it does otherwise.
    pub reason: String,
}

impl Verdict {
    /// The answers of other releases that differ from this one, given what it was reached with. Files count as read:
    /// what a release cannot read is left out, and does not spoil the file that it is in.
    #[must_use]
    pub fn other_answers(
        &self,
        inputs: &Inputs<'_>,
        policy: &Policy,
        memo: &mut Memo,
    ) -> Vec<OtherAnswer> {
        let others = Release::ALL.into_iter().filter(|release| *release != self.release);
        others.filter_map(|release| self.other_answer(release, inputs, policy, memo)).collect()
    }

    fn other_answer(
        &self,
        release: Release,
        inputs: &Inputs<'_>,
        policy: &Policy,
        memo: &mut Memo,
    ) -> Option<OtherAnswer> {
        if !release.reads_cert(inputs.target) {
            let (answer, reason) = (UNREADABLE.to_string(), SHORT_TIME.to_string());
            return Some(OtherAnswer { release, answer, reason });
        }
        let (untrusted, trusted) = (readable(inputs.untrusted, release), anchors(inputs, release));
        let all = [inputs.crls, inputs.store_crls].map(|crls| {
            let read = crls.iter().filter(|crl| release.reads_crl(crl));
            read.cloned().collect::<Vec<_>>()
        });
        let others = Inputs {
            untrusted: &untrusted,
            trusted: &trusted,
            crls: &all[0],
            store_crls: &all[1],
            ..*inputs
        };
        let theirs = verify_with(&others, &policy.clone().with_release(release), memo);
        if self.says_the_same(&theirs) {
            return None;
        }
        let less_is_read = inputs.untrusted.len() != untrusted.len()
            || inputs.trusted.len() != trusted.len()
            || inputs.crls.len() + inputs.store_crls.len() != all[0].len() + all[1].len();
        let reason = match less_is_read {
            true => SHORT_TIME.to_string(),
            false => Change { ours: self, theirs: &theirs, inputs }.reason(),
        };
        Some(OtherAnswer { release, answer: theirs.answer(self), reason })
    }

    /// Whether it finds the same, in whatever words.
    fn says_the_same(&self, other: &Self) -> bool {
        let found = |verdict: &Self| -> Vec<_> {
            verdict
                .findings
                .iter()
                .map(|found| (found.code, found.depth, found.in_crl_path))
                .collect()
        };
        (self.ok, self.undecided, found(self)) == (other.ok, other.undecided, found(other))
    }

    /// What it says that `other` does not.
    fn answer(&self, other: &Self) -> String {
        if self.ok {
            return "OK".to_string();
        }
        match only(self, other).next().or(self.findings.first()) {
            _ if self.undecided.is_some() => UNDECIDED.to_string(),
            Some(found) => said(found, self.release),
            None => SILENT.to_string(),
        }
    }
}

/// The answer of a release that rejects a certificate and reports no error.
const SILENT: &str = "a failure without an error";
/// The answer of a release that cannot read the certificate.
const UNREADABLE: &str = "that it cannot read it";
/// The answer of a release that depends on a signature which is not built in.
const UNDECIDED: &str = "nothing that can be decided";

impl fmt::Display for OtherAnswer {
    /// One sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (release, answer) = (self.release.name(), self.answer.as_str());
        match answer {
            SILENT => write!(f, "{release} rejects it without naming an error: {}", self.reason),
            UNREADABLE => write!(f, "{release} cannot read it: {}", self.reason),
            UNDECIDED => {
                write!(f, "{release} has an answer that cannot be decided here: {}", self.reason)
            }
            _ => write!(f, "{release} says {answer} here: {}", self.reason),
        }
    }
}

/// The findings of `a` that `b` does not have.
fn only<'a>(a: &'a Verdict, b: &'a Verdict) -> impl Iterator<Item = &'a Finding> {
    a.findings.iter().filter(|found| !b.findings.contains(found))
}

/// Why a release reads less.
const SHORT_TIME: &str =
    "OpenSSL 3.5 and later do not read a certificate or a CRL with a time without seconds or zone";

fn said(finding: &Finding, release: Release) -> String {
    let (code, depth) = (finding.code, finding.depth);
    format!("error {} at {depth} depth ({})", code.number(), code.text_of(release))
}

fn readable(certs: &[Cert], release: Release) -> Vec<Cert> {
    certs.iter().filter(|cert| release.reads_cert(cert)).cloned().collect()
}

fn anchors(inputs: &Inputs<'_>, release: Release) -> Vec<Anchor> {
    inputs.trusted.iter().filter(|anchor| release.reads_cert(&anchor.cert)).cloned().collect()
}

/// Two answers that differ.
struct Change<'a> {
    ours: &'a Verdict,
    theirs: &'a Verdict,
    inputs: &'a Inputs<'a>,
}

impl Change<'_> {
    /// The change between the two releases that applies, most particular first.
    fn reason(&self) -> String {
        let reasons = [self.uri(), self.revocation(), self.algorithm()];
        let unknown =
            || "docs/openssl-parity.md lists what changed between the releases".to_string();
        reasons.into_iter().flatten().next().unwrap_or_else(unknown)
    }

    fn older(&self) -> Release {
        self.ours.release.min(self.theirs.release)
    }

    fn newer(&self) -> Release {
        self.ours.release.max(self.theirs.release)
    }

    /// The findings only one of them has.
    fn changed(&self) -> impl Iterator<Item = &Finding> {
        only(self.ours, self.theirs).chain(only(self.theirs, self.ours))
    }

    /// The host of a URI under a name constraint.
    fn uri(&self) -> Option<String> {
        let found = self.changed().find(|found| matches!(found.code.number(), 47 | 48 | 53))?;
        let names = found.cert.as_ref()?.extensions().subject_alt_name.iter().flatten();
        let uris = names.filter_map(|name| match name {
            GeneralName::Uri(uri) => Some(uri.as_slice()),
            _ => None,
        });
        let host = |uri: &[u8], release| match uri_host(uri, release) {
            Err(_) => "no host".to_string(),
            Ok([]) => "an empty host".to_string(),
            Ok(host) => format!("the host `{}`", host.escape_ascii()),
        };
        uris.map(|uri| (uri, host(uri, self.older()), host(uri, self.newer())))
            .find(|(_, older, newer)| older != newer)
            .map(|(uri, older, newer)| {
                format!(
                    "in the URI `{}`, {} finds {older}, {} {newer}",
                    printable_uri(uri),
                    self.older().name(),
                    self.newer().name()
                )
            })
    }

    fn revocation(&self) -> Option<String> {
        let is_of_crls = |found: &&Finding| {
            matches!(found.code.number(), 3 | 6 | 8 | 11 | 12 | 15 | 16 | 23 | 35 | 36 | 44)
        };
        let found = self.changed().find(is_of_crls)?;
        let cert = found.cert.as_ref()?;
        if !self.older().since(3, 6)
            && self.newer().since(3, 6)
            && has_self_signed_flag(cert, self.older())
        {
            return Some(
                "OpenSSL 3.6 does not check self-signed certificates against CRLs".to_string(),
            );
        }
        let mut crls = self.inputs.crls.iter().chain(self.inputs.store_crls);
        crls.any(|crl| crl.scope().is_some_and(crate::crl::Scope::is_empty)).then(|| {
            "OpenSSL 3.5 and later do not use a CRL whose issuingDistributionPoint is empty"
                .to_string()
        })
    }

    /// A certificate with an algorithm that only the newer one has.
    fn algorithm(&self) -> Option<String> {
        let inputs = self.inputs;
        let trusted = inputs.trusted.iter().map(|anchor| &anchor.cert);
        let mut certs = core::iter::once(inputs.target).chain(inputs.untrusted).chain(trusted);
        let (older, newer) = (self.older(), self.newer());
        let is_signed = |cert: &Cert| older.lacks(cert.signature_algorithm());
        let has_key = |cert: &Cert| older.key(cert).is_none() != newer.key(cert).is_none();
        let cert = certs.find(|cert| is_signed(cert) || has_key(cert))?;
        let what = match is_signed(cert) {
            true => format!("is signed with {}", algorithm_name(cert)),
            false => format!("has a key of {}", key_name(cert)),
        };
        Some(format!(
            "{} and {} do not have the same algorithms, and `{}` {what}",
            older.name(),
            newer.name(),
            cert.subject().label()
        ))
    }
}
