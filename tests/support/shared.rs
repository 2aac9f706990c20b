//! The data sets next to the clone.

use std::path::PathBuf;

/// A file of the folder `shared` next to the workspace, or of `MESH_SHARED`; a line on standard error and
/// `None` when it is absent.
#[must_use]
pub fn file(name: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("MESH_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("NOT RUN: ../shared/{name} is absent (looked for {})", path.display());
    None
}

/// The workspace's folder.
#[must_use]
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
