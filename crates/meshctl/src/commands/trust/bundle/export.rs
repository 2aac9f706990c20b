//! `meshctl trust bundle export`: the roots of a trust domain as a SPIFFE bundle.

use std::path::Path;

use meshpki::spiffe::Bundle;

use super::super::accept::check_roots;
use super::{file, not_ours, source, write};
use crate::args::trust::{Export, Format};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;

/// Runs the command.
pub(super) fn run(args: &Export, io: &mut Io<'_>) -> Result<Exit, Failure> {
    let mut roots = Vec::new();
    for path in &args.paths {
        let found = source::roots(path, io)?;
        let from = path.display().to_string();
        check_roots(&Bundle::new(args.trust_domain.clone(), found.clone()), &from, io)?;
        roots.extend(found);
    }
    let bundle = Bundle::new(args.trust_domain.clone(), roots);
    let out = file(args.out.as_deref());
    match args.output {
        Format::Pem => {
            let text = bundle.to_pem();
            match out {
                None => io.print(&text)?,
                Some(path) => {
                    files::write_public(path, text.as_bytes(), files::Kind::Certificates)?;
                }
            }
        }
        Format::Json => json(bundle, args, out, io)?,
    }
    Ok(Exit::Good)
}

fn json(bundle: Bundle, args: &Export, out: Option<&Path>, io: &mut Io<'_>) -> Result<(), Failure> {
    let before = match out {
        Some(path) => files::read_optional(path)?,
        None => None,
    };
    let there = match (out, before.as_deref()) {
        (Some(path), Some(bytes)) if !bytes.is_empty() => {
            let read = Bundle::from_json(args.trust_domain.clone(), bytes);
            Some(read.ok().ok_or_else(|| not_ours(path, "bundle"))?.0)
        }
        _ => None,
    };
    let bundle = numbered(bundle, args, there.as_ref());
    if let (Some(path), Some(there)) = (out, &there) {
        check_grows(&bundle, there, path)?;
    }
    write(&bundle.to_json()?, out, before.as_deref().map(Vec::as_slice), io)
}

/// The bundle with its numbers: those typed, otherwise those of the bundle that is replaced.
fn numbered(bundle: Bundle, args: &Export, there: Option<&Bundle>) -> Bundle {
    let hint = args.refresh_hint.map(|hint| hint.as_secs());
    let hint = hint.or_else(|| there?.refresh_hint()).unwrap_or(0);
    let bundle = bundle.with_refresh_hint(hint);
    let next = || {
        let Some(there) = there else { return 1 };
        let is_same = bundle.clone().with_sequence(there.sequence().unwrap_or(0)) == *there;
        there.sequence().unwrap_or(0).saturating_add(u64::from(!is_same))
    };
    let sequence = args.sequence.unwrap_or_else(next);
    bundle.with_sequence(sequence)
}

/// Refuses a sequence number that does not grow although the bundle changes.
fn check_grows(bundle: &Bundle, there: &Bundle, out: &Path) -> Result<(), Failure> {
    let (Some(found), Some(before)) = (bundle.sequence(), there.sequence()) else { return Ok(()) };
    if bundle == there || found > before {
        return Ok(());
    }
    let message = "the sequence number has to grow, because the bundle changes";
    Err(Failure::new("ctl/bundle-older", message)
        .exit(Exit::No)
        .in_file(out)
        .because(format!("it has sequence {before}, `--sequence` is {found}"))
        .hint("omit `--sequence`: the next number is chosen then"))
}
