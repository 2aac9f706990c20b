//! The list of crates in the program, as CycloneDX.

use tests::Scratch;

use super::{Release, binary, output, read, tools};

/// The file in `dist/`.
pub(super) fn name(release: &Release) -> String {
    format!("meshctl-{}-{}.cdx.json", release.version, release.target.triple)
}

/// Asks cargo-cyclonedx in a copy of the source: it writes its files next to each manifest.
pub(super) fn write(release: &Release) -> Result<(), String> {
    let scratch = Scratch::new();
    binary::copy(&release.root, scratch.path())?;
    let mut command = tools::cargo("cyclonedx", scratch.path())?;
    command
        .args(["--quiet", "--manifest-path", "crates/meshctl/Cargo.toml"])
        .args(["--format", "json", "--spec-version", "1.5", "--target", release.target.triple])
        .args(["--override-filename", "bom"])
        .env("SOURCE_DATE_EPOCH", release.time.to_string());
    output(&mut command)?;
    release.put(&name(release), &read(&scratch.path().join("crates/meshctl/bom.json"))?)
}
