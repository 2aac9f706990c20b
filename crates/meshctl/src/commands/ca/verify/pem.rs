//! PEM exactly as OpenSSL 3.0 reads it (`crypto/pem/pem_lib.c: PEM_read_bio_ex`).
//!
//! [`meshpki::internals::pem`] reads what people mean; this reads what `openssl verify` sees: lines of at most 254
//! bytes that end at a NUL, a blank line that turns everything before it into headers, padding that counts.
//!
//! A file may be read from many places, and OpenSSL starts again from each. Here what one pass has found is kept, so
//! that the work stays in proportion to the file: which BEGIN line is next, and how the block after each one ends.

use std::collections::{HashMap, HashSet};

use zeroize::Zeroizing;

/// A block that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The text between `-----BEGIN ` and `-----`.
    pub(super) label: Vec<u8>,
    /// Header text, empty for nearly every file.
    pub(super) header: Vec<u8>,
    /// The decoded content.
    pub(super) der: Zeroizing<Vec<u8>>,
    /// Where the line after the BEGIN line starts.
    start: usize,
}

/// What reading one block came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A block.
    Block(Block),
    /// A BEGIN line whose block cannot be read.
    Bad,
    /// No further BEGIN line.
    End,
}

/// Reads blocks, from any place of a text.
pub(super) struct Reader<'a> {
    text: &'a [u8],
    /// Bytes read so far.
    pub(super) at: usize,
    /// Reading may start again from another place, so how blocks end is kept.
    comes_back: bool,
    /// The end of the line read last.
    newline: (usize, usize),
    /// A place, and the first one from there where [`Reader::begin`] could stop within its line.
    stop: (usize, usize),
    /// The BEGIN line found last.
    marker: Option<Marker>,
    /// How blocks end, by the place after a BEGIN line.
    ends: HashMap<(usize, State), Option<End>>,
    /// Starts of blocks nothing can be made of.
    useless: HashSet<usize>,
    /// Lines read: a measure of the work.
    #[cfg(test)]
    lines: usize,
}

/// A BEGIN line, or the end of the search for one.
struct Marker {
    /// The start of a line from which the search was begun; from any line up to `line` it ends here too.
    from: usize,
    line: usize,
    after: usize,
    label: Option<Vec<u8>>,
}

/// What decides how the lines of a block continue (`get_header_and_data`).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct State {
    /// A blank line was seen.
    blank: bool,
    /// Behind the blank line, a line shorter than 64 characters was seen.
    short: bool,
    /// The line before filled the buffer before it ended.
    partial: bool,
}

/// Where a block ends with an END line, as seen from one of its lines.
#[derive(Clone, Copy)]
struct End {
    line: usize,
    after: usize,
    /// Where the line after the first blank one starts.
    behind: Option<usize>,
    /// A colon occurs before the blank line, or the END line.
    colon: bool,
}

/// Longest piece of a line read at once (`LINESIZE` less its NUL).
const PIECE: usize = 254;
const BEGIN: &[u8] = b"-----BEGIN ";

