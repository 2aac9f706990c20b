//! The CA that signs: its certificate, those above it, the roots, and its key.

use std::path::Path;

use meshpki::chain::{assemble, issued};
use meshpki::{Cert, Issuer, Signer};

use super::passphrase;
use super::signer::{Holder, KeySource};
use super::{check_sound, read_certs, warn_exposed};
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text;

/// File of the root certificate in a CA folder.
pub(crate) const ROOT_CERT: &str = "root-cert.pem";
/// File of the root's private key in a CA folder.
pub(crate) const ROOT_KEY: &str = "root-key.pem";

/// A certificate authority that can sign.
pub(crate) struct Authority {
    pub(crate) cert: Cert,
    /// The CAs between `cert` and the roots, nearest first; `cert` itself is included unless it is a root.
    pub(crate) above: Vec<Cert>,
    pub(crate) roots: Vec<Cert>,
    key: Holder,
}

impl Authority {
    pub(crate) const fn new(cert: Cert, above: Vec<Cert>, roots: Vec<Cert>, key: Holder) -> Self {
        Self { cert, above, roots, key }
    }

    /// A root with its key.
    pub(crate) fn root(cert: Cert, key: Holder) -> Self {
        Self::new(cert.clone(), Vec::new(), vec![cert], key)
    }

    /// The CA of `--ca`, or that of `--ca-cert` and `--ca-key`.
    pub(crate) fn chosen(
        dir: Option<&Path>,
        (cert, key): (Option<&Path>, Option<&Path>),
        source: &KeySource,
        io: &mut Io<'_>,
    ) -> Result<Self, Failure> {
        match (dir, cert, key) {
            (Some(dir), ..) => {
                warn_exposed(dir, io);
                Self::from_dir(dir, source, io)
            }
            (None, Some(cert), key) => Self::from_files(cert, key, source, io),
            (None, None, _) => {
                Err(Failure::usage("no issuer: use `--ca`, or `--ca-cert` and `--ca-key`"))
            }
        }
    }

    /// Reads `DIR/root-cert.pem`, and `DIR/root-key.pem` unless the key is elsewhere.
    pub(crate) fn from_dir(
        dir: &Path,
        source: &KeySource,
        io: &mut Io<'_>,
    ) -> Result<Self, Failure> {
        let cert = root_cert(dir, io)?.ok_or_else(|| no_root(dir))?;
        let key = match source.outside(Some(&cert), io)? {
            Some(holder) => holder,
            None => root_key(dir, source, io)?,
        };
        let this = Self::root(cert, key);
        this.check(&dir.join(ROOT_KEY))?;
        Ok(this)
    }

    /// Reads an issuer from its own files; the certificate file begins with the issuer and may hold those above
    /// it as well, in any order.
    fn from_files(
        cert: &Path,
        key: Option<&Path>,
        source: &KeySource,
        io: &mut Io<'_>,
    ) -> Result<Self, Failure> {
        let certs = read_certs(cert, io)?;
        certs.iter().try_for_each(check_sound).map_err(|failure| failure.in_file(cert))?;
        let key = match (source.outside(certs.first(), io)?, key) {
            (Some(holder), _) => holder,
            (None, Some(key)) => {
                passphrase::warn_shared_key(key, io);
                source.inside(passphrase::read_key(key, &source.passphrase, io)?, key, io)?
            }
            (None, None) => {
                return Err(Failure::usage(
                    "no key of the issuer: use `--ca-key` or `--root-signer`",
                ));
            }
        };
        let (above, roots) = sorted(&certs, cert, io).map_err(|failure| failure.in_file(cert))?;
        let this = Self::new(certs[0].clone(), above, roots, key);
        this.check(cert)?;
        Ok(this)
    }

    /// Adds the roots of a file to those the certificate comes with: for an overlap, while the mesh changes its root.
    pub(crate) fn also_trust(&mut self, file: &Path, io: &mut Io<'_>) -> Result<(), Failure> {
        for root in read_certs(file, io)? {
            check_sound(&root).map_err(|failure| failure.in_file(file))?;
            if !root.is_ca() || !root.is_self_issued() || !issued(&root, &root) {
                let label = root.subject().label();
                return Err(Failure::new("ctl/no-root", format!("`{label}` is not a root"))
                    .in_file(file)
                    .because(match root.is_ca() {
                        false => "basicConstraints does not say CA:TRUE".to_owned(),
                        true => format!("it was issued by `{}`", root.issuer().label()),
                    })
                    .hint("`--also-trust` takes self-signed CA certificates, such as the root-cert.pem of the other CA"));
            }
            if !self.roots.contains(&root) {
                self.roots.push(root);
            }
        }
        Ok(())
    }

