//! The proof that a CA is live: what istiod serves, what it signs, and what workloads are given to trust.

use std::collections::BTreeMap;
use std::fmt;

use meshpki::cacerts::Secret;
use meshpki::internals::{crls, fingerprints};
use meshpki::istiod::{Dataplane, NamespaceRoots, Verifier, Version};
use meshpki::verify::{self, Policy, Rejection, Verdict};
use meshpki::{Cert, Crl, Time};

/// What was found, asked at one time.
#[derive(Clone, Debug)]
pub struct Proof {
    /// When it was asked.
    pub at: Time,
    /// Every istiod pod that is ready.
    pub pods: Vec<PodProof>,
    /// Every namespace istiod keeps a ConfigMap of roots in.
    pub namespaces: Vec<NamespaceRoots>,
    /// The text of the CRLs of each namespace that has a ConfigMap of them, by its name; `None` if no istiod gives any out,
    /// or if they may not be read and the secret has none.
    pub crls: Option<BTreeMap<String, String>>,
}

/// What one pod of istiod does.
#[derive(Clone, Debug)]
pub struct PodProof {
    /// Its name.
    pub pod: String,
    /// Its release of Istio, which decides what it reads from the secret.
    pub release: Version,
    /// The chain it presents on its TLS port, its own certificate first; or why there is none.
    pub served: Result<Vec<Cert>, String>,
    /// What it answered to a certificate signing request; `None`: it was not asked, since it serves another CA.
    pub canary: Option<Result<Canary, String>>,
}

/// A workload certificate istiod signed for us and that was shown to no one else.
#[derive(Clone, Debug)]
pub struct Canary {
    /// The certificate, then those above it.
    pub chain: Vec<Cert>,
    /// The roots istiod gives out with it: the last element of its answer
    /// (`security/pkg/server/ca/server.go: CreateCertificate`).
    pub roots: Vec<Cert>,
}

impl Canary {
    /// Which of these proxies refuse it, and why; `None`: it is accepted.
    #[must_use]
    pub fn refused_by(&self, proxies: &Dataplane, at: Time) -> Option<(Verifier, Rejection)> {
        let (leaf, sent) = self.chain.split_first()?;
        proxies.refuses(leaf, sent, at)
    }
}

/// Something that does not hold yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unproven {
    /// There is no secret to be live.
    NoSecret,
    /// No istiod pod is ready.
    NoPods,
    /// The secret has no CA certificate that a pod's release reads.
    NoCa {
        /// The pod.
        pod: String,
    },
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
        /// The CA expected.
        wanted: String,
        /// The CA found.
        found: String,
    },
    /// A pod signs, but does not send a certificate of the chain after it, such as a new bridge.
    OtherChain {
        /// The pod.
        pod: String,
        /// The certificate that is not sent.
        missing: String,
    },
    /// A pod signs, but sends a certificate after it that is no longer in the chain, such as a bridge to an old root.
    OldChain {
        /// The pod.
        pod: String,
        /// The certificate that is still sent.
        extra: String,
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
        /// What OpenSSL says.
        why: String,
    },
    /// The proxies of the cluster refuse what a pod signed.
    Rejected {
        /// The pod.
        pod: String,
        /// What Envoy says.
        why: String,
    },
    /// A pod gives out other roots.
    OtherRoots {
        /// Where: `pod istiod-1`, `namespace shop`.
        place: String,
        /// The roots expected.
        wanted: String,
        /// The roots found.
        found: String,
    },
    /// A namespace has other CRLs.
    OtherCrls {
        /// The namespace.
        namespace: String,
        /// The CRLs expected.
        wanted: String,
        /// The CRLs found.
        found: String,
    },
}

