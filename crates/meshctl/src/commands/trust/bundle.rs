//! `meshctl trust bundle ...`: the roots of trust domains as SPIFFE bundles, from file to file.

mod diff;
mod export;
mod import;
mod map;
mod show;
mod source;

use std::path::Path;

use meshpki::Error;
use meshpki::spiffe::{Bundle, svid};

use crate::args::trust::Bundle as Args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text::word;
use source::Read;

/// Runs the command.
pub(crate) fn run(args: &Args, io: &mut Io<'_>) -> Result<Exit, Failure> {
    match args {
        Args::Export(args) => export::run(args, io),
        Args::Import(args) => import::run(args, io),
        Args::Show(args) => show::run(args, io),
        Args::Diff(args) => diff::run(args, io),
        Args::Map(args) => map::run(args, io),
    }
}

/// Refuses a root with which anyone can sign, and warns of one that SPIFFE does not allow to sign.
fn check_roots(bundle: &Bundle, path: &Path, io: &mut Io<'_>) -> Result<(), Failure> {
    for root in bundle.roots() {
        let subject = root.subject().label();
        if let Some(flaw) = root.public_key().flaw() {
            let what = format!("the key of `{subject}`");
            return Err(Failure::from(Error::ForgeableKey { what, flaw }).in_file(path));
        }
        if let Err(problem) = svid::check_signing(root) {
            io.warn(&Failure::from(Error::Svid { subject, problem }).in_file(path));
        }
    }
    Ok(())
}

/// Refuses a bundle without roots.
fn check_not_empty(read: &Read, path: &Path) -> Result<(), Failure> {
    if !read.bundle.roots().is_empty() {
        return Ok(());
    }
    let message = format!("the bundle of {} has no root", read.bundle.trust_domain());
    Err(Failure::new("ctl/bundle-empty", message)
        .exit(Exit::No)
        .in_file(path)
        .because(why_empty(read))
        .hint(format!(
            "`meshctl trust bundle show {}` shows what is in it; `--allow-empty` accepts it",
            word(path)
        )))
}

/// What a bundle without roots means (SPIFFE Trust Domain and Bundle section 4.1.3, X509-SVID section 6.2).
fn why_empty(read: &Read) -> &'static str {
    if read.ignored.is_empty() {
        "the trust domain has revoked everything it signed"
    } else {
        "none of its keys counts"
    }
}

/// Refuses a sequence number below that of `there`, which is replaced.
fn check_sequence(
    new: &Bundle,
    there: Option<u64>,
    path: &Path,
    out: &Path,
) -> Result<(), Failure> {
    let Some(there) = there.filter(|there| new.sequence().unwrap_or(0) < *there) else {
        return Ok(());
    };
    let found = new.sequence().map_or("no sequence number".into(), |n| format!("sequence {n}"));
    let message = format!("the bundle of {} is older than the one there", new.trust_domain());
    Err(Failure::new("ctl/bundle-older", message)
        .exit(Exit::No)
        .in_file(path)
        .because(format!("it has {found}, and `{}` is from sequence {there}", out.display())))
}

/// Prints a JSON document, or writes it over nothing or over a document that `is_ours` knows.
fn write(
    text: &str,
    out: Option<&Path>,
    before: Option<&[u8]>,
    io: &mut Io<'_>,
) -> Result<(), Failure> {
    let text = format!("{text}\n");
    match out {
        None => io.print(&text),
        Some(_) if before == Some(text.as_bytes()) => Ok(()),
        Some(path) => {
            files::write_public(path, text.as_bytes(), files::Kind::AsRead(before))?;
            io.say(format_args!("{}", crate::text::safe(&path.display().to_string())));
            Ok(())
        }
    }
}

/// The file to write, unless that is standard output.
fn file(out: Option<&Path>) -> Option<&Path> {
    out.filter(|path| *path != Path::new("-"))
}

/// What is there is neither empty nor what this command writes.
fn not_ours(path: &Path, what: &str) -> Failure {
    let message = format!("`{}` is not a SPIFFE {what} and is not overwritten", path.display());
    Failure::new("ctl/exists", message).hint("choose another file, or move that one away first")
}