impl<'a> Reader<'a> {
    /// A reader that may start again from another place.
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            comes_back: true,
            newline: (0, 0),
            stop: (0, 0),
            marker: None,
            ends: HashMap::new(),
            useless: HashSet::new(),
            #[cfg(test)]
            lines: 0,
        }
    }

    /// A reader that continues after each block and stops at the first bad one.
    pub(super) fn once(text: &'a [u8]) -> Self {
        Self { comes_back: false, ..Self::new(text) }
    }

    /// The next block.
    pub(super) fn next(&mut self) -> Next {
        let Some(label) = self.begin() else { return Next::End };
        let start = self.at;
        if self.useless.contains(&start) {
            return Next::Bad;
        }
        if let Some((header, der)) = self.body(&label) {
            return Next::Block(Block { label, header, der: Zeroizing::new(der), start });
        }
        self.useless.insert(start);
        Next::Bad
    }

    /// The same block is bad when it comes again.
    pub(super) fn refuse(&mut self, block: &Block) {
        self.useless.insert(block.start);
    }

    /// The label of the next BEGIN line.
    fn begin(&mut self) -> Option<Vec<u8>> {
        let mut first = true;
        loop {
            if !first && self.text[..self.at].ends_with(b"\n") {
                return self.next_marker();
            }
            #[cfg(test)]
            {
                self.lines += 1;
            }
            let at = self.at;
            let after = self.piece_end(at);
            let piece = &self.text[at..after];
            let mark =
                if first { piece.strip_prefix(b"\xef\xbb\xbf").unwrap_or(piece) } else { piece };
            if !mark.starts_with(BEGIN) {
                if piece.first().is_none_or(|byte| *byte == 0) {
                    return None;
                }
                (self.at, first) = (self.piece_before_stop(after), false);
                continue;
            }
            let line = self.line_at(at)?;
            self.at = line.after;
            if let Some(label) = begin_label(line.bytes, first) {
                return Some(label.to_vec());
            }
            first = false;
        }
    }

    /// The next BEGIN line, from the start of a line.
    fn next_marker(&mut self) -> Option<Vec<u8>> {
        let from = self.at;
        if let Some(known) = &self.marker
            && known.from <= from
            && from <= known.line
        {
            self.at = known.after;
            return known.label.clone();
        }
        let (mut line_at, mut found) = (from, None);
        while let Some(line) = self.line_at(line_at) {
            found = begin_label(line.bytes, false).map(<[u8]>::to_vec);
            self.at = line.after;
            if found.is_some() {
                break;
            }
            line_at = line.after;
        }
        self.marker = Some(Marker { from, line: line_at, after: self.at, label: found.clone() });
        found
    }

    /// `get_header_and_data` and the decoding after it.
    fn body(&mut self, label: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let start = self.at;
        let end = self.end_from(start)?;
        let wanted = [b"-----END ", label, b"-----"].concat();
        if trimmed(self.line_at(end.line)?.bytes) != wanted {
            return None;
        }
        self.at = end.after;
        let mut header = Vec::new();
        if let Some(behind) = end.behind {
            for text in self.lines(start, behind) {
                header.extend_from_slice(text);
                header.push(b'\n');
            }
        } else if end.colon {
            // Everything is header, and nothing is content.
            return None;
        }
        let der = decode_base64(self.lines(end.behind.unwrap_or(start), end.line))?;
        (!der.is_empty()).then_some((header, der))
    }

    /// Where the block whose content starts at `start` ends, if its lines are in order up to an END line.
    fn end_from(&mut self, start: usize) -> Option<End> {
        let (mut at, mut state) = (start, State::default());
        // Places after BEGIN lines, where another block may start; and what comes before the end.
        let mut places = vec![(start, state)];
        let (mut behind, mut last_colon) = (None, None);
        let mut end = loop {
            if at != start
                && let Some(known) = self.ends.get(&(at, state))
            {
                break *known;
            }
            let Some(line) = self.line_at(at) else { break None };
            let continues = std::mem::replace(&mut state.partial, line.partial);
            if !state.blank && line.bytes.contains(&b':') {
                last_colon = Some(at);
            }
            let text = trimmed(line.bytes);
            if text.is_empty() {
                if !continues && std::mem::replace(&mut state.blank, true) {
                    break None;
                }
                if !continues {
                    behind = Some(line.after);
                }
            } else if text.starts_with(b"-----END ") {
                break Some(End { line: at, after: line.after, behind: None, colon: false });
            } else if state.short || (state.blank && text.len() > 64) {
                break None;
            } else {
                state.short = state.blank && text.len() < 64;
            }
            at = line.after;
            if self.comes_back && text.starts_with(BEGIN) {
                places.push((at, state));
            }
        };
        if let Some(end) = &mut end {
            end.behind = behind.or(end.behind);
        }
        let seen_from = |place: usize, state: State, end: End| End {
            behind: end.behind.filter(|_| !state.blank),
            colon: !state.blank && (end.colon || last_colon.is_some_and(|colon| colon >= place)),
            ..end
        };
        for (place, state) in places {
            self.ends.insert((place, state), end.map(|end| seen_from(place, state, end)));
        }
        end.map(|end| seen_from(start, State::default(), end))
    }

    /// What is left of the lines from `from` to `to` when they are trimmed, without the empty ones.
    fn lines(&self, mut from: usize, to: usize) -> impl Iterator<Item = &'a [u8]> {
        let text = self.text;
        std::iter::from_fn(move || {
            while from < to {
                let line = line_at(text, from)?;
                from = line.after;
                let text = trimmed(line.bytes);
                if !text.is_empty() {
                    return Some(text);
                }
            }
            None
        })
    }

    fn line_at(&mut self, at: usize) -> Option<Line<'a>> {
        #[cfg(test)]
        {
            self.lines += 1;
        }
        line_at(self.text, at)
    }

    /// Where the piece starts that has the next BEGIN or NUL of the line, if pieces are counted from `at`; the end of the
    /// line if there is none.
    fn piece_before_stop(&mut self, at: usize) -> usize {
        let end = self.newline.1;
        let (from, known) = self.stop;
        if !(from <= at && at <= known && known <= end) {
            let rest = &self.text[at..end];
            let stops = |i: &usize| rest[*i] == 0 || rest[*i..].starts_with(BEGIN);
            self.stop = (at, (0..rest.len()).find(stops).map_or(end, |i| at + i));
        }
        let stop = self.stop.1;
        if stop == end { end } else { at + (stop - at) / PIECE * PIECE }
    }

    /// Where the piece of a line that starts at `at` ends.
    fn piece_end(&mut self, at: usize) -> usize {
        let (from, end) = self.newline;
        if !(from <= at && at < end) {
            let rest = &self.text[at..];
            let length = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |i| i + 1);
            self.newline = (at, at + length);
        }
        self.newline.1.min(at + PIECE)
    }
}

