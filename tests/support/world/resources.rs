//! Internet resources (RFC 3779): nested, not nested, inherited, out of order.

use meshpki::internals::der::{self, tlv};
use meshpki::internals::oid;

use crate::forge::{Extension, extension, value};
use crate::random::Random;

/// ipAddrBlock, autonomousSysNum, or both.
pub(super) fn extensions(random: &mut Random) -> Vec<Extension> {
    let mut all = Vec::new();
    if !random.one_in(3) {
        let families: Vec<Vec<u8>> = (0..random.below(3)).map(|i| family(random, i)).collect();
        all.push(extension(oid::IP_ADDR_BLOCKS, random.one_in(2), value::list(&families)));
    }
    if !random.one_in(3) {
        let mut choice = |tag| {
            if random.one_in(3) { Vec::new() } else { tlv(tag, &systems(random)) }
        };
        let value = der::sequence(&[&choice(0xa0), &choice(0xa1)]);
        all.push(extension(oid::AUTONOMOUS_SYS_IDS, random.one_in(2), value));
    }
    all
}

fn family(random: &mut Random, i: usize) -> Vec<u8> {
    let usual: [&[u8]; 2] = [&[0, 1], &[0, 2]];
    let odd: [&[u8]; 6] = [&[0, 1, 1], &[0, 1, 2], &[0, 2, 1], &[1], &[0, 3], &[0, 1, 0, 0]];
    let id = if random.one_in(9) { random.pick(&odd) } else { usual[i % 2] };
    if random.one_in(4) {
        return der::sequence(&[&tlv(der::OCTET_STRING, id), &tlv(der::NULL, &[])]);
    }
    let mut prefixes: Vec<Vec<u8>> = (0..random.below(3)).map(|_| addresses(random)).collect();
    if prefixes.is_empty() || random.one_in(6) {
        prefixes.push(addresses(random));
    }
    if !random.one_in(6) {
        prefixes
            .sort_by_key(|prefix| prefix.iter().rev().take(4).rev().copied().collect::<Vec<_>>());
    }
    der::sequence(&[&tlv(der::OCTET_STRING, id), &value::list(&prefixes)])
}

/// A prefix or a range, mostly of the same few.
fn addresses(random: &mut Random) -> Vec<u8> {
    let prefixes: [&[u8]; 10] = [
        &[0],
        &[0, 10],
        &[0, 10, 1],
        &[4, 10, 0x10],
        &[0, 10, 1, 2, 3],
        &[0, 11],
        &[1, 10],
        &[7, 0x80],
        &[0, 192, 168],
        &[0, 10, 1, 2, 3, 4],
    ];
    let bits = |random: &mut Random| tlv(der::BIT_STRING, random.pick(&prefixes));
    if random.one_in(3) {
        let ends: [(&[u8], &[u8]); 6] = [
            (&[0, 10], &[0, 11]),
            (&[0, 10, 1], &[0, 10, 3]),
            (&[0, 10, 0, 0, 1], &[0, 10, 0, 0, 9]),
            (&[0], &[0, 12]),
            (&[0, 9], &[0, 8]),
            (&[0, 10, 1, 2, 3], &[0, 10, 1, 2, 3]),
        ];
        let (min, max) = random.pick(&ends);
        return der::sequence(&[&tlv(der::BIT_STRING, min), &tlv(der::BIT_STRING, max)]);
    }
    bits(random)
}

fn systems(random: &mut Random) -> Vec<u8> {
    if random.one_in(4) {
        return tlv(der::NULL, &[]);
    }
    let mut numbers: Vec<u8> =
        (0..random.below(4)).map(|_| random.pick(&[1u8, 2, 3, 5, 10, 20, 100, 0xf0])).collect();
    if !random.one_in(5) {
        numbers.sort_unstable();
    }
    let items: Vec<Vec<u8>> = numbers
        .iter()
        .map(|n| {
            if random.one_in(2) {
                let end = n.wrapping_add(random.pick(&[0, 1, 2, 9, 0xff]));
                der::sequence(&[&tlv(der::INTEGER, &[*n]), &tlv(der::INTEGER, &[end])])
            } else {
                tlv(der::INTEGER, &[*n])
            }
        })
        .collect();
    value::list(&items)
}
