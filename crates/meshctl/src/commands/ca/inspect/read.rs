//! A file to the objects in it: everything that the one reader finds, or what the file is instead.

use std::path::Path;

use meshpki::Signer;
use meshpki::internals::contents::{self, Contents, Found};
use meshpki::internals::pem::Form;

use super::crl::Crl;
use super::{Item, Object};
use crate::authority::foreign::Foreign;
use crate::authority::reader::Opener;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;

/// Every object in order, each with where it is.
///
/// # Errors
/// Those of the passphrase; a file that cannot be read is an item.
pub(super) fn items(
    path: &Path,
    opener: &mut Opener<'_>,
    io: &mut Io<'_>,
) -> Result<Vec<Item>, Failure> {
    let file = path.display().to_string();
    let whole = |problem: String| Item {
        file: file.clone(),
        line: None,
        member: None,
        object: Object::Problem(problem),
    };
    let bytes = match files::read(path, io.stdin) {
        Ok(bytes) => bytes,
        Err(failure) => return Ok(vec![whole(failure.sentence())]),
    };
    let Contents { found, mended } = opener.open(path, &bytes, io)?;
    if found.is_empty() {
        return Ok(vec![whole(nothing(path, &bytes, &mended))]);
    }
    let item = |Found { place, object }| Item {
        file: file.clone(),
        line: place.line,
        member: place.member,
        object: shown(object),
    };
    Ok(found.into_iter().map(item).collect())
}

/// What a file is in which nothing was found.
fn nothing(path: &Path, bytes: &[u8], mended: &[Form]) -> String {
    if let Some(foreign) = Foreign::of(path, bytes) {
        return foreign.sentence();
    }
    match mended {
        [] => "neither a PEM block nor the DER of a certificate, CSR, CRL or key".to_owned(),
        forms => forms.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

fn shown(object: contents::Object) -> Object {
    match object {
        contents::Object::Cert(cert) => Object::Certificate(cert),
        contents::Object::Key(key) => Object::PrivateKey(Some(key.public_key().clone())),
        contents::Object::LockedKey => Object::PrivateKey(None),
        contents::Object::Request(csr) => Object::Request(*csr),
        contents::Object::Crl(der) => match Crl::read(&der) {
            Ok(crl) => Object::Crl(crl),
            Err(error) => Object::Problem(format!("not a revocation list: {error}")),
        },
        contents::Object::PublicKey(key) => Object::PublicKey(*key),
        contents::Object::Other(label) => Object::Other(label),
        contents::Object::Unreadable(error) => Object::Problem(problem(*error)),
    }
}

fn problem(error: meshpki::Error) -> String {
    match error {
        meshpki::Error::Pem { source, .. } => source.problem.to_string(),
        meshpki::Error::Der { what, source } => match what.as_str() {
            "the certificate" => format!("no certificate: {source}"),
            "the certificate signing request" => {
                format!("not a certificate signing request: {source}")
            }
            "the public key" => format!("not a public key: {source}"),
            _ => source.to_string(),
        },
        other => other.to_string(),
    }
}
