//! `meshctl ca ...`: one file per command, and what they share.

mod cfssl;
pub(crate) mod chain;
pub(crate) mod csr;
pub(crate) mod init;
mod intermediate;
mod issuer;
mod neighbours;
pub(crate) mod passphrase;
pub(crate) mod renew;
pub(crate) mod sign;
mod tree;

pub(crate) use intermediate::trust_domains;

use std::path::Path;

use meshpki::cacerts::certs;
use meshpki::pem::PemProblem;
use meshpki::{Cert, Error, KeyType, PublicKey};

use crate::report::{Failure, warn};
use crate::{Io, files, show};

/// Reads every certificate of a PEM file, or the one of a DER file.
fn read_certs(path: &Path, io: &mut Io<'_>) -> Result<Vec<Cert>, Failure> {
    let bytes = files::read(path, io.stdin)?;
    if bytes.first() == Some(&0x30)
        && let Ok(cert) = Cert::from_der(&bytes)
    {
        return Ok(vec![cert]);
    }
    let name = path.display().to_string();
    certs(&name, &bytes).map_err(|error| {
        let is_glued =
            matches!(&error, Error::Pem { source, .. } if source.problem == PemProblem::Glued);
        let failure = Failure::from(error);
        if is_glued {
            failure.hint(format!(
                "`meshctl ca chain {}` writes it with its newlines",
                show::word(path)
            ))
        } else {
            failure
        }
    })
}

/// Opens a folder for a change, and tells what an interrupted run left.
pub(crate) fn open_workspace(dir: &Path, io: &mut Io<'_>) -> Result<files::Workspace, Failure> {
    let (workspace, leftovers) = files::Workspace::open(dir)?;
    for place in leftovers {
        let warning = Failure::new(
            "ctl/leftovers",
            "an interrupted run left a set of files; it was kept aside",
        )
        .in_file(&place);
        warn(io.err, &warning);
    }
    Ok(workspace)
}

/// What else stands beside the clusters' folders.
const OURS: [&str; 3] = [files::PREVIOUS, issuer::ROOT_CERT, issuer::ROOT_KEY];

/// A cluster's name is a folder's name and part of a subject.
pub(crate) fn check_cluster_name(name: &str) -> Result<(), Failure> {
    let ok = (1..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && name.as_bytes()[0].is_ascii_alphanumeric()
        && !OURS.contains(&name);
    if ok {
        return Ok(());
    }
    Err(Failure::new("ctl/cluster-name", format!("`{name}` cannot be a cluster's name"))
        .because(format!(
            "it is 1 to 40 letters, digits, `-`, `_` and `.`, begins with a letter or digit, and is not `{}`",
            OURS.join("`, `")
        ))
        .exit(crate::Exit::Usage))
}

/// A key as `ca csr` and `ca sign` print it, so that both sides can compare: its type and fingerprint.
fn key_words(key: &PublicKey) -> String {
    format!("{}, key sha256 {}", key.algorithm(), key.fingerprint())
}

/// Refuses a certificate whose key everybody can sign with.
fn check_sound(cert: &Cert) -> Result<(), Failure> {
    let Some(flaw) = cert.key().flaw() else { return Ok(()) };
    let what = format!("the key of `{}`", cert.subject().label());
    Err(Error::ForgeableKey { what, flaw }.into())
}

/// Warns where istiod or Envoy is unproven with a key type.
fn warn_unproven(kind: KeyType, whose: &str, io: &mut Io<'_>) {
    let why = match kind {
        KeyType::Ed25519 => {
            "istiod reads it, but Envoy is not known to accept certificates signed with it"
        }
        KeyType::EcdsaP521 => "istiod reads it, but Envoy (BoringSSL) refuses P-521 by default",
        KeyType::Rsa8192 => "every handshake of the mesh pays for the size of its signatures",
        _ => return,
    };
    let warning =
        Failure::new("ctl/key-type-unproven", format!("{whose} gets a key of type {kind}"))
            .because(why)
            .hint("`--key-type ecdsa-p256` is proven with every Istio");
    warn(io.err, &warning);
}
