//! The programs that make a release: each version once, in a cache outside the clone.

use std::path::{Path, PathBuf};
use std::process::Command;

use tests::rig::tools;

/// Cargo's subcommands, with their versions; each is built with the lock file that it was published with.
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

/// `cargo NAME`, in a folder whose toolchain it takes; what `NAME` is part of is built if it is not there.
pub(super) fn cargo(name: &str, folder: &Path) -> Result<Command, String> {
    let mut paths = vec![provide(&format!("cargo-{name}"), folder)?];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let paths = std::env::join_paths(paths).map_err(|error| error.to_string())?;
    let mut command = Command::new("cargo");
    command.current_dir(folder).env("PATH", paths).arg(name);
    Ok(command)
}

/// The folder of a subcommand.
fn provide(name: &str, folder: &Path) -> Result<PathBuf, String> {
    let version = CARGO.iter().find(|(known, _)| *known == name).map(|(_, version)| *version);
    let version = version.ok_or_else(|| format!("{name} has no version"))?;
    let root = cache()?.join(format!("{name}-{version}"));
    let bin = root.join("bin");
    if !bin.join(name).is_file() {
        println!("building {name} {version}, once");
        // It is not what is released, so it is built quickly.
        let mut install = Command::new("cargo");
        install
            .current_dir(folder)
            .args(["install", "--quiet", "--locked", "--version", version, "--root"])
            .arg(&root)
            .arg(name)
            .env("CARGO_TARGET_DIR", cache()?.join("tools"))
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        super::output(&mut install)?;
    }
    Ok(bin)
}
