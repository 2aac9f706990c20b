//! `cargo xtask site`: the documentation as a site, in `target/site`.
//!
//! The pages of `docs` are copied, pages are added for every command, every code and every JSON schema, and mdBook makes
//! HTML of them. A link to a file or a heading that does not exist is an error.

mod book;
mod codes;
mod commands;
mod links;
mod look;
mod recording;
mod schemas;
mod stage;

use std::path::{Path, PathBuf};

use stage::Stage;

/// Builds the site and checks every link in it; with `--look`, in a browser too.
pub(crate) fn run(args: &[&str]) -> Result<(), String> {
    let is_looked_at = match args {
        [] => false,
        ["--look"] => true,
        _ => return Err("usage: cargo xtask site [--look]".to_owned()),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no folder")?.to_owned();
    let source = root.join("target/site-source");
    let site = root.join("target/site");
    let mdbook = book::provide()?;
    let mut stage = Stage::new(&root, &source)?;
    commands::write(&mut stage)?;
    codes::write(&mut stage)?;
    schemas::write(&mut stage)?;
    recording::write(&mut stage)?;
    stage.finish()?;
    book::build(&mdbook, &source, &site)?;
    let pages = links::check(&site)?;
    println!("{pages} pages in {}", site.display());
    if is_looked_at {
        look::run(&site, &root.join("target/site-look"))?;
    }
    Ok(())
}

/// An error of a file.
fn failed(path: &Path) -> impl Fn(std::io::Error) -> String {
    let path = PathBuf::from(path);
    move |error| format!("{}: {error}", path.display())
}
