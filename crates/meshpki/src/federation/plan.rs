//! What the secrets of clusters lack so that each pair accepts each other by its trust model, and the pushes that add it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::matrix::MatrixCluster;
use super::model::TrustModel;
use super::{AcceptedDomains, anchors};
use crate::cacerts::Secret;
use crate::cert::Cert;
use crate::chain::{is_bridge, issued};
use crate::istiod::canary::permitted_hosts;
use crate::spiffe::id::TrustDomain;
use crate::time::Time;

/// A push that brings clusters closer to their trust models.
#[derive(Clone)]
#[non_exhaustive]
pub struct TrustPush {
    /// Index of the cluster.
    pub cluster: usize,
    /// What it gets.
    pub changes: Vec<TrustChange>,
    /// Its secret afterwards: one file of it differs, or two.
    pub secret: Secret,
}

/// A change of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustChange {
    /// A root of another cluster is added to the root bundle.
    Root {
        /// Index of the cluster whose CA it vouches for.
        of: usize,
        /// The root.
        root: Cert,
    },
    /// A bridge is sent after the CA.
    Bridge {
        /// Index of the cluster whose proxies accept it.
        to: usize,
        /// The bridge.
        bridge: Cert,
    },
    /// A bridge leaves, which the new one replaces.
    Replaced {
        /// The bridge.
        bridge: Cert,
    },
}

/// What no push can bring about yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustGap {
    /// The truster's root has not certified the signer's root.
    NoBridge {
        /// Index of the cluster that will accept it.
        truster: usize,
        /// Index of the cluster that will send it.
        signer: usize,
        /// The root to certify.
        root: Cert,
        /// The one trust domain it may vouch for.
        scope: Option<TrustDomain>,
    },
    /// The truster has a root of the signer in its bundle, so trust goes beyond the bridge.
    TrustedDirectly {
        /// Index of the cluster.
        truster: usize,
        /// Index of the cluster whose CA it vouches for.
        signer: usize,
        /// The root.
        root: Cert,
    },
    /// The signer sends a bridge without the name constraint of the model.
    Unscoped {
        /// Index of the cluster that accepts it.
        truster: usize,
        /// Index of the cluster that sends it.
        signer: usize,
        /// The bridge.
        bridge: Cert,
    },
    /// No root vouches for the CAs of both.
    NoSharedRoot {
        /// Index of the first.
        truster: usize,
        /// Index of the second.
        signer: usize,
    },
    /// No root in the cluster's own bundle vouches for its CA.
    NoAnchor {
        /// Index of the cluster.
        cluster: usize,
    },
    /// istiod does not accept the trust domain of the other.
    DomainNotAccepted {
        /// Index of the cluster that would accept it.
        truster: usize,
        /// Index of the other.
        signer: usize,
    },
}

/// What has to be done so that every pair accepts each other by its model.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct TrustPlan {
    /// Pushes, in order. Each only adds: what was accepted before it is accepted during and after it.
    pub pushes: Vec<TrustPush>,
    /// What is lacking besides.
    pub gaps: Vec<TrustGap>,
}

impl TrustPlan {
    /// The plan for these clusters at one time. `model` gives the model of a pair of indices, the same in both orders;
    /// `None`: they need not accept each other. Bridges are taken from `bridges`, whatever their order.
    #[must_use]
    pub fn new(
        clusters: &[MatrixCluster<'_>],
        model: &dyn Fn(usize, usize) -> Option<TrustModel>,
        bridges: &[Cert],
        at: Time,
    ) -> Self {
        let mut plan = Self::default();
        let sides: Vec<Side<'_>> = clusters.iter().map(|cluster| Side::new(cluster, at)).collect();
        for (cluster, side) in sides.iter().enumerate() {
            if side.anchors.is_empty() {
                plan.gaps.push(TrustGap::NoAnchor { cluster });
            }
        }
        let has_anchor = |side: usize| !sides[side].anchors.is_empty();
        for own in (0..sides.len()).filter(|own| has_anchor(*own)) {
            let mut edit = Edit::default();
            for other in (0..sides.len()).filter(|other| *other != own && has_anchor(*other)) {
                if let Some(model) = model(own, other) {
                    let pair = Pair { sides: &sides, own, other };
                    pair.look(model, bridges, &mut edit, &mut plan.gaps);
                }
            }
            plan.pushes.extend(edit.push(own, &sides[own]));
        }
        plan
    }

    /// Whether every pair has what its model demands.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.pushes.is_empty() && self.gaps.is_empty()
    }
}

