//! Words of a text, with their lines: of Markdown outside of code, and of the comments and strings of Rust.

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
    let mut rest = text;
    let mut line = 1;
    while let Some(next) = rest.find(['/', '"', '\'', 'r', '\n']) {
        let (before, from) = rest.split_at(next);
        let is_word = before.ends_with(|c: char| c.is_alphanumeric() && c != 'b' || c == '_');
        let token = Token::at(from, is_word);
        let (length, kind) = token.unwrap_or((1, None));
        let content = &from[..length];
        // Code separates what is before it from what is after it.
        let is_code = kind.is_none() && content != "\n";
        if is_code || !before.trim().is_empty() {
            words.part();
        }
        match kind {
            Some(Token::Comment) => words.add(content.trim_start_matches(['/', '!', '*']), line),
            Some(Token::String) => {
                words.part();
                words.in_string = true;
                (line..).zip(content.lines()).for_each(|(at, one)| words.add(one, at));
                words.in_string = false;
                words.part();
            }
            Some(Token::Char) => words.part(),
            None => {}
        }
        line += content.matches('\n').count();
        rest = &from[length..];
    }
    words.all
}

enum Token {
    Comment,
    String,
    Char,
}

impl Token {
    /// The length and kind of the token at the start of `text`; `is_word`: in the middle of a name.
    fn at(text: &str, is_word: bool) -> Option<(usize, Option<Self>)> {
        let until = |end: &str, from: usize| {
            text[from..].find(end).map_or(text.len(), |at| from + at + end.len())
        };
        if text.starts_with("//") {
            // The end of the line is not part of it: lines of one comment stay together.
            return Some((text.find('\n').unwrap_or(text.len()), Some(Self::Comment)));
        }
        if text.starts_with("/*") {
            return Some((until("*/", 2), Some(Self::Comment)));
        }
        if let Some(raw) = text.strip_prefix('r').filter(|_| !is_word) {
            let hashes = raw.bytes().take_while(|byte| *byte == b'#').count();
            let is_string = raw[hashes..].starts_with('"');
            let end = format!("\"{}", "#".repeat(hashes));
            return is_string.then(|| (until(&end, hashes + 2), Some(Self::String)));
        }
        match text.as_bytes().first()? {
            b'"' => Some((quoted(text, b'"'), Some(Self::String))),
            // A lifetime has no quote at its end.
            b'\'' if text[1..].starts_with('\\') => Some((quoted(text, b'\''), Some(Self::Char))),
            b'\'' => {
                let length = text[1..].chars().next().map_or(0, char::len_utf8);
                let is_char = text[1 + length..].starts_with('\'');
                is_char.then_some((length + 2, Some(Self::Char)))
            }
            _ => None,
        }
    }
}

/// The length of a literal that ends with `quote`, both quotes included.
fn quoted(text: &str, quote: u8) -> usize {
    let mut bytes = text.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte == quote {
            return at + 1;
        }
    }
    text.len()
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
