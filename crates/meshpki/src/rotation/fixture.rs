//! Roots, secrets under them and bridges between them, for tests.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Sightings;
use crate::cacerts::Secret;
use crate::cert::Cert;
use crate::federation::Bridge;
use crate::issue::{Issuer, Serial, Stamp, issue, self_signed};
use crate::istiod::Version;
use crate::istiod::canary::Canary;
use crate::key::Signer;
use crate::profile::Profile;
use crate::soft::{KeyType, SoftKey};
use crate::time::Time;

pub(super) const NOW: Time = Time(1_800_000_000);

pub(super) struct Root {
    pub(super) cert: Cert,
    key: SoftKey,
}

pub(super) fn stamp() -> Stamp {
    Stamp::made_at(NOW, Serial::from_random([5; 20]))
}

fn key() -> SoftKey {
    SoftKey::generate(KeyType::EcdsaP256).unwrap()
}

impl Root {
    pub(super) fn new(name: &str) -> Self {
        Self::of(&Profile::root(format!("CN={name}").parse().unwrap()))
    }

    pub(super) fn of(profile: &Profile) -> Self {
        let key = key();
        Self { cert: self_signed(profile, &key, stamp()).unwrap(), key }
    }

    /// The secret of a cluster under this root.
    pub(super) fn secret(&self, cluster: &str) -> Secret {
        let key = key();
        let profile = Profile::cluster(format!("CN={cluster}").parse().unwrap());
        let issuer = Issuer { cert: &self.cert, signer: &self.key };
        let ca = issue(&profile, key.public_key(), issuer, stamp()).unwrap();
        let own = self.cert.to_pem();
        written(&ca, &key, &(ca.to_pem() + &own), &own)
    }

    /// The secret of a cluster whose istiod signs with this root, which it made for itself.
    pub(super) fn own(&self) -> Secret {
        let own = self.cert.to_pem();
        written(&self.cert, &self.key, &own, &own)
    }

    /// Another root under this one.
    pub(super) fn bridge(&self, other: &Self) -> Cert {
        self.bridge_of(&Bridge::new(), other)
    }

    pub(super) fn bridge_of(&self, bridge: &Bridge, other: &Self) -> Cert {
        let issuer = Issuer { cert: &self.cert, signer: &self.key };
        bridge.for_root(&other.cert, issuer, stamp()).unwrap()
    }
}

fn written(ca: &Cert, key: &SoftKey, chain: &str, roots: &str) -> Secret {
    let files = [
        ("ca-cert.pem", ca.to_pem()),
        ("ca-key.pem", key.to_pem().to_string()),
        ("cert-chain.pem", chain.into()),
        ("root-cert.pem", roots.into()),
    ];
    files.into_iter().collect()
}

/// The same with further roots.
pub(super) fn trusting(secret: &Secret, roots: &[&Root]) -> Secret {
    let mut secret = secret.clone();
    let more: String = roots.iter().map(|root| root.cert.to_pem()).collect();
    secret.append("root-cert.pem", &more);
    secret
}

/// The same with a bridge in front of the root that it is for.
pub(super) fn sending(secret: &Secret, bridge: &Cert) -> Secret {
    let mut secret = secret.clone();
    let chain = secret.chain(Version::NEWEST);
    let (roots, below): (Vec<&Cert>, Vec<&Cert>) =
        chain.iter().partition(|cert| cert.is_self_issued());
    let all = below.into_iter().chain([bridge]).chain(roots);
    let text: String = all.map(Cert::to_pem).collect();
    secret.insert("cert-chain.pem", text.into_bytes());
    secret
}

/// What a workload shows that got its certificate under one secret.
pub(super) fn chain(secret: &Secret) -> Vec<Cert> {
    let version = Version::NEWEST;
    let (ca, sent) = (secret.ca(version).unwrap(), secret.chain(version));
    let key = secret.get("ca-key.pem").unwrap();
    let Canary { leaf, sent } = Canary::new(key, None, (&ca, &sent), NOW).unwrap();
    core::iter::once(leaf).chain(sent).collect()
}

/// A proxy with the certificate of one secret and the roots of another.
pub(super) fn see(into: &mut Sightings, who: &str, shows: &Secret, trusts: &Secret) {
    into.add(who, &chain(shows), &trusts.roots(Version::NEWEST));
}
