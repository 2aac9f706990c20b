//! mdBook: built once into a cache outside the clone, and run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::failed;

/// The release. Its HTML, scripts and styles are part of the site.
const VERSION: &str = "0.5.4";

/// The program; built with cargo if the cache lacks it.
pub(super) fn provide() -> Result<PathBuf, String> {
    let place = cache()?.join(format!("mdbook-{VERSION}"));
    let program = place.join("bin/mdbook");
    if !is_good(&program) {
        println!("mdBook {VERSION} is missing; cargo builds it into {}", place.display());
        let mut command = Command::new(env!("CARGO"));
        // Search is part of the site; its own server and watcher are not needed.
        command
            .args(["install", "mdbook", "--version", VERSION, "--locked", "--quiet"])
            .args(["--no-default-features", "--features", "search", "--root"])
            .arg(&place)
            .env_remove("CARGO_TARGET_DIR")
            .current_dir(std::env::temp_dir());
        let status = command.status().map_err(|error| format!("cargo install: {error}"))?;
        if !status.success() || !is_good(&program) {
            return Err(format!("mdBook {VERSION} was not built"));
        }
    }
    Ok(program)
}

fn is_good(program: &Path) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim_end().ends_with(VERSION))
}

/// `$MESH_SITE`, otherwise `meshpki-site` in the user's cache folder.
fn cache() -> Result<PathBuf, String> {
    if let Some(place) = std::env::var_os("MESH_SITE") {
        return Ok(place.into());
    }
    let home = std::env::var_os("HOME").ok_or("HOME is not set; MESH_SITE names a folder")?;
    let caches = std::env::var_os("XDG_CACHE_HOME")
        .map_or_else(|| Path::new(&home).join(".cache"), PathBuf::from);
    Ok(caches.join("meshpki-site"))
}

/// Makes HTML of the pages. What mdBook warns about is an error.
pub(super) fn build(mdbook: &Path, source: &Path, site: &Path) -> Result<(), String> {
    match fs::remove_dir_all(site) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed(site)(error));
        }
        _ => {}
    }
    fs::create_dir_all(site).map_err(failed(site))?;
    let site = fs::canonicalize(site).map_err(failed(site))?;
    let mut command = Command::new(mdbook);
    command.arg("build").arg(source).arg("--dest-dir").arg(&site).env("NO_COLOR", "1");
    let output = command.output().map_err(|error| format!("mdbook: {error}"))?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let is_warning = |line: &&str| line.contains("WARN") || line.contains("ERROR");
    let warnings: Vec<&str> = said.lines().filter(is_warning).collect();
    if !output.status.success() || !warnings.is_empty() {
        return Err(format!("mdbook: {said}"));
    }
    let config = site.join("book.toml");
    fs::remove_file(&config).map_err(failed(&config))
}
