//! The list of crates: what Cargo plans, what the list in the program has, and what syft reads, which knows neither.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use flate2::read::ZlibDecoder;
use serde_json::Value;

use super::super::sbom::{self, COMPILED, LINKED};
use super::super::{at, image, output, read};
use super::{Bench, expect};

/// The list names exactly the crates that Cargo compiles the program from. `cargo-auditable` wrote these into the program,
/// with those that other features need. Each is in Cargo.lock.
pub(super) fn check(bench: &Bench<'_>) -> Result<(), String> {
    let (name, bom) = list(bench)?;
    let temporary = std::env::temp_dir().display().to_string();
    expect(!bom.to_string().contains(&temporary), || format!("{name} has a path in {temporary}"))?;
    let compiled = sbom::crates(bench.release, COMPILED)?;
    same(("`cargo tree`", &compiled), (&name, &listed(bench, &bom)?))?;
    references(&bom).map_err(|why| format!("{name}: {why}"))?;
    let inside = crates(&inside(bench)?, "packages", "version")?;
    // As in `sbom::write`: what only build scripts and macros need here is not in the list for another system.
    let is_here = bench.release.target.os == std::env::consts::OS;
    let edges = if is_here { COMPILED } else { LINKED };
    let planned = sbom::crates(bench.release, edges)?;
    within(("`cargo tree`", &planned), ("the list in the program", &inside))?;
    locked(bench, "the list in the program", &inside)
}

/// syft finds the same crates in the program, in the package and in the image, and nothing else there. It leaves out those
/// of the list in the program that only its build needs, so all that Cargo links are there. Of the list next to the program
/// it reads every crate.
pub(super) fn syft(bench: &Bench<'_>) -> Result<(), String> {
    let unpacked = bench.folder("syft/deb")?;
    let package = bench.artifact(&format!("_{}.deb", bench.release.target.arch))?;
    output(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&unpacked))?;
    let image = bench.release.dist.join(image::name(bench.release));
    let program = scan(bench, "file", &bench.unpacked.join("meshctl"))?;
    for (what, scheme, place) in
        [("syft in the .deb", "dir", &unpacked), ("syft in the image", "oci-archive", &image)]
    {
        same(("syft in the program", &program), (what, &scan(bench, scheme, place)?))?;
    }
    let mut inside = inside(bench)?;
    if let Some(packages) = inside["packages"].as_array_mut() {
        packages.retain(|one| one["kind"] != "build");
    }
    let inside = crates(&inside, "packages", "version")?;
    same(("the list in the program", &inside), ("syft", &program))?;
    locked(bench, "syft", &program)?;
    let linked = sbom::crates(bench.release, LINKED)?;
    within(("`cargo tree`", &linked), ("syft", &program))?;
    let (name, bom) = list(bench)?;
    let mut convert = command(bench);
    convert.arg("convert").arg(bench.release.dist.join(&name)).args(["--output", "spdx-json"]);
    let mut converted = crates(&json(&output(&mut convert)?)?, "packages", "versionInfo")?;
    // The root that SPDX demands; syft knows no file or image that the list is of.
    converted.remove("unknown ");
    same((&name, &listed(bench, &bom)?), ("what syft converts it to", &converted))
}

/// What syft finds in a place; the image has a program for each processor.
fn scan(bench: &Bench<'_>, scheme: &str, place: &Path) -> Result<BTreeSet<String>, String> {
    let mut scan = command(bench);
    scan.args(["scan", "--output", "syft-json"]).arg(format!("{scheme}:{}", place.display()));
    if scheme == "oci-archive" {
        scan.arg(format!("--platform=linux/{}", bench.release.target.arch));
    }
    crates(&json(&output(&mut scan)?)?, "artifacts", "version")
}

/// syft, which writes nothing outside of the bench and asks no server.
fn command(bench: &Bench<'_>) -> Command {
    let mut command = Command::new(bench.built.path("syft"));
    command.env_clear().env("HOME", bench.scratch.path());
    command.env("SYFT_CHECK_FOR_APP_UPDATE", "false").arg("--quiet");
    command
}

