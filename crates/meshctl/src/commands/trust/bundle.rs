//! `meshctl trust bundle ...`: the roots of trust domains as SPIFFE bundles, from file to file.

mod diff;
mod export;
mod import;
mod map;
mod show;
pub(super) mod source;

use std::path::Path;

use crate::args::trust::Bundle as Args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::io::Io;

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
pub(super) fn not_ours(path: &Path, what: &str) -> Failure {
    let message = format!("`{}` is not a SPIFFE {what} and is not overwritten", path.display());
    Failure::new("ctl/exists", message).hint("choose another file, or move that one away first")
}
