//! kryoptic's PKCS#11 module, built once into a cache outside the clone.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::judges::kryoptic;

use super::{complete, copy, output};

/// Builds it if it is not there, and prints where it is. A build takes about a minute of one processor.
pub(super) fn run() -> Result<(), String> {
    if kryoptic::module().is_err() {
        println!("judge: building kryoptic; it takes a minute or two");
        complete(&kryoptic::folder()?, make).map_err(|why| {
            format!("{why}\nkryoptic needs Debian's clang, libssl-dev and libsqlite3-dev")
        })?;
    }
    println!("judge: kryoptic ({})", kryoptic::module()?.display());
    Ok(())
}

fn make(beside: &Path) -> Result<(), String> {
    let build = beside.join("build");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--locked", "--manifest-path"]);
    cargo.arg(kryoptic::home().join("Cargo.toml")).arg("--target-dir").arg(&build);
    output(&mut cargo)?;
    copy(&build.join("release/libkryoptic.so"), &beside.join("libkryoptic.so"))?;
    fs::remove_dir_all(&build).map_err(|error| format!("{}: {error}", build.display()))
}
