//! What is in a `cacerts` secret: its files in either layout, and the certificates istiod reads from them.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::go_pem;
use crate::cert::Cert;
use crate::digest::{hex, sha256};
use crate::version::Version;

/// The names the files have in the secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// `ca-cert.pem`, `ca-key.pem`, `cert-chain.pem`, `root-cert.pem`: every Istio.
    #[default]
    Istio,
    /// `tls.crt`, `tls.key`, `ca.crt`, as cert-manager writes them: Istio 1.14.2, 1.15 and later.
    Tls,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Self; 2] = [Self::Istio, Self::Tls];

    /// The files of the layout, sorted by name.
    #[must_use]
    pub const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Istio => &["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"],
            Self::Tls => &["ca.crt", "tls.crt", "tls.key"],
        }
    }

    /// The file that holds the private key.
    #[must_use]
    pub const fn key_file(self) -> &'static str {
        match self {
            Self::Istio => "ca-key.pem",
            Self::Tls => "tls.key",
        }
    }

    /// The file whose first certificate is the CA's.
    #[must_use]
    pub const fn ca_file(self) -> &'static str {
        match self {
            Self::Istio => "ca-cert.pem",
            Self::Tls => "tls.crt",
        }
    }

    /// The files whose certificates are sent after each workload's, the CA's own first. istiod joins them in this order,
    /// without a newline between them (`keycertbundle.go: NewVerifiedKeyCertBundleFromFile`).
    #[must_use]
    pub const fn chain_files(self) -> &'static [&'static str] {
        match self {
            Self::Istio => &["cert-chain.pem"],
            Self::Tls => &["tls.crt", "ca.crt"],
        }
    }

    /// The file of the roots.
    #[must_use]
    pub const fn roots_file(self) -> &'static str {
        match self {
            Self::Istio => "root-cert.pem",
            Self::Tls => "ca.crt",
        }
    }

    /// The layout an istiod of `release` reads where these files are: `tls.crt` decides, if the release knows it
    /// (`istio_ca.go: detectSigningCABundle`).
    #[must_use]
    pub fn of(release: Version, has_file: impl Fn(&str) -> bool) -> Self {
        if release.knows_tls_files() && has_file(Self::Tls.ca_file()) {
            Self::Tls
        } else {
            Self::Istio
        }
    }

    /// The files of all layouts.
    pub fn all_files() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().flat_map(|layout| layout.files().iter().copied())
    }
}

