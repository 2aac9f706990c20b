//! Changes to trees of BER elements: lengths are computed again, so that one changed leaf leaves the rest readable.

use super::{GROWTH, bytes, repeats};
use crate::random::Random;

/// An element as it will be written.
#[derive(Clone, Debug)]
struct Node {
    /// Identifier octets.
    tag: Vec<u8>,
    form: Form,
    body: Body,
}

/// How the length is written.
#[derive(Clone, Copy, Debug)]
enum Form {
    Shortest,
    /// With so many length octets after the first.
    Long(usize),
    Indefinite,
    /// Off by so many bytes.
    Lie(i64),
}

#[derive(Clone, Debug)]
enum Body {
    Leaf(Vec<u8>),
    /// Bytes before the elements (the unused bits of a BIT STRING), then elements.
    Nest(Vec<u8>, Vec<Node>),
}

/// Elements may be this deep; what is deeper stays a leaf.
const DEPTH: usize = 40;

/// `data` after a few changes to its elements. If it is not a sequence of elements, single bytes change.
///
/// `donors` are inputs whose elements may take the place of those of `data`.
#[must_use]
pub fn edited(random: &mut Random, data: &[u8], donors: &[Vec<u8>]) -> Vec<u8> {
    let Some(mut nodes) = parsed(data, 0).filter(|nodes| !nodes.is_empty()) else {
        return bytes(random, data);
    };
    for _ in 0..=random.below(3) {
        edit(random, &mut nodes, donors);
    }
    let out = written(&nodes);
    if random.one_in(12) { bytes(random, &out) } else { out }
}

/// The elements `data` consists of; strings that hold whole elements count as constructed.
fn parsed(mut data: &[u8], depth: usize) -> Option<Vec<Node>> {
    let mut nodes = Vec::new();
    while !data.is_empty() {
        let (node, rest) = element(data, depth)?;
        nodes.push(node);
        data = rest;
    }
    Some(nodes)
}

fn element(data: &[u8], depth: usize) -> Option<(Node, &[u8])> {
    let tag_len = match data.first()? & 0x1f {
        0x1f => 2 + data.get(1..)?.iter().position(|byte| byte & 0x80 == 0)?,
        _ => 1,
    };
    let tag = data[..tag_len].to_vec();
    let rest = &data[tag_len..];
    let (first, rest) = (*rest.first()?, &rest[1..]);
    if first == 0x80 {
        let (nodes, rest) = until_end(rest, depth)?;
        return Some((
            Node { tag, form: Form::Indefinite, body: Body::Nest(Vec::new(), nodes) },
            rest,
        ));
    }
    let (form, content, rest) = match first {
        0x81..=0x88 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = octets.iter().fold(0, |n: usize, b| n << 8 | usize::from(*b));
            let (content, rest) = rest.split_at_checked(length)?;
            let shortest = length > 0x7f && octets[0] != 0;
            (if shortest { Form::Shortest } else { Form::Long(octets.len()) }, content, rest)
        }
        0..=0x7f => {
            let (content, rest) = rest.split_at_checked(usize::from(first))?;
            (Form::Shortest, content, rest)
        }
        _ => return None,
    };
    Some((Node { body: body(&tag, content, depth), tag, form }, rest))
}

/// The elements before the two zero bytes that end an element of indefinite length, each read once: reading a second
/// time at every level would double the work with each.
fn until_end(mut data: &[u8], depth: usize) -> Option<(Vec<Node>, &[u8])> {
    let mut nodes = Vec::new();
    while !data.starts_with(&[0, 0]) {
        let (node, rest) = if depth < DEPTH { element(data, depth + 1)? } else { return None };
        nodes.push(node);
        data = rest;
    }
    Some((nodes, &data[2..]))
}

fn body(tag: &[u8], content: &[u8], depth: usize) -> Body {
    let prefix = match tag {
        [0x03] if content.first() == Some(&0) => 1,
        [0x04] | [0x80..=0xbf, ..] => 0,
        [first, ..] if first & 0x20 != 0 => 0,
        _ => return Body::Leaf(content.to_vec()),
    };
    let (prefix, inner) = content.split_at(prefix);
    let nodes = if depth < DEPTH { parsed(inner, depth + 1) } else { None };
    let is_constructed = tag.first().is_some_and(|first| first & 0x20 != 0);
    match nodes {
        Some(nodes) if is_constructed || !nodes.is_empty() => Body::Nest(prefix.to_vec(), nodes),
        _ => Body::Leaf(content.to_vec()),
    }
}

fn written(nodes: &[Node]) -> Vec<u8> {
    let mut out = Vec::new();
    nodes.iter().for_each(|node| node.write(&mut out));
    out
}

