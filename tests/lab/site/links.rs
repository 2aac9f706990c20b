//! Links of the site: each leads to a file that is there, and to a heading in it; nothing is loaded from elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::failed;

/// What a page has.
#[derive(Default)]
struct Page {
    /// Places that links can lead to.
    ids: BTreeSet<String>,
    /// Where its links lead, and whether the reader chooses to follow each.
    links: Vec<(String, bool)>,
}

/// Checks every page of a site, and returns how many there are.
pub(super) fn check(site: &Path) -> Result<usize, String> {
    let files = files(site)?;
    let mut pages = BTreeMap::new();
    for name in files.iter().filter(|name| is_page(name)) {
        let path = site.join(name);
        let text = fs::read_to_string(&path).map_err(failed(&path))?;
        pages.insert(name.clone(), read(&text));
    }
    let mut problems = Vec::new();
    for (name, page) in &pages {
        for (link, is_optional) in &page.links {
            if let Some(why) = broken(name, link, *is_optional, &files, &pages) {
                problems.push(format!("{}: {link}: {why}", name.display()));
            }
        }
    }
    problems.sort();
    problems.dedup();
    if problems.is_empty() {
        return Ok(pages.len());
    }
    Err(format!("broken links: {}\n  {}", problems.len(), problems.join("\n  ")))
}

/// Every file of a site, by its path in it.
pub(super) fn files(site: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let mut files = BTreeSet::new();
    collect(site, Path::new(""), &mut files)?;
    Ok(files)
}

/// Whether a file of a site is a page.
pub(super) fn is_page(name: &Path) -> bool {
    name.extension().is_some_and(|end| end == "html")
}

fn collect(site: &Path, folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), String> {
    let path = site.join(folder);
    for entry in fs::read_dir(&path).map_err(failed(&path))?.flatten() {
        let name = folder.join(entry.file_name());
        if entry.path().is_dir() {
            collect(site, &name, files)?;
        } else {
            files.insert(name);
        }
    }
    Ok(())
}

/// The ids and links in HTML.
fn read(text: &str) -> Page {
    let mut page = Page::default();
    for tag in text.split('<').skip(1) {
        let tag = tag.split_once('>').map_or(tag, |(tag, _)| tag);
        page.ids.extend(attribute(tag, "id"));
        let is_optional = tag.starts_with("a ");
        let links = ["href", "src"].into_iter().filter_map(|name| attribute(tag, name));
        page.links.extend(links.map(|link| (link, is_optional)));
    }
    page
}

/// The value of an attribute in a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("&amp;", "&"))
}

/// Why a link of a page does not work.
fn broken(
    page: &Path,
    link: &str,
    is_optional: bool,
    files: &BTreeSet<PathBuf>,
    pages: &BTreeMap<PathBuf, Page>,
) -> Option<String> {
    if link.contains("://") {
        // A reader may follow it. A browser must not.
        return (!is_optional).then(|| "is loaded from elsewhere".to_owned());
    }
    if link.starts_with("mailto:") || link.starts_with("data:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = path.split('?').next().unwrap_or(path);
    let target = if path.is_empty() { page.to_owned() } else { resolved(page, path) };
    let target = if files.contains(&target) { target } else { target.join("index.html") };
    if !files.contains(&target) {
        return Some("there is no such file".to_owned());
    }
    let ids = &pages.get(&target)?.ids;
    (!anchor.is_empty() && !ids.contains(anchor)).then(|| "there is no such heading".to_owned())
}

/// A path relative to a page, from the root of the site.
fn resolved(page: &Path, path: &str) -> PathBuf {
    let mut target = page.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::ParentDir => {
                target.pop();
            }
            Component::Normal(name) => target.push(name),
            _ => {}
        }
    }
    target
}
