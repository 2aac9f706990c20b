//! Trust-domain federation: what each cluster has to accept so that workloads of the others may call it, by what
//! anchors, and until when.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::cert::Cert;
use crate::istiod::Version;
use crate::spiffe::id::TrustDomain;
use crate::time::Time;
use crate::verify::{Policy, verify_chain};

mod bridge;
mod matrix;
mod model;
mod plan;

pub use bridge::Bridge;
pub use matrix::{
    AcceptedDomains, Impersonation, MatrixCluster, TrustAnswer, TrustCell, TrustEnd, TrustMatrix,
    TrustRefusal, beyond_scope, impersonations,
};
pub use model::{ModelObstacle, ModelSide, TrustModel, UnknownModel};
pub use plan::{TrustChange, TrustGap, TrustPlan, TrustPush};

/// A cluster of a mesh.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Member<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    /// Its trust domain.
    pub trust_domain: &'a TrustDomain,
    /// Its release of Istio.
    pub version: Version,
    /// The roots that vouch for its CA: [`anchors`]. If one member has none, the others get aliases.
    pub roots: &'a [Cert],
}

impl<'a> Member<'a> {
    /// A cluster by its name, trust domain and release, and the roots that vouch for its CA.
    #[must_use]
    pub const fn new(
        name: &'a str,
        trust_domain: &'a TrustDomain,
        version: Version,
        roots: &'a [Cert],
    ) -> Self {
        Self { name, trust_domain, version, roots }
    }
}

/// The settings a cluster needs to accept the identities of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustSettings {
    /// The cluster.
    pub cluster: String,
    /// The other trust domains with anchors of their own, and until when the last of them vouches for each; `None`: no
    /// anchor says.
    pub until: BTreeMap<TrustDomain, Option<Time>>,
    /// The other trust domains that are accepted through a bridge, for as long as it lasts.
    pub bridged: BTreeSet<TrustDomain>,
    /// How it accepts them.
    pub peer_trust: PeerTrust,
}

/// How a release of istiod accepts identities of other trust domains
/// (`pilot/pkg/networking/plugin/authn/util.go: TrustDomainsForValidation`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerTrust {
    /// Every cluster has its trust domain.
    SameDomain,
    /// `meshConfig.caCertificates`: identities stay apart. Anchors do not: any root that is trusted vouches for any domain
    /// that is accepted, and proxies have these only with `ISTIO_MULTIROOT_MESH=true`, so the roots have to be in every
    /// cluster's own bundle as well. From 1.16.4 and 1.17.2.
    CaCertificates(Vec<TrustAnchorEntry>),
    /// `meshConfig.trustDomainAliases`: identities of all become one in every policy. From 1.7.
    Aliases(Vec<TrustDomain>),
    /// `PILOT_SKIP_VALIDATE_TRUST_DOMAIN`: any domain under the roots is accepted. All that 1.6 has.
    SkipValidation,
}

/// An anchor and the trust domains it vouches for: an entry of `meshConfig.caCertificates`, of whose `pem` istiod reads
/// one certificate (`pilot/pkg/trustbundle/trustbundle.go: verifyTrustAnchor`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustAnchorEntry {
    /// The anchor.
    pub root: Cert,
    /// The domains, sorted.
    pub trust_domains: Vec<TrustDomain>,
}

/// What every cluster has to accept so that each may call each; in the order of `members`.
///
/// ```
/// use meshpki::federation::{Member, PeerTrust, trust_settings};
/// use meshpki::istiod::Version;
/// let domains = ["east.example".parse()?, "west.example".parse()?];
/// let member = |name, i: usize, version| Member::new(name, &domains[i], version, &[]);
/// let found = trust_settings(&[member("east", 0, Version::new(1, 8, 0)), member("west", 1, Version::new(1, 6, 4))]);
/// assert_eq!(found[0].peer_trust, PeerTrust::Aliases(vec![domains[1].clone()]));
/// assert_eq!(found[1].peer_trust, PeerTrust::SkipValidation);
/// # Ok::<(), meshpki::TrustDomainError>(())
/// ```
#[must_use]
pub fn trust_settings(members: &[Member<'_>]) -> Vec<TrustSettings> {
    trust_settings_by(members, &|_, _| Some(TrustModel::MergedRoots))
}

/// The same if each pair of indices has a trust model of its own; `None`: the two need not accept each other.
///
/// Under a bridge, the anchor of another trust domain is the cluster's own root, so that these settings trust no other.
#[must_use]
pub fn trust_settings_by(
    members: &[Member<'_>],
    model: &dyn Fn(usize, usize) -> Option<TrustModel>,
) -> Vec<TrustSettings> {
    let one = |own: usize| settings_of(own, members, &|other| model(own, other));
    (0..members.len()).map(one).collect()
}

fn settings_of(
    own: usize,
    members: &[Member<'_>],
    model: &dyn Fn(usize) -> Option<TrustModel>,
) -> TrustSettings {
    let member = &members[own];
    let mut roots: BTreeMap<TrustDomain, Vec<&Cert>> = BTreeMap::new();
    let mut until: BTreeMap<TrustDomain, Option<Time>> = BTreeMap::new();
    let mut bridged = BTreeSet::new();
    for (place, other) in members.iter().enumerate() {
        let Some(model) = model(place).filter(|_| other.trust_domain != member.trust_domain) else {
            continue;
        };
        let anchors = if model.is_bridge() { member.roots } else { other.roots };
        let known = roots.entry(other.trust_domain.clone()).or_default();
        anchors.iter().for_each(|root| {
            if !known.contains(&root) {
                known.push(root);
            }
        });
        if model.is_bridge() {
            bridged.insert(other.trust_domain.clone());
        } else {
            let end = until.entry(other.trust_domain.clone()).or_default();
            *end = anchors.iter().filter_map(|root| root.not_after().time()).chain(*end).max();
        }
    }
    TrustSettings {
        cluster: member.name.to_string(),
        until,
        bridged,
        peer_trust: peer_trust(member.version, &roots),
    }
}

fn peer_trust(version: Version, roots: &BTreeMap<TrustDomain, Vec<&Cert>>) -> PeerTrust {
    if roots.is_empty() {
        return PeerTrust::SameDomain;
    }
    if version.wants_equal_trust_domain() {
        return PeerTrust::SkipValidation;
    }
    // A domain without an anchor cannot be an entry of caCertificates.
    if !version.accepts_domains_of_cas() || roots.values().any(Vec::is_empty) {
        return PeerTrust::Aliases(roots.keys().cloned().collect());
    }
    let mut authorities: Vec<TrustAnchorEntry> = Vec::new();
    for (domain, roots) in roots {
        for root in roots {
            match authorities.iter_mut().find(|known| known.root == **root) {
                Some(known) => known.trust_domains.push(domain.clone()),
                None => authorities.push(TrustAnchorEntry {
                    root: (*root).clone(),
                    trust_domains: Vec::from([domain.clone()]),
                }),
            }
        }
    }
    PeerTrust::CaCertificates(authorities)
}

/// The roots that vouch for a CA at `at`, each by itself: of a bundle with two roots in an overlap often one.
#[must_use]
pub fn anchors(ca: &Cert, chain: &[Cert], roots: &[Cert], at: Time) -> Vec<Cert> {
    let policy = Policy::like_openssl(at);
    let vouches =
        |root: &&Cert| verify_chain(ca, chain, core::slice::from_ref(*root), &policy).is_ok();
    roots.iter().filter(vouches).cloned().collect()
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
