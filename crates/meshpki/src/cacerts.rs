//! The files of Istio's `cacerts` secret, and what must hold between them.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::algorithm::algorithm_parts;
use crate::cert::{Cert, KeyUsage};
use crate::chain::{is_bridge, issued};
use crate::error::Error;
use crate::key::{Signer, post_quantum};
use crate::oid::Oid;
use crate::pem;
use crate::soft::SoftKey;
use crate::time::Time;
use crate::verify::go::{self, Certificate, Options, Pools};
use crate::verify::{self, Policy};
use crate::version::Version;

pub use secret::{Fingerprint, Layout, Secret, pool};

/// A cluster's CA as Istio takes it: a value of this type is one istiod accepts at the time it was made for.
///
/// The rules are istiod's (`security/pkg/pki/util/keycertbundle.go: Verify`) and those istiod does not
/// check though the mesh fails without them: keyCertSign, the order of the chain, no root key.
pub struct CaCerts {
    ca: Cert,
    key: SoftKey,
    chain: Vec<Cert>,
    roots: Vec<Cert>,
}

impl CaCerts {
    /// Puts a CA certificate, its key, the certificates above it and the roots together.
    ///
    /// `above` are the certificates between `ca` and a root, nearest first; whether it ends with the root
    /// itself does not matter, the chain written has it. `at` is the time dates are judged at.
    ///
    /// # Errors
    /// `pki/forgeable-key`, `pki/not-ca`, `pki/key-mismatch`, `pki/root-key`, `pki/ext-key-usage`, `pki/chain-order`, `pki/weak-signature`, `pki/istiod-unreadable`,
    /// `pki/no-certificate` without roots, `pki/untrusted` when the chain does not lead to a root.
    pub fn new(
        ca: Cert,
        key: SoftKey,
        above: Vec<Cert>,
        roots: Vec<Cert>,
        at: Time,
    ) -> Result<Self, Error> {
        let Some(first_root) = roots.first() else {
            return Err(Error::NoCertificate { what: String::from("the roots") });
        };
        check_keys([&ca].into_iter().chain(&above).chain(&roots))?;
        check_key(&ca, &key, &roots)?;
        check_authority(&ca)?;
        let (bridges, above): (Vec<Cert>, Vec<Cert>) =
            above.into_iter().partition(|cert| is_bridge(cert, &roots));
        let mut chain = alloc::vec![ca.clone()];
        chain.extend(above);
        if let Some(last) = chain.last()
            && !last.is_self_issued()
            && !roots.contains(last)
        {
            let root = roots.iter().find(|root| issued(root, last)).unwrap_or(first_root);
            chain.push(root.clone());
        }
        check_go(&chain)?;
        check_go(&roots)?;
        check_order(&chain)?;
        // A root that comes first hides its bridges from those who do not trust it.
        let top = chain.iter().position(|cert| roots.contains(cert)).unwrap_or(chain.len());
        chain.splice(top..top, bridges);
        check_ext_key_usage(&chain)?;
        check_trust(&ca, &chain[1..], &roots, at)?;
        check_go_trust(&ca, &chain, &roots, at)?;
        Ok(Self { ca, key, chain, roots })
    }

