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
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = match rustdoc(&root) {
        Ok(folder) => folder,
        Err(failure) => {
            eprintln!("{failure}");
            return ExitCode::FAILURE;
        }
    };
    let results = CRATES.into_iter().map(|name| check(&root, &folder, name, update));
    let failures: Vec<String> = results.filter_map(Result::err).collect();
    for failure in &failures {
        eprintln!("{failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs rustdoc with the same arguments, and unstable options; other crates of the workspace are passed over.
fn as_rustdoc() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let name = args.iter().skip_while(|arg| *arg != "--crate-name").nth(1);
    // Without a name, cargo asks for the version.
    if name.is_some_and(|name| !CRATES.iter().any(|known| name == known)) {
        return ExitCode::SUCCESS;
    }
    let status = Command::new("rustdoc").args(args).env("RUSTC_BOOTSTRAP", "1").status();
    if status.is_ok_and(|status| status.success()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(root: &Path, folder: &Path, name: &str, update: bool) -> Result<(), String> {
    let file = root.join("crates").join(name).join("public-api.txt");
    let found = api(&folder.join(format!("{name}.json")))?;
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
fn api(json: &Path) -> Result<String, String> {
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|error| format!("{}: {error}", json.display()))?;
    Ok(api.items().map(|item| format!("{item}\n")).collect())
}

/// Has cargo describe the crates, and returns the folder with their files. The whole workspace is selected, as for lints:
/// each crate alone has other features of its dependencies, which would be compiled again.
fn rustdoc(root: &Path) -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|error| format!("this program: {error}"))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    // At run time: the path a kept build remembers may be another machine's.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .env("RUSTDOC", this)
        .env(AS_RUSTDOC, "1")
        .env("RUSTDOCFLAGS", "-Z unstable-options --output-format json --cap-lints allow")
        .env("CARGO_TARGET_DIR", &target)
        .args(["doc", "--quiet", "--locked", "--workspace", "--no-deps", "--all-features"])
        .status()
        .map_err(|error| format!("cargo doc: {error}"))?;
    if !status.success() {
        return Err("cargo doc failed".to_owned());
    }
    Ok(target.join("doc"))
}
