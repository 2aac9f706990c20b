//! Who else may read a key, or change a folder.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use meshpki::cacerts::Layout;

use super::folders;

/// Whether others than the owner may read the file.
pub(crate) fn is_shared(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o077 != 0)
}

/// Why another user could put files into a folder, if so.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Openness {
    /// It belongs to this user, who is neither we nor root.
    Owner(u32),
    /// Its group, or everyone, may write to it.
    Writable,
}

/// Whether a user other than the present one and root could put files into a folder.
pub(crate) fn openness(dir: &Path) -> Option<Openness> {
    let meta = fs::metadata(dir).ok().filter(fs::Metadata::is_dir)?;
    let us = rustix::process::geteuid().as_raw();
    if meta.uid() != us && meta.uid() != 0 {
        return Some(Openness::Owner(meta.uid()));
    }
    (meta.permissions().mode() & 0o022 != 0).then_some(Openness::Writable)
}

/// The key files of a CA folder, and of the clusters' folders in it, that others may read.
pub(crate) fn shared_keys(dir: &Path, root_key: &str) -> Vec<PathBuf> {
    let mut keys = vec![dir.join(root_key)];
    let clusters = folders(dir).unwrap_or_default();
    for folder in clusters.iter().map(|(_, path)| path.as_path()).chain([dir]) {
        keys.extend(Layout::ALL.map(|layout| folder.join(layout.key_file())));
    }
    keys.retain(|key| is_shared(key));
    keys
}