    /// Reads the files of a secret or a folder in the layout an istiod of `release` would choose.
    ///
    /// Other files are ignored, as istiod ignores them.
    ///
    /// # Errors
    /// `pki/missing-file`, `pki/pem`, `pki/der`, `pki/no-certificate`, `pki/key`, and those of [`CaCerts::new`].
    pub fn from_secret(secret: &Secret, release: Version, at: Time) -> Result<Self, Error> {
        let layout = secret.layout(release);
        let file = |name: &'static str| {
            let missing = || Error::MissingFile { file: name.to_string() };
            secret.get(name).filter(|bytes| !bytes.is_empty()).ok_or_else(missing)
        };
        for name in layout.files() {
            istiod_form::check(name, file(name)?, *name == layout.key_file())?;
        }
        let key = SoftKey::from_pem(file(layout.key_file())?, None)?;
        let certs = |name| certs(name, file(name)?);
        let ca = first(certs(layout.ca_file())?, layout.ca_file())?;
        let chain = certs(layout.chain_files()[0])?;
        let roots = certs(layout.roots_file())?;
        match chain.split_first() {
            Some((head, above)) if *head == ca => Self::new(ca, key, above.to_vec(), roots, at),
            Some((head, _)) => Err(Error::ChainOrder {
                position: 1,
                found: head.subject().label(),
                wanted: alloc::format!("the CA certificate `{}` itself", ca.subject().label()),
            }),
            None => Err(Error::NoCertificate { what: layout.chain_files()[0].to_string() }),
        }
    }

    /// The files, name and content; the key is PKCS#8.
    #[must_use]
    pub fn files(&self, layout: Layout) -> BTreeMap<&'static str, Zeroizing<Vec<u8>>> {
        let text = |certs: &[Cert]| {
            Zeroizing::new(certs.iter().map(Cert::to_pem).collect::<String>().into_bytes())
        };
        let key = Zeroizing::new(self.key.to_pem().as_bytes().to_vec());
        match layout {
            Layout::Istio => BTreeMap::from([
                ("ca-cert.pem", text(core::slice::from_ref(&self.ca))),
                ("ca-key.pem", key),
                ("cert-chain.pem", text(&self.chain)),
                ("root-cert.pem", text(&self.roots)),
            ]),
            // istiod makes the chain of this form itself: tls.crt and then ca.crt.
            Layout::Tls => {
                let below: Vec<Cert> =
                    self.chain.iter().filter(|cert| !self.roots.contains(cert)).cloned().collect();
                BTreeMap::from([
                    ("ca.crt", text(&self.roots)),
                    ("tls.crt", text(&below)),
                    ("tls.key", key),
                ])
            }
        }
    }

    /// The cluster's CA certificate.
    #[must_use]
    pub const fn ca(&self) -> &Cert {
        &self.ca
    }

    /// The holder of its key.
    #[must_use]
    pub fn signer(&self) -> &dyn Signer {
        &self.key
    }

    /// Its key.
    #[must_use]
    pub const fn key(&self) -> &SoftKey {
        &self.key
    }

    /// The chain from the CA certificate to a root, in order; where other meshes have certified the root, their
    /// certificates ([`crate::federation::Bridge`]) come before it.
    #[must_use]
    pub fn chain(&self) -> &[Cert] {
        &self.chain
    }

    /// The roots the mesh trusts.
    #[must_use]
    pub fn roots(&self) -> &[Cert] {
        &self.roots
    }
}

/// Every certificate of PEM text; a block that cannot be read is an error, other blocks are skipped.
///
/// # Errors
/// `pki/pem`, `pki/der`, and `pki/no-certificate` when there is none.
pub fn certs(what: &str, text: &[u8]) -> Result<Vec<Cert>, Error> {
    let mut certs = Vec::new();
    for block in pem::decode(text) {
        let block = block.map_err(|source| Error::Pem { what: what.to_string(), source })?;
        if block.is_certificate() {
            let place = || alloc::format!("the certificate at line {} of {what}", block.line);
            certs.push(
                Cert::from_der(&block.der)
                    .map_err(|source| Error::Der { what: place(), source })?,
            );
        }
    }
    if certs.is_empty() { Err(Error::NoCertificate { what: what.to_string() }) } else { Ok(certs) }
}

fn first(certs: Vec<Cert>, what: &str) -> Result<Cert, Error> {
    certs.into_iter().next().ok_or_else(|| Error::NoCertificate { what: what.to_string() })
}

/// No certificate of a set has a key that anyone can sign with.
fn check_keys<'a>(mut certs: impl Iterator<Item = &'a Cert>) -> Result<(), Error> {
    certs.try_for_each(|cert| {
        Error::check_sound(cert.public_key(), || {
            alloc::format!("the key of `{}`", cert.subject().label())
        })
    })
}

