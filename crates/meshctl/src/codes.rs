//! Every code of an error or a warning with its explanation, as `docs/errors.md` has it.

/// A code of an error or a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code<'a> {
    /// The heading it is listed under.
    pub section: &'a str,
    /// The code, such as `ctl/busy`.
    pub name: &'a str,
    /// What it means, in Markdown.
    pub meaning: &'a str,
    /// What to do, in Markdown; empty if the meaning says it.
    pub remedy: &'a str,
}

/// The page with all codes. `errors.md` of this crate is a link to it, so that a packaged crate has it too.
const PAGE: &str = include_str!("../errors.md");

/// Every code, in the order of the page.
pub fn all() -> impl Iterator<Item = Code<'static>> {
    let mut section = "";
    PAGE.lines().filter_map(move |line| {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        }
        let mut cells = line.strip_prefix("| `")?.strip_suffix('|')?.split(" |");
        let name = cells.next()?.strip_suffix('`')?;
        let mut cell = || cells.next().unwrap_or_default().trim();
        Some(Code { section, name, meaning: cell(), remedy: cell() })
    })
}

/// Markdown as text for a terminal: a link becomes its words and its target.
pub(crate) fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, words, target, after)) = first_link(rest) {
        let place = if target.contains("://") { "" } else { "docs/" };
        text += &format!("{before}{words}: {place}{target}");
        rest = after;
    }
    text + rest
}

/// The text before the first link, its words, its target, and the rest.
fn first_link(text: &str) -> Option<(&str, &str, &str, &str)> {
    let (begin, after) = text.split_once("](")?;
    let (target, after) = after.split_once(')')?;
    let (before, words) = begin.rsplit_once('[')?;
    Some((before, words, target, after))
}

#[cfg(test)]
mod tests {
    use super::{all, plain};

    #[test]
    fn every_line_of_the_page_is_read() {
        let rows = super::PAGE.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(all().count(), rows);
        for code in all() {
            assert!(code.name.contains('/') && !code.section.is_empty(), "{code:?}");
            assert!(!code.meaning.is_empty(), "{code:?}");
        }
    }

    #[test]
    fn links_become_text() {
        let check = |markdown, expect| assert_eq!(plain(markdown), expect);
        check("no `link`", "no `link`");
        check("ask ([rules](a.md#b)), then `c`", "ask (rules: docs/a.md#b), then `c`");
        check("[one](https://a.example) [two](b.md)", "one: https://a.example two: docs/b.md");
        check("`keys[0].x5c[0]` (no link)", "`keys[0].x5c[0]` (no link)");
    }
}