impl Unproven {
    /// Whether it is solved once istiod takes the new files.
    #[must_use]
    pub const fn is_istiods(&self) -> bool {
        matches!(
            self,
            Self::OtherCa { .. }
                | Self::OtherRoots { .. }
                | Self::OtherCrls { .. }
                | Self::Untrusted { .. }
                | Self::OtherChain { .. }
                | Self::OldChain { .. }
                | Self::Rejected { .. }
        )
    }
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSecret => f.write_str("there is no secret"),
            Self::NoPods => f.write_str("no istiod pod is ready"),
            Self::NoCa { pod } => {
                write!(f, "the secret has no CA certificate that pod {pod} reads")
            }
            Self::Unreachable { pod, why } => {
                write!(f, "pod {pod} does not answer on its TLS port: {why}")
            }
            Self::OtherCa { pod, wanted, found } => {
                write!(f, "pod {pod} serves {found}, expected {wanted}")
            }
            Self::NotSigned { pod, why } => write!(f, "pod {pod} does not sign: {why}"),
            Self::Untrusted { pod, why } => {
                write!(f, "the certificate that pod {pod} signed does not verify: {why}")
            }
            Self::OtherChain { pod, missing } => {
                write!(f, "pod {pod} does not send {missing} after what it signs")
            }
            Self::OldChain { pod, extra } => {
                write!(f, "pod {pod} still sends {extra} after what it signs")
            }
            Self::Rejected { pod, why } => {
                write!(f, "proxies reject the certificate that pod {pod} signed: {why}")
            }
            Self::OtherRoots { place, wanted, found } => {
                write!(f, "{place} has {found}, expected {wanted}")
            }
            Self::OtherCrls { namespace, wanted, found } => {
                write!(f, "namespace {namespace} has {found}, expected {wanted}")
            }
        }
    }
}

/// Everything that keeps `proof` from proving that the CA of `secret` is live; empty: it is.
///
/// Each pod is asked about the CA and the roots that an istiod of its release reads from the secret.
#[must_use]
pub fn judge(secret: &Secret, proof: &Proof) -> Vec<Unproven> {
    let mut missing = Vec::new();
    let mut bundles: Vec<Vec<Cert>> = Vec::new();
    for pod in &proof.pods {
        let Some(expected) = Expected::of(secret, pod.release) else {
            missing.push(Unproven::NoCa { pod: pod.pod.clone() });
            continue;
        };
        missing.extend(expected.judge(pod, proof.at));
        bundles.push(expected.roots);
    }
    if proof.pods.is_empty() {
        missing.push(Unproven::NoPods);
        bundles.push(secret.roots(Version::NEWEST));
    }
    for namespace in &proof.namespaces {
        let found = namespace.roots.as_deref().unwrap_or_default();
        let is_given = |roots: &Vec<Cert>| fingerprints(roots) == fingerprints(found);
        if !bundles.iter().any(is_given) {
            let wanted = bundles.first().map_or(&[][..], Vec::as_slice);
            let place = format!("namespace {}", namespace.namespace);
            missing.push(other_roots(place, wanted, found));
        }
    }
    missing.extend(other_crls(secret, proof));
    missing
}

/// The namespaces whose workloads do not get the CRLs of the secret: without one, none.
fn other_crls(secret: &Secret, proof: &Proof) -> Vec<Unproven> {
    let Some(crls) = &proof.crls else { return Vec::new() };
    let mut releases = proof.pods.iter().map(|pod| pod.release);
    let wanted = releases.find_map(|release| secret.crl(release)).unwrap_or_default();
    let found = |namespace: &NamespaceRoots| {
        let found = crls.get(&namespace.namespace).map_or(&[][..], String::as_bytes);
        (found != wanted).then(|| Unproven::OtherCrls {
            namespace: namespace.namespace.clone(),
            wanted: crl_words(wanted),
            found: crl_words(found),
        })
    };
    proof.namespaces.iter().filter_map(found).collect()
}

/// CRLs as they are named: how many there are, and the highest number.
fn crl_words(text: &[u8]) -> String {
    let crls = crls(text);
    match crls.iter().filter_map(Crl::number_value).max() {
        _ if crls.is_empty() => "no CRLs".to_owned(),
        Some(number) => format!("{} CRLs up to number {number}", crls.len()),
        None => format!("{} CRLs", crls.len()),
    }
}

/// What an istiod should do once the secret is live there.
struct Expected {
    /// The CA it signs with.
    ca: Cert,
    /// What it sends after each certificate that it signs.
    chain: Vec<Cert>,
    /// The roots it gives out.
    roots: Vec<Cert>,
    /// The proxies that get them.
    proxies: Dataplane,
}