/// What OpenSSL takes and Go does not, so that istiod would not start: certificates it does not read, and signatures
/// it does not verify. A root's own signature is not checked.
fn check_go(chain: &[Cert]) -> Result<(), Error> {
    for cert in chain {
        let read = Certificate::try_from(cert).map_err(|why| Error::IstiodUnreadable {
            subject: cert.subject().label(),
            why: why.text.trim_start_matches("x509: ").to_string(),
        })?;
        if !cert.is_self_issued()
            && (read.has_unknown_signature() || read.insecure_signature().is_some())
        {
            let algorithm = algorithm_parts(cert.signature_algorithm());
            return Err(Error::WeakSignature {
                subject: cert.subject().label(),
                algorithm: post_quantum::name(algorithm.map(|(oid, _)| oid).unwrap_or_default()),
            });
        }
    }
    Ok(())
}

fn check_key(ca: &Cert, key: &SoftKey, roots: &[Cert]) -> Result<(), Error> {
    if let Some(root) =
        roots.iter().find(|root| root.public_key().as_der() == key.public_key().as_der())
    {
        return Err(Error::RootKey { root: root.subject().label() });
    }
    if ca.public_key().as_der() == key.public_key().as_der() {
        return Ok(());
    }
    Err(Error::KeyMismatch {
        subject: ca.subject().label(),
        certificate: ca.public_key().short_fingerprint(),
        private: key.public_key().short_fingerprint(),
    })
}

fn check_authority(ca: &Cert) -> Result<(), Error> {
    let refuse = |why| Err(Error::NotCa { subject: ca.subject().label(), why });
    if !ca.is_ca() {
        return refuse("basicConstraints does not say CA:TRUE");
    }
    match ca.extensions().key_usage {
        Some(usage) if !usage.contains(KeyUsage::KEY_CERT_SIGN) => {
            refuse("its keyUsage lacks keyCertSign")
        }
        _ => Ok(()),
    }
}

fn check_order(chain: &[Cert]) -> Result<(), Error> {
    for (i, pair) in chain.windows(2).enumerate() {
        if !issued(&pair[1], &pair[0]) {
            return Err(Error::ChainOrder {
                position: i + 2,
                found: pair[1].subject().label(),
                wanted: alloc::format!("the issuer of `{}`", pair[0].subject().label()),
            });
        }
    }
    Ok(())
}

/// istiod verifies with Go's default usage, serverAuth: an extended key usage without it is refused anywhere in the chain.
fn check_ext_key_usage(chain: &[Cert]) -> Result<(), Error> {
    let allows = |cert: &&Cert| match &cert.extensions().ext_key_usage {
        Some(usages) => {
            usages.iter().any(|u| *u == Oid::SERVER_AUTH || *u == Oid::ANY_EXT_KEY_USAGE)
        }
        None => true,
    };
    match chain.iter().find(|cert| !allows(cert)) {
        Some(cert) => Err(Error::ExtKeyUsage { subject: cert.subject().label() }),
        None => Ok(()),
    }
}

/// Whether a certificate leads to one of `roots`, by way of those `above` it, as `openssl verify` would say at `at`.
///
/// # Errors
/// `pki/untrusted` with the findings.
pub fn check_trust(cert: &Cert, above: &[Cert], roots: &[Cert], at: Time) -> Result<(), Error> {
    let verdict = verify::verify_chain(cert, above, roots, &Policy::like_openssl(at));
    if verdict.is_ok() {
        return Ok(());
    }
    let lines = verdict.findings.iter().map(|f| {
        alloc::format!("error {} at depth {}: {}", f.code.number(), f.depth, f.code.text())
    });
    Err(Error::Untrusted { subject: cert.subject().label(), findings: lines.collect() })
}

/// istiod verifies with Go, whose search and rules for roots are others than OpenSSL's.
fn check_go_trust(ca: &Cert, chain: &[Cert], roots: &[Cert], at: Time) -> Result<(), Error> {
    let verified = Certificate::try_from(ca)
        .and_then(|read| go::verify(&read, &Pools::new(roots, chain), &Options::at(at)));
    verified.map(drop).map_err(|why| Error::Untrusted {
        subject: ca.subject().label(),
        findings: Vec::from([why.text]),
    })
}

/// PEM text as Go reads it.
pub(crate) mod go_pem;
/// What the Go of istiod refuses in PEM text OpenSSL takes.
mod istiod_form;
mod secret;
#[cfg(test)]
mod tests;
