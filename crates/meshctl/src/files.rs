//! Files on disk: errors name the path; files are written to a temporary name and moved into place; keys are 0600 and
//! never overwritten.

mod append;
mod exchange;
mod kept;
mod permissions;
mod public;
mod workspace;

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub(crate) use append::append;
pub(crate) use exchange::interrupted_exchange;
pub(crate) use kept::{Kept, kept};
pub(crate) use permissions::shared_keys;
pub(crate) use public::{Kind, is_rendered, write_public};
pub(crate) use workspace::{Leftover, Workspace};

use crate::failure::Failure;
use crate::system;

/// A file larger than this is not a certificate, key or configuration.
const MAX_BYTES: u64 = 64 << 20;
/// Where files are made before they are moved into place.
const STAGING: &str = ".meshctl-staging";
/// Where sets that were replaced are kept.
pub(crate) const PREVIOUS: &str = "previous";

/// Patience with another run in the same folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Give up at once.
    #[default]
    No,
    /// Wait so many seconds.
    Seconds(u64),
    /// Wait until the other run has ended.
    Forever,
}

/// A file's name and content.
pub(crate) type Named = (String, Zeroizing<Vec<u8>>);

/// Reads a file; `-` is standard input.
///
/// # Errors
/// `ctl/io`, naming the file.
pub(crate) fn read(
    path: &Path,
    stdin: &mut dyn std::io::BufRead,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let done = if path == Path::new("-") {
        stdin.take(MAX_BYTES + 1).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| {
            // In one piece: what a growing buffer frees may be a key, and is not zeroized.
            let length = file.metadata()?.len().min(MAX_BYTES);
            bytes.reserve_exact(usize::try_from(length).unwrap_or(0) + 32);
            file.take(MAX_BYTES + 1).read_to_end(&mut bytes)
        })
    };
    done.map_err(|error| Failure::io("read", path, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Failure::new("ctl/io", format!("`{}` is larger than 64 MiB", path.display())));
    }
    Ok(bytes)
}

/// Reads a file of a folder, which may not exist. A pipe or a device does not belong there, and reading it
/// could wait for ever.
///
/// # Errors
/// `ctl/io` for anything but its absence.
pub(crate) fn read_optional(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    if fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
        let message = format!("`{}` is a pipe or a device, not a file", path.display());
        return Err(Failure::new("ctl/io", message));
    }
    read(path, &mut std::io::empty()).map(Some)
}

/// The regular files of a folder by name, hidden ones left out; links are followed, as a mounted secret is made of them.
///
/// # Errors
/// `ctl/io`, naming the folder or the file.
pub(crate) fn read_all(dir: &Path) -> Result<Vec<Named>, Failure> {
    let mut contents = Vec::new();
    for (name, path) in entries(dir)? {
        if path.is_file() {
            contents.push((name, read(&path, &mut std::io::empty())?));
        }
    }
    Ok(contents)
}

/// The folders in a folder by name, without hidden ones and `previous`.
///
/// # Errors
/// `ctl/io`, naming the folder.
pub(crate) fn folders(dir: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut all = entries(dir)?;
    all.retain(|(name, path)| path.is_dir() && name != PREVIOUS);
    Ok(all)
}

/// The names in a folder that are not hidden, sorted; none if there is no folder.
///
/// # Errors
/// `ctl/io`, naming the folder.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>, Failure> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    Ok(entries(dir)?.into_iter().map(|(name, _)| name).collect())
}

/// What is in a folder and not hidden, sorted by name.
fn entries(dir: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let fail = |error: std::io::Error| Failure::io("read", dir, &error);
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            all.push((name, entry.path()));
        }
    }
    all.sort();
    Ok(all)
}

/// Removes a file we wrote, and its folder where it is empty then; whether it was there.
///
/// # Errors
/// `ctl/io`.
pub(crate) fn remove(dir: &Path, name: &Path) -> Result<bool, Failure> {
    let path = dir.join(name);
    match fs::remove_file(&path) {
        Ok(()) => {
            // A folder that is not empty stays.
            if let Some(parent) = path.parent().filter(|parent| *parent != dir) {
                let _ = fs::remove_dir(parent);
            }
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::io("remove", &path, &error)),
    }
}

/// Eight random bytes in hexadecimal: a name that cannot be guessed.
fn random_name() -> String {
    meshpki::internals::digest::hex(&crate::io::random::<8>())
}

/// Makes the names in a folder durable.
fn sync_folder(folder: &Path) -> Result<(), Failure> {
    system::sync_folder(folder).map_err(|error| Failure::io("write to", folder, &error))
}

/// Renames without replacing.
fn rename_new(from: &Path, to: &Path) -> Result<(), Failure> {
    system::rename_new(from, to).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::new(
            "ctl/exists",
            format!("`{}` already exists and is not overwritten", to.display()),
        ),
        _ => Failure::io("write", to, &error),
    })
}
