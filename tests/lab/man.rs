//! `cargo xtask man DIR`: the manual pages of every command.

use std::path::Path;

/// Writes every page to a folder, which is made if it does not exist.
pub(crate) fn run(dir: &str) -> Result<(), String> {
    let dir = Path::new(dir);
    let failed = |error: std::io::Error| format!("{}: {error}", dir.display());
    std::fs::create_dir_all(dir).map_err(failed)?;
    let pages = tests::manual::pages();
    for (name, text) in &pages {
        std::fs::write(dir.join(name), text).map_err(failed)?;
    }
    println!("{} pages in {}", pages.len(), dir.display());
    Ok(())
}
