//! A page for every code of an error or a warning: what it means, what to do, and which pages say more.

use std::fmt::Write as _;

use meshctl::codes::{self, Code};

use super::stage::Stage;

/// The page with all of them.
const ALL: &str = "errors.md";

/// Adds the pages.
pub(super) fn write(stage: &mut Stage) -> Result<(), String> {
    let pages = stage.pages()?;
    let list = stage.read(ALL)?;
    stage.list("Errors and warnings", ALL);
    let mut places = Vec::new();
    for code in codes::all() {
        let name = format!("errors/{}.md", code.name.replace('/', "-"));
        let text = page(&code, about(&list, code.section), &mentions(&code, &pages));
        stage.add(1, code.name, &name, &text)?;
        places.push((code.name.to_owned(), name));
    }
    stage.link_codes(places);
    Ok(())
}

/// What the list says about a section, above its table.
fn about<'a>(list: &'a str, section: &str) -> &'a str {
    let (_, after) = list.split_once(&format!("## {section}\n")).unwrap_or_default();
    after.split_once("| code |").map_or("", |(text, _)| text.trim())
}

/// Pages that have the code in their text: title and name.
fn mentions(code: &Code<'_>, pages: &[(String, String)]) -> Vec<(String, String)> {
    let span = format!("`{}`", code.name);
    let is_other = |name: &str| name != ALL && name != "changelog.md";
    let found = pages.iter().filter(|(name, text)| is_other(name) && text.contains(&span));
    found.filter_map(|(name, text)| Some((title(text)?, name.clone()))).collect()
}

fn title(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("# ")).map(str::to_owned)
}

/// The page. It is a folder below the pages that its Markdown was written for.
fn page(code: &Code<'_>, about: &str, mentions: &[(String, String)]) -> String {
    let mut page = format!("# {}\n\n## What it means\n\n{}\n", code.name, sentence(code.meaning));
    if !code.remedy.is_empty() {
        let _ = write!(page, "\n## What to do\n\n{}\n", sentence(code.remedy));
    }
    let _ = write!(page, "\n## Where it comes from\n\n{}\n\n", code.section);
    if !about.is_empty() {
        let _ = write!(page, "{}\n\n", relative(about));
    }
    let _ = writeln!(
        page,
        "`meshctl explain {}` prints this text. [All errors and warnings](../{ALL}).",
        code.name
    );
    if !mentions.is_empty() {
        page += "\n## Pages about it\n\n";
        for (title, name) in mentions {
            let _ = writeln!(page, "- [{title}](../{name})");
        }
    }
    page
}

/// A cell of a table as a sentence of its own.
fn sentence(cell: &str) -> String {
    let mut rest = cell.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if cell.ends_with(['.', ':']) { "" } else { "." };
    relative(&format!("{first}{}{end}", rest.as_str()))
}

/// Markdown whose links are relative to the folder above.
fn relative(text: &str) -> String {
    let mut all = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        all += before;
        all += if is_url(after) { "](" } else { "](../" };
        rest = after;
    }
    all + rest
}

/// Whether the target that a text begins with is on another site.
fn is_url(after: &str) -> bool {
    after.split(')').next().is_some_and(|target| target.contains("://"))
}
