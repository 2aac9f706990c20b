//! What the secret of one cluster lacks for another: roots in its bundle, and the bridge that it sends.

use alloc::vec::Vec;

use super::TrustGap;
use super::edit::Edit;
use crate::cert::{Cert, GeneralName};
use crate::chain::{is_bridge, issued};
use crate::federation::{AcceptedDomains, MatrixCluster, TrustModel, anchors};
use crate::spiffe::id::TrustDomain;
use crate::time::Time;

/// A cluster, its files read once.
pub(super) struct Side<'a> {
    pub(super) cluster: &'a MatrixCluster<'a>,
    pub(super) chain: Vec<Cert>,
    roots: Vec<Cert>,
    /// The roots that vouch for its CA without a bridge.
    pub(super) anchors: Vec<Cert>,
    at: Time,
}

impl<'a> Side<'a> {
    pub(super) fn new(cluster: &'a MatrixCluster<'a>, at: Time) -> Self {
        let (secret, version) = (cluster.secret, cluster.version);
        let (chain, roots) = (secret.chain(version), secret.roots(version));
        let ca = secret.ca(version);
        let anchors = ca.map(|ca| anchors(&ca, &chain, &roots, at)).unwrap_or_default();
        let is_own = |root: &Cert| !crosses(&chain, &roots, root);
        let anchors = anchors.into_iter().filter(is_own).collect();
        Self { cluster, chain, roots, anchors, at }
    }

    pub(super) fn is_valid(&self, cert: &Cert) -> bool {
        let begins = cert.not_before().time().is_some_and(|from| from <= self.at);
        begins && cert.not_after().time().is_none_or(|end| end > self.at)
    }

    /// Whether a certificate is a valid bridge from this cluster's root to one of another.
    fn is_bridge_to(&self, other: &Side<'_>, cert: &Cert) -> bool {
        is_bridge(cert, &self.anchors)
            && self.is_valid(cert)
            && other.anchors.iter().any(|root| issued(root, cert))
    }

    fn accepts_domain(&self, domain: &TrustDomain) -> bool {
        *domain == self.cluster.trust_domain
            || match &self.cluster.accepts {
                AcceptedDomains::Any => true,
                AcceptedDomains::Listed(listed) => listed.contains(domain),
            }
    }
}

/// Whether a root vouches only through a bridge in this chain: for another root of the bundle.
fn crosses(chain: &[Cert], roots: &[Cert], root: &Cert) -> bool {
    chain.iter().any(|cert| is_bridge(cert, roots) && issued(root, cert))
}

/// Whether two certificates are of one root: a root that was issued again for its key is the same.
fn is_same_root(one: &Cert, other: &Cert) -> bool {
    one.subject() == other.subject() && one.public_key() == other.public_key()
}

fn has_root(roots: &[Cert], root: &Cert) -> bool {
    roots.iter().any(|known| is_same_root(known, root))
}

/// A cluster and another one that it is to accept and be accepted by.
pub(super) struct Pair<'s, 'a> {
    pub(super) sides: &'s [Side<'a>],
    pub(super) own: usize,
    pub(super) other: usize,
}

impl Pair<'_, '_> {
    pub(super) fn look(
        &self,
        model: TrustModel,
        bridges: &[Cert],
        edit: &mut Edit,
        gaps: &mut Vec<TrustGap>,
    ) {
        let (own, other) = (&self.sides[self.own], &self.sides[self.other]);
        let (domain, theirs) = (&own.cluster.trust_domain, &other.cluster.trust_domain);
        // In this direction the other cluster is shown what this one signs.
        let (truster, signer) = (self.other, self.own);
        if !own.accepts_domain(theirs) {
            gaps.push(TrustGap::DomainNotAccepted { truster: self.own, signer: self.other });
        }
        let is_shared = own.anchors.iter().any(|root| has_root(&other.anchors, root));
        match model {
            TrustModel::SharedRoot if !is_shared && truster > signer => {
                gaps.push(TrustGap::NoSharedRoot { truster: signer, signer: truster });
            }
            TrustModel::SharedRoot => {}
            TrustModel::MergedRoots => self.merge(edit),
            TrustModel::Bridge if is_shared => {}
            TrustModel::Bridge => self.bridge(None, bridges, edit, gaps),
            TrustModel::ScopedBridge if is_shared && domain == theirs => {}
            TrustModel::ScopedBridge if is_shared => {
                gaps.push(TrustGap::OneRoot { truster, signer });
            }
            TrustModel::ScopedBridge if domain == theirs => {
                gaps.push(TrustGap::SameDomain { truster, signer });
            }
            TrustModel::ScopedBridge => self.bridge(Some(domain), bridges, edit, gaps),
        }
    }

    /// The other's roots in the cluster's own bundle.
    fn merge(&self, edit: &mut Edit) {
        let own = &self.sides[self.own];
        let missing = self.sides[self.other].anchors.iter();
        for root in missing.filter(|root| !own.roots.contains(root)) {
            edit.trust(self.other, root);
        }
    }

    /// A bridge by the other's root, which the cluster sends.
    fn bridge(
        &self,
        scope: Option<&TrustDomain>,
        bridges: &[Cert],
        edit: &mut Edit,
        gaps: &mut Vec<TrustGap>,
    ) {
        let (truster, signer) = (self.other, self.own);
        let (own, other) = (&self.sides[self.own], &self.sides[self.other]);
        if let Some(root) = own.anchors.iter().find(|root| has_root(&other.roots, root)) {
            gaps.push(TrustGap::TrustedDirectly { truster, signer, root: root.clone() });
        }
        let fits = |cert: &&Cert| own.is_bridge_to(other, cert) && is_for(cert, scope);
        if let Some((first, bridge)) = &edit.bridge {
            if !fits(&bridge) {
                gaps.push(TrustGap::SecondBridge { truster, signer, first: *first });
            }
            return;
        }
        // Of two that end together, the one that is sent stays.
        let all = bridges.iter().chain(&own.chain);
        match all.filter(fits).max_by_key(|cert| cert.not_after().time()) {
            Some(bridge) => edit.bridge = Some((Some(truster), bridge.clone())),
            None => {
                let root = own.anchors.iter().max_by_key(|root| root.not_after().time()).cloned();
                let scope = scope.cloned();
                gaps.extend(root.map(|root| TrustGap::NoBridge { truster, signer, root, scope }));
            }
        }
    }
}

/// Whether a bridge has the name constraint of the model and no other.
pub(super) fn is_for(bridge: &Cert, scope: Option<&TrustDomain>) -> bool {
    let constraints = bridge.extensions().name_constraints.as_ref();
    match (scope, constraints) {
        (None, constraints) => constraints.is_none(),
        (Some(domain), Some(constraints)) => {
            let is_its = |name: &GeneralName| matches!(name, GeneralName::Uri(host) if host == domain.as_str().as_bytes());
            constraints.excluded.is_empty()
                && matches!(constraints.permitted.as_slice(), [one] if is_its(&one.base))
        }
        (Some(_), None) => false,
    }
}
