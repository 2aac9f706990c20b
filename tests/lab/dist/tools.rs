//! Cargo's subcommands that make a release.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::rig::tools;

use crate::programs;

/// The subcommands, with their versions.
const CARGO: &[(&str, &str)] = &[
    ("cargo-auditable", "0.7.7"),
    ("cargo-cyclonedx", "0.5.9"),
    ("cargo-deb", "3.8.0"),
    ("cargo-generate-rpm", "0.21.1"),
];

/// The cache, next to that of the rig.
pub(super) fn cache() -> Result<PathBuf, String> {
    Ok(tools::cache()?.with_file_name("meshpki-dist"))
}

/// `cargo NAME`, in a folder whose toolchain it uses. If the cache lacks the subcommand, cargo builds it.
pub(super) fn cargo(name: &str, folder: &Path) -> Result<Command, String> {
    let program = format!("cargo-{name}");
    let version = CARGO.iter().find(|(known, _)| *known == program).map(|(_, version)| *version);
    let version = version.ok_or_else(|| format!("{program} has no version"))?;
    let mut paths = vec![programs::provide(&cache()?, &program, version, &[])?];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let paths = std::env::join_paths(paths).map_err(|error| error.to_string())?;
    let mut command = Command::new("cargo");
    command.current_dir(folder).env("PATH", paths).arg(name);
    // What `cargo xtask` says of its own package, and where that is: if it changes, ring's build script runs again, and
    // everything that depends on ring is compiled again.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&variable);
        }
    }
    Ok(command)
}