/// `BIO_gets` on a file: up to a line feed, 254 bytes or a NUL, whichever comes first.
fn line_at(text: &[u8], at: usize) -> Option<Line<'_>> {
    let rest = &text[at..];
    let piece = &rest[..rest.len().min(PIECE)];
    let length = piece.iter().position(|b| *b == b'\n').map_or(piece.len(), |i| i + 1);
    let bytes = piece[..length].split(|b| *b == 0).next().unwrap_or_default();
    let partial = bytes.len() == PIECE && !bytes.ends_with(b"\n");
    (!bytes.is_empty()).then_some(Line { bytes, after: at + length, partial })
}

struct Line<'a> {
    bytes: &'a [u8],
    /// Where the next one starts.
    after: usize,
    /// The piece filled the buffer before its line ended.
    partial: bool,
}

/// The label of a BEGIN line; a byte order mark may precede the first line.
fn begin_label(mut line: &[u8], first: bool) -> Option<&[u8]> {
    if first && line.len() > 3 {
        line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    }
    trimmed(line).strip_prefix(BEGIN)?.strip_suffix(b"-----")
}

/// `sanitize_line`: without what a signed char calls smaller than a space, at the end.
fn trimmed(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|b| (0x21..0x80).contains(b)).map_or(0, |i| i + 1);
    &line[..end]
}

/// `EVP_DecodeUpdate` and `EVP_DecodeFinal`: white space skipped, `-` ends, `=` only at the end.
fn decode_base64<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let (mut group, mut count, mut padding) = (0u32, 0, 0);
    for byte in lines.flatten() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => 0,
            b' ' | b'\t' | b'\n' | b'\r' => continue,
            b'-' => break,
            _ => return None,
        };
        padding += usize::from(*byte == b'=');
        if padding > 2 || (padding > 0 && *byte != b'=') {
            return None;
        }
        group = group << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            out.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, count) = (0, 0);
        }
    }
    out.truncate(out.len().checked_sub(padding)?);
    (count == 0).then_some(out)
}

#[cfg(test)]
mod tests;
