//! What proxies were seen to show and to trust: many proxies, few kinds of chains and bundles.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use crate::cert::Cert;
use crate::digest::sha256;
use crate::istiod::canary::BACKDATE;
use crate::time::Time;

/// What identifies chains, or bundles, that verifiers treat alike.
pub(super) type Key = [u8; 32];

/// What the proxies of a cluster were seen to have, and what could not be seen.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Sightings {
    shown: BTreeMap<Key, SeenCerts>,
    trusted: BTreeMap<Key, SeenCerts>,
    /// What could not be seen.
    pub unseen: Vec<Unseen>,
}

/// Chains or bundles that are alike, and who has them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenCerts {
    /// A workload's certificate and those sent after it: of those alike, the one that ends last. Or the roots of a bundle.
    pub certs: Vec<Cert>,
    /// Who has it.
    pub who: BTreeSet<String>,
    /// When the last of them is expected to ask istiod again: halfway through the life of its certificate
    /// (`security/pkg/nodeagent/cache/secretcache.go: rotateTime`). `None`: nothing says when.
    pub renews: Option<Time>,
    /// When the last of their certificates ends.
    pub ends: Option<Time>,
}

/// Something with certificates that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Unseen {
    /// What: `pod shop/cart-1`, `workload entry shop/vm-1`.
    pub who: String,
    /// Why it could not be seen.
    pub why: String,
    /// When the last certificate that it may have ends; `None`: that is not known.
    pub until: Option<Time>,
}

impl Unseen {
    /// Something that could not be seen, why, and when its last certificate ends at the latest.
    #[must_use]
    pub fn new(who: impl Into<String>, why: impl Into<String>, until: Option<Time>) -> Self {
        Self { who: who.into(), why: why.into(), until }
    }
}

impl Sightings {
    /// Adds a proxy: the chain that it shows, its own certificate first, and the roots that it trusts.
    pub fn add(&mut self, who: &str, chain: &[Cert], roots: &[Cert]) {
        let (renews, ends) = chain.first().map_or((None, None), lifetime);
        if let Some((leaf, sent)) = chain.split_first() {
            insert(&mut self.shown, shown_key(leaf, sent), chain, who, renews, ends);
        }
        insert(&mut self.trusted, bundle_key(roots), roots, who, renews, ends);
    }

    /// Adds a place that only hands out roots: a ConfigMap, a ClusterTrustBundle.
    pub fn add_roots(&mut self, who: &str, roots: &[Cert]) {
        insert(&mut self.trusted, bundle_key(roots), roots, who, None, None);
    }

    /// The kinds of chains that were seen.
    pub fn shown(&self) -> impl Iterator<Item = &SeenCerts> {
        self.shown.values()
    }

    /// The kinds of bundles that were seen.
    pub fn trusted(&self) -> impl Iterator<Item = &SeenCerts> {
        self.trusted.values()
    }
}

fn insert(
    into: &mut BTreeMap<Key, SeenCerts>,
    key: Key,
    certs: &[Cert],
    who: &str,
    renews: Option<Time>,
    ends: Option<Time>,
) {
    let new = || SeenCerts { certs: certs.to_vec(), who: BTreeSet::new(), renews, ends };
    let known = into.entry(key).or_insert_with(new);
    known.who.insert(who.to_owned());
    if ends > known.ends {
        certs.clone_into(&mut known.certs);
    }
    // Of several times the last counts; one that is not known may be later than all.
    known.renews = known.renews.zip(renews).map(|(one, other)| one.max(other));
    known.ends = known.ends.zip(ends).map(|(one, other)| one.max(other));
}

/// When a certificate is renewed, and when it ends.
fn lifetime(leaf: &Cert) -> (Option<Time>, Option<Time>) {
    let (Some(begin), Some(end)) = (leaf.not_before().time(), leaf.not_after().time()) else {
        return (None, None);
    };
    let signed = (begin + BACKDATE).min(end);
    // One percent of jitter.
    let half = end.since(signed) * 51 / 100;
    (Some(signed + half), Some(end))
}

/// The same for workload certificates of one CA with one chain: verifiers see no other difference between them. Without a
/// key identifier nothing tells two CAs of one name apart, so that each certificate is a kind of its own.
pub(super) fn shown_key(leaf: &Cert, sent: &[Cert]) -> Key {
    let key_id = leaf.extensions().authority_key_id.as_ref().and_then(|id| id.key_id.as_deref());
    let issuer = match key_id {
        Some(id) => [leaf.issuer().as_der(), id].concat(),
        None => leaf.as_der().to_vec(),
    };
    hashed(&issuer, sent)
}

/// The same for bundles with the same certificates in the same order.
pub(super) fn bundle_key(roots: &[Cert]) -> Key {
    hashed(&[], roots)
}

fn hashed(first: &[u8], certs: &[Cert]) -> Key {
    let mut all = sha256(first).to_vec();
    certs.iter().for_each(|cert| all.extend(cert.sha256()));
    sha256(&all)
}
