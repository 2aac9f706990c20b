//! The line of a path in a YAML text.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_saphyr::granit_parser::{Event, Parser};

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// The line, from 1, of `clusters[1].gateway`, or of the longest part of the path that exists.
pub(crate) fn line(text: &str, path: &str) -> Option<u64> {
    let wanted = steps(path);
    if wanted.is_empty() {
        return None;
    }
    let mut frames: Vec<Frame> = Vec::new();
    let (mut best, mut depth) = (None, 0);
    for item in Parser::new_from_str(text) {
        let Ok((event, span)) = item else { break };
        let at = u64::try_from(span.start.line()).ok();
        let is_node =
            matches!(event, Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..));
        if is_node && is_key(&frames) {
            if let (Event::Scalar(key, ..), Some(Frame::Map(slot))) = (&event, frames.last_mut()) {
                *slot = Some(key.to_string());
                let here = current(&frames);
                if here.len() > depth && wanted.starts_with(&here) {
                    (best, depth) = (at, here.len());
                }
            }
            continue;
        }
        if is_node {
            let here = current(&frames);
            if here.len() > depth && wanted.starts_with(&here) {
                (best, depth) = (at, here.len());
            }
        }
        match event {
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
    best
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
        let check =
            |path: &str, wanted: Option<u64>| assert_eq!(line(text, path), wanted, "{path}");
        check("kind", Some(2));
        check("clusters", Some(3));
        check("clusters[0]", Some(4));
        check("clusters[0].gateway.addresses[0]", Some(6));
        check("clusters[1].gateway.port", Some(8));
        check("clusters[1].trustDomain", Some(7));
        check("services[0]", None);
        check("", None);
    }
}
