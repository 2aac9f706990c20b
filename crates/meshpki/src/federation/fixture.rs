//! Meshes of one cluster, for tests.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{AcceptedDomains, Bridge, MatrixCluster};
use crate::cacerts::Secret;
use crate::cert::Cert;
use crate::issue::{Issuer, Serial, Stamp, issue, self_signed};
use crate::istiod::Version;
use crate::key::Signer;
use crate::profile::Profile;
use crate::soft::{KeyType, SoftKey};
use crate::time::Time;

pub(super) const NOW: Time = Time(1_800_000_000);

/// A mesh of one cluster: its root, its CA, and the files of its secret.
pub(super) struct Mesh {
    pub(super) name: &'static str,
    pub(super) root: Cert,
    pub(super) root_key: SoftKey,
    pub(super) ca: Cert,
    pub(super) ca_key: SoftKey,
    /// Further certificates that it sends, and further roots that it trusts.
    pub(super) bridges: Vec<Cert>,
    pub(super) also_trusted: Vec<Cert>,
    pub(super) secret: Secret,
}

pub(super) fn stamp() -> Stamp {
    Stamp::made_at(NOW, Serial::from_random([5; 20]))
}

impl Mesh {
    pub(super) fn new(name: &'static str) -> Self {
        let key = || SoftKey::generate(KeyType::EcdsaP256).unwrap();
        let (root_key, ca_key) = (key(), key());
        let profile = Profile::root(format!("CN={name} Root").parse().unwrap());
        let root = self_signed(&profile, &root_key, stamp()).unwrap();
        let profile = Profile::cluster(format!("CN={name}").parse().unwrap());
        let issuer = Issuer { cert: &root, signer: &root_key };
        let ca = issue(&profile, ca_key.public_key(), issuer, stamp()).unwrap();
        let (bridges, also_trusted) = (Vec::new(), Vec::new());
        Self { name, root, root_key, ca, ca_key, bridges, also_trusted, secret: Secret::default() }
            .written()
    }

    /// The same with its files as they are now.
    pub(super) fn written(mut self) -> Self {
        let text = |certs: &[&Cert]| certs.iter().map(|cert| cert.to_pem()).collect::<String>();
        let chain: Vec<&Cert> =
            [&self.ca].into_iter().chain(&self.bridges).chain([&self.root]).collect();
        let roots: Vec<&Cert> = [&self.root].into_iter().chain(&self.also_trusted).collect();
        let files = [
            ("ca-cert.pem", text(&[&self.ca])),
            ("ca-key.pem", String::from(self.ca_key.to_pem().as_str())),
            ("cert-chain.pem", text(&chain)),
            ("root-cert.pem", text(&roots)),
        ];
        self.secret = files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
        self
    }

    /// Accepts what another mesh signs, by its own root's name for the other's.
    pub(super) fn bridged(&self, mut other: Self, bridge: &Bridge) -> Self {
        let issuer = Issuer { cert: &self.root, signer: &self.root_key };
        other.bridges.push(bridge.for_root(&other.root, issuer, stamp()).unwrap());
        other.written()
    }

    pub(super) fn cluster(
        &self,
        domain: &str,
        accepted: &[&str],
        ambient: bool,
    ) -> MatrixCluster<'_> {
        let accepted = accepted.iter().map(|domain| domain.parse().unwrap()).collect();
        MatrixCluster::new(self.name, &self.secret, Version::NEWEST, domain.parse().unwrap())
            .with_accepted(AcceptedDomains::Listed(accepted))
            .with_ambient(ambient)
    }
}
