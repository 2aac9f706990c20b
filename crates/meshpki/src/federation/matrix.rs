//! Which clusters accept each other: for every ordered pair of clusters, what the proxies of one say to a workload of the other.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::cacerts::Secret;
use crate::cert::Cert;
use crate::istiod::canary::Canary;
use crate::istiod::dataplane::roots_that_count;
use crate::istiod::{Dataplane, Verifier, Version};
use crate::spiffe::id::TrustDomain;
use crate::time::Time;
use crate::verify::{Reason, Rejection};

/// A cluster in a [`TrustMatrix`].
#[derive(Clone)]
#[non_exhaustive]
pub struct MatrixCluster<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its `cacerts` secret, or the one it will get.
    pub secret: &'a Secret,
    /// Its release of Istio.
    pub version: Version,
    /// Its trust domain.
    pub trust_domain: TrustDomain,
    /// The other trust domains whose identities its sidecars and gateways accept.
    pub accepts: AcceptedDomains,
    /// Whether ztunnel runs there (ambient mode). It accepts its own trust domain alone
    /// (ztunnel 1.31 `src/tls/workload.rs: TrustDomainVerifier`).
    pub ambient: bool,
}

impl<'a> MatrixCluster<'a> {
    /// A cluster without ambient mode that accepts its own trust domain.
    #[must_use]
    pub fn new(
        name: &'a str,
        secret: &'a Secret,
        version: Version,
        trust_domain: TrustDomain,
    ) -> Self {
        let accepts = AcceptedDomains::Listed(BTreeSet::new());
        Self { name, secret, version, trust_domain, accepts, ambient: false }
    }

    /// The same with other trust domains accepted.
    #[must_use]
    pub fn with_accepted(self, accepts: AcceptedDomains) -> Self {
        Self { accepts, ..self }
    }

    /// The same with ztunnel or without.
    #[must_use]
    pub fn with_ambient(self, ambient: bool) -> Self {
        Self { ambient, ..self }
    }

    fn verifiers(&self) -> impl Iterator<Item = Verifier> + use<> {
        let ztunnel = self.ambient.then_some(Verifier::Ztunnel);
        core::iter::once(Verifier::Envoy).chain(ztunnel)
    }

    fn has_domain_for(&self, verifier: Verifier, domain: &TrustDomain) -> bool {
        *domain == self.trust_domain
            || match (&self.accepts, verifier) {
                (_, Verifier::Ztunnel) => false,
                (AcceptedDomains::Any, _) => true,
                (AcceptedDomains::Listed(listed), _) => listed.contains(domain),
            }
    }
}

/// The trust domains, other than its own, whose identities a cluster's sidecars accept
/// (`pilot/pkg/networking/plugin/authn/util.go: TrustDomainsForValidation`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptedDomains {
    /// Any (`PILOT_SKIP_VALIDATE_TRUST_DOMAIN`).
    Any,
    /// Those in `trustDomainAliases` and `caCertificates[].trustDomains`.
    Listed(BTreeSet<TrustDomain>),
}

impl AcceptedDomains {
    /// What istiod of a release makes of its lists, and of `PILOT_SKIP_VALIDATE_TRUST_DOMAIN`. Before 1.7 it looks at
    /// neither list, before 1.16.4 and 1.17.2 not at `caCertificates[].trustDomains`.
    #[must_use]
    pub fn of_istiod(
        version: Version,
        skip_validation: bool,
        aliases: &[String],
        ca_domains: &[String],
    ) -> Self {
        if skip_validation {
            return Self::Any;
        }
        let aliases = aliases.iter().filter(|_| !version.wants_equal_trust_domain());
        let of_cas = ca_domains.iter().filter(|_| version.accepts_domains_of_cas());
        Self::Listed(aliases.chain(of_cas).filter_map(|name| name.parse().ok()).collect())
    }

    /// What both accept: a mesh with two revisions of istiod.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, other) | (other, Self::Any) => other,
            (Self::Listed(a), Self::Listed(b)) => {
                Self::Listed(a.intersection(&b).cloned().collect())
            }
        }
    }
}

/// What the proxies of one cluster say to the workloads of another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustCell {
    /// Index of the cluster that verifies.
    pub truster: usize,
    /// Index of the cluster whose CA signed.
    pub signer: usize,
    /// Which of its proxies.
    pub verifier: Verifier,
    /// What they say.
    pub answer: TrustAnswer,
}

