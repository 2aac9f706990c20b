//! mdBook: built once into a cache outside the clone, and run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::cache;

use super::failed;
use crate::programs;

/// The release. Its HTML, scripts and styles are part of the site.
const VERSION: &str = "0.5.4";
/// Search is part of the site; mdBook's own server and watcher are not needed.
const FEATURES: &[&str] = &["--no-default-features", "--features", "search"];

/// The program; cargo builds it if `$MESH_SITE`, otherwise `meshpki-site` in the user's cache folder, lacks it.
pub(super) fn provide() -> Result<PathBuf, String> {
    let cache = cache::folder("MESH_SITE", "meshpki-site")?;
    Ok(programs::provide(&cache, "mdbook", VERSION, FEATURES)?.join("mdbook"))
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
