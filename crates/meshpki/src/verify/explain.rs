//! Findings explained: both sides of each mismatch as data, and what to do next.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::{Finding, Inputs, Policy, Verdict};
use crate::cert::Cert;
use crate::digest;
use crate::oid;

mod content;
mod issuer;
mod releases;
mod revocation;

use content::usage as content_usage;
pub use releases::OtherAnswer;

/// A finding explained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// What was expected and what was found, most important first.
    pub evidence: Vec<Evidence>,
    /// What to do about it, one sentence without a full stop.
    pub next_step: String,
}

/// One mismatch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// What was compared: `authority key identifier`, `notAfter`, `pathlen of CN = Root`.
    pub what: String,
    /// What had to be there.
    pub wanted: String,
    /// What was there.
    pub found: String,
}

impl fmt::Display for Explanation {
    /// A line for each evidence, and one for the next step.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for evidence in &self.evidence {
            writeln!(f, "{evidence}")?;
        }
        write!(f, "next: {}", self.next_step)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.what, self.wanted, self.found)
    }
}

impl Verdict {
    /// Explains one of [`Verdict::findings`], given what the verdict was reached with.
    #[must_use]
    pub fn explain(&self, finding: &Finding, inputs: &Inputs<'_>, policy: &Policy) -> Explanation {
        let case = Case { verdict: self, finding, inputs, policy };
        let mut evidence = Vec::new();
        match finding.code.0 {
            // Their evidence is in the chain, and that of a CRL's issuer is not known any more.
            1 | 22 | 25 | 42 | 43 | 47..=53 | 62..=64 if finding.in_crl_path => {}
            2 | 18..=20 => case.issuer(&mut evidence),
            7 => case.signature(&mut evidence),
            9 | 10 | 13 | 14 => case.validity(&mut evidence),
            22 => case.depth(&mut evidence),
            25 => case.path_length(&mut evidence),
            26 => case.purpose(&mut evidence),
            28 => case.trust(&mut evidence),
            32 | 79..=82 | 89 | 92 => case.ca(&mut evidence),
            34 => case.critical(&mut evidence),
            42 | 43 => case.policies(&mut evidence),
            1 | 47..=53 => case.constraints(&mut evidence),
            62..=64 => case.identity(&mut evidence),
            66..=68 => case.strength(&mut evidence),
            3 | 8 | 11 | 12 | 15 | 16 | 23 | 35 | 36 | 44 => case.crl(&mut evidence),
            _ => case.form(&mut evidence),
        }
        let mut next_step = case.next_step();
        if finding.in_crl_path {
            next_step = format!("in the chain of the CRL's issuer, {next_step}");
        }
        Explanation { evidence, next_step }
    }
}

/// A finding with everything around it.
struct Case<'a> {
    verdict: &'a Verdict,
    finding: &'a Finding,
    inputs: &'a Inputs<'a>,
    policy: &'a Policy,
}

