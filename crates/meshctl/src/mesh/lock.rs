//! The lock file beside the spec.

use std::path::{Path, PathBuf};

use meshconfig::address::{Addresses, Taken};
use meshconfig::{Lock, Mesh};

use super::args::{LockFile, Source};
use super::load;
use crate::report::Failure;
use crate::{Io, files};

/// Where the lock file is; `None` for a spec from standard input without `--lock`.
fn path(args: &LockFile, source: &Source) -> Option<PathBuf> {
    let beside =
        || (source.file != Path::new("-")).then(|| source.file.with_file_name("mesh.lock"));
    args.lock.clone().or_else(beside)
}

/// The addresses of a mesh; the lock file is brought up to date.
pub(super) fn update(
    mesh: &Mesh,
    args: &LockFile,
    source: &Source,
    io: &mut Io<'_>,
) -> Result<Addresses, Failure> {
    let path = path(args, source);
    let (addresses, before) = assign(mesh, path.as_deref(), &args.live, source, io)?;
    let after = addresses.lock.text();
    let Some(path) = path.filter(|_| before.as_deref() != Some(&after)) else {
        return Ok(addresses);
    };
    if before.is_none() && addresses.lock == Lock::default() {
        return Ok(addresses);
    }
    if args.locked {
        return Err(Failure::new(
            "ctl/locked",
            format!("`{}` would change, and --locked forbids it", path.display()),
        )
        .hint("run it without --locked and keep the new file with the spec"));
    }
    files::write_public(&path, after.as_bytes())?;
    let count = addresses.iter().count();
    // A standard error that is gone cannot be told anything.
    let _ = writeln!(io.err, "wrote {}: {count} addresses", path.display());
    Ok(addresses)
}

/// The addresses without writing anything: for commands that only look.
pub(super) fn look(mesh: &Mesh, source: &Source, io: &mut Io<'_>) -> Result<Addresses, Failure> {
    let none = LockFile { lock: None, locked: false, live: Vec::new() };
    Ok(assign(mesh, path(&none, source).as_deref(), &[], source, io)?.0)
}

fn assign(
    mesh: &Mesh,
    path: Option<&Path>,
    live: &[PathBuf],
    source: &Source,
    io: &mut Io<'_>,
) -> Result<(Addresses, Option<String>), Failure> {
    let text = match path {
        Some(path) if path.exists() => Some(load::text(path, io)?),
        _ => None,
    };
    let place = path.unwrap_or(Path::new("mesh.lock"));
    let lock = match &text {
        Some(text) => Lock::read(text).map_err(|error| load::failure(error, place, text))?,
        None => Lock::default(),
    };
    let mut taken = Taken::new();
    for file in live {
        meshconfig::address::taken(&load::resources(file, io)?, &mut taken);
    }
    let addresses =
        lock.assign(mesh, &taken, io.now).map_err(|error| match error.path.as_str() {
            "" => load::failure(error, place, text.as_deref().unwrap_or_default()),
            // What is wrong with the spec.
            _ => load::failure(error, &source.file, ""),
        })?;
    Ok((addresses, text))
}