/// Whether a workload is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustAnswer {
    /// It is, until the first certificate above it ends; `None` if none has a date.
    Accepted(Option<TrustEnd>),
    /// It is not.
    Refused(TrustRefusal),
    /// The secret has no CA with its key, so that no verifier can be asked.
    Unknown,
}

/// What ends first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct TrustEnd {
    /// Its last second.
    pub at: Time,
    /// Which certificate: its label.
    pub what: String,
}

/// Why a workload is not accepted, and what would have to change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustRefusal {
    /// The class of the reason; `None`: the chain is good, and the trust domain is not accepted.
    pub reason: Option<Reason>,
    /// The verifier's words.
    pub why: String,
    /// What would have to change.
    pub change: String,
}

/// Every ordered pair of clusters at one time, each with itself too: by the cluster that verifies, then by the one that
/// signed, then by proxy.
///
/// A throw-away certificate of a workload is issued in memory under each secret's CA, and shown with the chain that
/// istiod sends to Envoy, and to ztunnel where it runs, with their roots and CRLs.
///
/// ```
/// use meshpki::cacerts::Secret;
/// use meshpki::federation::{MatrixCluster, TrustAnswer, TrustMatrix};
/// use meshpki::istiod::Version;
/// let empty = Secret::default();
/// let east = MatrixCluster::new("east", &empty, Version::NEWEST, "east.example".parse()?);
/// let matrix = TrustMatrix::new(&[east], "2026-11-28T00:00:00Z".parse().unwrap());
/// assert_eq!(matrix.cells()[0].answer, TrustAnswer::Unknown);
/// # Ok::<(), meshpki::TrustDomainError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrustMatrix {
    cells: Vec<TrustCell>,
}

/// Identities that whoever has the key of a CA can take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Impersonation {
    /// Index of the cluster whose proxies believe it.
    pub truster: usize,
    /// Which of its proxies.
    pub verifier: Verifier,
    /// The trust domain all of whose identities can be taken.
    pub trust_domain: TrustDomain,
}

impl TrustMatrix {
    /// Asks every cluster about every other.
    #[must_use]
    pub fn new(clusters: &[MatrixCluster<'_>], at: Time) -> Self {
        Trial::new(clusters, at).all()
    }

    /// Every pair, in order.
    #[must_use]
    pub fn cells(&self) -> &[TrustCell] {
        &self.cells
    }
}

/// Clusters that are asked again after one of them has changed.
pub(super) struct Trial<'a> {
    judges: Vec<Judge<'a>>,
    canaries: Vec<Option<Canary>>,
    at: Time,
}

impl<'a> Trial<'a> {
    pub(super) fn new(clusters: &'a [MatrixCluster<'a>], at: Time) -> Self {
        let judges: Vec<Judge<'_>> = clusters.iter().map(Judge::new).collect();
        let canaries = judges.iter().map(|judge| judge.workload(at)).collect();
        Self { judges, canaries, at }
    }

    pub(super) fn all(&self) -> TrustMatrix {
        self.asked(&|_, _| true)
    }

    /// Puts another cluster in a place, and asks about the pairs of that place.
    pub(super) fn with(&mut self, place: usize, cluster: &'a MatrixCluster<'a>) -> TrustMatrix {
        self.judges[place] = Judge::new(cluster);
        self.canaries[place] = self.judges[place].workload(self.at);
        self.asked(&|truster, signer| truster == place || signer == place)
    }

    /// What the proxies of each cluster say to the workloads of each, for the pairs that are asked.
    fn asked(&self, is_asked: &dyn Fn(usize, usize) -> bool) -> TrustMatrix {
        let mut shown: Vec<_> =
            self.canaries.iter().map(|canary| canary.as_ref().map(Shown::new)).collect();
        let mut cells = Vec::new();
        for (truster, judge) in self.judges.iter().enumerate() {
            for (signer, shown) in shown.iter_mut().enumerate() {
                for verifier in judge.cluster.verifiers().filter(|_| is_asked(truster, signer)) {
                    let answer = match shown {
                        Some(shown) => {
                            judge.answer(verifier, shown, self.judges[signer].cluster, self.at)
                        }
                        None => TrustAnswer::Unknown,
                    };
                    cells.push(TrustCell { truster, signer, verifier, answer });
                }
            }
        }
        TrustMatrix { cells }
    }
}