/// A cluster, its files read once.
struct Side<'a> {
    cluster: &'a MatrixCluster<'a>,
    chain: Vec<Cert>,
    roots: Vec<Cert>,
    /// The roots that vouch for its CA without a bridge.
    anchors: Vec<Cert>,
    at: Time,
}

impl<'a> Side<'a> {
    fn new(cluster: &'a MatrixCluster<'a>, at: Time) -> Self {
        let (secret, version) = (cluster.secret, cluster.version);
        let (chain, roots) = (secret.chain(version), secret.roots(version));
        let ca = secret.ca(version);
        let anchors = ca.map(|ca| anchors(&ca, &chain, &roots, at)).unwrap_or_default();
        let is_own = |root: &Cert| !crosses(&chain, &roots, root);
        let anchors = anchors.into_iter().filter(is_own).collect();
        Self { cluster, chain, roots, anchors, at }
    }

    /// The certificates in a list that are valid bridges from this cluster's root to one of another.
    fn bridges_to<'c>(
        &'c self,
        other: &'c Side<'_>,
        certs: &'c [Cert],
    ) -> impl Iterator<Item = &'c Cert> {
        let is_valid = |cert: &Cert| {
            let begins = cert.not_before().time().is_some_and(|from| from <= self.at);
            begins && cert.not_after().time().is_none_or(|end| end > self.at)
        };
        let is_accepted = |cert: &Cert| other.anchors.iter().any(|root| issued(root, cert));
        certs.iter().filter(move |cert| {
            is_bridge(cert, &self.anchors) && is_valid(cert) && is_accepted(cert)
        })
    }
}

/// Whether a root vouches only through a bridge in this chain: for another root of the bundle.
fn crosses(chain: &[Cert], roots: &[Cert], root: &Cert) -> bool {
    chain.iter().any(|cert| is_bridge(cert, roots) && issued(root, cert))
}

/// What one cluster gets.
#[derive(Default)]
struct Edit {
    changes: Vec<TrustChange>,
}

impl Edit {
    /// Sends a bridge, which replaces these.
    fn send(&mut self, bridge: &Cert, to: usize, sent: &[&Cert]) {
        if self.adds(bridge) {
            return;
        }
        self.changes.push(TrustChange::Bridge { to, bridge: bridge.clone() });
        for old in sent.iter().filter(|old| !self.adds(old)).collect::<Vec<_>>() {
            self.changes.push(TrustChange::Replaced { bridge: (*old).clone() });
        }
    }

    fn adds(&self, cert: &Cert) -> bool {
        self.changes.iter().any(|change| match change {
            TrustChange::Root { root: known, .. }
            | TrustChange::Bridge { bridge: known, .. }
            | TrustChange::Replaced { bridge: known } => known == cert,
        })
    }

    fn push(self, cluster: usize, side: &Side<'_>) -> Option<TrustPush> {
        if self.changes.is_empty() {
            return None;
        }
        let mut secret = side.cluster.secret.clone();
        let layout = secret.layout(side.cluster.version);
        let (mut roots, mut bridges, mut replaced) = (Vec::new(), Vec::new(), Vec::new());
        for change in &self.changes {
            match change {
                TrustChange::Root { root, .. } => roots.push(root),
                TrustChange::Bridge { bridge, .. } => bridges.push(bridge),
                TrustChange::Replaced { bridge } => replaced.push(bridge),
            }
        }
        if !roots.is_empty() {
            let file = layout.roots_file();
            let text = appended(secret.get(file).unwrap_or_default(), &roots);
            secret.insert(file, text);
        }
        if !bridges.is_empty() {
            let file = layout.chain_files()[0];
            let sent = crate::cacerts::pool(secret.get(file).unwrap_or_default());
            secret.insert(file, sent_with(&sent, &bridges, &replaced));
        }
        Some(TrustPush { cluster, changes: self.changes, secret })
    }
}

/// The text of a bundle, every byte of it kept, with more certificates.
fn appended(text: &[u8], certs: &[&Cert]) -> Vec<u8> {
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    certs.iter().for_each(|cert| text.extend(cert.to_pem().into_bytes()));
    text
}

