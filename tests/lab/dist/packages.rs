//! `.deb` and `.rpm`, by cargo's subcommands. What is in them is in crates/meshctl/Cargo.toml.

use std::process::Command;

use super::{Release, output, tools};

pub(super) fn deb(release: &Release) -> Result<(), String> {
    let mut command = tools::cargo("deb", &release.root)?;
    command
        .args(["--no-build", "--no-strip", "--quiet", "--package", "meshctl"])
        .args(["--profile", "dist", "--target", release.target.triple, "--output"])
        .arg(&release.dist);
    make(release, command)
}

pub(super) fn rpm(release: &Release) -> Result<(), String> {
    let mut command = tools::cargo("generate-rpm", &release.root)?;
    command
        // A static program needs nothing.
        .args(["--package", "crates/meshctl", "--auto-req", "disabled"])
        .args(["--target", release.target.triple, "--source-date", &release.time.to_string()])
        .arg("--output")
        .arg(&release.dist);
    make(release, command)
}

fn make(release: &Release, mut command: Command) -> Result<(), String> {
    output(command.env("SOURCE_DATE_EPOCH", release.time.to_string())).map(drop)
}
