//! Programs in Go. Modules that one needs beyond the standard library are fetched when it is first built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use super::missing;

/// Builds a program of `tests/` with `go`, once per process; `None` if there is no `go`, or a module cannot be fetched.
///
/// # Panics
/// When it does not compile.
pub fn program(name: &'static str, source: &str) -> Option<PathBuf> {
    program_of(name, source, "go.mod")
}

/// The same with the versions of another file than go.mod.
///
/// # Panics
/// When it does not compile.
pub fn program_of(name: &'static str, source: &str, versions: &str) -> Option<PathBuf> {
    static BUILT: Mutex<BTreeMap<&str, Result<PathBuf, String>>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    match built.entry(name).or_insert_with(|| build(name, source, versions)) {
        Ok(program) => Some(program.clone()),
        Err(why) => {
            missing("go", why);
            None
        }
    }
}

fn build(name: &str, source: &str, versions: &str) -> Result<PathBuf, String> {
    let target = std::env::current_exe().map_err(|error| error.to_string())?;
    let program = target.with_file_name(name);
    // Reads every module and compiles nothing: what fails is the way to the modules.
    let versions = format!("-modfile={versions}");
    go(source, Command::new("go").args(["list", &versions, "-deps", "."]))?;
    let mut command = Command::new("go");
    let built = go(source, command.args(["build", &versions, "-o"]).arg(&program).arg("."));
    Ok(built.map(|()| program).expect("a program that compiles"))
}

fn go(source: &str, command: &mut Command) -> Result<(), String> {
    let output = command
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(source))
        .env("GOFLAGS", "-mod=readonly")
        .env("CGO_ENABLED", "0")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}