/// The files of a secret, by name; files istiod does not read are kept. Content is zeroized when dropped and never shown.
///
/// Certificates are read as istiod reads them, by Go's `encoding/pem` and `crypto/x509`: what Go skips is skipped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret {
    files: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl Secret {
    /// Every file an istiod of any release may look at, sorted.
    pub const FILES: [&'static str; 9] = [
        "ca-cert.pem",
        "ca-crl.pem",
        "ca-key.pem",
        "ca.crt",
        "cert-chain.pem",
        GENERATED,
        "root-cert.pem",
        "tls.crt",
        "tls.key",
    ];

    /// Adds a file, or replaces it.
    pub fn insert(&mut self, name: impl Into<String>, content: Vec<u8>) {
        self.files.insert(name.into(), Zeroizing::new(content));
    }

    /// Adds PEM text to the end of a file, every byte of which is kept.
    pub(crate) fn append(&mut self, name: &str, pem: &str) {
        let mut text = self.get(name).unwrap_or_default().to_vec();
        if !text.is_empty() && !text.ends_with(b"\n") {
            text.push(b'\n');
        }
        text.extend(pem.as_bytes());
        self.insert(name, text);
    }

    /// Removes a file.
    pub fn remove(&mut self, name: &str) {
        self.files.remove(name);
    }

    /// A file's content.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(|content| content.as_slice())
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The files some release of istiod reads and no others: what belongs in a cluster. A folder may hold more, such as
    /// the CSR the CA was signed from, or an unrelated key.
    #[must_use]
    pub fn for_istiod(&self) -> Self {
        let files = self.files.iter().filter(|(name, _)| Self::is_read(name));
        Self { files: files.map(|(name, content)| (name.clone(), content.clone())).collect() }
    }

    /// Whether an istiod of any release reads certificates, CRLs or a key from a file of this name.
    #[must_use]
    pub fn is_read(name: &str) -> bool {
        Self::FILES.contains(&name) && name != GENERATED
    }

    /// Whether a file of this name holds a private key: istiod's, or one `meshpki` writes next to it.
    #[must_use]
    pub fn is_key(name: &str) -> bool {
        Layout::ALL.iter().any(|layout| layout.key_file() == name)
            || matches!(name, "key.pem" | "root-key.pem")
    }

    /// The layout an istiod of `release` reads.
    #[must_use]
    pub fn layout(&self, release: Version) -> Layout {
        Layout::of(release, |name| self.get(name).is_some())
    }

    /// The CA certificate an istiod of `release` signs with: the first block of its file
    /// (`crypto.go: ParsePemEncodedCertificate`).
    #[must_use]
    pub fn ca(&self, release: Version) -> Option<Cert> {
        let text = self.get(self.layout(release).ca_file())?;
        go_pem::first_cert(text).ok()
    }

    /// The text of the CRLs that proxies of `release` get (`ca-crl.pem`), unless `PILOT_ENABLE_CA_CRL` is false.
    #[must_use]
    pub fn crl(&self, release: Version) -> Option<&[u8]> {
        let is_read = release.knows_crl() && self.layout(release) == Layout::Istio;
        self.get("ca-crl.pem").filter(|_| is_read)
    }

    /// The certificates an istiod of `release` sends after each it signs.
    #[must_use]
    pub fn chain(&self, release: Version) -> Vec<Cert> {
        self.chain_text(self.layout(release)).map(|text| go_pem::pool(&text)).unwrap_or_default()
    }

    /// The roots an istiod of `release` gives out.
    #[must_use]
    pub fn roots(&self, release: Version) -> Vec<Cert> {
        self.get(self.layout(release).roots_file()).map(go_pem::pool).unwrap_or_default()
    }

    /// The text of [`Layout::chain_files`]; `None` if one is missing.
    pub(crate) fn chain_text(&self, layout: Layout) -> Option<Cow<'_, [u8]>> {
        match layout.chain_files() {
            [one] => self.get(one).map(Cow::Borrowed),
            many => {
                let parts: Option<Vec<&[u8]>> = many.iter().map(|name| self.get(name)).collect();
                parts.map(|parts| Cow::Owned(parts.concat()))
            }
        }
    }

    /// A fingerprint of every file but the keys.
    ///
    /// Each byte counts, since istiod compares bytes; no byte of a key does, so that a fingerprint shown anywhere says
    /// nothing about one.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut text = Vec::new();
        for (name, content) in self.files.iter().filter(|(name, _)| !Self::is_key(name)) {
            text.extend_from_slice(name.as_bytes());
            text.push(0);
            text.extend(sha256(content));
        }
        Fingerprint(hex(&sha256(&text)[..8]))
    }
}

/// The mark of a CA that istiod made itself (`USE_CACERTS_FOR_SELF_SIGNED_CA`).
const GENERATED: &str = "istio-generated";

impl<N: Into<String>, C: Into<Vec<u8>>> FromIterator<(N, C)> for Secret {
    fn from_iter<I: IntoIterator<Item = (N, C)>>(files: I) -> Self {
        let mut secret = Self::default();
        for (name, content) in files {
            secret.insert(name, content.into());
        }
        secret
    }
}

/// The content of a [`Secret`] without its keys, in 16 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The certificates Go's `CertPool.AppendCertsFromPEM` takes from PEM text, each once: what istiod and its workloads
/// trust in a bundle. Anything else is skipped; [`super::certs`] reports it instead.
#[must_use]
pub fn pool(text: &[u8]) -> Vec<Cert> {
    go_pem::pool(text)
}
