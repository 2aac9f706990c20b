//! What is wrong with clusters as they run: what a secret that is about to be written would break, what istiod
//! serves compared with its secret, which roots workloads are given, which identities are accepted.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{SecretProblem, Severity, sort};
use crate::cert::{Cert, fingerprints};
use crate::istiod::{Secret, Settings, StartOutcome, Version, starts};
use crate::time::Time;

mod domains;
mod roots;
mod serving;
mod spec;

/// A cluster as it was found.
#[derive(Clone)]
#[non_exhaustive]
pub struct LiveCluster<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// Its secret `cacerts`; `None`: there is none.
    pub secret: Option<&'a Secret>,
    /// The secret that is about to replace it, if there is one.
    pub wanted: Option<&'a Secret>,
    /// istiod, every revision; none: Istio is not installed.
    pub istiods: Vec<LiveIstiod>,
    /// What each pod of istiod serves; empty: they were not asked.
    pub served: Vec<ServedChain>,
    /// The roots each namespace is given; empty: not read.
    pub given: Vec<NamespaceRoots>,
    /// `meshConfig.trustDomain`, default `cluster.local`.
    pub trust_domain: String,
    /// `meshConfig.trustDomainAliases`.
    pub aliases: Vec<String>,
    /// `meshConfig.caCertificates[].trustDomains`.
    pub ca_domains: Vec<String>,
    /// What the mesh's spec says of it, if there is one.
    pub spec: Option<SpecExpectation>,
    /// Names of clusters of which it need not accept the workloads.
    pub apart: Vec<String>,
}

impl<'a> LiveCluster<'a> {
    /// A cluster without Istio, in the trust domain `cluster.local`, of which nothing else is known.
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        Self {
            name,
            secret: None,
            wanted: None,
            istiods: Vec::new(),
            served: Vec::new(),
            given: Vec::new(),
            trust_domain: "cluster.local".to_string(),
            aliases: Vec::new(),
            ca_domains: Vec::new(),
            spec: None,
            apart: Vec::new(),
        }
    }
}

/// What the mesh's spec says of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpecExpectation {
    /// Its trust domain.
    pub trust_domain: String,
    /// Its release of Istio.
    pub version: Version,
}

impl SpecExpectation {
    /// A trust domain and a release.
    #[must_use]
    pub fn new(trust_domain: impl Into<String>, version: Version) -> Self {
        Self { trust_domain: trust_domain.into(), version }
    }
}

/// A revision of istiod.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveIstiod {
    /// Its revision, `default` where it has none.
    pub revision: String,
    /// Its release and settings.
    pub settings: Settings,
    /// `PILOT_SKIP_VALIDATE_TRUST_DOMAIN`: identities of every trust domain are accepted. Default false.
    pub skip_validation: bool,
}

impl LiveIstiod {
    /// A revision that validates trust domains.
    #[must_use]
    pub fn new(revision: impl Into<String>, settings: Settings) -> Self {
        Self { revision: revision.into(), settings, skip_validation: false }
    }
}

/// What a pod of istiod presents on its TLS port.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServedChain {
    /// The pod.
    pub pod: String,
    /// The chain, its own certificate first; or why it could not be asked.
    pub chain: Result<Vec<Cert>, String>,
}

impl ServedChain {
    /// A pod and its chain, or why it could not be asked.
    #[must_use]
    pub fn new(pod: impl Into<String>, chain: Result<Vec<Cert>, String>) -> Self {
        Self { pod: pod.into(), chain }
    }
}

/// The roots a namespace's workloads are given (ConfigMap `istio-ca-root-cert`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NamespaceRoots {
    /// The namespace.
    pub namespace: String,
    /// The roots; `None`: there is no ConfigMap.
    pub roots: Option<Vec<Cert>>,
}

impl NamespaceRoots {
    /// A namespace and its roots.
    #[must_use]
    pub fn new(namespace: impl Into<String>, roots: Option<Vec<Cert>>) -> Self {
        Self { namespace: namespace.into(), roots }
    }
}

