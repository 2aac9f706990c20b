//! The line of a path in a YAML text, and the path of a place.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_saphyr::granit_parser::{Event, Parser};

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Key(String),
    Index(usize),
}

/// A collection that is being parsed.
enum Frame {
    /// A mapping, and the key whose value comes next.
    Map(Option<String>),
    /// A sequence, and the index of its next item.
    List(usize),
}

/// The line of every path of a text, which is parsed once.
pub(crate) struct Lines(BTreeMap<Vec<Step>, u64>);

impl Lines {
    pub(crate) fn new(text: &str) -> Self {
        let mut lines = BTreeMap::new();
        walk(text, |here, _, (line, _)| {
            lines.entry(here.to_vec()).or_insert(line);
            true
        });
        Self(lines)
    }

    /// The line, from 1, of `clusters[1].gateway`, or of the longest part of the path that exists.
    pub(crate) fn of(&self, path: &str) -> Option<u64> {
        let wanted = steps(path);
        (1..=wanted.len()).rev().find_map(|length| self.0.get(&wanted[..length]).copied())
    }
}

/// A node of a YAML text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its path: `clusters[1].gateway`.
    pub(crate) path: String,
    /// What it is.
    pub(crate) content: Content,
}

/// What a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Content {
    /// There is none.
    #[default]
    Nothing,
    /// A scalar, as it is written.
    Text(String),
    /// A sequence.
    List,
    /// A mapping.
    Fields,
}

/// The key at a place (line and column from 1), or the last node before it.
pub(crate) fn key_at(text: &str, place: (u64, u64)) -> Node {
    let mut found = Node::default();
    walk(text, |path, (content, _), at| {
        if at <= place {
            found = Node { path: written(path), content: content.clone() };
        }
        at <= place
    });
    found
}

/// The innermost value that begins at a place, or the last one before it.
pub(crate) fn value_at(text: &str, place: (u64, u64)) -> Node {
    let mut found = Node::default();
    walk(text, |path, (content, is_key), at| {
        if at <= place && !is_key {
            found = Node { path: written(path), content: content.clone() };
        }
        at <= place
    });
    found
}

/// Calls `visit` with the path of each key and value of the first document, what it is and whether it is a key, and its
/// line and column (from 1), until that returns `false`.
fn walk(text: &str, mut visit: impl FnMut(&[Step], (&Content, bool), (u64, u64)) -> bool) {
    let mut frames: Vec<Frame> = Vec::new();
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    for item in Parser::new_from_str(text) {
        let Ok((event, span)) = item else { break };
        let at = (number(span.start.line()), number(span.start.col()) + 1);
        let content = match &event {
            Event::Scalar(value, ..) => Some(Content::Text(value.to_string())),
            Event::SequenceStart(..) => Some(Content::List),
            Event::MappingStart(..) => Some(Content::Fields),
            _ => None,
        };
        let is_key = content.is_some() && is_key(&frames);
        if let (true, Some(Content::Text(key)), Some(Frame::Map(slot))) =
            (is_key, &content, frames.last_mut())
        {
            *slot = Some(key.clone());
        }
        if let Some(content) = &content
            && !visit(&current(&frames), (content, is_key), at)
        {
            break;
        }
        match event {
            _ if is_key => {}
            Event::MappingStart(..) => frames.push(Frame::Map(None)),
            Event::SequenceStart(..) => frames.push(Frame::List(0)),
            Event::MappingEnd | Event::SequenceEnd => {
                frames.pop();
                advance(&mut frames);
            }
            Event::Scalar(..) | Event::Alias(..) => advance(&mut frames),
            Event::DocumentEnd => break,
            _ => {}
        }
    }
}

/// Whether the next node is a key.
fn is_key(frames: &[Frame]) -> bool {
    matches!(frames.last(), Some(Frame::Map(None)))
}

/// A value has ended: the next key, or the next item.
fn advance(frames: &mut [Frame]) {
    match frames.last_mut() {
        Some(Frame::Map(key)) => *key = None,
        Some(Frame::List(next)) => *next += 1,
        None => {}
    }
}

fn current(frames: &[Frame]) -> Vec<Step> {
    frames
        .iter()
        .filter_map(|frame| match frame {
            Frame::Map(key) => key.clone().map(Step::Key),
            Frame::List(next) => Some(Step::Index(*next)),
        })
        .collect()
}

/// A path as text: `clusters[1].gateway`.
fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let mut pieces = part.split('[');
        steps.extend(
            pieces.next().filter(|key| !key.is_empty()).map(|key| Step::Key(key.to_string())),
        );
        steps.extend(pieces.filter_map(|n| n.trim_end_matches(']').parse().ok()).map(Step::Index));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_paths() {
        let text = "# a comment\nkind: Mesh\nclusters:\n- name: a\n  gateway:\n    addresses: [1.2.3.4]\n- name: b\n  gateway: {port: 1}\n";
        let check = |path: &str, wanted: Option<u64>| {
            assert_eq!(Lines::new(text).of(path), wanted, "{path}")
        };
        check("kind", Some(2));
        check("clusters", Some(3));
        check("clusters[0]", Some(4));
        check("clusters[0].gateway.addresses[0]", Some(6));
        check("clusters[1].gateway.port", Some(8));
        check("clusters[1].trustDomain", Some(7));
        check("services[0]", None);
        check("", None);
    }

    #[test]
    fn nodes_at_places() {
        let text = "kind: Mesh\nclusters:\n- name: a\n  gateway: {addresses: [x], port: 1}\n";
        let text_of = |text: &str| Content::Text(text.into());
        let check = |place, key: &str, value: &str, content| {
            assert_eq!(key_at(text, place).path, key, "{place:?}");
            assert_eq!(value_at(text, place), Node { path: value.into(), content }, "{place:?}");
        };
        check((1, 7), "kind", "kind", text_of("Mesh"));
        check((3, 3), "clusters[0].name", "clusters[0]", Content::Fields);
        check((3, 9), "clusters[0].name", "clusters[0].name", text_of("a"));
        check(
            (4, 24),
            "clusters[0].gateway.addresses",
            "clusters[0].gateway.addresses",
            Content::List,
        );
        check((4, 99), "clusters[0].gateway.port", "clusters[0].gateway.port", text_of("1"));
        assert_eq!(value_at("", (1, 1)), Node::default());
    }
}
