//! The verifiers of the mesh, asked once about each kind of chain and bundle.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;

use super::RotationCluster;
use super::sightings::{Key, bundle_key, shown_key};
use crate::cacerts::Secret;
use crate::cert::Cert;
use crate::digest::sha256;
use crate::istiod::canary::Canary;
use crate::istiod::{Dataplane, Verifier, refused_by_agent};
use crate::time::Time;
use crate::version::Version;

/// A chain that workloads show.
#[derive(Clone)]
pub(super) struct Shown {
    pub(super) key: Key,
    leaf: Cert,
    sent: Vec<Cert>,
}

impl Shown {
    /// A chain that was seen; `None` if it is empty.
    pub(super) fn seen(chain: &[Cert]) -> Option<Self> {
        let (leaf, sent) = chain.split_first()?;
        Some(Self { key: shown_key(leaf, sent), leaf: leaf.clone(), sent: sent.to_vec() })
    }

    /// The name of the CA that issued it.
    pub(super) fn issuer(&self) -> String {
        self.sent
            .iter()
            .find(|cert| crate::chain::issued(cert, &self.leaf))
            .map_or_else(|| self.leaf.issuer().label(), Cert::label)
    }
}

/// A bundle as the proxies of a cluster have it.
#[derive(Clone)]
pub(super) struct Trusted {
    pub(super) key: Key,
    pub(super) roots: Vec<Cert>,
    store: Rc<Dataplane>,
}

/// What istiod of a release reads from a secret.
pub(super) struct Parts {
    pub(super) ca: Option<Cert>,
    pub(super) chain: Vec<Cert>,
    pub(super) roots: Vec<Cert>,
}

impl Parts {
    fn of(secret: &Secret, version: Version) -> Self {
        let (ca, chain) = (secret.ca(version), secret.chain(version));
        Self { ca, chain, roots: secret.roots(version) }
    }
}

/// A secret, read once for a release.
pub(super) struct Read<'s> {
    pub(super) secret: &'s Secret,
    pub(super) version: Version,
    key: Key,
    pub(super) parts: Rc<Parts>,
}

impl<'s> Read<'s> {
    pub(super) fn new(secret: &'s Secret, version: Version) -> Self {
        let parts = Rc::new(Parts::of(secret, version));
        Self { secret, version, key: content_key(secret, version), parts }
    }
}

/// The same for secrets with the same files that are read by the same release.
fn content_key(secret: &Secret, version: Version) -> Key {
    let mut all = version.to_string().into_bytes();
    for name in secret.names() {
        all.extend(sha256(name.as_bytes()));
        all.extend(sha256(secret.get(name).unwrap_or_default()));
    }
    sha256(&all)
}

type Answer = Option<(Verifier, String)>;

/// What was asked already.
pub(super) struct Judge {
    parts: RefCell<BTreeMap<Key, Rc<Parts>>>,
    stores: RefCell<BTreeMap<Key, Rc<Dataplane>>>,
    canaries: RefCell<BTreeMap<Key, Option<Shown>>>,
    answers: RefCell<BTreeMap<(Key, Key, Time, bool), Answer>>,
}

impl Judge {
    pub(super) const fn new() -> Self {
        Self {
            parts: RefCell::new(BTreeMap::new()),
            stores: RefCell::new(BTreeMap::new()),
            canaries: RefCell::new(BTreeMap::new()),
            answers: RefCell::new(BTreeMap::new()),
        }
    }

    /// The certificates of a secret.
    pub(super) fn read<'s>(&self, secret: &'s Secret, version: Version) -> Read<'s> {
        let key = content_key(secret, version);
        let made = || Rc::new(Parts::of(secret, version));
        let parts = Rc::clone(self.parts.borrow_mut().entry(key).or_insert_with(made));
        Read { secret, version, key, parts }
    }

    /// What a workload shows whose certificate istiod of the cluster signs at `at` with this secret; `None` if it has no CA
    /// with its key.
    pub(super) fn shown(
        &self,
        cluster: &RotationCluster<'_>,
        secret: &Secret,
        at: Time,
    ) -> Option<Shown> {
        let read = self.read(secret, cluster.version);
        let domain = cluster.trust_domain.as_ref();
        let mut known = read.key.to_vec();
        known.extend(at.0.to_be_bytes());
        known.extend(domain.map_or("", |domain| domain.as_str()).as_bytes());
        let made = || {
            let key = secret.get(secret.layout(cluster.version).key_file())?;
            let issuer = (read.parts.ca.as_ref()?, read.parts.chain.as_slice());
            let Canary { leaf, sent } = Canary::new(key, domain, issuer, at)?;
            Some(Shown { key: shown_key(&leaf, &sent), leaf, sent })
        };
        self.canaries.borrow_mut().entry(sha256(&known)).or_insert_with(made).clone()
    }

    /// The bundle that proxies get once istiod of the cluster has this secret.
    pub(super) fn given(&self, cluster: &RotationCluster<'_>, secret: &Secret) -> Trusted {
        self.trusted(cluster, &self.read(secret, cluster.version).parts.roots, secret)
    }

    /// A bundle that proxies of the cluster have, with the CRLs of a secret.
    pub(super) fn trusted(
        &self,
        cluster: &RotationCluster<'_>,
        roots: &[Cert],
        secret: &Secret,
    ) -> Trusted {
        let (version, ambient) = (cluster.version, cluster.ambient);
        let crl = secret.crl(version);
        let mut key = bundle_key(roots).to_vec();
        key.extend(sha256(crl.unwrap_or_default()));
        key.extend(version.to_string().as_bytes());
        key.push(u8::from(ambient));
        let key = sha256(&key);
        let made = || Rc::new(Dataplane::new(roots, crl, version, ambient));
        let store = self.stores.borrow_mut().entry(key).or_insert_with(made).clone();
        Trusted { key, roots: roots.to_vec(), store }
    }

    /// Who rejects a chain under a bundle at `at`, and why. `own`: in one cluster, where agents verify
    /// istiod too, which shows the same chain.
    pub(super) fn rejects(
        &self,
        trusted: &Trusted,
        shown: &Shown,
        own: bool,
        at: Time,
    ) -> Option<(Verifier, String)> {
        let key = (trusted.key, shown.key, at, own);
        if let Some(known) = self.answers.borrow().get(&key) {
            return known.clone();
        }
        let (leaf, sent) = (&shown.leaf, shown.sent.as_slice());
        let by_proxy = trusted.store.refuses(leaf, sent, at);
        let by_agent = || {
            let why = own.then(|| refused_by_agent(&trusted.roots, leaf, sent, at))??;
            Some((Verifier::Agent, why))
        };
        let answer = by_proxy.or_else(by_agent).map(|(who, why)| (who, why.text));
        self.answers.borrow_mut().insert(key, answer.clone());
        answer
    }
}