/// The identities that the key of a cluster's CA is worth: for each trust domain of these clusters, those whose proxies
/// believe a workload of it under that CA. `None` if the secret has no CA with its key.
#[must_use]
pub fn impersonations(
    clusters: &[MatrixCluster<'_>],
    leaked: usize,
    at: Time,
) -> Option<Vec<Impersonation>> {
    let judges: Vec<Judge<'_>> = clusters.iter().map(Judge::new).collect();
    let domains: BTreeSet<&TrustDomain> = clusters.iter().map(|c| &c.trust_domain).collect();
    let mut found = Vec::new();
    for domain in domains {
        let canary = judges.get(leaked)?.shown(domain, at)?;
        let mut shown = Shown::new(&canary);
        for (truster, judge) in judges.iter().enumerate() {
            for verifier in judge.cluster.verifiers() {
                let is_believed = judge.cluster.has_domain_for(verifier, domain)
                    && judge.chain(verifier, &mut shown, at).is_ok();
                if is_believed {
                    found.push(Impersonation { truster, verifier, trust_domain: domain.clone() });
                }
            }
        }
    }
    Some(found)
}

/// The pairs of a truster and a signer in which the signer's CA is believed for the truster's own trust domain, although
/// it is to be believed for the signer's only: `is_scoped` says of which pairs of indices that is so.
#[must_use]
pub fn beyond_scope(
    clusters: &[MatrixCluster<'_>],
    is_scoped: &dyn Fn(usize, usize) -> bool,
    at: Time,
) -> Vec<(usize, Impersonation)> {
    let judges: Vec<Judge<'_>> = clusters.iter().map(Judge::new).collect();
    let mut found = Vec::new();
    for (signer, own) in judges.iter().enumerate() {
        let mut by_domain: BTreeMap<&TrustDomain, Vec<usize>> = BTreeMap::new();
        for (truster, judge) in judges.iter().enumerate() {
            let domain = &judge.cluster.trust_domain;
            if is_scoped(truster, signer) && *domain != own.cluster.trust_domain {
                by_domain.entry(domain).or_default().push(truster);
            }
        }
        for (domain, trusters) in by_domain {
            let Some(canary) = own.shown(domain, at) else { continue };
            let mut shown = Shown::new(&canary);
            for truster in trusters {
                for verifier in judges[truster].cluster.verifiers() {
                    if judges[truster].chain(verifier, &mut shown, at).is_ok() {
                        let trust_domain = domain.clone();
                        found.push((signer, Impersonation { truster, verifier, trust_domain }));
                    }
                }
            }
        }
    }
    found
}

/// A cluster that is asked, its files read once.
struct Judge<'a> {
    cluster: &'a MatrixCluster<'a>,
    roots: Vec<Cert>,
    crl: Option<&'a [u8]>,
    dataplane: Dataplane,
}

/// What counts of a truster's store for one canary: the roots with names in it, the CRL file, whether Envoy could read
/// them, the release.
type WhatCounts<'a> = (Vec<&'a [u8]>, Option<&'a [u8]>, bool, Version, Verifier);

/// What a workload shows, and what was said of it.
struct Shown<'a> {
    canary: &'a Canary,
    known: BTreeMap<WhatCounts<'a>, Result<Option<TrustEnd>, Rejection>>,
}

impl<'a> Shown<'a> {
    const fn new(canary: &'a Canary) -> Self {
        Self { canary, known: BTreeMap::new() }
    }
}

impl<'a> Judge<'a> {
    fn new(cluster: &'a MatrixCluster<'a>) -> Self {
        let (secret, version) = (cluster.secret, cluster.version);
        let (roots, crl) = (secret.roots(version), secret.crl(version));
        let dataplane = Dataplane::new(&roots, crl, version, cluster.ambient);
        Self { cluster, roots, crl, dataplane }
    }

    /// A workload of the cluster.
    fn workload(&self, at: Time) -> Option<Canary> {
        self.shown(&self.cluster.trust_domain, at)
    }

    /// A workload of a trust domain under the cluster's CA.
    fn shown(&self, domain: &TrustDomain, at: Time) -> Option<Canary> {
        let (secret, version) = (self.cluster.secret, self.cluster.version);
        let key = secret.get(secret.layout(version).key_file())?;
        let (ca, chain) = (secret.ca(version)?, secret.chain(version));
        Canary::new(key, Some(domain), (&ca, &chain), at)
    }

