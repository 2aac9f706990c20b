//! The files istiod reads of a secret, and its checks of them (`security/pkg/pki/util/keycertbundle.go`,
//! `security/pkg/pki/util/crypto.go`).

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Settings;
use crate::cacerts::go_pem::{self, first_cert};
use crate::cacerts::{Layout, Secret};
use crate::cert::Cert;
use crate::crl::Crl;
use crate::key::{KeyAlgorithm, PublicKey, Signer};
use crate::oid::Oid;
use crate::pem;
use crate::soft::{SoftKey, carried_public_key};
use crate::time::Time;
use crate::verify::go::{self, Certificate, Options, Pools};
use crate::verify::{Reason, Rejection};

/// Which of istiod's checks failed, in the order it makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// A file is missing, and the release asks for all of them.
    Incomplete,
    /// A file cannot be opened.
    MissingFile,
    /// The first block of the signing certificate's file is not a certificate.
    Certificate,
    /// A certificate of the path to a root is not valid yet or has expired.
    Expired,
    /// An extended key usage on the path to a root lacks serverAuth.
    ExtKeyUsage,
    /// A path length is exceeded.
    PathLength,
    /// A name is outside a name constraint.
    NameConstraints,
    /// A signature is over SHA-1.
    Sha1,
    /// There is no path to a root for another reason.
    Untrusted,
    /// The first block of the key's file is not a private key that Go reads.
    KeyFormat,
    /// The key belongs to another certificate.
    KeyMismatch,
    /// A certificate of the chain has no CRL.
    Crl,
    /// The signing certificate is not one of a CA.
    NotCa,
    /// The chain does not begin with a certificate that is still valid.
    ChainStart,
}

/// A secret in the form istiod chose.
pub(super) struct Bundle<'a> {
    pub(super) layout: Layout,
    secret: &'a Secret,
    settings: &'a Settings,
}

/// Ways up, each from the signing certificate to a root.
pub(super) type Chains = Vec<Vec<Cert>>;

/// What a failed check comes to: which one, and istiod's words.
pub(super) type Checked<T> = Result<T, (Refusal, String)>;

impl<'a> Bundle<'a> {
    pub(super) fn new(secret: &'a Secret, settings: &'a Settings) -> Self {
        Self { layout: secret.layout(settings.version), secret, settings }
    }

    /// Key, certificate, root, chain: `istio_ca.go: checkCABundleCompleteness`.
    pub(super) fn present(&self) -> [bool; 4] {
        let there = |name: &str| self.secret.get(name).is_some();
        let layout = self.layout;
        let chain = layout.chain_files().iter().any(|name| there(name));
        [there(layout.key_file()), there(layout.ca_file()), there(layout.roots_file()), chain]
    }

