//! The proof that a CA is live: what istiod serves, what it signs, and what workloads are given to trust.

use std::fmt;

use meshpki::istiod::Secret;
use meshpki::verify::{Anchor, Inputs, Policy, Verdict, verify};
use meshpki::{Cert, Time};

use crate::state::{ca, certs, chain, ids, roots};

/// What was found, asked at one time.
#[derive(Clone, Debug)]
pub struct Proof {
    /// When it was asked.
    pub at: Time,
    /// Every istiod pod that is ready.
    pub pods: Vec<PodProof>,
    /// Every namespace istiod keeps a ConfigMap of roots in.
    pub namespaces: Vec<NamespaceRoots>,
}

/// What one pod of istiod does.
#[derive(Clone, Debug)]
pub struct PodProof {
    /// Its name.
    pub pod: String,
    /// The chain it presents on its TLS port, its own certificate first; or why there is none.
    pub served: Result<Vec<Cert>, String>,
    /// What it answered to a certificate signing request; `None`: it was not asked, since it serves another CA.
    pub canary: Option<Result<Canary, String>>,
}

/// A workload certificate istiod signed for us and nobody else has seen.
#[derive(Clone, Debug)]
pub struct Canary {
    /// The certificate, then what stands above it.
    pub chain: Vec<Cert>,
    /// The roots istiod gives out with it: the last element of its answer
    /// (`security/pkg/server/ca/server.go: CreateCertificate`).
    pub roots: Vec<Cert>,
}

/// The roots a namespace's workloads are given.
#[derive(Clone, Debug)]
pub struct NamespaceRoots {
    /// The namespace.
    pub namespace: String,
    /// The text of the ConfigMap; `None` where there is none.
    pub text: Option<String>,
}

/// Something that does not hold yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unproven {
    /// There is no secret to be live.
    NoSecret,
    /// No istiod pod is ready.
    NoPods,
    /// A pod's TLS port did not answer.
    Unreachable {
        /// The pod.
        pod: String,
        /// Why.
        why: String,
    },
    /// A pod presents a chain of another CA.
    OtherCa {
        /// The pod.
        pod: String,
        /// The CA wanted.
        wanted: String,
        /// The CA found.
        found: String,
    },
    /// A pod did not sign.
    NotSigned {
        /// The pod.
        pod: String,
        /// What it said.
        why: String,
    },
    /// What a pod signed does not verify.
    Untrusted {
        /// The pod.
        pod: String,
        /// What our verifier says.
        why: String,
    },
    /// A pod gives out other roots.
    OtherRoots {
        /// Whose: `pod istiod-1`, `namespace shop`.
        place: String,
        /// The roots wanted.
        wanted: String,
        /// The roots found.
        found: String,
    },
}

impl Unproven {
    /// Whether istiod will mend it by taking the new files.
    #[must_use]
    pub const fn is_istiods(&self) -> bool {
        matches!(self, Self::OtherCa { .. } | Self::OtherRoots { .. } | Self::Untrusted { .. })
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSecret => f.write_str("there is no secret"),
            Self::NoPods => f.write_str("no istiod pod is ready"),
            Self::Unreachable { pod, why } => {
                write!(f, "pod {pod} does not answer on its TLS port: {why}")
            }
            Self::OtherCa { pod, wanted, found } => {
                write!(f, "pod {pod} serves {found}, wanted is {wanted}")
            }
            Self::NotSigned { pod, why } => write!(f, "pod {pod} signs nothing: {why}"),
            Self::Untrusted { pod, why } => {
                write!(f, "what pod {pod} signs does not verify: {why}")
            }
            Self::OtherRoots { place, wanted, found } => {
                write!(f, "{place} is given {found}, wanted is {wanted}")
            }
        }
    }
}

/// Everything that keeps `proof` from proving that the CA of `secret` is live; empty: it is.
#[must_use]
pub fn judge(secret: &Secret, proof: &Proof) -> Vec<Unproven> {
    let Some(wanted) = ca(secret) else { return vec![Unproven::NoPods] };
    let trusted = roots(secret);
    // What istiod puts behind each certificate it signs.
    let in_chain = chain(secret).contains(&wanted);
    let mut missing = Vec::new();
    if proof.pods.is_empty() {
        missing.push(Unproven::NoPods);
    }
    for pod in &proof.pods {
        missing.extend(judge_pod(pod, &wanted, in_chain, &trusted, proof.at));
    }
    for namespace in &proof.namespaces {
        let found =
            namespace.text.as_deref().map(|text| certs(text.as_bytes())).unwrap_or_default();
        if ids(&found) != ids(&trusted) {
            missing.push(other_roots(
                format!("namespace {}", namespace.namespace),
                &trusted,
                &found,
            ));
        }
    }
    missing
}