impl Node {
    fn new(tag: u8, body: Body) -> Self {
        Self { tag: vec![tag], form: Form::Shortest, body }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let content = match &self.body {
            Body::Leaf(content) => content.clone(),
            Body::Nest(prefix, nodes) => [prefix.clone(), written(nodes)].concat(),
        };
        out.extend_from_slice(&self.tag);
        let length = content.len();
        match self.form {
            Form::Shortest => push_length(length, out),
            Form::Lie(off) => push_length(length.saturating_add_signed(off as isize), out),
            Form::Indefinite => out.push(0x80),
            Form::Long(octets) => {
                let octets = octets.clamp(1, 8);
                out.push(0x80 | octets.to_le_bytes()[0]);
                out.extend_from_slice(&(length as u64).to_be_bytes()[8 - octets..]);
            }
        }
        out.extend(content);
        if matches!(self.form, Form::Indefinite) {
            out.extend([0, 0]);
        }
    }
}

fn push_length(length: usize, out: &mut Vec<u8>) {
    let octets = length.to_be_bytes();
    let skip = octets.iter().take_while(|octet| **octet == 0).count();
    match length {
        0..=0x7f => out.push(octets[octets.len() - 1]),
        _ => {
            out.push(0x80 | (octets.len() - skip).to_le_bytes()[0]);
            out.extend_from_slice(&octets[skip..]);
        }
    }
}

/// Every element, its list first: (list, place), depth first.
fn count(nodes: &[Node]) -> usize {
    let below = |node: &Node| match &node.body {
        Body::Nest(_, nodes) => count(nodes),
        Body::Leaf(_) => 0,
    };
    nodes.iter().map(|node| 1 + below(node)).sum()
}

/// Calls `change` with the list that holds element number `at` and its place there.
fn at<T>(
    nodes: &mut Vec<Node>,
    at: &mut usize,
    change: &mut dyn FnMut(&mut Vec<Node>, usize) -> T,
) -> Option<T> {
    for place in 0..nodes.len() {
        if *at == 0 {
            return Some(change(nodes, place));
        }
        *at -= 1;
        if let Body::Nest(_, inner) = &mut nodes[place].body
            && let Some(done) = self::at(inner, at, change)
        {
            return Some(done);
        }
    }
    None
}

/// Any element of `nodes`.
fn any(random: &mut Random, nodes: &[Node]) -> Option<Node> {
    let mut number = random.below(count(nodes).max(1));
    at(&mut nodes.to_vec(), &mut number, &mut |list, place| list[place].clone())
}

fn edit(random: &mut Random, nodes: &mut Vec<Node>, donors: &[Vec<u8>]) {
    let donor = match random.below(3) {
        0 if !donors.is_empty() => {
            let donor = &donors[random.below(donors.len())];
            parsed(donor, 0).and_then(|nodes| any(random, &nodes))
        }
        _ => any(random, nodes),
    };
    let total = written(nodes).len();
    let mut number = random.below(count(nodes).max(1));
    at(nodes, &mut number, &mut |list, place| change(random, list, place, donor.as_ref(), total));
}

/// One change to the element at `place`, or to its list.
fn change(
    random: &mut Random,
    list: &mut Vec<Node>,
    place: usize,
    donor: Option<&Node>,
    total: usize,
) {
    match random.below(16) {
        0 => {
            let other = random.below(list.len());
            list.swap(place, other);
        }
        1 => drop(list.remove(place)),
        2 => {
            let copy = list[place].clone();
            let size = written(std::slice::from_ref(&copy)).len().max(1);
            let times = repeats(random).min(GROWTH.saturating_sub(total) / size + 1);
            list.splice(place..place, std::iter::repeat_n(copy, times));
        }
        3 => list[place].tag = vec![other_tag(random, list[place].tag[0])],
        4 => list[place].form = other_form(random),
        5 => nest(random, list, place),
        6 => {
            if let Body::Nest(_, inner) = list[place].body.clone() {
                list.splice(place..=place, inner);
            }
        }
        7 | 8 => list[place] = donor.cloned().unwrap_or_else(|| list[place].clone()),
        9 => list.insert(place, donor.cloned().unwrap_or_else(|| list[place].clone())),
        10 => list[place].body = Body::Leaf(Vec::new()),
        11 => {
            let inner = Body::Leaf(random.pick(VALUES).to_vec());
            list.insert(place, Node::new(random.pick(TAGS), inner));
        }
        _ => list[place].content(random),
    }
}

/// Identifier octets of universal and context tags that X.509 has, and some it has not.
const TAGS: &[u8] = &[
    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1c, 0x1e,
    0x30, 0x31, 0x80, 0x81, 0x82, 0x86, 0x87, 0x88, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0x00, 0x1f, 0x24,
    0x3f, 0x60, 0xff,
];

fn other_tag(random: &mut Random, tag: u8) -> u8 {
    match random.below(4) {
        0 => tag ^ 0x20,
        1 => tag ^ random.pick(&[0x40, 0x80, 0xc0]),
        _ => random.pick(TAGS),
    }
}