impl Expected {
    fn of(secret: &Secret, release: Version) -> Option<Self> {
        let ca = secret.ca(release)?;
        let chain = secret.chain(release);
        let roots = secret.roots(release);
        let proxies = Dataplane::new(&roots, secret.crl(release), release, false);
        Some(Self { ca, chain, roots, proxies })
    }

    fn judge(&self, proof: &PodProof, at: Time) -> Option<Unproven> {
        let pod = proof.pod.clone();
        let chain = match &proof.served {
            Ok(chain) => chain,
            Err(why) => return Some(Unproven::Unreachable { pod, why: why.clone() }),
        };
        let good = verify_chain(chain, &self.roots, at).is_some_and(|verdict| verdict.is_ok());
        if !good || !issued_by(chain, &self.ca) {
            return Some(self.other_ca(pod, chain));
        }
        match &proof.canary {
            None => Some(Unproven::NotSigned { pod, why: "it was not asked".to_owned() }),
            Some(Err(why)) => Some(Unproven::NotSigned { pod, why: why.clone() }),
            Some(Ok(canary)) => self.judge_canary(pod, canary, at),
        }
    }

    fn judge_canary(&self, pod: String, canary: &Canary, at: Time) -> Option<Unproven> {
        let Some(verdict) = verify_chain(&canary.chain, &self.roots, at) else {
            let why = "its response contains no certificate".to_owned();
            return Some(Unproven::NotSigned { pod, why });
        };
        if !verdict.is_ok() {
            return Some(Unproven::Untrusted { pod, why: why_not(&verdict) });
        }
        if !issued_by(&canary.chain, &self.ca) {
            return Some(self.other_ca(pod, &canary.chain));
        }
        if let Some((_, why)) = canary.refused_by(&self.proxies, at) {
            return Some(Unproven::Rejected { pod, why: why.text });
        }
        // Only the certificate itself distinguishes a CA that was signed again for the same key.
        if self.chain.contains(&self.ca) && !canary.chain.contains(&self.ca) {
            let found = canary.chain.get(1).map_or_else(|| "nothing".to_owned(), Cert::label);
            return Some(Unproven::OtherCa { pod, wanted: self.ca.label(), found });
        }
        // Under the same CA a chain can be new: istiod sends the old one until it has loaded the secret.
        if let Some(missing) = self.chain.iter().find(|cert| !canary.chain.contains(cert)) {
            return Some(Unproven::OtherChain { pod, missing: missing.label() });
        }
        let is_known = |cert: &&Cert| **cert == self.ca || self.chain.contains(cert);
        if let Some(extra) = canary.chain.iter().skip(1).find(|cert| !is_known(cert)) {
            return Some(Unproven::OldChain { pod, extra: extra.label() });
        }
        if fingerprints(&canary.roots) != fingerprints(&self.roots) {
            let place = format!("a workload of pod {pod}");
            return Some(other_roots(place, &self.roots, &canary.roots));
        }
        None
    }

    fn other_ca(&self, pod: String, chain: &[Cert]) -> Unproven {
        let found = chain.first().map_or_else(|| "nothing".to_owned(), issuer_label);
        Unproven::OtherCa { pod, wanted: self.ca.label(), found }
    }
}

/// Verifies a chain, its first certificate in question, under these roots and no others, as `openssl verify`
/// does. `None` for an empty chain.
#[must_use]
pub fn verify_chain(chain: &[Cert], roots: &[Cert], at: Time) -> Option<Verdict> {
    let (target, untrusted) = chain.split_first()?;
    Some(verify::verify_chain(target, untrusted, roots, &Policy::like_openssl(at)))
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

fn labels(certs: &[Cert]) -> String {
    if certs.is_empty() {
        return "no root".to_owned();
    }
    certs.iter().map(Cert::label).collect::<Vec<_>>().join(" and ")
}

/// The issuer of a certificate, as far as it names one.
fn issuer_label(cert: &Cert) -> String {
    format!("a certificate of `{}`", cert.issuer().label())
}