fn judge_pod(
    proof: &PodProof,
    wanted: &Cert,
    in_chain: bool,
    trusted: &[Cert],
    at: Time,
) -> Option<Unproven> {
    let pod = proof.pod.clone();
    let chain = match &proof.served {
        Ok(chain) => chain,
        Err(why) => return Some(Unproven::Unreachable { pod, why: why.clone() }),
    };
    let good = verify_chain(chain, trusted, at).is_some_and(|verdict| verdict.is_ok());
    if !good || !issued_by(chain, wanted) {
        return Some(other_ca(pod, wanted, chain));
    }
    match &proof.canary {
        None => Some(Unproven::NotSigned { pod, why: "it was not asked".to_owned() }),
        Some(Err(why)) => Some(Unproven::NotSigned { pod, why: why.clone() }),
        Some(Ok(canary)) => judge_canary(pod, canary, wanted, in_chain, trusted, at),
    }
}

fn judge_canary(
    pod: String,
    canary: &Canary,
    wanted: &Cert,
    in_chain: bool,
    trusted: &[Cert],
    at: Time,
) -> Option<Unproven> {
    let Some(verdict) = verify_chain(&canary.chain, trusted, at) else {
        return Some(Unproven::NotSigned { pod, why: "its answer has no certificate".to_owned() });
    };
    if !verdict.is_ok() {
        return Some(Unproven::Untrusted { pod, why: why_not(&verdict) });
    }
    if !issued_by(&canary.chain, wanted) {
        return Some(other_ca(pod, wanted, &canary.chain));
    }
    // A CA signed again for the same key is told from the one before by itself alone.
    if in_chain && !canary.chain.contains(wanted) {
        let found = canary.chain.get(1).map_or_else(|| "nothing".to_owned(), label);
        return Some(Unproven::OtherCa { pod, wanted: label(wanted), found });
    }
    if ids(&canary.roots) != ids(trusted) {
        return Some(other_roots(format!("a workload of pod {pod}"), trusted, &canary.roots));
    }
    None
}

fn other_ca(pod: String, wanted: &Cert, chain: &[Cert]) -> Unproven {
    let found = chain.first().map_or_else(|| "nothing".to_owned(), issuer_label);
    Unproven::OtherCa { pod, wanted: label(wanted), found }
}

/// Verifies a chain, its first certificate in question, under these roots and no others, as `openssl verify`
/// does. `None` for an empty chain.
#[must_use]
pub fn verify_chain(chain: &[Cert], roots: &[Cert], at: Time) -> Option<Verdict> {
    let (target, untrusted) = chain.split_first()?;
    let trusted: Vec<Anchor> = roots.iter().cloned().map(Anchor::new).collect();
    let inputs = Inputs { target, untrusted, trusted: &trusted, crls: &[], store_crls: &[] };
    Some(verify(&inputs, &Policy::like_openssl(at)))
}

/// The first finding, with the certificate it is about.
#[must_use]
pub fn why_not(verdict: &Verdict) -> String {
    let Some(finding) = verdict.findings.first() else {
        return "a signature could not be checked".to_owned();
    };
    let about = finding.cert.as_ref().map(|cert| format!(" (`{}`)", cert.subject().label()));
    format!("{}{}", finding.code.text(), about.unwrap_or_default())
}

/// Whether `ca` issued the first certificate: by its name and its key.
fn issued_by(chain: &[Cert], ca: &Cert) -> bool {
    chain.first().is_some_and(|leaf| meshpki::chain::issued(ca, leaf))
}

fn other_roots(place: String, wanted: &[Cert], found: &[Cert]) -> Unproven {
    Unproven::OtherRoots { place, wanted: labels(wanted), found: labels(found) }
}

/// `` `Mesh CA east` (sha256 1a2b3c4d)``.
#[must_use]
pub fn label(cert: &Cert) -> String {
    format!("`{}` (sha256 {})", cert.subject().label(), short(cert))
}

fn labels(certs: &[Cert]) -> String {
    if certs.is_empty() {
        return "no root".to_owned();
    }
    certs.iter().map(label).collect::<Vec<_>>().join(" and ")
}

/// Eight digits of the certificate's fingerprint.
fn short(cert: &Cert) -> String {
    cert.fingerprint().chars().filter(|c| *c != ':').take(8).collect::<String>().to_lowercase()
}

/// Who issued a certificate, as far as it says so.
fn issuer_label(cert: &Cert) -> String {
    format!("a certificate of `{}`", cert.issuer().label())
}
