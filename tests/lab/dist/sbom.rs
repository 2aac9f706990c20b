//! The list of crates in the program, as CycloneDX.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use tests::Scratch;

use super::{Release, binary, output, read, tools};

/// The folder of the source in the list, whatever folder it is listed in.
const SOURCE: &str = "file:///meshctl";

/// The edges of Cargo's plan that lead to everything that a program is compiled from.
pub(super) const COMPILED: &str = "normal,build";
/// Those that lead to what is in it: the crates that it is compiled from, and neither their build scripts nor macros.
pub(super) const LINKED: &str = "normal,no-proc-macro";

/// The file in `dist/`.
pub(super) fn name(release: &Release) -> String {
    format!("meshctl-{}-{}.cdx.json", release.version, release.target.triple)
}

/// Asks cargo-cyclonedx in a copy of the source: it writes its files next to each manifest.
///
/// What it reads from Cargo has the features of the whole workspace, so crates that the program lacks are left out. It
/// takes build scripts and macros for programs of the target, and with another system than the present one would lose
/// what they need here.
pub(super) fn write(release: &Release) -> Result<(), String> {
    let target = release.target;
    let platform = if target.os == std::env::consts::OS { target.triple } else { "all" };
    let scratch = Scratch::new();
    binary::copy(&release.root, scratch.path())?;
    let mut command = tools::cargo("cyclonedx", scratch.path())?;
    command
        .args(["--quiet", "--manifest-path", "crates/meshctl/Cargo.toml"])
        .args(["--format", "json", "--spec-version", "1.5", "--target", platform])
        .args(["--override-filename", "bom"])
        .env("SOURCE_DATE_EPOCH", release.time.to_string());
    output(&mut command)?;
    let text = String::from_utf8(read(&scratch.path().join("crates/meshctl/bom.json"))?);
    let text = text.map_err(|error| error.to_string())?;
    let text = text.replace(&format!("file://{}", scratch.path().display()), SOURCE);
    let mut bom: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    keep(&mut bom, &crates(release, COMPILED)?);
    release.put(&name(release), format!("{bom:#}\n").as_bytes())
}

/// The crates of the program that these edges lead to, as Cargo plans it: `NAME VERSION` of each.
pub(super) fn crates(release: &Release, edges: &str) -> Result<BTreeSet<String>, String> {
    let mut tree = Command::new("cargo");
    tree.current_dir(&release.root)
        .args(["tree", "--quiet", "--locked", "--package", "meshctl"])
        .args(release.target.features())
        .args(["--target", release.target.triple, "--edges", edges])
        .args(["--prefix", "none", "--format", "{p}"]);
    let text = output(&mut tree)?;
    // NAME vVERSION, and where it comes from or that it has been listed.
    let crates = text.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" v")?;
        Some(format!("{name} {}", rest.split(' ').next()?))
    });
    Ok(crates.collect())
}

/// Leaves out what is not one of these crates, and what others say that they depend on it.
fn keep(bom: &mut Value, crates: &BTreeSet<String>) {
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let mut left_out = BTreeSet::new();
    if let Some(components) = list(bom, "components") {
        components.retain(|one| {
            let is_kept =
                crates.contains(&format!("{} {}", text(one, "name"), text(one, "version")));
            if !is_kept {
                left_out.insert(text(one, "bom-ref"));
            }
            is_kept
        });
    }
    let is_kept = |reference: &Value| !left_out.contains(reference.as_str().unwrap_or_default());
    if let Some(dependencies) = list(bom, "dependencies") {
        dependencies.retain(|one| is_kept(&one["ref"]));
        for one in dependencies {
            if let Some(on) = list(one, "dependsOn") {
                on.retain(is_kept);
            }
        }
    }
}

/// A list, if there is one; indexing would insert `null`.
fn list<'a>(of: &'a mut Value, name: &str) -> Option<&'a mut Vec<Value>> {
    of.get_mut(name)?.as_array_mut()
}
