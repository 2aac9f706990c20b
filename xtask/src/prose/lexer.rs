//! Words of a text, with their lines: of Markdown outside of code, and of the comments and strings of Rust.

use crate::rust_text::{Kind, tokens};

/// A word of a text.
#[derive(Debug)]
pub struct Word<'a> {
    /// The word as written; `` ` `` for code and for a placeholder.
    pub text: &'a str,
    /// Its line, from 1.
    pub line: usize,
    /// Whether only space separates it from the word before.
    pub joined: bool,
    /// Whether it is in a string.
    pub in_string: bool,
}

impl Word<'_> {
    /// Whether it is this word, in any case, or its possessive.
    pub fn is(&self, text: &str) -> bool {
        self.stem().eq_ignore_ascii_case(text)
    }

    /// The word without `'s`.
    pub fn stem(&self) -> &str {
        self.text.strip_suffix("'s").unwrap_or(self.text)
    }
}

/// The words of Markdown outside of code blocks.
pub fn markdown(text: &str) -> Vec<Word<'_>> {
    let mut words = Words::default();
    let mut last = 0;
    for (line, content) in outside_code(text) {
        if line != last + 1 || content.trim().is_empty() {
            words.part();
        }
        last = line;
        words.add(content, line);
    }
    words.all
}

/// The lines of Markdown outside of code blocks, with their numbers from 1.
pub fn outside_code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_fence && !is_code && !line.starts_with("    ")
    })
}

/// The words of the comments and strings of a Rust source.
pub fn rust(text: &str) -> Vec<Word<'_>> {
    let mut words = Words::default();
    for token in tokens(text) {
        match token.kind {
            Kind::Comment => words.add(token.text.trim_start_matches(['/', '!', '*']), token.line),
            Kind::String => {
                words.part();
                words.in_string = true;
                (token.line..).zip(token.inside().lines()).for_each(|(at, one)| words.add(one, at));
                words.in_string = false;
                words.part();
            }
            // Code separates what is before it from what is after it; lines of one comment stay together.
            Kind::Code if token.text.trim().is_empty() => {}
            Kind::Code | Kind::Char => words.part(),
        }
    }
    words.all
}

/// Words as they are found.
#[derive(Default)]
struct Words<'a> {
    all: Vec<Word<'a>>,
    /// Whether the next word is next to the last one.
    joined: bool,
    /// Whether the next word is in a string.
    in_string: bool,
}

impl<'a> Words<'a> {
    /// The next word does not belong to the last one.
    const fn part(&mut self) {
        self.joined = false;
    }

    /// Adds the words of a line.
    fn add(&mut self, text: &'a str, line: usize) {
        // In a string, a backslash at the end joins lines; `\n` ends one.
        let mut rest = text.strip_suffix('\\').unwrap_or(text);
        while let Some(first) = rest.bytes().next() {
            let until = |end: char| rest[1..].find(end).map(|at| at + 2);
            let code = match first {
                b'`' => until('`'),
                b'{' => until('}'),
                _ => None,
            };
            let length = match (code, first) {
                (Some(length), _) => length,
                (None, b'\\') => rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at),
                _ => rest.find(|c| !is_letter(c)).unwrap_or(rest.len()),
            };
            if code.is_some() || (length > 0 && first != b'\\') {
                let text = if code.is_some() { "`" } else { &rest[..length] };
                self.all.push(Word { text, line, joined: self.joined, in_string: self.in_string });
                self.joined = true;
            } else if first != b' ' {
                self.part();
            }
            let other = rest.chars().next().map_or(0, char::len_utf8);
            rest = &rest[length.max(other)..];
        }
    }
}

fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '\'' | '_' | '-')
}
