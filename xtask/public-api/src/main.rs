//! Compares the public API of each crate with `crates/NAME/public-api.txt`; with `--update`, writes that file.
//!
//! The API is read from rustdoc's JSON, which the pinned compiler writes with `RUSTC_BOOTSTRAP=1`. Cargo must not see that
//! variable: build scripts look at it, and everything would be compiled again. So cargo calls this program as rustdoc.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const CRATES: [&str; 3] = ["meshpki", "meshconfig", "meshapply"];

/// Set where cargo calls this program as rustdoc.
const AS_RUSTDOC: &str = "PUBLIC_API_AS_RUSTDOC";

fn main() -> ExitCode {
    if std::env::var_os(AS_RUSTDOC).is_some() {
        return as_rustdoc();
    }
    let update = std::env::args().any(|arg| arg == "--update");
    let results: Vec<_> = CRATES.into_iter().map(|name| check(name, update)).collect();
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    for failure in &failures {
        eprintln!("{failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs rustdoc with the same arguments, and unstable options.
fn as_rustdoc() -> ExitCode {
    let args = std::env::args_os().skip(1);
    let status = Command::new("rustdoc").args(args).env("RUSTC_BOOTSTRAP", "1").status();
    if status.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(name: &str, update: bool) -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = root.join("crates").join(name).join("public-api.txt");
    let found = api(&root, name)?;
    if update {
        return std::fs::write(&file, found)
            .map_err(|error| format!("{}: {error}", file.display()));
    }
    let recorded = std::fs::read_to_string(&file).unwrap_or_default();
    let lost = recorded.lines().filter(|line| !found.lines().any(|other| other == *line));
    let new = found.lines().filter(|line| !recorded.lines().any(|other| other == *line));
    let changes: Vec<String> =
        lost.map(|line| format!("- {line}")).chain(new.map(|line| format!("+ {line}"))).collect();
    if changes.is_empty() {
        println!("{name}: {} public items, as recorded", found.lines().count());
        return Ok(());
    }
    Err(format!(
        "{name}: the public API differs from {}:\n{}\nrecord it with `--update`",
        file.display(),
        changes.join("\n")
    ))
}

/// The public API, one item a line; without what is hidden from documentation, and without blanket and auto traits.
fn api(root: &Path, name: &str) -> Result<String, String> {
    let json = rustdoc(root, name)?;
    let api = public_api::Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|error| format!("{}: {error}", json.display()))?;
    Ok(api.items().map(|item| format!("{item}\n")).collect())
}

fn rustdoc(root: &Path, name: &str) -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    // At run time: the path a kept build remembers may be another machine's.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .env("RUSTDOC", this)
        .env(AS_RUSTDOC, "1")
        .env("CARGO_TARGET_DIR", &target)
        .args(["rustdoc", "--quiet", "--locked", "--lib", "--all-features", "-p", name, "--"])
        .args(["-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"])
        .status()
        .map_err(|error| format!("cargo rustdoc: {error}"))?;
    if !status.success() {
        return Err(format!("cargo rustdoc -p {name} failed"));
    }
    Ok(target.join("doc").join(format!("{name}.json")))
}
