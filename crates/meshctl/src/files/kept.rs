//! The sets in `previous/`: those that were replaced, which are kept for a way back until `meshctl forget`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use meshpki::Time;
use meshpki::istiod::Secret;

use super::{PREVIOUS, Workspace, entries};
use crate::failure::Failure;
use crate::io::since_1970;
use crate::system;

/// A set in `previous/` that was replaced.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// The name of its folder: `east-1a2b3c4d`.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// The names of its files, sorted.
    pub files: Vec<String>,
    /// When it was put there.
    pub since: Time,
}

impl Kept {
    /// The cluster it is of: `east` of `east-1a2b3c4d` and of `east-1a2b3c4d-2`.
    #[must_use]
    pub(crate) fn cluster(&self) -> &str {
        let is_serial = |text: &str| text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let is_count = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let (rest, last) = self.name.rsplit_once('-').unwrap_or((&self.name, ""));
        if is_serial(last) {
            return rest;
        }
        match rest.rsplit_once('-') {
            Some((name, serial)) if is_count(last) && is_serial(serial) => name,
            _ => &self.name,
        }
    }
}

/// The sets in `previous/`, sorted by name; none if there is no such folder. Links are not followed.
///
/// # Errors
/// `ctl/io`, naming the folder.
pub(crate) fn kept(dir: &Path) -> Result<Vec<Kept>, Failure> {
    let previous = dir.join(PREVIOUS);
    let is_folder = |path: &Path| path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
    let mut all = Vec::new();
    fs::metadata(dir).map_err(|error| Failure::io("read", dir, &error))?;
    if !is_folder(&previous) {
        return Ok(all);
    }
    for (name, path) in entries(&previous)? {
        let Some(meta) = path.symlink_metadata().ok().filter(fs::Metadata::is_dir) else {
            continue;
        };
        let fail = |error| Failure::io("read", &path, &error);
        let files = files_of(&path).map_err(fail)?;
        let since = since_1970(meta.modified().map_err(fail)?);
        all.push(Kept { name, path, files, since });
    }
    Ok(all)
}

/// The names of everything in a folder except folders, sorted, hidden ones too.
fn files_of(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Leaves in a set that was replaced what a rollback can use: the files istiod reads, for the owner alone. Whatever
/// else was there is in the set that replaced it. The folder's time is the time since when it is kept.
pub(super) fn only_for_rollback(set: &Path) -> std::io::Result<()> {
    system::keep_private(set)?;
    for entry in fs::read_dir(set)? {
        let entry = entry?;
        if !entry.file_type()?.is_file() {
            continue;
        }
        if Secret::is_read(&entry.file_name().to_string_lossy()) {
            system::keep_private(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    system::touch_folder(set)?;
    system::sync_folder(set)
}

impl Workspace {
    /// Unlinks every file of a set in `previous/`, and its folder where it is empty then; whether it was.
    ///
    /// # Errors
    /// `ctl/io`, naming the file.
    pub(crate) fn forget(&self, kept: &Kept) -> Result<bool, Failure> {
        let fail = |path: &Path| {
            let path = path.to_path_buf();
            move |error: std::io::Error| Failure::io("remove", &path, &error)
        };
        for entry in fs::read_dir(&kept.path).map_err(fail(&kept.path))? {
            let entry = entry.map_err(fail(&kept.path))?;
            if entry.file_type().map_err(fail(&entry.path()))?.is_dir() {
                continue;
            }
            fs::remove_file(entry.path()).map_err(fail(&entry.path()))?;
        }
        let gone = match fs::remove_dir(&kept.path) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => false,
            Err(error) => return Err(fail(&kept.path)(error)),
        };
        // One that is not empty stays.
        let _ = fs::remove_dir(self.dir.join(PREVIOUS));
        Ok(gone)
    }
}

#[cfg(test)]
mod tests;