impl Case<'_> {
    /// The certificate the finding is about; the target for one about the whole chain.
    fn cert(&self) -> &Cert {
        self.finding.cert.as_ref().unwrap_or(self.inputs.target)
    }

    /// The certificate above it in the chain.
    fn issuer_cert(&self) -> Option<&Cert> {
        let chain = Some(&self.verdict.chain).filter(|_| !self.finding.in_crl_path);
        chain.and_then(|chain| chain.get(self.finding.depth + 1))
    }

    fn next_step(&self) -> String {
        self.found_step()
            .unwrap_or_else(|| self.advice().replace("{}", &self.cert().subject().label()))
    }

    /// What the other certificates at hand say about it.
    fn found_step(&self) -> Option<String> {
        let label = self.cert().subject().label();
        let twin = self.valid_twin().filter(|_| self.finding.depth > 0);
        if let (10, Some((list, twin))) = (self.finding.code.0, twin) {
            let until = twin.not_after().time().map_or_else(String::new, |time| time.to_string());
            return Some(format!(
                "remove the expired certificate of `{label}`: the {list} one with the same key is valid until {until}, but OpenSSL found the expired one first"
            ));
        }
        if let (47, Some((base, host))) = (self.finding.code.0, self.scheme_in_constraint()) {
            return Some(format!(
                "issue the CA that permits `{base}` again with a host such as `{host}`: a URI constraint is a host, so one with a scheme matches nothing"
            ));
        }
        if let (2 | 20, Some(twin)) = (self.finding.code.0, self.trusted_twin()) {
            return Some(format!(
                "put the `{label}` that `{}` issued before this one: OpenSSL takes the first that fits, and `{}` is trusted",
                twin.issuer().label(),
                twin.issuer().label()
            ));
        }
        if let (2 | 20, Some(address)) = (self.finding.code.0, self.issuer_addresses().first()) {
            return Some(format!(
                "provide the issuer of `{label}`, as an intermediate or in the trust store; `{label}` says that it is at {address}"
            ));
        }
        None
    }

    /// What to do about a code; `{}` is the certificate.
    fn advice(&self) -> &'static str {
        match self.finding.code.0 {
            2 => "add the certificate above `{}` to the trust store, or accept partial chains",
            3 => "provide a CRL from the issuer of `{}`",
            7 => {
                "replace `{}`, or the CA certificate, which does not have the key it was signed with"
            }
            8 => "fetch the CRL for `{}` again: it is damaged, or signed with another key",
            9 => "wait, correct the clock, or issue `{}` with an earlier notBefore",
            10 => "renew `{}`",
            11 | 12 | 15 | 16 => "publish a new CRL for the issuer of `{}`",
            13 | 14 => {
                "issue `{}` again with times in the form that RFC 5280 section 4.1.2.5 requires"
            }
            18 | 19 => "add the root that you want to trust to the trust store, byte for byte",
            20 if self.names_a_stranger() => {
                "issue `{}` again with an authority key identifier that fits its issuer"
            }
            20 if self.policy.release.lacks(self.cert().tbs_signature_algorithm()) => {
                "verify `{}` with OpenSSL 3.5 or later, or issue it again with ECDSA and SHA-256"
            }
            20 => "provide the issuer of `{}`, as an intermediate or in the trust store",
            22 => "allow more intermediates, or use a shorter chain for `{}`",
            23 => "stop using `{}` and issue a new certificate with a new key",
            25 => {
                "issue the CA that sets the limit again with a larger path length, or shorten the chain"
            }
            26 => "issue `{}` for that purpose, or verify without a purpose",
            28 => "change the trust settings of `{}` in the trust store",
            32 | 79 | 81 | 92 => {
                "issue `{}` as a CA: basicConstraints CA:TRUE and keyUsage keyCertSign"
            }
            34 | 36 => {
                "issue `{}` again without the critical extension, or ignore critical extensions on purpose"
            }
            43 => {
                "accept a policy that the chain of `{}` has, or do not require an explicit policy"
            }
            47 => "issue `{}` with names inside the permitted subtrees, or widen them",
            48 => "issue `{}` without the excluded name",
            46 => "issue `{}` with Internet resources that its issuer has (RFC 3779)",
            54 => {
                "make the chain of the CRL's issuer valid, with the same trust anchor as `{}`, or use a CRL by the issuer of `{}`"
            }
            62..=64 => "check for a name that `{}` has, or issue it again with the expected name",
            66..=68 => "issue `{}` again with a stronger key or digest, or use a lower level",
            code => {
                asked_for(code).unwrap_or("issue `{}` again in the form that RFC 5280 requires")
            }
        }
    }
}

/// What to do about a code that only an option leads to: proxy certificates (RFC 3820) and Suite B.
const fn asked_for(code: u8) -> Option<&'static str> {
    Some(match code {
        37 => {
            "issue the proxy certificate `{}` again without basicConstraints CA:TRUE (RFC 3820 section 3.7)"
        }
        38 => {
            "issue the proxy certificate `{}` again with a larger path length (RFC 3820 section 3.8.1), or use fewer proxy certificates below it"
        }
        39 => {
            "verify with a proxy issuer whose keyUsage has digitalSignature: `{}` signed a proxy certificate without it (RFC 3820 section 3.6)"
        }
        40 => {
            "allow proxy certificates with `-allow_proxy_certs`, or verify the certificate that issued `{}`"
        }
        56 => "issue `{}` again as a certificate of version 3, or verify without Suite B",
        57 | 58 => "issue `{}` again with a key on P-256 or P-384, or verify without Suite B",
        59 => {
            "sign `{}` again with the digest of its issuer's curve, SHA-256 with P-256 and SHA-384 with P-384, or verify without Suite B"
        }
        60 => {
            "use a level of Suite B that allows the curve that signed `{}`, or verify without Suite B"
        }
        61 => "issue `{}` by a CA with a key on P-384, or verify without Suite B",
        72 => {
            "issue the proxy certificate `{}` again with its issuer's name and one more common name as its subject (RFC 3820 section 3.4)"
        }
        _ => return None,
    })
}

/// Adds one mismatch.
fn push(
    to: &mut Vec<Evidence>,
    what: impl Into<String>,
    wanted: impl Into<String>,
    found: impl Into<String>,
) {
    to.push(Evidence { what: what.into(), wanted: wanted.into(), found: found.into() });
}

/// A certificate told apart from others of its name.
fn named(cert: &Cert) -> String {
    let fingerprint = cert.fingerprint();
    format!("{} (SHA-256 {})", cert.subject(), fingerprint.get(..23).unwrap_or(&fingerprint))
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_string() } else { text }
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    or_none(items.join(", "))
}

fn hex(bytes: &[u8]) -> String {
    digest::hex_colons(bytes).to_ascii_uppercase()
}

fn oid_name(bytes: &[u8]) -> String {
    oid::short_name(bytes).map_or_else(|| oid::dotted(bytes), ToString::to_string)
}

#[cfg(test)]
mod tests;
