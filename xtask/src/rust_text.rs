//! Rust source split into code, comments and literals: enough of a lexer to look for words in each.

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

/// Whether an attribute leaves its item to tests.
fn is_for_tests(line: &str) -> bool {
    line == "#[cfg(test)]" || line.starts_with("#[cfg(all(test, ")
}

/// The lines of each item after `#[cfg(test)]`, both ends included. rustfmt puts the end of an item at its own indent.
fn test_lines(code: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut found = Vec::new();
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| is_for_tests(line.trim())) {
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
    for token in tokens(text) {
        if let Kind::Code | Kind::Char = token.kind {
            code.push_str(token.text);
            continue;
        }
        if token.kind == Kind::String {
            strings.push((token.line, token.inside().to_owned()));
            code.push_str("\"\"");
        }
        // Lines are kept, so that what is found has a place.
        code.extend(token.text.chars().filter(|c| *c == '\n'));
    }
    (code, strings)
}

/// A part of a source: a comment, a literal, or the code up to the next one.
pub struct Token<'a> {
    pub kind: Kind,
    /// Everything of it, quotes and slashes included.
    pub text: &'a str,
    /// The line it begins on, from 1.
    pub line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Code,
    /// `// ...` without the end of its line, or `/* ... */`.
    Comment,
    /// A string of any kind, without a prefix `b` or `c`.
    String,
    /// A character or a byte, without a prefix `b`.
    Char,
}

impl<'a> Token<'a> {
    /// The text of a string without its quotes.
    pub fn inside(&self) -> &'a str {
        let text = self.text.strip_prefix('r').unwrap_or(self.text).trim_matches('#');
        let text = text.strip_prefix('"').unwrap_or(text);
        text.strip_suffix('"').unwrap_or(text)
    }
}

/// Every part of a source, in order.
pub fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let (mut rest, mut line) = (text, 1);
    std::iter::from_fn(move || {
        let (length, kind) = literal(rest).unwrap_or_else(|| {
            let mut places = rest.char_indices().map(|(at, _)| at);
            let next = places.find(|at| literal(&rest[*at..]).is_some());
            (next.unwrap_or(rest.len()), Kind::Code)
        });
        let (text, after) = rest.split_at(length);
        let token = Token { kind, text, line };
        line += text.matches('\n').count();
        rest = after;
        (length > 0).then_some(token)
    })
}

/// The length and kind of the comment or literal at the start of a text. An `r` before a quote always begins a raw
/// string, for a name cannot be followed by one.
fn literal(text: &str) -> Option<(usize, Kind)> {
    let until = |end: &str, from: usize| {
        text[from..].find(end).map_or(text.len(), |at| from + at + end.len())
    };
    if text.starts_with("//") {
        return Some((text.find('\n').unwrap_or(text.len()), Kind::Comment));
    }
    if text.starts_with("/*") {
        return Some((until("*/", 2), Kind::Comment));
    }
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(hashes));
        return raw[hashes..].starts_with('"').then(|| (until(&end, hashes + 2), Kind::String));
    }
    match text.chars().next()? {
        '"' => Some((quoted(text, '"'), Kind::String)),
        '\'' if text[1..].starts_with('\\') => Some((quoted(text, '\''), Kind::Char)),
        '\'' => {
            let length = 1 + text[1..].chars().next().map_or(0, char::len_utf8);
            // A lifetime has no quote at its end.
            text[length..].starts_with('\'').then_some((length + 1, Kind::Char))
        }
        _ => None,
    }
}

/// The length of a literal that ends with `quote`, both quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == quote {
            return at + 1;
        }
    }
    text.len()
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
            "\"\" + \"\" + b\"\"",
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
        check("#[cfg(all(test, b))]\nmod tests {\n    \"b\"\n}\nc", "\n\n\n\nc", &[]);
    }

    #[test]
    fn modules_for_tests() {
        let text = "mod a;\n#[cfg(test)]\nmod fake;\n#[cfg(test)]\nmod tests { fn f() {} }\n";
        assert_eq!(test_modules(text), ["fake"]);
    }
}