/// Every problem of these clusters as they run, at `at`, in addition to what [`super::check`] finds in
/// their secrets: errors before warnings, then by cluster, then by code. The codes are [`SecretProblem::LIVE_CODES`] and
/// `istiod/different-roots`.
///
/// Both sides of a handshake are asked by Go's rules (`crypto/x509/verify.go: Certificate.Verify`), as istiod does.
#[must_use]
pub fn check_live(clusters: &[LiveCluster<'_>], at: Time) -> Vec<SecretProblem> {
    let views: Vec<View<'_>> = clusters.iter().map(|cluster| View::read(cluster, at)).collect();
    let mut problems = Vec::new();
    for view in &views {
        problems.extend(roots::first_install(view));
        problems.extend(roots::replaced(view, &views));
        problems.extend(roots::not_given(view));
        problems.extend(serving::not_live(view));
        problems.extend(serving::mixed_revisions(view));
        problems.extend(domains::check(view, &views));
        problems.extend(spec::check(view));
    }
    problems.extend(roots::strangers(&views));
    let names: Vec<&str> = clusters.iter().map(|cluster| cluster.name).collect();
    sort(&mut problems, &names);
    problems
}

/// A cluster, read once.
struct View<'a> {
    live: &'a LiveCluster<'a>,
    at: Time,
    secret: Option<Set>,
    wanted: Option<Set>,
}

/// The certificates of a secret.
struct Set {
    ca: Option<Cert>,
    chain: Vec<Cert>,
    roots: Vec<Cert>,
    /// Whether an istiod there would sign with it, or try to.
    used: bool,
}

/// A certificate as it is presented, with the chain sent with it.
struct Shown<'a> {
    /// `` the CA `Mesh CA east` (key sha256 ..) ``, `istiod's certificate by ..`.
    what: String,
    cert: &'a Cert,
    chain: &'a [Cert],
}

/// Roots that are trusted.
struct Trusted<'a> {
    /// `namespace shop of east`.
    whose: String,
    roots: &'a [Cert],
}

impl<'a> View<'a> {
    fn read(live: &'a LiveCluster<'a>, at: Time) -> Self {
        let set = |secret: &Secret| Set::read(secret, &live.istiods, at);
        Self { live, at, secret: live.secret.map(set), wanted: live.wanted.map(set) }
    }

    /// The set istiod uses, if it uses one.
    fn used(&self) -> Option<&Set> {
        self.secret.as_ref().filter(|set| set.used)
    }