    pub(super) fn key(&self) -> Option<&'a [u8]> {
        self.secret.get(self.layout.key_file())
    }

    pub(super) fn cert(&self) -> Option<&'a [u8]> {
        self.secret.get(self.layout.ca_file())
    }

    pub(super) fn roots(&self) -> Option<&'a [u8]> {
        self.secret.get(self.layout.roots_file())
    }

    pub(super) fn chain(&self) -> Option<Cow<'a, [u8]>> {
        self.secret.chain_text(self.layout)
    }

    /// The CRL file; only the first form has one.
    pub(super) fn crl(&self) -> Option<&'a [u8]> {
        self.secret.crl(self.settings.version).filter(|_| self.settings.crl)
    }

    /// Files that look as if they were meant for istiod.
    pub(super) fn ignored(&self) -> Vec<String> {
        let files = Secret::FILES.iter().filter(|name| self.secret.get(name).is_some());
        files.map(ToString::to_string).collect()
    }

    /// A time these files were good at, if there is one: the begin of the youngest certificate, `at` at the latest.
    pub(super) fn loaded_at(&self, at: Time) -> Time {
        let texts = [self.cert().map(Cow::Borrowed), self.chain(), self.roots().map(Cow::Borrowed)];
        let certs = texts.into_iter().flatten().flat_map(|text| go_pem::pool(&text));
        certs.filter_map(|cert| cert.not_before().time()).max().map_or(at, |begin| begin.min(at))
    }

    /// Reads the files in istiod's order and makes the checks of `keycertbundle.go: Verify`, in its order.
    pub(super) fn load(&self, at: Time) -> Checked<Cert> {
        let open = |name: &'static str| {
            self.secret.get(name).ok_or_else(|| (Refusal::MissingFile, missing(name)))
        };
        let cert = open(self.layout.ca_file())?;
        let key = open(self.layout.key_file())?;
        for name in self.layout.chain_files() {
            open(name)?;
        }
        let chain = self.chain().unwrap_or_default();
        // Until 1.20 istiod forgot the name of a root file that is not there, and opened "".
        let roots = self.roots().ok_or_else(|| {
            let known = self.settings.version.since(21, 0);
            let words = if known { missing(self.layout.roots_file()) } else { no_such_file("") };
            (Refusal::MissingFile, words)
        })?;
        let (ca, _) = self.trust(cert, &chain, roots, at)?;
        self.verify_key(cert, key, &ca)?;
        if let Some(crl) = self.crl().filter(|crl| !crl.is_empty()) {
            verify_crl(&chain, crl)?;
        }
        Ok(ca)
    }

    /// The signing certificate and its ways to a root.
    pub(super) fn trust(
        &self,
        cert: &[u8],
        chain: &[u8],
        roots: &[u8],
        at: Time,
    ) -> Checked<(Cert, Chains)> {
        let ca = first_cert(cert).map_err(|why| {
            (Refusal::Certificate, alloc::format!("failed to parse cert PEM: {why}"))
        })?;
        match self.chains(&ca, &go_pem::pool(chain), &go_pem::pool(roots), at) {
            Ok(chains) => Ok((ca, chains)),
            Err(why) => Err((
                Refusal::from(&why),
                alloc::format!(
                    "cannot verify the cert with the provided root chain and cert pool with error: {}",
                    why.text
                ),
            )),
        }
    }

    /// Every chain from the signing certificate to a root, or why Go finds none.
    pub(super) fn chains(
        &self,
        ca: &Cert,
        chain: &[Cert],
        roots: &[Cert],
        at: Time,
    ) -> Result<Chains, Rejection> {
        let options = Options::at(at).with_release(go::Release::of_istio(self.settings.version));
        let found = go::verify(&Certificate::try_from(ca)?, &Pools::new(roots, chain), &options)?;
        let certs = |chain: &go::Chain| chain.iter().filter_map(Certificate::cert).collect();
        Ok(found.iter().map(certs).collect())
    }

    /// `ca.go: minTTL`, since 1.7.0 and at a start only: the first certificate of the chain has time left.
    pub(super) fn lifetime(&self, at: Time) -> Checked<()> {
        let chain = self.chain().unwrap_or_default();
        if chain.is_empty() || !self.settings.version.since(7, 0) {
            return Ok(());
        }
        let why = match first_cert(&chain) {
            Ok(first) if first.not_after().time().is_some_and(|end| end > at) => return Ok(()),
            Ok(_) => "cert chain has expired".to_string(),
            Err(why) => alloc::format!(
                "failed to get cert chain TTL failed to extract cert expiration timestamp: failed to parse the cert: {why}"
            ),
        };
        Err((Refusal::ChainStart, alloc::format!("failed to get default cert TTL {why}")))
    }

    /// `ParsePemEncodedKey`, then `tls.X509KeyPair`, which takes the first block that says CERTIFICATE.
    fn verify_key(&self, cert: &[u8], key: &[u8], ca: &Cert) -> Checked<()> {
        let public = first_key(key).map_err(|why| {
            (Refusal::KeyFormat, alloc::format!("failed to parse private key PEM: {why}"))
        })?;
        let mismatch = |why: &str| {
            // The reason is given since 1.21.
            let known = self.settings.version.since(21, 0);
            let why = if known { alloc::format!(": {why}") } else { String::new() };
            Err((Refusal::KeyMismatch, alloc::format!("the cert does not match the key{why}")))
        };
        let blocks = go_pem::blocks(cert);
        let Some(block) = blocks.iter().find(|block| block.label == pem::CERTIFICATE) else {
            return mismatch(&alloc::format!(
                "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM \
                 blocks of the following types: [{}]",
                blocks.iter().map(|b| b.label.as_str()).collect::<Vec<_>>().join(" ")
            ));
        };
        let paired = go_pem::certificate(&block.der).unwrap_or_else(|| ca.clone());
        let kind = |key: &PublicKey| core::mem::discriminant(key.algorithm());
        if kind(paired.public_key()) != kind(&public) && !both_curves(paired.public_key(), &public)
        {
            return mismatch("tls: private key type does not match public key type");
        }
        if paired.public_key().as_der() != public.as_der() {
            return mismatch("tls: private key does not match public key");
        }
        Ok(())
    }
}

impl From<&Rejection> for Refusal {
    fn from(why: &Rejection) -> Self {
        match why.reason {
            Reason::Expired | Reason::NotYetValid => Self::Expired,
            Reason::ExtKeyUsage => Self::ExtKeyUsage,
            Reason::PathLength => Self::PathLength,
            Reason::NameConstraints => Self::NameConstraints,
            Reason::Algorithm if why.text.contains("SHA1") => Self::Sha1,
            _ => Self::Untrusted,
        }
    }
}

