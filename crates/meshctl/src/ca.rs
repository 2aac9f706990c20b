//! `meshctl ca ...`: one file per command, and what they share.

mod cfssl;
pub(crate) mod chain;
pub(crate) mod csr;
mod folder;
pub(crate) mod init;
mod intermediate;
mod issuer;
mod neighbours;
pub(crate) mod passphrase;
pub(crate) mod renew;
pub(crate) mod sign;
mod tree;

pub(crate) use folder::{check_case, check_cluster_name, open_workspace, warn_exposed};
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

/// A key as `ca csr` and `ca sign` print it, so that both sides can compare: its type and fingerprint.
fn key_words(key: &PublicKey) -> String {
    format!("{}, key sha256 {}", key.algorithm(), key.fingerprint())
}

/// Refuses a certificate whose key everybody can sign with.
fn check_sound(cert: &Cert) -> Result<(), Failure> {
    let Some(flaw) = cert.public_key().flaw() else { return Ok(()) };
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
