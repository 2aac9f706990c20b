//! The secret of one cluster with further roots and another bridge.

use alloc::string::String;
use alloc::vec::Vec;

use super::TrustChange;
use super::pair::Side;
use crate::cacerts::{Secret, pool};
use crate::cert::Cert;
use crate::chain::{is_bridge, issued};

/// What one cluster gets.
pub(super) struct Edit {
    roots: Vec<TrustChange>,
    /// The one bridge that it sends, and to which cluster.
    pub(super) bridge: Option<(Option<usize>, Cert)>,
}

/// What it gets, and its secret with that.
pub(super) struct Edited {
    pub(super) changes: Vec<TrustChange>,
    pub(super) secret: Secret,
}

impl Edit {
    /// Nothing yet. A bridge to a cluster that is not among these stays.
    pub(super) fn new(own: &Side<'_>, all: &[Side<'_>]) -> Self {
        let is_known = |bridge: &Cert| {
            all.iter().any(|side| side.anchors.iter().any(|root| issued(root, bridge)))
        };
        let sent = own.chain.iter().filter(|cert| is_bridge(cert, &own.anchors));
        let foreign = sent.filter(|cert| own.is_valid(cert)).find(|cert| !is_known(cert));
        Self { roots: Vec::new(), bridge: foreign.map(|bridge| (None, bridge.clone())) }
    }

    /// Adds a root of another cluster to the bundle, once.
    pub(super) fn trust(&mut self, of: usize, root: &Cert) {
        let is_new = |change: &TrustChange| !matches!(change, TrustChange::Root { root: known, .. } if known == root);
        if self.roots.iter().all(is_new) {
            self.roots.push(TrustChange::Root { of, root: root.clone() });
        }
    }

    /// The secret with everything, unless it has that already.
    pub(super) fn finish(self, side: &Side<'_>) -> Option<Edited> {
        let mut secret = side.cluster.secret.clone();
        let layout = secret.layout(side.cluster.version);
        let mut changes = self.roots;
        let new = changes.iter().filter_map(|change| match change {
            TrustChange::Root { root, .. } => Some(root),
            _ => None,
        });
        let new: String = new.map(Cert::to_pem).collect();
        if !new.is_empty() {
            let file = layout.roots_file();
            secret.append(file, &new);
        }
        let file = layout.chain_files()[0];
        let sent = pool(secret.get(file).unwrap_or_default());
        let before: Vec<&Cert> =
            sent.iter().filter(|cert| is_bridge(cert, &side.anchors)).collect();
        if let Some((Some(to), bridge)) = &self.bridge
            && before != [bridge]
        {
            changes.push(TrustChange::Bridge { to: *to, bridge: bridge.clone() });
            let others = before.into_iter().filter(|cert| *cert != bridge).cloned();
            changes.extend(others.map(|bridge| TrustChange::Replaced { bridge }));
            secret.insert(file, sent_with(&sent, bridge, side));
        }
        (!changes.is_empty()).then_some(Edited { changes, secret })
    }
}

/// A chain with this bridge and no other, before its root: after it, Envoy would not find it.
fn sent_with(chain: &[Cert], bridge: &Cert, side: &Side<'_>) -> Vec<u8> {
    let stays = |cert: &&Cert| !is_bridge(cert, &side.anchors);
    let (roots, below): (Vec<&Cert>, Vec<&Cert>) =
        chain.iter().filter(stays).partition(|cert| cert.is_self_issued());
    let all = below.into_iter().chain([bridge]).chain(roots);
    all.map(Cert::to_pem).collect::<String>().into_bytes()
}
