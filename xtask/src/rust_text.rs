//! Rust source split into code and string literals, without comments: enough of the lexer to look for words in either.

/// A source file, split.
pub struct Source {
    /// The code: comments are gone, string literals are empty, lines are kept.
    pub code: String,
    /// The text of each string literal with the line it begins on.
    pub strings: Vec<(usize, String)>,
}

impl Source {
    /// Splits a file. Code marked `#[cfg(test)]` is left out: it says nothing of what a library does or depends on.
    pub fn read(text: &str) -> Self {
        let (code, strings) = split(text);
        let tests = test_lines(&code);
        let is_test = |line: usize| tests.iter().any(|(from, to)| (*from..=*to).contains(&line));
        let lines = code.lines().enumerate();
        let kept = lines.map(|(i, line)| if is_test(i + 1) { "" } else { line });
        Self {
            code: kept.collect::<Vec<_>>().join("\n"),
            strings: strings.into_iter().filter(|(line, _)| !is_test(*line)).collect(),
        }
    }
}

/// The modules a file declares for tests alone: `#[cfg(test)] mod tests;`.
pub fn test_modules(text: &str) -> Vec<String> {
    let (code, _) = split(text);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("#[cfg(test)]") {
        let item = code[at + 12..].trim_start();
        let item = item.strip_prefix("pub(crate) ").unwrap_or(item);
        let name = item.strip_prefix("mod ").and_then(|rest| rest.split_once(';'));
        found.extend(name.map(|(name, _)| name).filter(|name| is_word(name)).map(str::to_owned));
    }
    found
}

fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// The lines of each item after `#[cfg(test)]`, both ends included. rustfmt puts the end of an item at its own indent.
fn test_lines(code: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| line.trim() == "#[cfg(test)]") {
        let own = indent(line);
        let is_end = |line: &&str| {
            let line = line.trim_end();
            indent(line) == own && (line.ends_with(';') || line.ends_with('}'))
        };
        let length = lines[i..].iter().position(is_end).unwrap_or(lines.len() - i);
        found.push((i + 1, i + 1 + length));
    }
    found
}

fn split(text: &str) -> (String, Vec<(usize, String)>) {
    let (mut code, mut strings) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let line = code.matches('\n').count() + 1;
        let taken = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some((opening, length, is_raw)) = string_start(rest, &code) {
            let end = string_end(&rest[opening..], length, is_raw);
            strings.push((line, rest[opening..opening + end].to_owned()));
            code.push_str("\"\"");
            opening + end + 1 + length
        } else if c == '\'' {
            let length = char_literal(rest);
            code.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        } else {
            code.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        // Lines are kept, so that what is found has a place.
        let taken = taken.min(rest.len());
        code.extend(rest[..taken].chars().filter(|c| *c == '\n'));
        rest = &rest[taken..];
    }
    (code, strings)
}

/// Where a string's text begins, how many `#` close it, and whether it is raw.
fn string_start(rest: &str, before: &str) -> Option<(usize, usize, bool)> {
    if rest.starts_with('"') {
        return Some((1, 0, false));
    }
    let in_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let raw = rest.strip_prefix('r').or_else(|| rest.strip_prefix("br")).filter(|_| !in_word)?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let is_string = raw[hashes..].starts_with('"');
    is_string.then(|| (rest.len() - raw.len() + hashes + 1, hashes, true))
}

/// The length of the string's text.
fn string_end(text: &str, hashes: usize, is_raw: bool) -> usize {
    let end = format!("\"{}", "#".repeat(hashes));
    let mut at = 0;
    while at < text.len() {
        if !is_raw && text[at..].starts_with('\\') {
            at += 1;
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        } else if text[at..].starts_with(&end) {
            return at;
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a character literal, or 1 for the quote of a lifetime.
fn char_literal(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => rest[3..].find('\'').map_or(1, |end| end + 4),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_and_strings() {
        let check = |text: &str, code: &str, strings: &[(usize, &str)]| {
            let found = Source::read(text);
            let strings: Vec<_> =
                strings.iter().map(|(line, s)| (*line, (*s).to_owned())).collect();
            assert_eq!((found.code.as_str(), &found.strings), (code, &strings), "{text}");
        };
        check("let a = \"b\"; // c \"d\"", "let a = \"\"; ", &[(1, "b")]);
        check("x\n/* \"y\"\n */ z(\"\\\"\\\\\")", "x\n\n z(\"\")", &[(3, "\\\"\\\\")]);
        check(
            "r#\"a \"b\" c\"# + r\"\\\" + br\"d\"",
            "\"\" + \"\" + \"\"",
            &[(1, "a \"b\" c"), (1, "\\"), (1, "d")],
        );
        check(
            "fn f<'a>(c: &'a str) -> char { '\"' }",
            "fn f<'a>(c: &'a str) -> char { '\"' }",
            &[],
        );
        check("b'\\'' 'x' '\\u{1f}' \"s\"", "b'\\'' 'x' '\\u{1f}' \"\"", &[(1, "s")]);
        check("a\n#[cfg(test)]\nmod tests {\n    \"b\"\n}\nc", "a\n\n\n\n\nc", &[]);
        check("a\n#[cfg(test)]\nmod tests;\nc", "a\n\n\nc", &[]);
    }

    #[test]
    fn modules_for_tests() {
        let text = "mod a;\n#[cfg(test)]\nmod fake;\n#[cfg(test)]\nmod tests { fn f() {} }\n";
        assert_eq!(test_modules(text), ["fake"]);
    }
}