    /// The holder of its key, if that is not in a file.
    pub(crate) fn held_by(&self) -> Option<&str> {
        self.key.elsewhere()
    }

    /// The issuer as the library takes it.
    pub(crate) fn issuer(&self) -> Issuer<'_> {
        Issuer { cert: &self.cert, signer: &self.key }
    }

    fn check(&self, place: &Path) -> Result<(), Failure> {
        if self.key.public_key() == self.cert.public_key() {
            return Ok(());
        }
        let short = |key: &meshpki::PublicKey| key.fingerprint()[..16].to_owned();
        let error = meshpki::Error::KeyMismatch {
            subject: self.cert.subject().label(),
            certificate: short(self.cert.public_key()),
            private: short(self.key.public_key()),
        };
        Err(Failure::from(error).in_file(place))
    }
}

/// The certificates of an issuer's file between the issuer, which is the first, and a root; and the roots that vouch
/// for it. Anything else in the file is named: a stray root would be trusted by the whole mesh.
fn sorted(certs: &[Cert], file: &Path, io: &mut Io<'_>) -> Result<(Vec<Cert>, Vec<Cert>), Failure> {
    let assembly = assemble(certs, Some(&certs[0]))?;
    let mut above = assembly.certs(certs);
    above.retain(|cert| !cert.is_self_issued());
    let is_root = |i: &&usize| certs[**i].is_self_issued();
    let on_the_way = assembly.chain.iter().chain(&assembly.alternatives);
    let mut roots: Vec<usize> = on_the_way.filter(is_root).copied().collect();
    roots.sort_unstable();
    let strangers: Vec<usize> = assembly.strays.iter().filter(is_root).copied().collect();
    if roots.is_empty() && !strangers.is_empty() {
        // If none of them vouches for the issuer, the verifier's words say so.
        roots.clone_from(&strangers);
    } else {
        let unused = assembly.alternatives.iter().filter(|i| !roots.contains(i));
        for i in unused.chain(&assembly.strays) {
            io.warn(&stray(&certs[*i], &certs[0], file, *i));
        }
    }
    Ok((above, roots.into_iter().map(|i| certs[i].clone()).collect()))
}

fn stray(cert: &Cert, issuer: &Cert, file: &Path, place: usize) -> Failure {
    let (label, issuer) = (cert.subject().label(), issuer.subject().label());
    let warning = Failure::new("ctl/strays", format!("`{label}` was skipped")).within(format!(
        "{}, certificate {}",
        file.display(),
        place + 1
    ));
    if cert.is_self_issued() {
        warning.because(format!("it does not vouch for the issuer `{issuer}`")).hint(
            "`--also-trust FILE` adds it to root-cert.pem, if the mesh should trust both roots",
        )
    } else {
        warning.because(format!("it is not between the issuer `{issuer}` and its root"))
    }
}

/// The root certificate of a CA folder, if there is one.
pub(crate) fn root_cert(dir: &Path, io: &mut Io<'_>) -> Result<Option<Cert>, Failure> {
    let path = dir.join(ROOT_CERT);
    if files::read_optional(&path)?.is_none() {
        return Ok(None);
    }
    let root = read_certs(&path, io)?.into_iter().next();
    root.iter().try_for_each(check_sound).map_err(|failure| failure.in_file(&path))?;
    Ok(root)
}

/// The root's private key, which may be kept elsewhere.
pub(crate) fn root_key(dir: &Path, source: &KeySource, io: &mut Io<'_>) -> Result<Holder, Failure> {
    let path = dir.join(ROOT_KEY);
    if files::read_optional(&path)?.is_none() {
        return Err(Failure::new("ctl/no-root-key", "the root key is missing, and nothing can be signed without it").in_file(&path).hint(
            format!(
                "restore the key, or name its holder with `--root-signer`. To sign where the key is, run `meshctl ca csr {0} --cluster NAME` here \
                 and `meshctl ca sign {0}/NAME/ca.csr --ca-cert root-cert.pem --ca-key root-key.pem --out {0}/NAME` there",
                text::word(dir)
            ),
        ));
    }
    source.inside(passphrase::read_key(&path, &source.passphrase, io)?, &path, io)
}

fn no_root(dir: &Path) -> Failure {
    Failure::new("ctl/no-root", "no root certificate")
        .in_file(&dir.join(ROOT_CERT))
        .hint(format!("`meshctl ca init {} --cluster NAME` creates one", text::word(dir)))
}
