//! Folders for what is built or downloaded once. They are never inside the clone.

use std::path::PathBuf;

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
