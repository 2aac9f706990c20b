//! CAs that are valid now: a real istiod has a real clock, and does not use [`crate::NOW`].

use meshpki::{Cert, Issuer, KeyType, Profile, Serial, Signer, SoftKey, Stamp};

use super::kubelet::volume::Files;

/// A root.
pub struct Root {
    /// Its certificate.
    pub cert: Cert,
    key: SoftKey,
}

impl Root {
    /// A new one with this common name.
    ///
    /// # Panics
    /// When there is no randomness.
    #[must_use]
    pub fn new(common_name: &str) -> Self {
        let key = SoftKey::generate(KeyType::EcdsaP256).expect("a key");
        let profile = Profile::root(crate::authority::name(&format!("CN={common_name}")));
        let cert = meshpki::self_signed(&profile, &key, stamp()).expect("a root");
        Self { cert, key }
    }

    /// The four files of `cacerts` for a cluster, with a new intermediate.
    ///
    /// # Panics
    /// If the name is not valid.
    #[must_use]
    pub fn cacerts(&self, cluster: &str) -> Files {
        let key = SoftKey::generate(KeyType::EcdsaP256).expect("a key");
        let profile = Profile::cluster(crate::authority::name(&format!("CN=Mesh CA {cluster}")));
        let issuer = Issuer { cert: &self.cert, signer: &self.key };
        let cert = meshpki::issue(&profile, key.public_key(), issuer, stamp()).expect("a CA");
        let files = [
            ("ca-cert.pem", cert.to_pem()),
            ("ca-key.pem", key.to_pem().to_string()),
            ("cert-chain.pem", cert.to_pem() + &self.cert.to_pem()),
            ("root-cert.pem", self.cert.to_pem()),
        ];
        files.map(|(name, text)| (name.to_owned(), text.into_bytes())).into()
    }
}

/// A random serial number, and the machine's time.
pub(super) fn stamp() -> Stamp {
    let mut random = [0; 20];
    meshpki::internals::fill_random(&mut random);
    Stamp::made_at(meshctl::io::system_time(), Serial::from_random(random))
}
