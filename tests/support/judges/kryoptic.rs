//! kryoptic, a PKCS#11 token in Rust over OpenSSL: `tests/judges/kryoptic` pins it and makes the module.

use std::path::{Path, PathBuf};

use super::openssl;
use crate::cache::digest;

/// Where its `Cargo.toml` is.
#[must_use]
pub fn home() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/judges/kryoptic"))
}

/// The folder of the module in the cache; the name changes with what is pinned.
///
/// # Errors
/// A pin that cannot be read, or a user without a home folder.
pub fn folder() -> Result<PathBuf, String> {
    let pins = ["Cargo.lock", "Cargo.toml", "lib.rs"].map(|file| home().join(file));
    openssl::cache_of("kryoptic")
        .and_then(|cache| Ok(cache.join(digest(&pins.each_ref().map(PathBuf::as_path))?)))
}

/// The module.
///
/// # Errors
/// Where it is not, and what builds it; or as [`folder`].
pub fn module() -> Result<PathBuf, String> {
    let module = folder()?.join("libkryoptic.so");
    if module.is_file() {
        return Ok(module);
    }
    Err(format!("{} is not there; `cargo xtask judge` builds it", module.display()))
}
