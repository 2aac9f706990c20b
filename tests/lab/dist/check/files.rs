//! Judges of the archive, the checksums, the list of crates and the manifests.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::process::Command;

use flate2::read::ZlibDecoder;
use serde_json::Value;

use super::super::{at, output, read, sbom as boms};
use super::{Bench, expect};

pub(super) fn sums(bench: &Bench<'_>) -> Result<(), String> {
    let mut check = Command::new("sha256sum");
    check.current_dir(&bench.release.dist).args(["--check", "--strict", "--quiet", "SHA256SUMS"]);
    output(&mut check).map(drop)
}

/// Shells, and the command that loads the script `$1`.
const SHELLS: &[(&str, &str, &str)] = &[
    ("bash", "meshctl.bash", "source \"$1\" && complete -p meshctl"),
    (
        "zsh",
        "_meshctl",
        "autoload -U compinit && compinit -u -D && source \"$1\" && print $_comps[meshctl]",
    ),
    ("fish", "meshctl.fish", "source $argv[1]; and complete -C 'meshctl ca in'"),
];

/// Every manual page is formatted without a warning, and each shell loads its completions.
pub(super) fn archive(bench: &Bench<'_>) -> Result<(), String> {
    let pages = bench.unpacked.join("man");
    let mut count = 0;
    for page in fs::read_dir(&pages).map_err(|error| at(&pages, &error))?.flatten() {
        let mut man = Command::new("man");
        man.args(["--warnings", "--encoding=UTF-8", "--local-file"]).arg(page.path());
        let shown = man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").output();
        let shown = shown.map_err(|error| format!("man: {error}"))?;
        expect(shown.status.success() && shown.stderr.is_empty(), || {
            at(&page.path(), &String::from_utf8_lossy(&shown.stderr))
        })?;
        count += 1;
    }
    expect(count > 20, || format!("it has {count} manual pages"))?;
    for (shell, name, line) in SHELLS {
        let script = bench.unpacked.join("completions").join(name);
        let mut load = Command::new(shell);
        load.env("HOME", bench.scratch.path()).args(["-c", line]);
        if *shell != "fish" {
            load.arg(shell);
        }
        let said = output(load.arg(&script))?;
        expect(!said.trim().is_empty(), || format!("{shell} completes nothing after {name}"))?;
    }
    Ok(())
}

/// The list names exactly the crates that Cargo compiles the program from. `cargo-auditable` wrote these into the program,
/// with those that other features need. Each is in Cargo.lock.
pub(super) fn sbom(bench: &Bench<'_>) -> Result<(), String> {
    let path = bench.release.dist.join(boms::name(bench.release));
    let bom = String::from_utf8(read(&path)?).map_err(|error| at(&path, &error))?;
    let temporary = std::env::temp_dir().display().to_string();
    expect(!bom.contains(&temporary), || at(&path, &format!("it has a path in {temporary}")))?;
    let mut listed = crates(&bom, "components")?;
    listed.insert(format!("meshctl {}", bench.release.version));
    let compiled = boms::crates(bench.release)?;
    expect(listed == compiled, || {
        let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
            a.difference(b).cloned().collect::<Vec<_>>().join(", ")
        };
        format!(
            "only in `cargo tree`: {}; only in {}: {}",
            only(&compiled, &listed),
            path.display(),
            only(&listed, &compiled)
        )
    })?;
    references(&bom).map_err(|why| at(&path, &why))?;
    let inside = crates(&inside(bench)?, "packages")?;
    if let Some(one) = compiled.difference(&inside).next() {
        return Err(format!("{one} is not in the list in the program"));
    }
    let lock = String::from_utf8(read(&bench.release.root.join("Cargo.lock"))?);
    let lock = lock.map_err(|error| error.to_string())?;
    let is_unknown = |one: &&String| {
        let (name, version) = one.split_once(' ').unwrap_or_default();
        !lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n"))
    };
    match inside.iter().find(is_unknown) {
        Some(other) => Err(format!("{other} is in the program and not in Cargo.lock")),
        None => Ok(()),
    }
}

/// The list says of each of its crates what it depends on, and names no other.
fn references(bom: &str) -> Result<(), String> {
    let bom: Value = serde_json::from_str(bom).map_err(|error| error.to_string())?;
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

/// The list that `cargo-auditable` wrote into the program, as JSON.
fn inside(bench: &Bench<'_>) -> Result<String, String> {
    let section = bench.scratch.path().join("crates");
    let program = bench.unpacked.join("meshctl");
    output(
        Command::new(bench.release.target.tool("objcopy"))
            .args(["--dump-section", &format!(".dep-v0={}", section.display())])
            .arg(&program)
            .arg(bench.scratch.path().join("copy")),
    )?;
    let mut text = String::new();
    let bytes = read(&section)?;
    ZlibDecoder::new(bytes.as_slice()).read_to_string(&mut text).map_err(|e| at(&program, &e))?;
    Ok(text)
}

/// `NAME VERSION` of each element of a list.
fn crates(json: &str, list: &str) -> Result<BTreeSet<String>, String> {
    let document: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let list = document[list].as_array().ok_or_else(|| format!("no {list}"))?;
    let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    Ok(list.iter().map(|one| format!("{} {}", text(one, "name"), text(one, "version"))).collect())
}
