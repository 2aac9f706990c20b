//! Colors for the words that a line begins with. Nothing in a text depends on them.

use std::borrow::Cow;

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const OFF: &str = "\x1b[0m";

/// Beginnings of lines, and their colors; `[` at the end: up to the closing bracket.
const MARKS: &[(&str, &str)] = &[
    ("error[", RED),
    ("warning[", YELLOW),
    ("error:", RED),
    ("hint:", CYAN),
    ("next:", CYAN),
    ("[ok]", GREEN),
    ("[warn]", YELLOW),
    ("[fail]", RED),
    ("[?]", YELLOW),
    ("Usage:", BOLD),
];

/// First words of lines, and their colors: the states of certificates.
const WORDS: &[(&str, &str)] =
    &[("EXPIRED", RED), ("UNREADABLE", RED), ("DUE", YELLOW), ("ok", GREEN)];

/// Lines that are headings.
const HEADINGS: &[&str] = &[
    "Arguments:",
    "Commands:",
    "Examples:",
    "Exit status:",
    "Options:",
    "Start here:",
    "what to do, in order",
];

/// The text with colors, or as it is.
pub(crate) fn painted(text: &str, in_color: bool) -> Cow<'_, str> {
    if !in_color {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split_inclusive('\n').map(line).collect())
}

fn line(line: &str) -> String {
    let begin = line.len() - line.trim_start_matches(' ').len();
    let (indent, rest) = line.split_at(begin);
    let content = rest.trim_end_matches('\n');
    if HEADINGS.contains(&content) {
        return format!("{indent}{BOLD}{content}{OFF}{}", &rest[content.len()..]);
    }
    let mark = MARKS.iter().find_map(|(start, color)| {
        let after = rest.strip_prefix(start)?;
        // A code follows, up to its bracket.
        let code = if start.ends_with('[') { after.find(']')? + 1 } else { 0 };
        Some((start.len() + code, *color))
    });
    let word = || {
        let (first, color) = WORDS.iter().find(|(word, _)| {
            rest.strip_prefix(word).is_some_and(|after| after.starts_with("  "))
        })?;
        (begin == 0).then_some((first.len(), *color))
    };
    let Some((length, color)) = mark.or_else(word) else { return line.to_owned() };
    let (painted, plain) = rest.split_at(length);
    format!("{indent}{color}{painted}{OFF}{plain}")
}

#[cfg(test)]
mod tests {
    use super::painted;

    #[test]
    fn words_that_lines_begin_with() {
        let check = |text: &str, expect: &str| {
            let found = painted(text, true).replace("\x1b[", "<").replace('m', ">");
            assert_eq!(found, expect);
            assert_eq!(painted(text, false), text);
        };
        check("error[ctl/io]: no\n", "<1;31>error[ctl/io]<0>: no\n");
        check("a\n  next: go\n\n", "a\n  <36>next:<0> go\n\n");
        check("[ok]   east", "<32>[ok]<0>   east");
        check("error[x", "error[x");
        check("Options:\n", "<1>Options:<0>\n");
        check("EXPIRED  2020", "<1;31>EXPIRED<0>  2020");
        check("EXPIREDX", "EXPIREDX");
        check("{\"error[a]\": 1}", "{\"error[a]\": 1}");
    }
}
