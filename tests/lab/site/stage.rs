//! The pages before mdBook reads them: those of `docs`, those next to it, and those that are generated.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::failed;

/// Pages at the root of the repository that are part of the site, under these names.
const OUTSIDE: [(&str, &str); 3] = [
    ("COMPARE.md", "compare.md"),
    ("SECURITY.md", "security.md"),
    ("CHANGELOG.md", "changelog.md"),
];
/// A page of the repository that is not for readers of the site.
const LEFT_OUT: &str = "STYLE.md";
/// What the table of contents has below the pages of `docs`.
const REFERENCE: &str = "\n# Reference\n\n";

/// The folder that mdBook reads.
pub(super) struct Stage {
    folder: PathBuf,
    /// Lines of the table of contents for what is generated.
    contents: String,
    /// Every code with its page.
    codes: Vec<(String, String)>,
}

impl Stage {
    /// Copies the pages into an empty folder.
    pub(super) fn new(root: &Path, folder: &Path) -> Result<Self, String> {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(failed(folder))?;
        }
        let stage = Self { folder: folder.to_owned(), contents: String::new(), codes: Vec::new() };
        stage.copy(&root.join("docs"), Path::new(""))?;
        for (name, here) in OUTSIDE {
            let path = root.join(name);
            let text = fs::read_to_string(&path).map_err(failed(&path))?;
            stage.put(here, inside(&text))?;
        }
        Ok(stage)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<(), String> {
        for entry in fs::read_dir(from).map_err(failed(from))? {
            let path = entry.map_err(failed(from))?.path();
            let Some(name) = path.file_name() else { continue };
            let to = to.join(name);
            if path.is_dir() {
                self.copy(&path, &to)?;
            } else if name != LEFT_OUT {
                let content = fs::read(&path).map_err(failed(&path))?;
                self.put(&to, content)?;
            }
        }
        Ok(())
    }

    /// Writes a file.
    pub(super) fn put(
        &self,
        name: impl AsRef<Path>,
        content: impl AsRef<[u8]>,
    ) -> Result<(), String> {
        let path = self.folder.join(name);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(failed(folder))?;
        fs::write(&path, content).map_err(failed(&path))
    }

    /// Whether a file is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.folder.join(name).exists()
    }

    /// Reads a file that is there.
    pub(super) fn read(&self, name: &str) -> Result<String, String> {
        let path = self.folder.join(name);
        fs::read_to_string(&path).map_err(failed(&path))
    }

    /// Writes a generated page, and adds it to the table of contents at this depth.
    pub(super) fn add(
        &mut self,
        depth: usize,
        title: &str,
        name: &str,
        text: &str,
    ) -> Result<(), String> {
        let _ = writeln!(self.contents, "{}- [{title}]({name})", "  ".repeat(depth));
        self.put(name, text)
    }

    /// Adds a page that is there to the table of contents.
    pub(super) fn list(&mut self, title: &str, name: &str) {
        let _ = writeln!(self.contents, "- [{title}]({name})");
    }

    /// Every page that is not generated, with its text.
    pub(super) fn pages(&self) -> Result<Vec<(String, String)>, String> {
        let mut pages = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed(&self.folder))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".md") && name != "SUMMARY.md" {
                pages.push((name.clone(), self.read(&name)?));
            }
        }
        pages.sort();
        Ok(pages)
    }

    /// From now on, a code in any page leads to its own.
    pub(super) fn link_codes(&mut self, codes: Vec<(String, String)>) {
        self.codes = codes;
    }

    /// Completes the table of contents, and turns links that are for the repository into those of the site.
    pub(super) fn finish(self) -> Result<(), String> {
        for (name, text) in self.pages()? {
            self.put(&name, self.with_codes(&outside(&text)))?;
        }
        let summary = outside(&self.read("SUMMARY.md")?);
        self.put("SUMMARY.md", format!("{summary}{REFERENCE}{}", self.contents))
    }

    /// A page with links on its codes, except in blocks and in links.
    fn with_codes(&self, text: &str) -> String {
        let mut is_block = false;
        let mut all = String::new();
        for line in text.split_inclusive('\n') {
            let is_fence = line.trim_start().starts_with("```");
            is_block ^= is_fence;
            if is_block || is_fence || line.starts_with('#') {
                all += line;
                continue;
            }
            let mut line = line.to_owned();
            for (code, page) in &self.codes {
                line = linked(&line, code, page);
            }
            all += &line;
        }
        all
    }
}

/// A line in which every `` `code` `` outside of a link is one.
fn linked(line: &str, code: &str, page: &str) -> String {
    let span = format!("`{code}`");
    let mut all = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once(&span) {
        let is_link = before.ends_with('[');
        all += before;
        all += &if is_link { span.clone() } else { format!("[{span}]({page})") };
        rest = after;
    }
    all + rest
}

/// A page of the repository's root as one in `docs`. Its links to what is not on the site are words only.
fn inside(text: &str) -> String {
    let mut all = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let (target, after) = after.split_once(')').unwrap_or((after, ""));
        let here = OUTSIDE.iter().find(|(name, _)| target.starts_with(name));
        let target = match here {
            Some((name, here)) => Some(target.replacen(name, here, 1)),
            None if target.contains("://") || target.starts_with('#') => Some(target.to_owned()),
            None => target.strip_prefix("docs/").map(str::to_owned),
        };
        match (target, before.rsplit_once('[')) {
            (None, Some((before, words))) => all += &format!("{before}{words}"),
            (target, _) => all += &format!("{before}]({})", target.unwrap_or_default()),
        }
        rest = after;
    }
    all + rest
}

/// A page of `docs` whose links to the repository's root lead to the pages of the site.
fn outside(text: &str) -> String {
    OUTSIDE.iter().fold(text.to_owned(), |text, (name, here)| {
        text.replace(&format!("](../{name}"), &format!("]({here}"))
    })
}
