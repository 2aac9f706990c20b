//! Encodings that are not DER but mean the same: long lengths, indefinite lengths, strings in pieces.

use meshpki::internals::der::{self, Reader, Tag};

use crate::random::Random;

/// `der` with about one element in `rarity` encoded in another way.
#[must_use]
pub fn loosened(random: &mut Random, der: &[u8], rarity: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut reader = Reader::new(der);
    while let Ok(Some(element)) = reader.next() {
        if element.tag & 0x1f == 0x1f {
            out.extend_from_slice(element.raw);
            continue;
        }
        let content = if element.is_constructed() {
            loosened(random, element.content, rarity)
        } else {
            element.content.to_vec()
        };
        push(random, element.tag, &content, rarity, &mut out);
    }
    out.extend_from_slice(reader.rest());
    out
}

fn push(random: &mut Random, tag: Tag, content: &[u8], rarity: usize, out: &mut Vec<u8>) {
    if !random.one_in(rarity) {
        out.extend(der::tlv(tag, content));
        return;
    }
    let constructed = tag & der::CONSTRUCTED != 0;
    match random.below(3) {
        0 if constructed => {
            out.extend([tag, 0x80]);
            out.extend_from_slice(content);
            out.extend([0, 0]);
        }
        1 if !constructed => {
            let kind = if tag & 0xc0 == 0 { tag } else { random.pick(&[der::OCTET_STRING, tag]) };
            let cut = random.below(content.len() + 1);
            let pieces = [der::tlv(kind, &content[..cut]), der::tlv(kind, &content[cut..])];
            push(random, tag | der::CONSTRUCTED, &pieces.concat(), 2, out);
        }
        2 if constructed && random.one_in(6) => {
            out.extend(der::tlv(tag & !der::CONSTRUCTED, content))
        }
        _ => {
            let length = u32::try_from(content.len()).unwrap_or(0).to_be_bytes();
            out.extend([tag, 0x84]);
            out.extend(length);
            out.extend_from_slice(content);
        }
    }
}
