//! The lock file next to the spec.

use std::path::{Path, PathBuf};

use meshconfig::address::{Addresses, Taken};
use meshconfig::{Lock, Mesh};
use serde_json::Value;

use super::{Source, failure, resources, text};
use crate::failure::Failure;
use crate::files;
use crate::io::Io;
use crate::text::counted;

/// Which lock file, and whether it may change.
#[derive(Default)]
pub(crate) struct LockFile {
    /// The file; `None`: `mesh.lock` next to the spec.
    pub(crate) lock: Option<PathBuf>,
    /// It must not change.
    pub(crate) locked: bool,
    /// ServiceEntries of live clusters, whose addresses are taken.
    pub(crate) live: Vec<PathBuf>,
}

/// The path of the lock file; `None` for a spec from standard input without `--lock`.
fn path(args: &LockFile, source: &Source) -> Option<PathBuf> {
    let default =
        || (source.file != Path::new("-")).then(|| source.file.with_file_name("mesh.lock"));
    args.lock.clone().or_else(default)
}

/// The addresses of a mesh, and the new content of the lock file.
pub(crate) struct Assigned {
    /// The addresses.
    pub(crate) addresses: Addresses,
    path: Option<PathBuf>,
    before: Option<String>,
}

/// The addresses of a mesh; the lock file is brought up to date.
pub(crate) fn update(
    mesh: &Mesh,
    args: &LockFile,
    source: &Source,
    io: &mut Io<'_>,
) -> Result<Addresses, Failure> {
    let assigned = plan(mesh, args, &[], source, io)?;
    assigned.write(io)?;
    Ok(assigned.addresses)
}

/// The same without writing the file; `live` are the ServiceEntries of live clusters.
///
/// # Errors
/// `ctl/locked` if it would change but must not.
pub(crate) fn plan(
    mesh: &Mesh,
    args: &LockFile,
    live: &[&Value],
    source: &Source,
    io: &mut Io<'_>,
) -> Result<Assigned, Failure> {
    let mut taken = Taken::new();
    meshconfig::address::taken(live.iter().copied(), &mut taken);
    for file in &args.live {
        meshconfig::address::taken(&resources(file, io)?, &mut taken);
    }
    let path = path(args, source);
    let (addresses, before) = assign(mesh, path.as_deref(), &taken, source, io)?;
    let assigned = Assigned { addresses, path, before };
    match assigned.changed() {
        Some((path, _)) if args.locked => Err(Failure::new(
            "ctl/locked",
            format!("`{}` would change, which `--locked` forbids", path.display()),
        )
        .hint("run it without `--locked` and commit the new file with the spec")),
        _ => Ok(assigned),
    }
}

impl Assigned {
    /// The file and its new content, if that differs.
    fn changed(&self) -> Option<(&Path, String)> {
        let after = self.addresses.lock.text();
        let is_new = self.before.as_deref() != Some(&after);
        let needed = self.before.is_some() || self.addresses.lock != Lock::default();
        self.path.as_deref().filter(|_| is_new && needed).map(|path| (path, after))
    }

    /// Writes the lock file if it changes.
    pub(crate) fn write(&self, io: &mut Io<'_>) -> Result<(), Failure> {
        let Some((path, after)) = self.changed() else { return Ok(()) };
        let before = self.before.as_ref().map(String::as_bytes);
        files::write_public(path, after.as_bytes(), files::Kind::AsRead(before))?;
        let count = counted(self.addresses.iter().count(), "address");
        io.note(format_args!("wrote {}: {count}", path.display()));
        Ok(())
    }
}

/// The addresses without writing anything: for commands that only read.
pub(crate) fn look(mesh: &Mesh, source: &Source, io: &mut Io<'_>) -> Result<Addresses, Failure> {
    Ok(assign(mesh, path(&LockFile::default(), source).as_deref(), &Taken::new(), source, io)?.0)
}

fn assign(
    mesh: &Mesh,
    path: Option<&Path>,
    taken: &Taken,
    source: &Source,
    io: &mut Io<'_>,
) -> Result<(Addresses, Option<String>), Failure> {
    let text = match path {
        Some(path) if path.exists() => Some(text(path, io)?),
        _ => None,
    };
    let place = path.unwrap_or(Path::new("mesh.lock"));
    let lock = match &text {
        Some(text) => Lock::read(text).map_err(|error| failure(error, place, text))?,
        None => Lock::default(),
    };
    let addresses =
        lock.assign(mesh, taken, io.now).map_err(|error| match error.path.as_str() {
            "" => failure(error, place, text.as_deref().unwrap_or_default()),
            // An error of the spec.
            _ => failure(error, &source.file, ""),
        })?;
    Ok((addresses, text))
}