    /// Whether another secret is about to take the place of this one.
    fn is_change(&self) -> bool {
        match (self.live.secret, self.live.wanted) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(old), Some(new)) => old != new,
        }
    }

    /// What workloads there show today: certificates below the CA of the secret, and below what istiod serves.
    fn shown(&self) -> Vec<Shown<'_>> {
        let mut all = Vec::new();
        for (_, chain) in self.chains() {
            let Some((leaf, rest)) = chain.split_first() else { continue };
            let what = alloc::format!("certificates from `{}`", leaf.issuer().label());
            if all.iter().all(|shown: &Shown<'_>| shown.what != what) {
                all.push(Shown { what, cert: leaf, chain: rest });
            }
        }
        if let Some((set, ca)) = self.used().and_then(|set| Some((set, set.ca.as_ref()?)))
            && all.iter().all(|shown| shown.cert.issuer() != ca.subject())
        {
            all.push(Shown { what: ca.label(), cert: ca, chain: &set.chain });
        }
        all
    }

    /// What workloads there trust today, each set of roots once; without a look at them, the roots of the secret.
    fn trusted(&self) -> Vec<Trusted<'_>> {
        let mut all: Vec<Trusted<'_>> = Vec::new();
        for given in &self.live.given {
            let roots = given.roots.as_deref().unwrap_or_default();
            if !roots.is_empty()
                && all.iter().all(|known| fingerprints(known.roots) != fingerprints(roots))
            {
                let whose = alloc::format!("namespace {} of {}", given.namespace, self.live.name);
                all.push(Trusted { whose, roots });
            }
        }
        if let Some(set) = self.used().filter(|_| all.is_empty()) {
            all.push(Trusted { whose: self.live.name.to_string(), roots: &set.roots });
        }
        all
    }

    /// The pods that answered, with their chains.
    fn chains(&self) -> impl Iterator<Item = (&str, &[Cert])> {
        self.live.served.iter().filter_map(|served| {
            Some((served.pod.as_str(), served.chain.as_deref().ok().filter(|c| !c.is_empty())?))
        })
    }

    /// Why nothing here comes from the secret: istiod runs on its own CA.
    fn own_ca(&self) -> Option<String> {
        let Some(secret) = self.live.secret else {
            return Some("there is no secret cacerts".to_string());
        };
        let own = self.live.istiods.iter().find_map(|istiod| {
            let start = starts(secret, &istiod.settings, self.at);
            matches!(start, StartOutcome::SelfSigned { .. })
                .then(|| alloc::format!("istiod {} {start}", istiod.settings.version))
        });
        own.or_else(|| self.given_own_ca())
    }

    /// Whether no CA that others know is at work here, so that nothing can be broken off: without a secret that is
    /// so only where the roots given out are istiod's own, since the secret may just have been deleted.
    fn begins(&self) -> bool {
        match self.live.secret {
            Some(_) => self.own_ca().is_some(),
            None => self.trusted().is_empty() || self.given_own_ca().is_some(),
        }
    }

    /// The CA istiod makes itself is named after the trust domain and nothing else
    /// (`security/pkg/pki/ca/ca.go: NewSelfSignedIstioCAOptions`).
    fn given_own_ca(&self) -> Option<String> {
        let name = alloc::format!("O = {}", self.live.trust_domain);
        let trusted = self.trusted();
        let made = |one: &Trusted<'_>| matches!(one.roots, [root] if root.subject().to_string() == name && root.is_self_issued());
        let known = |one: &Trusted<'_>| {
            self.secret
                .as_ref()
                .is_some_and(|set| fingerprints(&set.roots) == fingerprints(one.roots))
        };
        let first = trusted.first()?;
        let all = trusted.iter().all(|one| made(one) && !known(one));
        all.then(|| alloc::format!("{} has istiod's own {}", first.whose, labels(first.roots)))
    }

    fn problem(
        &self,
        code: &'static str,
        severity: Severity,
        message: impl Into<String>,
    ) -> SecretProblem {
        SecretProblem::new(code, severity, Vec::from([self.live.name.to_string()]), message)
    }
}

impl Set {
    fn read(secret: &Secret, istiods: &[LiveIstiod], at: Time) -> Self {
        let release = istiods.first().map_or(Version::NEWEST, |one| one.settings.version);
        let tries = |settings: &Settings| {
            !matches!(starts(secret, settings, at), StartOutcome::SelfSigned { .. })
        };
        Self {
            ca: secret.ca(release),
            chain: secret.chain(release),
            roots: secret.roots(release),
            used: istiods.iter().any(|istiod| tries(&istiod.settings)),
        }
    }
}

/// Why proxies with these roots do not accept what is shown; `None`: they do.
fn refuses(roots: &[Cert], cert: &Cert, chain: &[Cert], at: Time) -> Option<String> {
    crate::istiod::bundle::refuses(roots, cert, chain, at).map(|why| why.text)
}

/// `` `A` (key sha256 ..) and `B` (key sha256 ..) ``.
fn labels(certs: &[Cert]) -> String {
    if certs.is_empty() {
        return "no root".to_string();
    }
    certs.iter().map(Cert::label).collect::<Vec<_>>().join(" and ")
}

/// The first names of a long list, and how many there are more.
fn some<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    const MANY: usize = 5;
    let names: Vec<&str> = names.into_iter().collect();
    let (first, rest) = names.split_at(names.len().min(MANY));
    let first = first.join(", ");
    if rest.is_empty() { first } else { alloc::format!("{first} and {} more", rest.len()) }
}

#[cfg(test)]
mod tests;
