//! `meshctl trust bundle import`: the roots of a SPIFFE bundle as PEM.

use meshpki::TrustDomain;
use meshpki::spiffe::Bundle;

use super::super::accept::{check_not_empty, check_roots, check_update, other_domain};
use super::{file, source};
use crate::args::trust::Import;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text::{counted, safe};

/// How the first line of our files begins.
const HEADER: &str = "# SPIFFE bundle of ";
/// What is between the trust domain and the sequence number.
const SEQUENCE: &str = ", sequence ";

/// Runs the command.
pub(super) fn run(args: &Import, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let read = source::of_domain(&args.file, &args.trust_domain, io)?;
    for ignored in &read.ignored {
        io.say(format_args!("note: ignored {}", safe(&ignored.to_string())));
    }
    if !args.allow_empty {
        check_not_empty(&read.bundle, &read.ignored, &args.file)?;
    }
    let bundle = read.bundle;
    let from = args.file.display().to_string();
    check_roots(&bundle, &from, io)?;
    let text = header(&bundle) + &bundle.to_pem();
    let Some(out) = file(args.out.as_deref()) else {
        io.print(&text)?;
        return Ok(Exit::Good);
    };
    if let Some(bytes) = files::read_optional(out)? {
        let stored = stored(&bytes).map_err(|domain| other_domain(&bundle, &domain, out))?;
        check_update(&bundle, stored.as_ref(), args.accept_older, &from, Some(out))?;
    }
    files::write_public(out, text.as_bytes(), files::Kind::Certificates)?;
    let (count, domain) = (bundle.roots().len(), bundle.trust_domain());
    io.note(format_args!("{} of {domain}", counted(count, "root")));
    Ok(Exit::Good)
}

/// The comment that says where the roots are from.
fn header(bundle: &Bundle) -> String {
    let sequence = bundle.sequence().map(|number| format!("{SEQUENCE}{number}"));
    format!("{HEADER}{}{}\n", bundle.trust_domain(), sequence.unwrap_or_default())
}

/// The bundle from which a file is, if its first line says that; an error with the name in it if that is not valid.
fn stored(bytes: &[u8]) -> Result<Option<Bundle>, String> {
    let Some((domain, sequence)) = origin(bytes) else { return Ok(None) };
    let domain: TrustDomain = domain.parse().ok().ok_or(domain)?;
    // A file without roots is from a bundle without roots; a damaged one is not overwritten anyway.
    let empty = || Bundle::new(domain.clone(), []);
    let bundle = Bundle::from_pem(domain.clone(), bytes).unwrap_or_else(|_| empty());
    Ok(Some(bundle.with_sequence(sequence.unwrap_or(0))))
}

/// The trust domain and the sequence number in the first line of a file.
fn origin(bytes: &[u8]) -> Option<(String, Option<u64>)> {
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    let rest = std::str::from_utf8(line).ok()?.trim_end().strip_prefix(HEADER)?;
    Some(match rest.split_once(SEQUENCE) {
        Some((domain, number)) => (domain.to_owned(), number.parse().ok()),
        None => (rest.to_owned(), None),
    })
}
