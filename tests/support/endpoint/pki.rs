//! Trust domains and Web PKI certificates whose validity begins a few minutes ago by the system's clock, as TLS needs it.

use std::time::Duration;

use meshctl::io::system_time;
use meshpki::Signer;
use meshpki::spiffe::Bundle;
use meshpki::x509::{GeneralName, KeyUsage};
use meshpki::{
    Cert, Issuer, KeyType, Oid, Profile, Serial, SoftKey, SpiffeId, Stamp, Time, TrustDomain,
};

use crate::Scratch;
use crate::authority::{Authority, key, name};

/// A trust domain with a root.
pub struct Domain {
    /// Its name.
    pub name: TrustDomain,
    /// Its root.
    pub root: Authority,
}

/// A certificate of a server, and its key.
pub struct Leaf {
    /// The certificate.
    pub cert: Cert,
    /// Its key.
    pub key: SoftKey,
}

impl Domain {
    /// A trust domain of this name with a new root.
    ///
    /// # Panics
    /// For what is not a trust domain.
    #[must_use]
    pub fn new(domain: &str) -> Self {
        let domain: TrustDomain = domain.parse().expect("a trust domain");
        let mut profile = Profile::root(name(&format!("CN=Root of {domain}")));
        profile.subject_alt_names = vec![GeneralName::Uri(domain.uri().into_bytes())];
        let key = key(KeyType::EcdsaP256);
        // Old enough that what it signed can have expired.
        let made = system_time().minus(Duration::from_secs(60 * 24 * 3600));
        let cert = meshpki::self_signed(&profile, &key, stamp(made)).expect("a root");
        Self { name: domain, root: Authority { cert, key } }
    }

    /// Its bundle.
    #[must_use]
    pub fn bundle(&self, sequence: u64) -> String {
        bundle_of(&self.name, &[&self.root.cert], sequence)
    }

    /// A SPIFFE ID in it.
    ///
    /// # Panics
    /// For what is not a path.
    #[must_use]
    pub fn id(&self, path: &str) -> SpiffeId {
        format!("{}{path}", self.name.uri()).parse().expect("a SPIFFE ID")
    }

    /// An X509-SVID with this path.
    #[must_use]
    pub fn svid(&self, path: &str) -> Leaf {
        self.issue(&Profile::workload(&self.id(path)), system_time())
    }

    /// A certificate under its root, made at some time.
    #[must_use]
    pub fn issue(&self, profile: &Profile, at: Time) -> Leaf {
        Leaf::under(&self.root, profile, at)
    }
}

impl Leaf {
    /// A certificate under an authority, made at some time.
    ///
    /// # Panics
    /// When it cannot be issued.
    #[must_use]
    pub fn under(authority: &Authority, profile: &Profile, at: Time) -> Self {
        let key = key(KeyType::EcdsaP256);
        let issuer = Issuer { cert: &authority.cert, signer: &authority.key };
        let cert = meshpki::issue(profile, key.public_key(), issuer, stamp(at));
        Self { cert: cert.expect("a certificate"), key }
    }

    /// Writes it as `NAME.crt` and `NAME.key`.
    pub fn write(&self, scratch: &Scratch, name: &str) {
        scratch.write(&format!("{name}.crt"), self.cert.to_pem());
        scratch.write_key(&format!("{name}.key"), self.key.to_pem().as_bytes());
    }
}

/// The profile of a certificate of the Web PKI for this host name.
#[must_use]
pub fn web_leaf(host: &str) -> Profile {
    let mut profile = Profile::end_entity(name("CN=Web Server"));
    profile.subject_alt_names = vec![GeneralName::Dns(host.as_bytes().to_vec())];
    profile.key_usage = KeyUsage::DIGITAL_SIGNATURE;
    profile.ext_key_usage = vec![Oid::SERVER_AUTH];
    profile.with_validity(Duration::from_secs(24 * 3600))
}

/// A bundle with these roots, as JSON.
///
/// # Panics
/// When it cannot be written.
#[must_use]
pub fn bundle_of(domain: &TrustDomain, roots: &[&Cert], sequence: u64) -> String {
    let roots = roots.iter().map(|root| (*root).clone());
    let bundle = Bundle::new(domain.clone(), roots).with_sequence(sequence).with_refresh_hint(300);
    bundle.to_json().expect("a bundle")
}

fn stamp(at: Time) -> Stamp {
    Stamp::made_at(at, Serial::generate())
}