    fn answer<'j>(
        &'j self,
        verifier: Verifier,
        shown: &mut Shown<'j>,
        signer: &MatrixCluster<'_>,
        at: Time,
    ) -> TrustAnswer {
        match self.chain(verifier, shown, at) {
            Err(why) => TrustAnswer::Refused(self.refusal(verifier, &why, shown, signer)),
            Ok(_) if !self.cluster.has_domain_for(verifier, &signer.trust_domain) => {
                TrustAnswer::Refused(self.other_domain(verifier, signer))
            }
            Ok(end) => TrustAnswer::Accepted(end),
        }
    }

    /// When the chain ends by which it is accepted.
    fn chain<'j>(
        &'j self,
        verifier: Verifier,
        shown: &mut Shown<'j>,
        at: Time,
    ) -> Result<Option<TrustEnd>, Rejection> {
        let key = self.what_counts(verifier, shown.canary);
        let Shown { canary, known } = shown;
        let answer = known.entry(key).or_insert_with(|| {
            let verified = self.dataplane.verify(verifier, &canary.leaf, &canary.sent, at);
            let no_such = || Err(Rejection::new(Reason::Undecided, "ztunnel is not built in"));
            verified.unwrap_or_else(no_such).map(|chain| end(&chain))
        });
        answer.clone()
    }

    fn what_counts(&self, verifier: Verifier, canary: &Canary) -> WhatCounts<'_> {
        let roots = roots_that_count(&self.roots, &canary.names());
        (roots, self.crl, self.dataplane.is_readable(), self.cluster.version, verifier)
    }

    fn refusal(
        &self,
        verifier: Verifier,
        why: &Rejection,
        shown: &Shown<'_>,
        signer: &MatrixCluster<'_>,
    ) -> TrustRefusal {
        let (ours, theirs) = (self.cluster.name, signer.name);
        let top = shown.canary.sent.last().unwrap_or(&shown.canary.leaf);
        let root = top.issuer().label();
        let change = match why.reason {
            Reason::UnknownIssuer => alloc::format!(
                "cross-sign `{root}` in {ours} and send the result in {theirs}, or add that root to root-cert.pem of {ours}"
            ),
            Reason::NameConstraints if verifier == Verifier::Ztunnel => {
                "issue the certificates above it without a name constraint, which ztunnel does not support".to_string()
            }
            Reason::NameConstraints => {
                alloc::format!(
                    "issue the certificates above it without a constraint that forbids {}",
                    signer.trust_domain
                )
            }
            Reason::Expired | Reason::NotYetValid => {
                alloc::format!("renew {}", about(why))
            }
            Reason::NoCrl | Reason::CrlExpired | Reason::BadCrl => {
                alloc::format!("replace ca-crl.pem of {ours}, or remove it")
            }
            Reason::Revoked => alloc::format!("give {theirs} a CA with a new key"),
            _ => alloc::format!("issue {} again, so that every verifier accepts it", about(why)),
        };
        TrustRefusal { reason: Some(why.reason), why: why.text.clone(), change }
    }

    fn other_domain(&self, verifier: Verifier, signer: &MatrixCluster<'_>) -> TrustRefusal {
        let (ours, domain) = (self.cluster, &signer.trust_domain);
        let (why, change) = if verifier == Verifier::Ztunnel {
            (
                alloc::format!("ztunnel accepts only its own trust domain, {}", ours.trust_domain),
                alloc::format!("give {} and {} one trust domain", ours.name, signer.name),
            )
        } else {
            (
                alloc::format!("{} does not accept the trust domain {domain}", ours.name),
                alloc::format!("let istiod of {} accept it, as `trust render` shows", ours.name),
            )
        };
        TrustRefusal { reason: None, why, change }
    }
}

fn about(why: &Rejection) -> String {
    why.cert.as_ref().map_or_else(|| "the certificates of the chain".to_string(), Cert::label)
}

/// The first certificate above the workload's own to end: that one is renewed long before.
fn end(chain: &[Cert]) -> Option<TrustEnd> {
    let above = chain.iter().skip(1);
    above
        .filter_map(|cert| Some(TrustEnd { at: cert.not_after().time()?, what: cert.label() }))
        .min()
}

#[cfg(test)]
mod tests;