/// Go's words for a file of the mounted secret that is not there.
pub(super) fn missing(name: &str) -> String {
    no_such_file(&alloc::format!("etc/cacerts/{name}"))
}

fn no_such_file(path: &str) -> String {
    alloc::format!("open {path}: no such file or directory")
}

/// `crypto.go: ParsePemEncodedKey`: the first block, with one of three labels. What is wrong inside is described in
/// our words.
pub(super) fn first_key(text: &[u8]) -> Result<PublicKey, String> {
    let blocks = go_pem::blocks(text);
    let first = blocks.first().ok_or("invalid PEM-encoded key")?;
    let what = match first.label.as_str() {
        "EC PRIVATE KEY" => "ECDSA",
        "RSA PRIVATE KEY" => "RSA",
        "PRIVATE KEY" => "PKCS8",
        other => {
            return Err(alloc::format!("unsupported PEM block type for a private key: {other}"));
        }
    };
    let text = zeroize::Zeroizing::new(pem::encode(&first.label, &first.der));
    match SoftKey::from_pem(text.as_bytes(), None) {
        Ok(key) => Ok(key.public_key().clone()),
        Err(why) => carried(first)
            .ok_or_else(|| alloc::format!("failed to parse the {what} private key: {why}")),
    }
}

/// The public half of a key that Go signs with and [`SoftKey`] does not: P-224, and RSA from Go's smallest, 1,024 bits
/// (`crypto/rsa: checkKeySize`), to ours.
fn carried(block: &go_pem::Block) -> Option<PublicKey> {
    let public = carried_public_key(&block.label, &block.der)?;
    let signs = match public.algorithm() {
        KeyAlgorithm::Rsa { bits } => (1024..2048).contains(bits),
        _ => true,
    };
    signs.then_some(public)
}

fn both_curves(a: &PublicKey, b: &PublicKey) -> bool {
    use crate::key::KeyAlgorithm as K;
    let curve =
        |key: &PublicKey| matches!(key.algorithm(), K::EcdsaP256 | K::EcdsaP384 | K::EcdsaP521);
    curve(a) && curve(b)
}

/// The end of `Verify`, since 1.27: every certificate of the chain, a root too, needs a CRL of its own,
/// whose signer Go asks for the keyUsage cRLSign (`crypto/x509/x509.go: RevocationList.CheckSignatureFrom`).
fn verify_crl(chain: &[u8], crl: &[u8]) -> Checked<()> {
    let refuse = |why: String| Err((Refusal::Crl, why));
    let mut missing: Vec<Cert> = Vec::new();
    for block in go_pem::blocks(chain) {
        let Some(cert) = go_pem::certificate(&block.der) else {
            return refuse("failed to parse cert chain: x509: malformed certificate".to_string());
        };
        // Kept by subject: of two with one name the later counts.
        missing.retain(|other| other.subject() != cert.subject());
        missing.push(cert);
    }
    for block in go_pem::blocks(crl) {
        let Ok(crl) = Crl::from_der(&block.der) else {
            return refuse("failed to parse CRL PEM: x509: malformed crl".to_string());
        };
        missing.retain(|cert| !signed_crl(cert, &crl));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(|cert| cert.subject().to_string()).collect();
    refuse(alloc::format!("missing CRL signed by certificates: [{}]", names.join(" ")))
}

/// Why Go does not accept a certificate, with what is sent after it, under these roots; `None`: it does.
pub(super) fn refuses(roots: &[Cert], cert: &Cert, chain: &[Cert], at: Time) -> Option<Rejection> {
    let read = match Certificate::try_from(cert) {
        Ok(read) => read,
        Err(why) => return Some(why),
    };
    go::verify(&read, &Pools::new(roots, chain), &Options::at(at)).err()
}

/// Whether what a certificate says of extended key usages leaves room for serverAuth.
pub(super) fn allows_server_auth(cert: &Cert) -> bool {
    Certificate::try_from(cert).is_ok_and(|cert| cert.allows(&Oid::SERVER_AUTH))
}

/// Go's name of the signature algorithm if Go calls it insecure.
pub(super) fn insecure_signature(cert: &Cert) -> Option<&'static str> {
    Certificate::try_from(cert).ok()?.insecure_signature()
}

pub(super) fn signed_crl(cert: &Cert, crl: &Crl) -> bool {
    Certificate::try_from(cert).is_ok_and(|cert| cert.signed_crl(crl, go::Release::NEWEST))
}