/// The file in `dist/`: its name, and what it says.
fn list(bench: &Bench<'_>) -> Result<(String, Value), String> {
    let name = sbom::name(bench.release);
    let text = read(&bench.release.dist.join(&name))?;
    let bom = serde_json::from_slice(&text).map_err(|error| format!("{name}: {error}"))?;
    Ok((name, bom))
}

/// The crates of that file, and that of the program itself, which is not one of its components.
fn listed(bench: &Bench<'_>, bom: &Value) -> Result<BTreeSet<String>, String> {
    let mut listed = crates(bom, "components", "version")?;
    listed.insert(format!("meshctl {}", bench.release.version));
    Ok(listed)
}

/// What a list is called, and its crates.
type Crates<'a> = (&'a str, &'a BTreeSet<String>);

/// Fails if a list lacks a crate of the other.
fn same(one: Crates<'_>, other: Crates<'_>) -> Result<(), String> {
    within(one, other)?;
    within(other, one)
}

/// Fails if a list has a crate that the other lacks.
fn within((what, some): Crates<'_>, (whole, all): Crates<'_>) -> Result<(), String> {
    let lacks: Vec<&str> = some.difference(all).map(String::as_str).collect();
    expect(!some.is_empty(), || format!("{what} names no crate"))?;
    expect(lacks.is_empty(), || format!("{whole} lacks what {what} has: {}", lacks.join(", ")))
}

/// Fails if a crate is not in Cargo.lock with its version.
fn locked(bench: &Bench<'_>, what: &str, crates: &BTreeSet<String>) -> Result<(), String> {
    let lock = String::from_utf8(read(&bench.release.root.join("Cargo.lock"))?);
    let lock = lock.map_err(|error| error.to_string())?;
    let is_unknown = |one: &&String| {
        let (name, version) = one.split_once(' ').unwrap_or_default();
        !lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n"))
    };
    match crates.iter().find(is_unknown) {
        Some(other) => Err(format!("{what} has {other}, which is not in Cargo.lock")),
        None => Ok(()),
    }
}

/// The list says of each of its crates what it depends on, and names no other.
fn references(bom: &Value) -> Result<(), String> {
    let text = |one: &Value| one.as_str().map(str::to_owned).ok_or("a reference is not a text");
    let list = |one: &Value| one.as_array().cloned().ok_or_else(|| format!("{one} is not a list"));
    let mut listed = BTreeSet::from([text(&bom["metadata"]["component"]["bom-ref"])?]);
    for one in list(&bom["components"])? {
        listed.insert(text(&one["bom-ref"])?);
    }
    let mut described = BTreeSet::new();
    for one in list(&bom["dependencies"])? {
        described.insert(text(&one["ref"])?);
        for on in one.get("dependsOn").map_or(Ok(Vec::new()), &list)? {
            let on = text(&on)?;
            expect(listed.contains(&on), || format!("it depends on {on}, which is not listed"))?;
        }
    }
    expect(described == listed, || "a crate is listed or described, not both".to_owned())
}

/// The list that `cargo-auditable` wrote into the program.
fn inside(bench: &Bench<'_>) -> Result<Value, String> {
    let section = bench.scratch.path().join("crates");
    let program = bench.unpacked.join(bench.release.target.program());
    output(
        Command::new(bench.release.target.tool("objcopy"))
            .args(["--dump-section", &format!(".dep-v0={}", section.display())])
            .arg(&program)
            .arg(bench.scratch.path().join("copy")),
    )?;
    let mut text = String::new();
    let bytes = read(&section)?;
    ZlibDecoder::new(bytes.as_slice()).read_to_string(&mut text).map_err(|e| at(&program, &e))?;
    json(&text).map_err(|why| at(&program, &why))
}

/// `NAME VERSION` of each element of a list.
fn crates(document: &Value, list: &str, version: &str) -> Result<BTreeSet<String>, String> {
    let list = document[list].as_array().ok_or_else(|| format!("no {list}"))?;
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    Ok(list.iter().map(|one| format!("{} {}", text(one, "name"), text(one, version))).collect())
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}
