//! `cargo xtask tidy`: what the compiler does not check.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::{prose, supply};

/// The order of the crates: each may depend only on those to its left.
const LINE: &[&str] = &["meshpki", "meshconfig", "meshapply", "meshctl"];
/// Crates that use neither files nor clocks: `no_std`, and without the [`IMPURE`] dependencies.
const PURE: &[&str] = &["meshpki", "meshconfig"];
const IMPURE: &[&str] = &["tokio", "kube", "hyper", "clap", "rpassword", "rustix", "tempfile"];
/// Size limit of a file in git, in bytes.
const FILE_MAX: u64 = 256 << 10;

/// Runs every check and lists all problems.
pub fn run() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut problems = Vec::new();
    dependencies(&root, &mut problems)?;
    purity(&root, &mut problems);
    let names = names(&root)?;
    let names: Vec<&str> = names.split_terminator('\0').collect();
    files(&root, &names, &mut problems);
    prose::check(&root, &names, &mut problems);
    supply::check(&root, &mut problems)?;
    if problems.is_empty() {
        return Ok(());
    }
    Err(format!("{} problems:\n  {}", problems.len(), problems.join("\n  ")))
}

/// Lists the phrases to rewrite below a path.
pub fn prose(path: &str) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let names = names(&root)?;
    prose::list(&root, &names.split_terminator('\0').collect::<Vec<_>>(), path)
}

/// Every file in git, each followed by a zero byte.
fn names(root: &Path) -> Result<String, String> {
    let output = Command::new("git").current_dir(root).args(["ls-files", "-z"]).output();
    let output = output.map_err(|error| format!("git ls-files: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Dependencies point left, and the pure crates reach nothing impure.
fn dependencies(root: &Path, problems: &mut Vec<String>) -> Result<(), String> {
    for (i, name) in LINE.iter().enumerate() {
        if !root.join("crates").join(name).exists() {
            continue;
        }
        let mut command = Command::new(env!("CARGO"));
        command
            .current_dir(root)
            .args(["tree", "--locked", "-p", name, "--edges", "normal", "--prefix", "none"]);
        let output = command.output().map_err(|error| format!("cargo tree: {error}"))?;
        if !output.status.success() {
            return Err(format!(
                "cargo tree -p {name}: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let below: BTreeSet<&str> =
            text.lines().filter_map(|line| line.split(' ').next()).collect();
        for right in &LINE[i + 1..] {
            if below.contains(right) {
                problems.push(format!("{name} depends on {right}, which is to its right"));
            }
        }
        for bad in IMPURE.iter().filter(|bad| PURE.contains(name) && below.contains(**bad)) {
            problems.push(format!("{name} must be pure, but depends on {bad}"));
        }
    }
    Ok(())
}

fn purity(root: &Path, problems: &mut Vec<String>) {
    for name in PURE {
        let lib = root.join("crates").join(name).join("src/lib.rs");
        if lib.exists() && !read(&lib).contains("#![no_std]") {
            problems.push(format!("{} lacks #![no_std]", lib.display()));
        }
    }
}

/// Large files, and notes about unfinished work.
fn files(root: &Path, names: &[&str], problems: &mut Vec<String>) {
    let marks = [["FIX", "ME"].concat(), ["TO", "DO"].concat(), ["todo", "!("].concat()];
    for name in names {
        let path = root.join(name);
        let size = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        if size > FILE_MAX {
            problems.push(format!(
                "{name} has {} KiB; the limit is {}",
                size >> 10,
                FILE_MAX >> 10
            ));
        }
        if name.ends_with(".rs") && marks.iter().any(|mark| read(&path).contains(mark.as_str())) {
            problems.push(format!("{name} has a note about unfinished work"));
        }
    }
}
