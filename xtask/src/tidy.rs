//! `cargo xtask tidy`: what the compiler does not check.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::rust_text::Source;
use crate::{layers, prose, supply};

/// The order of the crates: each may depend only on those to its left.
const LINE: &[&str] = &["meshpki", "meshconfig", "meshapply", "meshctl"];
/// Crates that use neither files nor clocks: `no_std`, and without the [`IMPURE`] dependencies.
const PURE: &[&str] = &["meshpki", "meshconfig"];
const IMPURE: &[&str] = &["tokio", "kube", "hyper", "clap", "rpassword", "rustix", "tempfile"];
/// Programs whose command lines a pure crate leaves to its callers: it states what is wrong and what would help.
const PROGRAMS: &[&str] =
    &["meshctl", "kubectl", "istioctl", "helm", "openssl", "mv", "mkdir", "cp"];
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
    command_lines(&root, &names, &mut problems);
    layers::check(&root, &mut problems);
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

/// The pure crates write no command line: no string of theirs has a program's name followed by an argument.
fn command_lines(root: &Path, names: &[&str], problems: &mut Vec<String>) {
    for name in names {
        let is_pure = PURE.iter().any(|pure| name.starts_with(&format!("crates/{pure}/src/")));
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        if !is_pure || is_test || !name.ends_with(".rs") {
            continue;
        }
        for (line, text) in Source::read(&read(&root.join(name))).strings {
            if let Some(program) = PROGRAMS.iter().find(|program| is_command(&text, program)) {
                problems
                    .push(format!("{name}:{line} names a command of {program}, in a pure crate"));
            }
        }
    }
}

/// Whether a text has a command of this program: at its beginning, in backticks or after `&&`.
fn is_command(text: &str, program: &str) -> bool {
    text.match_indices(program).any(|(at, _)| {
        let before = text[..at].trim_end_matches(' ');
        let starts = before.is_empty() || before.ends_with(['`', '&', '\n']);
        let rest = &text[at + program.len()..];
        starts && rest.starts_with(' ') && !rest[1..].starts_with(' ')
    })
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

#[cfg(test)]
mod tests {
    use super::is_command;

    #[test]
    fn commands_in_texts() {
        let check = |text: &str, program: &str, expect| {
            assert_eq!(is_command(text, program), expect, "{text}")
        };
        check("meshctl ca init <ca>", "meshctl", true);
        check("`kubectl get pods` shows it", "kubectl", true);
        check("mkdir -p a && mv b a", "mv", true);
        check("the meshctl command", "meshctl", false);
        check("meshctl/v1", "meshctl", false);
        check("openssl verify", "openssl", true);
        check("as openssl does", "openssl", false);
    }
}
