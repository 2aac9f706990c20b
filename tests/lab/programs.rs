//! Programs that cargo builds from a registry: each version once, into a cache outside the clone.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that has a program, which is built if it is not there, with the lock file that it was published with.
/// `features` are options of `cargo install`.
pub(crate) fn provide(
    cache: &Path,
    name: &str,
    version: &str,
    features: &[&str],
) -> Result<PathBuf, String> {
    let root = cache.join(format!("{name}-{version}"));
    let bin = root.join("bin");
    if bin.join(name).is_file() {
        return Ok(bin);
    }
    println!("building {name} {version} into {}, once", root.display());
    let mut install = Command::new("cargo");
    install
        // Whose toolchain it takes.
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["install", "--quiet", "--locked", "--version", version])
        .args(features)
        .arg("--root")
        .arg(&root)
        .arg(name)
        .env("CARGO_TARGET_DIR", cache.join("tools"))
        // It is not what is released, so it is built quickly.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    let status = install.status().map_err(|error| format!("cargo install: {error}"))?;
    if status.success() { Ok(bin) } else { Err(format!("cargo install {name}: {status}")) }
}
