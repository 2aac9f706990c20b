//! Folders for what is built or downloaded once. They are never inside the clone.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder that an environment variable names, otherwise one of this name in the user's cache folder.
///
/// # Errors
/// If the user has no home folder either.
pub fn folder(variable: &str, name: &str) -> Result<PathBuf, String> {
    let of = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(folder) = of(variable) {
        return Ok(folder);
    }
    let caches = of("XDG_CACHE_HOME").or_else(|| Some(of("HOME")?.join(".cache")));
    let caches =
        caches.ok_or_else(|| format!("neither {variable}, XDG_CACHE_HOME nor HOME is set"))?;
    Ok(caches.join(name))
}

/// The first digits of the SHA-256 of files, one after the other.
///
/// # Errors
/// A file that cannot be read.
pub fn digest(files: &[&Path]) -> Result<String, String> {
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    for file in files {
        let bytes = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        digest.update(&bytes);
    }
    Ok(digest.finish().as_ref()[..6].iter().map(|byte| format!("{byte:02x}")).collect())
}
