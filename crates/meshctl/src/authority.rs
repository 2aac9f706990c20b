//! The CA on disk: its root, its clusters, its keys; what the `ca` commands and `rotate` share.

pub(crate) mod adoption;
pub(crate) mod cfssl;
pub(crate) mod consent;
pub(crate) mod crls;
pub(crate) mod folder;
pub(crate) mod foreign;
pub(crate) mod gather;
pub(crate) mod intermediate;
pub(crate) mod issuer;
pub(crate) mod keys;
pub(crate) mod neighbours;
pub(crate) mod passphrase;
pub(crate) mod reader;
pub(crate) mod renewal;
pub(crate) mod request;
pub(crate) mod revoked;
pub(crate) mod signer;
pub(crate) mod summary;

pub(crate) use folder::{check_case, check_cluster_name, open_workspace, warn_exposed};
pub(crate) use intermediate::trust_domains;
pub(crate) use reader::{certs_of_file, read_certs};

use std::path::Path;

use meshpki::chain::issued;
use meshpki::{Cert, Error, PublicKey};

use crate::failure::Failure;
use crate::io::Io;
use crate::text;

/// Whether `dir` has the key of the root that issued `ca`, or of any root if it is not known which.
pub(crate) fn has_root_key(dir: &Path, ca: Option<&Cert>) -> bool {
    let is_issuer = |roots: Vec<Cert>| {
        ca.is_none_or(|ca| roots.iter().any(|root| root.subject() == ca.issuer()))
    };
    dir.join(issuer::ROOT_KEY).exists()
        && certs_of_file(&dir.join("root-cert.pem")).is_ok_and(is_issuer)
}

/// A key as `ca csr` and `ca sign` print it, so that both sides can compare: its type and fingerprint.
pub(crate) fn key_words(key: &PublicKey) -> String {
    format!("{}, key sha256 {}", key.algorithm(), key.fingerprint())
}

/// A certificate by its name and the beginning of its fingerprint.
pub(crate) fn cert_words(cert: &Cert) -> String {
    format!("`{}`, sha256 {}", cert.subject().label(), &cert.fingerprint()[..23])
}

/// What two roots in one folder mean.
pub(crate) const ROOTS_APART: &str =
    "until both trust both roots, their workloads reject each other";

/// Whether a certificate is signed with its own key; `false` also when no algorithm here can tell.
pub(crate) fn is_self_signed(cert: &Cert) -> bool {
    cert.is_self_issued() && issued(cert, cert)
}

/// Refuses a folder that does not exist.
///
/// # Errors
/// `ctl/no-root`.
pub(crate) fn refuse_missing(dir: &Path) -> Result<(), Failure> {
    if dir.is_dir() {
        return Ok(());
    }
    Err(Failure::new("ctl/no-root", format!("folder `{}` does not exist", dir.display()))
        .hint(format!("`meshctl ca init {} --cluster NAME` creates one", text::word(dir))))
}

/// Warns of a certificate that was not taken, or of one that does not belong there.
pub(crate) fn warn_stray(io: &mut Io<'_>, what: &str, place: &str, why: &str) {
    io.warn(&Failure::new("ctl/strays", what).within(place).because(why));
}

/// Refuses a certificate whose key anyone can sign with.
pub(crate) fn check_sound(cert: &Cert) -> Result<(), Failure> {
    let Some(flaw) = cert.public_key().flaw() else { return Ok(()) };
    let what = format!("the key of `{}`", cert.subject().label());
    Err(Error::ForgeableKey { what, flaw }.into())
}