fn other_form(random: &mut Random) -> Form {
    match random.below(4) {
        0 => Form::Indefinite,
        1 => Form::Long(random.pick(&[1, 2, 3, 4, 5, 8])),
        2 => Form::Lie(random.pick(&[-1, 1, -2, 2, 127, 1 << 31, i64::MAX >> 1])),
        _ => Form::Shortest,
    }
}

/// The element wrapped in others, a few or a great many of them.
fn nest(random: &mut Random, list: &mut [Node], place: usize) {
    let tag = random.pick(&[0x30, 0x30, 0x31, 0xa0, 0xa3, 0x04, 0x24]);
    let form = if random.one_in(3) { Form::Indefinite } else { Form::Shortest };
    let levels = random.pick(&[1, 1, 2, 30, 200, 1000]);
    let mut inner = Vec::new();
    list[place].write(&mut inner);
    if levels > DEPTH {
        // Written flat: a tree this deep would be walked, and dropped, by recursion.
        for _ in 0..levels {
            let node = Node { tag: vec![tag], form, body: Body::Leaf(std::mem::take(&mut inner)) };
            node.write(&mut inner);
            if inner.len() > GROWTH {
                break;
            }
        }
        list[place] = Node::new(0x30, Body::Leaf(inner));
        return;
    }
    for _ in 0..levels {
        let body = Body::Nest(Vec::new(), vec![list[place].clone()]);
        list[place] = Node { tag: vec![tag], form, body };
    }
}

/// Contents that mean something to one type or another: numbers, bits, flags, times, OIDs, texts.
pub const VALUES: &[&[u8]] = &[
    &[],
    &[0],
    &[1],
    &[0xff],
    &[0x7f],
    &[0x80],
    &[0, 0x80],
    &[0, 0],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[7, 0x80],
    &[8, 0x80],
    &[0, 0xa0],
    b"991231235959Z",
    b"500101000000Z",
    b"20500101000000Z",
    b"99991231235959Z",
    b"00000101000000Z",
    b"20240229120000Z",
    b"20230229120000Z",
    b"200101000000+0100",
    b"2001010000Z",
    b"20200101000000.5Z",
    b"spiffe://cluster.local/ns/default/sa/default",
    b"*.example.com",
    b"a.example.com\0.evil",
    b".",
    b"xn--bcher-kva.example.com",
    b"\xe2\x80\xae gnp.exe",
    b"\xff\xfe",
    b"a@b@c",
    &[127, 0, 0, 1],
    &[10, 0, 0, 0, 255, 0, 0, 0],
    &[10, 0, 0, 0, 255, 0, 255, 0],
    &[0x2a, 0x03, 0x04],
    &[0x55, 0x1d, 0x13],
    &[0x55, 0x1d, 0x0f],
    &[0x55, 0x1d, 0x11],
    &[0x55, 0x1d, 0x1e],
    &[0x55, 0x1d, 0x20, 0x00],
    &[0x55, 0x1d, 0x23],
    &[0x55, 0x1d, 0x25],
    &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b],
    &[0x2b, 0x65, 0x70],
    &[0x80, 0x80, 0x80],
    &[0x88, 0x37, 0x80, 0x01],
];

impl Node {
    /// Another content; the children of a constructed element go with it once in a while.
    fn content(&mut self, random: &mut Random) {
        let Body::Leaf(content) = &mut self.body else {
            if random.one_in(4) {
                self.body = Body::Leaf(random.pick(VALUES).to_vec());
            }
            return;
        };
        match random.below(6) {
            0 | 1 => *content = random.pick(VALUES).to_vec(),
            2 => content.truncate(random.below(content.len().max(1))),
            3 => {
                let more = random.pick(VALUES);
                let times = repeats(random);
                (0..times).for_each(|_| content.extend_from_slice(more));
                content.truncate(GROWTH);
            }
            _ => *content = bytes(random, content),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read is written as it was.
    #[test]
    fn trees_keep_their_bytes() {
        for topic in crate::cases::topics() {
            for entry in std::fs::read_dir(topic).expect("a folder").flatten() {
                let text = std::fs::read(entry.path()).unwrap_or_default();
                for block in meshpki::internals::pem::decode(&text).into_iter().flatten() {
                    let Some(nodes) = parsed(&block.der, 0) else { continue };
                    assert_eq!(written(&nodes), block.der);
                }
            }
        }
    }

    /// Most changed certificates are still one element, or the changes would not get past the first check.
    #[test]
    fn most_changes_leave_one_element() {
        let mut random = Random::new(1);
        let plan = crate::forge::CertPlan::new(
            crate::world::common_name("a"),
            crate::world::common_name("b"),
            0,
            0,
        );
        let cert = plan.sign();
        let whole = (0..1000).filter(|_| {
            let edited = edited(&mut random, &cert, &[]);
            edited != cert && parsed(&edited, 0).is_some_and(|nodes| nodes.len() == 1)
        });
        let whole = whole.count();
        assert!(whole > 600, "{whole} of 1000");
    }
}
