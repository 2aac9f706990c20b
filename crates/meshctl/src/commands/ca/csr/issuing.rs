//! `meshctl ca csr --signer`: a CSR for an issuing CA between the root and the clusters, whose key a program or a token
//! holds. Only the CSR is written.

use std::ffi::OsString;
use std::path::Path;

use meshpki::{Csr, KeyType, PublicKey, Role, Signer};
use zeroize::Zeroizing;

use crate::args::CsrArgs;
use crate::authority::keys::{BY_ITS_HOLDER, warn_unproven};
use crate::authority::{intermediate, key_words, passphrase::PassphraseSource, request};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::{self, Kind};
use crate::io::Io;
use crate::text::{self, safe};

/// What stands for the name of a cluster, which this CA is not for.
const CLUSTER: &str = "{cluster}";

/// Asks the signer for its key and for the signature of the CSR.
pub(super) fn run(
    args: &CsrArgs,
    signer: &OsString,
    out: &Path,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    if args.subject.contains(CLUSTER) {
        return Err(Failure::usage("`{cluster}` in `--subject` is for the CA of a cluster")
            .hint("leave it out: the issuing CA is above the clusters"));
    }
    let subject = intermediate::subject(&args.subject, CLUSTER)?;
    // Left as it is, it is refused.
    let names = intermediate::names(&args.san, CLUSTER)?;
    let source = args.access.resolved(Some(signer), PassphraseSource::default());
    let Some(holder) = source.outside(None, io)? else {
        return Err(Failure::usage("no `--signer`"));
    };
    let before = earlier(out, holder.public_key(), io)?;
    if let Some(kind) = KeyType::of(holder.public_key().algorithm()) {
        warn_unproven(kind, "the issuing CA", BY_ITS_HOLDER, io);
    }
    let role = Role::Ca { path_len: Some(args.path_len) };
    let csr = Csr::create(&subject, &names, role, &holder)?;
    if out == Path::new("-") {
        io.print(&csr.to_pem())?;
        return Ok(Exit::Good);
    }
    files::write_public(
        out,
        csr.to_pem().as_bytes(),
        Kind::AsRead(before.as_ref().map(|b| &b[..])),
    )?;
    report(args, &csr, out, holder.elsewhere().unwrap_or_default(), io)
}

/// The bytes of the CSR that is there already; an error if it is not one of this key.
fn earlier(
    out: &Path,
    key: &PublicKey,
    io: &mut Io<'_>,
) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    if out == Path::new("-") {
        return Ok(None);
    }
    let Some(there) = files::read_optional(out)? else { return Ok(None) };
    if request::read(out, io).is_ok_and(|csr| csr.public_key() == key) {
        return Ok(Some(there));
    }
    let message = format!("`{}` is not a CSR of this key and is not overwritten", out.display());
    Err(Failure::new("ctl/exists", message)
        .hint("choose another file, or move that one away first"))
}

fn report(
    args: &CsrArgs,
    csr: &Csr,
    out: &Path,
    holder: &str,
    io: &mut Io<'_>,
) -> Result<Exit, Failure> {
    let key = csr.public_key();
    io.print(&format!(
        "{}  created, {}, {}\n  key held by {}\n",
        safe(&out.display().to_string()),
        csr.subject(),
        key_words(key),
        safe(holder),
    ))?;
    io.note(format_args!(
        "\nnext: where the root key is, `meshctl ca sign {} --ca DIR --path-len {} --out issuing`; then `meshctl ca sign CSR --ca-cert issuing/cert-chain.pem` with the same signer as `--root-signer` signs the CSRs of clusters",
        text::word(out),
        args.path_len,
    ));
    Ok(Exit::Good)
}