/// A chain with bridges before its root: after it, Envoy would not find them.
fn sent_with(chain: &[Cert], bridges: &[&Cert], replaced: &[&Cert]) -> Vec<u8> {
    let stays = |cert: &&Cert| !replaced.contains(cert);
    let (below, roots): (Vec<&Cert>, Vec<&Cert>) =
        chain.iter().filter(stays).partition(|cert| !cert.is_self_issued());
    let all = below.into_iter().chain(bridges.iter().copied()).chain(roots);
    all.map(Cert::to_pem).collect::<String>().into_bytes()
}

/// What the secret of one cluster lacks for another: roots in its bundle, and bridges that it sends.
struct Pair<'s, 'a> {
    sides: &'s [Side<'a>],
    own: usize,
    other: usize,
}

impl Pair<'_, '_> {
    fn look(&self, model: TrustModel, bridges: &[Cert], edit: &mut Edit, gaps: &mut Vec<TrustGap>) {
        let (own, other) = (&self.sides[self.own], &self.sides[self.other]);
        let domain = &own.cluster.trust_domain;
        if !accepts_domain(own.cluster, &other.cluster.trust_domain) {
            gaps.push(TrustGap::DomainNotAccepted { truster: self.own, signer: self.other });
        }
        let is_shared = own.anchors.iter().any(|root| other.anchors.contains(root));
        match model {
            TrustModel::SharedRoot if !is_shared && self.own < self.other => {
                gaps.push(TrustGap::NoSharedRoot { truster: self.own, signer: self.other });
            }
            TrustModel::SharedRoot => {}
            TrustModel::MergedRoots => self.merge(edit),
            TrustModel::Bridge if !is_shared => self.bridge(None, bridges, edit, gaps),
            TrustModel::ScopedBridge if !is_shared => {
                self.bridge(Some(domain), bridges, edit, gaps);
            }
            TrustModel::Bridge => {}
            // What one root signs for both, no constraint keeps apart.
            TrustModel::ScopedBridge if *domain == other.cluster.trust_domain => {}
            TrustModel::ScopedBridge => {
                gaps.push(TrustGap::TrustedDirectly {
                    truster: self.other,
                    signer: self.own,
                    root: own.anchors[0].clone(),
                });
            }
        }
    }

    /// The other's roots in the cluster's own bundle.
    fn merge(&self, edit: &mut Edit) {
        let own = &self.sides[self.own];
        for root in &self.sides[self.other].anchors {
            if !own.roots.contains(root) && !edit.adds(root) {
                edit.changes.push(TrustChange::Root { of: self.other, root: root.clone() });
            }
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
        if let Some(root) = own.anchors.iter().find(|root| other.roots.contains(root)) {
            gaps.push(TrustGap::TrustedDirectly { truster, signer, root: root.clone() });
        }
        let sent: Vec<&Cert> = own.bridges_to(other, &own.chain).collect();
        let fits = |cert: &&Cert| is_for(cert, scope);
        let end = |cert: &&Cert| cert.not_after().time();
        let good = sent.iter().copied().filter(fits).max_by_key(end);
        let newest = own.bridges_to(other, bridges).filter(fits).max_by_key(end);
        let is_newer = |cert: &&Cert| good.is_none_or(|good| end(&good) < end(cert));
        if let Some(bridge) = newest.filter(is_newer) {
            edit.send(bridge, truster, &sent);
            return;
        }
        match good {
            None => {
                let root = own.anchors.iter().max_by_key(end).cloned();
                let scope = scope.cloned();
                gaps.extend(root.map(|root| TrustGap::NoBridge { truster, signer, root, scope }));
            }
            Some(_) => {
                let wider = sent.iter().find(|cert| scope.is_some() && !is_for(cert, scope));
                gaps.extend(wider.map(|bridge| {
                    let bridge = (*bridge).clone();
                    TrustGap::Unscoped { truster, signer, bridge }
                }));
            }
        }
    }
}

/// Whether a bridge has the name constraint of the model and no other.
fn is_for(bridge: &Cert, scope: Option<&TrustDomain>) -> bool {
    let hosts = permitted_hosts(bridge);
    match scope {
        None => hosts.is_empty(),
        Some(domain) => matches!(hosts.as_slice(), [host] if host == domain.as_str()),
    }
}

fn accepts_domain(cluster: &MatrixCluster<'_>, domain: &TrustDomain) -> bool {
    *domain == cluster.trust_domain
        || match &cluster.accepts {
            AcceptedDomains::Any => true,
            AcceptedDomains::Listed(listed) => listed.contains(domain),
        }
}

#[cfg(test)]
mod tests;
