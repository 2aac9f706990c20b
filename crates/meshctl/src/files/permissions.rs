//! The keys of a folder that others may read.

use std::path::{Path, PathBuf};

use meshpki::cacerts::Layout;

use super::folders;
use crate::system;

/// The key files of a CA folder, and of the clusters' folders in it, that others may read.
pub(crate) fn shared_keys(dir: &Path, root_key: &str) -> Vec<PathBuf> {
    let mut keys = vec![dir.join(root_key)];
    let clusters = folders(dir).unwrap_or_default();
    for folder in clusters.iter().map(|(_, path)| path.as_path()).chain([dir]) {
        keys.extend(Layout::ALL.map(|layout| folder.join(layout.key_file())));
    }
    keys.retain(|key| system::is_shared(key));
    keys
}
