//! The certificates of a cluster's own components, made with the library and the machine's clock.

use std::fs;
use std::path::{Path, PathBuf};

use meshpki::internals::pem;
use meshpki::x509::{Attribute, GeneralName, KeyUsage};
use meshpki::{Cert, Issuer, KeyType, Name, Oid, Profile, Signer, SoftKey};

use super::ca::stamp;

/// A cluster's CA (`ca.crt`, `ca.key`), its key for service-account tokens (`sa.key`, `sa.pub`), and the folder
/// that holds them.
pub struct Pki {
    folder: PathBuf,
    ca: Cert,
    key: SoftKey,
}

/// A certificate and its key.
pub struct Identity {
    /// The certificate.
    pub cert_pem: String,
    /// Its private key, PKCS#8.
    pub key_pem: String,
}

impl Pki {
    /// Makes it in a new folder.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        fs::create_dir(&folder).expect("a folder");
        let key = new_key();
        let ca = Profile::root(name("kubernetes-ca", &[]));
        let ca = meshpki::self_signed(&ca, &key, stamp()).expect("a CA");
        let pki = Self { folder, ca, key };
        let tokens = new_key();
        pki.write("ca.crt", &pki.ca_pem());
        pki.write("ca.key", &pki.key.to_pem());
        pki.write("sa.key", &tokens.to_pem());
        pki.write("sa.pub", &pem::encode("PUBLIC KEY", tokens.public_key().as_der()));
        pki
    }

    /// The path of one of its files.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The CA certificate.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.ca.to_pem()
    }

    /// A client of the apiserver.
    #[must_use]
    pub fn client(&self, user: &str, groups: &[&str]) -> Identity {
        self.issue(name(user, groups), Oid::CLIENT_AUTH, Vec::new())
    }

    /// A server on 127.0.0.1, written as `NAME.crt` and `NAME.key`.
    pub fn server(&self, file: &str) -> Identity {
        let service = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let mut names =
            vec![GeneralName::Ip(vec![127, 0, 0, 1]), GeneralName::Ip(vec![10, 96, 0, 1])];
        names.extend(service.map(|dns| GeneralName::Dns(dns.into())));
        let identity = self.issue(name(file, &[]), Oid::SERVER_AUTH, names);
        self.write_identity(file, &identity);
        identity
    }

    /// Writes `NAME.crt` and `NAME.key`.
    pub fn write_identity(&self, file: &str, identity: &Identity) {
        self.write(&format!("{file}.crt"), &identity.cert_pem);
        self.write(&format!("{file}.key"), &identity.key_pem);
    }

    fn issue(&self, subject: Name, usage: Oid, names: Vec<GeneralName>) -> Identity {
        let mut profile = Profile::end_entity(subject);
        profile.key_usage = KeyUsage::DIGITAL_SIGNATURE;
        profile.ext_key_usage = vec![usage];
        profile.subject_alt_names = names;
        let key = new_key();
        let issuer = Issuer { cert: &self.ca, signer: &self.key };
        let cert = meshpki::issue(&profile, key.public_key(), issuer, stamp()).expect("a leaf");
        Identity { cert_pem: cert.to_pem(), key_pem: key.to_pem().to_string() }
    }

    fn write(&self, file: &str, text: &str) {
        let path: &Path = &self.folder.join(file);
        fs::write(path, text).expect("a file of the cluster's PKI");
    }
}

/// How Kubernetes reads a subject: organizations are groups, the common name is the user.
fn name(user: &str, groups: &[&str]) -> Name {
    let groups = groups.iter().map(|group| Attribute::new(Oid::ORGANIZATION, group));
    let user = std::iter::once(Attribute::new(Oid::COMMON_NAME, user));
    Name::new(&groups.chain(user).collect::<Vec<_>>())
}

fn new_key() -> SoftKey {
    SoftKey::generate(KeyType::EcdsaP256).expect("a key")
}
